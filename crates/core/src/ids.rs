//! Typed ids. Each is a ULID: it sorts by the time at which it was made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::clock::Timestamp;
use crate::random::random;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Ulid);

        impl $name {
            /// A new id, made at `now`.
            pub fn new(now: Timestamp) -> Self {
                Self(fresh(now))
            }

            /// When the id was made, to the millisecond.
            pub fn made_at(&self) -> Timestamp {
                let millis = i64::try_from(self.0.timestamp_ms()).unwrap_or(i64::MAX / 1000);
                Timestamp::from_micros(millis * 1000)
            }

            /// The 16 bytes, big-endian.
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_bytes()
            }

            /// The id with these 16 bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Ulid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Ulid::from_string(text).map(Self).map_err(|_| IdError(text.to_owned()))
            }
        }
    };
}

id! {
    /// Names one decision.
    DecisionId
}
id! {
    /// Names one call by a caller; a batch of n rows is n decisions under one request id.
    RequestId
}
id! {
    /// Names one deployment event.
    DeploymentId
}
id! {
    /// Names one review.
    ReviewId
}
id! {
    /// Names any other event: a drill, a runbook run.
    EventId
}

/// A text that is no id.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not an id: 26 characters of Crockford base 32 are expected, as in 01J9ZC6T7R8Y3V5W1X2Q4K0M9N"
)]
pub struct IdError(String);

/// 48 bits of time and 80 random bits.
fn fresh(now: Timestamp) -> Ulid {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    let mut bytes = [0; 16];
    bytes[6..].copy_from_slice(&random::<10>());
    Ulid::from_parts(millis, u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_tells_when_it_was_made() {
        let now = Timestamp::from_micros(1_773_478_920_123_000);
        let id = DecisionId::new(now);
        assert_eq!(id.to_string().parse::<DecisionId>().unwrap(), id);
        assert_eq!(id.made_at(), now);
        assert_eq!(DecisionId::from_bytes(id.to_bytes()), id);
    }

    #[test]
    fn ids_differ() {
        let now = Timestamp::from_micros(0);
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| DecisionId::new(now)).collect();
        assert_eq!(ids.len(), 1000);
    }
}
