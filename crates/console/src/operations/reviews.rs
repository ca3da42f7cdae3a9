//! What is said of reviews.

use plimsoll_core::{QueueName, SystemName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which reviews.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReviewFilter {
    /// Of this queue.
    pub queue: Option<QueueName>,
    /// Of this system.
    pub system: Option<SystemName>,
    /// At most so many.
    pub limit: u32,
}

/// What a person says to a review.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewAnswer {
    /// The answer, in the shape of the system's output.
    pub answer: Value,
    /// Why.
    #[serde(default)]
    pub note: Option<String>,
    /// How long the person worked on it, in seconds: at most [`Self::WORKED_SECONDS_MAX`].
    #[serde(default)]
    pub worked_seconds: Option<u64>,
}

impl ReviewAnswer {
    /// A week of a person's time.
    pub const WORKED_SECONDS_MAX: u64 = 7 * 24 * 60 * 60;
}
