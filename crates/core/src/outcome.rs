//! How a closed decision ended.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a closed decision ended. An open one has none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The first model's answer was cleared and given.
    Served,
    /// An answer was given after the model mended it.
    Repaired,
    /// An answer was given by a later step of a ladder: another model, rules, the last good answer.
    FellBack,
    /// The abstain value was given.
    Abstained,
    /// A person answered.
    Reviewed,
    /// No person answered in time, and the abstain value was given.
    Expired,
    /// No answer: refused with a reason.
    Refused,
    /// No answer: there was too much load.
    Shed,
    /// A stream ended after its first byte, before its end.
    Partial,
    /// The caller went away.
    Cancelled,
    /// The node died in between: closed by recovery.
    Failed,
}

impl Outcome {
    /// All eleven, in the order in which they are documented.
    pub const ALL: [Self; 11] = [
        Self::Served,
        Self::Repaired,
        Self::FellBack,
        Self::Abstained,
        Self::Reviewed,
        Self::Expired,
        Self::Refused,
        Self::Shed,
        Self::Partial,
        Self::Cancelled,
        Self::Failed,
    ];

    /// The name as it stands in files and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Repaired => "repaired",
            Self::FellBack => "fell_back",
            Self::Abstained => "abstained",
            Self::Reviewed => "reviewed",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Shed => "shed",
            Self::Partial => "partial",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Whether the caller got an answer that the system stands behind.
    pub const fn is_answered(self) -> bool {
        matches!(
            self,
            Self::Served
                | Self::Repaired
                | Self::FellBack
                | Self::Abstained
                | Self::Reviewed
                | Self::Expired
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is no outcome.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not an outcome: served, repaired, fell_back, abstained, reviewed, expired, refused, \
     shed, partial, cancelled and failed are"
)]
pub struct OutcomeError(String);

impl FromStr for Outcome {
    type Err = OutcomeError;

    fn from_str(text: &str) -> Result<Self, OutcomeError> {
        let found = Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text);
        found.ok_or_else(|| OutcomeError(text.to_owned()))
    }
}
