//! What is said of labels.

use plimsoll_core::label::LabelState;
use plimsoll_core::{DecisionId, LabelName, TenantName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Labels to be recorded.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelsRequest {
    /// In order: of two about the same thing the later stands.
    pub labels: Vec<LabelRequest>,
    /// Whose a decision is that nobody knows; by default the tenant `default`, or the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
}

/// One of them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRequest {
    /// Which decision it is about.
    pub decision: DecisionId,
    /// The truth: a text, a number, true or false.
    pub value: Value,
    /// What it is the truth of; by default `label`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<LabelName>,
    /// When the truth came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
}

/// What became of labels.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LabelsReport {
    /// What became of each, in order.
    pub states: Vec<LabelState>,
}
