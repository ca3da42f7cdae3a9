//! What a system said to a case, with what is known of how it came about.

use plimsoll_core::decision::{Cost, Verdict};
use plimsoll_core::{Decision, Money, Outcome, ReleaseId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What came of asking a case once.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The decision.
    pub decision: String,
    /// The release that answered.
    pub release: ReleaseId,
    /// How the decision ended; none if it would have waited for a person.
    pub outcome: Option<Outcome>,
    /// Why there was no answer, as a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the caller would have been told; null if nothing.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub value: Value,
    /// How sure the model was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Whether the first thing that a model said was in the shape of the output; none if that is not
    /// checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_valid: Option<bool>,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// What it cost.
    pub cost: Cost,
    /// When it was asked.
    pub asked_at: Timestamp,
}

impl Answer {
    /// What a closed or waiting decision says, and the answer beside it.
    pub fn of(decision: &Decision, value: Value, took_micros: u64) -> Self {
        let schema = decision
            .controls
            .iter()
            .filter(|control| control.control == "output:schema")
            .find(|control| control.verdict != Verdict::Skipped);
        Self {
            decision: decision.id.to_string(),
            release: decision.release,
            outcome: decision.outcome,
            code: decision.code.map(|code| code.as_str().to_owned()),
            value,
            confidence: decision.confidence.filter(|sure| sure.is_finite()),
            schema_valid: schema.map(|control| control.verdict == Verdict::Passed),
            micros: decision.total_micros().unwrap_or(took_micros),
            cost: decision.cost,
            asked_at: decision.opened_at,
        }
    }

    /// The answer, if the system gave one of its own: not if it abstained, refused, or left it to a person.
    pub fn given(&self) -> Option<&Value> {
        let gave = matches!(
            self.outcome,
            Some(Outcome::Served | Outcome::Repaired | Outcome::FellBack)
        );
        (gave && !self.value.is_null()).then_some(&self.value)
    }

    /// What stands in for an answer that was not given, in words.
    pub fn instead(&self) -> String {
        let ended = self.outcome.map_or("left to a person", Outcome::as_str);
        match &self.code {
            Some(code) => format!("no answer: {ended} ({code})"),
            None => format!("no answer: {ended}"),
        }
    }

    /// What it cost.
    pub const fn amount(&self) -> Money {
        self.cost.amount
    }
}
