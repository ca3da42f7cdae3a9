//! The eight ways in which a decision can fail. This is the whole list.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What kind of failure it was. Each has a ladder of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The input does not have the agreed form.
    Malformed,
    /// The input means harm.
    Adversarial,
    /// The model, or a part of ours, is away.
    Unavailable,
    /// The answer did not come in time.
    Slow,
    /// The answer is not what was agreed.
    Wrong,
    /// The answer, or the input, is too doubtful to act on.
    Unsure,
    /// The money or quota is spent.
    OverBudget,
    /// There is too much to do.
    Overload,
}

impl FailureKind {
    /// All eight, in the order in which they are documented.
    pub const ALL: [Self; 8] = [
        Self::Malformed,
        Self::Adversarial,
        Self::Unavailable,
        Self::Slow,
        Self::Wrong,
        Self::Unsure,
        Self::OverBudget,
        Self::Overload,
    ];

    /// The name as it stands in files and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Adversarial => "adversarial",
            Self::Unavailable => "unavailable",
            Self::Slow => "slow",
            Self::Wrong => "wrong",
            Self::Unsure => "unsure",
            Self::OverBudget => "over_budget",
            Self::Overload => "overload",
        }
    }

    /// Whether it is about the input, so that no model may be asked in answer to it.
    pub const fn is_about_input(self) -> bool {
        matches!(self, Self::Malformed | Self::Adversarial)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is no failure kind.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a failure kind: malformed, adversarial, unavailable, slow, wrong, unsure, \
     over_budget and overload are"
)]
pub struct FailureKindError(String);

impl FromStr for FailureKind {
    type Err = FailureKindError;

    fn from_str(text: &str) -> Result<Self, FailureKindError> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| FailureKindError(text.to_owned()))
    }
}
