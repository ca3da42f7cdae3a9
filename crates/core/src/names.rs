//! Names that people give to things: systems, models, tenants, keys.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name, checked: lower-case letters, digits, `-`, `_` and `.`, beginning with a
            /// letter or digit, at most [`NAME_BYTES_MAX`] bytes.
            ///
            /// # Errors
            /// If `text` is not such a name.
            pub fn new(text: &str) -> Result<Self, NameError> {
                check(text).map(|()| Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// Names a system: what callers put into `model`.
    SystemName
}
name! {
    /// Names a model within a system: `primary`, `backup`, `rules`.
    ModelName
}
name! {
    /// Names a provider of `plimsoll.toml`.
    ProviderName
}
name! {
    /// Names a tenant.
    TenantName
}
name! {
    /// Names an environment: `production`, `staging`.
    EnvironmentName
}
name! {
    /// Names a key of `plimsoll.toml`; never its secret.
    KeyName
}
name! {
    /// Names a node: the one writer of a journal.
    NodeName
}
name! {
    /// Names a review queue.
    QueueName
}
name! {
    /// Names what a label is the truth of: `label`, `repaid`.
    LabelName
}
name! {
    /// Names a team: keys of a tenant that share allowances.
    TeamName
}
name! {
    /// Names a limit.
    LimitName
}

impl TenantName {
    /// The tenant of a workspace that names none.
    pub fn default_tenant() -> Self {
        Self("default".into())
    }
}

impl ModelName {
    /// The model that is asked first.
    pub fn primary() -> Self {
        Self("primary".into())
    }
}

/// A text that is no name.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a name: use lower-case letters, digits, `-`, `_` and `.`, beginning with a letter \
     or digit, at most 64"
)]
pub struct NameError(String);

fn check(text: &str) -> Result<(), NameError> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let first_fits = text.bytes().next().is_some_and(allowed);
    let all_fit = text
        .bytes()
        .all(|b| allowed(b) || matches!(b, b'-' | b'_' | b'.'));
    if first_fits && all_fit && text.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    Err(NameError(text.chars().take(80).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_path_segment_and_nothing_worse() {
        for good in ["loan-default", "gpt-5_mini", "a", "9lives", "v1.2"] {
            assert!(SystemName::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "Loan",
            "../x",
            ".hidden",
            "a/b",
            "a b",
            "é",
            &"x".repeat(65),
        ] {
            assert!(SystemName::new(bad).is_err(), "{bad}");
        }
    }
}
