//! What a release says of guards and of the tools that answers may call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// The guards.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guards {
    /// On what comes in.
    pub input: Vec<GuardSpec>,
    /// On what goes out.
    pub output: Vec<GuardSpec>,
}

/// A tool that an answer may call, and how.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolSpec {
    /// JSON Schema of its arguments, which may have no others; none: any object.
    pub arguments: Option<Digest>,
    /// What it does to the world.
    pub effect: ToolEffect,
    /// CEL over `args` that must hold.
    pub policy: Option<String>,
    /// The hosts that addresses among its arguments may lead to; none: any that is public.
    pub hosts: Option<Vec<String>>,
}

/// What a tool does to the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolEffect {
    /// It reads what the caller may read anyway.
    None,
    /// It sends, writes, pays, or reaches a place that others choose.
    External,
}

/// A detector with an action.
///
/// What a detector is made of (rule packs, weights) stands here as digests of blobs, so that a release
/// goes on with the rules that it was approved with, whatever a newer binary brings along. Members that
/// say nothing are left out: a guard that was described before they were there keeps its release.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardSpec {
    /// Which detector: `injection`, `pii`, `secrets`, `links`, `leakage` or `phrases`.
    pub detector: String,
    /// What happens on a finding; for `injection`, the strictest that happens.
    pub action: GuardAction,
    /// For `phrases`: the phrases, matched without regard to ASCII case.
    pub phrases: Vec<String>,
    /// Only say what would happen.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shadow: bool,
    /// Whether a text that the detector could not judge goes on.
    #[serde(default, skip_serializing_if = "OnError::is_closed")]
    pub on_error: OnError,
    /// What happens on a finding of a rule (`pii/iban`) or of a family (`pii/*`), where it differs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, GuardAction>,
    /// For `injection`: from which score on, from 0 to 1, a person should decide; none: as the weights say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_score: Option<f64>,
    /// For `injection`: from which score on it blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_score: Option<f64>,
    /// The rule packs, or the file of rules, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packs: Vec<Digest>,
    /// The weights of the classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Digest>,
    /// For rules that are part of the program: which edition of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<String>,
    /// For `links`: the hosts that may be addressed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// For `leakage`: markers that stand in the prompt and nowhere else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canaries: Vec<String>,
}

impl GuardSpec {
    /// Whether anything that it finds may come to this.
    pub fn may(&self, action: GuardAction) -> bool {
        let strictest = self.detector == "injection" && action <= self.action;
        self.action == action || strictest || self.rules.values().any(|of| *of == action)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

/// What happens when a detector finds something, from the mildest to the strictest.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum GuardAction {
    /// Nothing: the finding stands in the record.
    Allow,
    /// The control counts as failed, and nothing else happens.
    Flag,
    /// The place is replaced by a numbered placeholder.
    Redact,
    /// A person decides.
    Review,
    /// Stop: `adversarial` on input, `wrong` on output.
    #[default]
    Block,
}

impl GuardAction {
    /// Its name in files and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Flag => "flag",
            Self::Redact => "redact",
            Self::Review => "review",
            Self::Block => "block",
        }
    }

    /// The action with this name.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Allow,
            Self::Flag,
            Self::Redact,
            Self::Review,
            Self::Block,
        ]
        .into_iter()
        .find(|action| action.as_str() == text)
    }
}

/// What becomes of a text that a detector could not judge. Either way it is recorded and counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// It goes on.
    Open,
    /// It does not.
    #[default]
    Closed,
}

impl OnError {
    /// Whether it does not go on.
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}
