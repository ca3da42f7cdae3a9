//! Stored values: to words of the project, and back.

use serde::de::DeserializeOwned;

use crate::error::StoreError;
use crate::rollup::Sketch;

pub(crate) use crate::database::{column, count, time};

/// The stored JSON of a `what`, read.
pub(crate) fn read_json<T: DeserializeOwned>(
    what: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable {
        what,
        source: Box::new(error),
    })
}

/// A `what` as JSON, to be stored.
pub(crate) fn write_json<T: serde::Serialize>(
    what: &'static str,
    value: &T,
) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable {
        what,
        source: Box::new(error),
    })
}

/// A stored word, read back: `what` says which.
pub(crate) fn parse<T>(what: &'static str, text: &str) -> Result<T, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error| StoreError::Unreadable {
        what,
        source: Box::new(error),
    })
}

/// A stored sketch, read.
pub(crate) fn read_sketch(bytes: &[u8]) -> Result<Sketch, StoreError> {
    Sketch::from_bytes(bytes).ok_or_else(|| StoreError::Unreadable {
        what: "sketch",
        source: "its bytes are of a later version, or damaged".into(),
    })
}

/// A number that databases can hold; they have no unsigned ones.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
