//! A decision that waits for a person.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::decision::Decision;
use crate::ids::ReviewId;
use crate::manifest::ExpiryStep;
use crate::names::QueueName;

/// A review with all that is needed to close its decision later, also after a restart.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Review {
    /// Names it.
    pub id: ReviewId,
    /// Where it waits.
    pub queue: QueueName,
    /// The decision as far as it is known; its tenant is the review's.
    pub decision: Decision,
    /// What was asked: what the person sees.
    pub input: serde_json::Value,
    /// What a model proposed, if one did.
    pub proposal: Option<serde_json::Value>,
    /// What the decision's ladder gives when nobody answers: the abstain value, if the system has one.
    pub fallback: Option<serde_json::Value>,
    /// What happens when nobody answers.
    pub on_expiry: ExpiryStep,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it is due.
    pub due_at: Timestamp,
    /// Where it stands.
    pub state: ReviewState,
}

/// Where a review stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReviewState {
    /// It waits.
    Open,
    /// A person answered.
    Answered {
        /// The answer, in the shape of the output.
        answer: serde_json::Value,
        /// Who.
        actor: String,
        /// Why.
        note: Option<String>,
        /// How long they worked on it, in seconds, as they say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worked_seconds: Option<u64>,
        /// When.
        at: Timestamp,
    },
    /// Nobody answered in time.
    Expired {
        /// When that was noticed.
        at: Timestamp,
    },
}

impl ReviewState {
    /// The state in one word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Answered { .. } => "answered",
            Self::Expired { .. } => "expired",
        }
    }
}
