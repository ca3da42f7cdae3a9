//! What is said of evals: a case asked for a run, and what came of it.

use plimsoll_core::{Decision, EventId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A case to ask.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvalQuestion {
    /// The run that asks: the decision bears its name and counts in no figure of production.
    pub run: EventId,
    /// What is asked: a row, the variables of a prompt, or a chat body.
    pub input: Value,
    /// Whether the canary is asked, and not the stable release.
    #[serde(default)]
    pub canary: bool,
}

/// What came of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EvalAnswer {
    /// The decision; open if it would wait for a person.
    pub decision: Decision,
    /// What a caller would have been told; null if nothing.
    pub answer: Value,
}
