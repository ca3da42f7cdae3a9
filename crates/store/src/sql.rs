//! Reading rows: columns to words of the project.

use plimsoll_core::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::error::StoreError;

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

/// A column of a row.
pub(crate) fn column<'r, T>(row: &'r SqliteRow, index: usize) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(index).map_err(|source| StoreError::Unreadable {
        what: "row",
        source: Box::new(source),
    })
}

/// A count, which is never negative.
pub(crate) fn count(row: &SqliteRow, index: usize) -> Result<u64, StoreError> {
    let value: Option<i64> = column(row, index)?;
    Ok(u64::try_from(value.unwrap_or(0)).unwrap_or(0))
}

/// A time.
pub(crate) fn time(row: &SqliteRow, index: usize) -> Result<Option<Timestamp>, StoreError> {
    let micros: Option<i64> = column(row, index)?;
    Ok(micros.map(Timestamp::from_micros))
}

/// A number that SQLite can hold; it has no unsigned ones.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
