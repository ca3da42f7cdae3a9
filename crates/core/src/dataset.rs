//! Exports of datasets, as the journal keeps them: which decisions people and the world have judged, taken
//! out as a set for evals or training. This is a stored format: fields are added with a default, never renamed.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::EventId;
use crate::manifest::ReleaseId;
use crate::names::{EnvironmentName, LabelName, SystemName, TenantName};

/// Decisions that were judged were taken out as a version of a set.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DatasetExport {
    /// Names the event.
    pub id: EventId,
    /// Of which system.
    pub system: SystemName,
    /// Where the decisions were made.
    pub environment: EnvironmentName,
    /// The version: its content, by digest, as runs of evals name it. The order of its lines plays no part.
    pub digest: Digest,
    /// The file's bytes, by digest: what deployments and runs of evals name.
    pub file: Digest,
    /// The file's form: `jsonl`, `csv` or `parquet`.
    pub format: String,
    /// How the decisions were chosen.
    pub chosen: DatasetFilter,
    /// What became of them.
    pub counts: DatasetCounts,
    /// What it is for, in the words of whoever took it out.
    pub purpose: String,
    /// Who took it out.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// How the decisions of a dataset are chosen. What is none lets all through.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetFilter {
    /// Only what a label says something of, only what a person answered, or only where the truth was another
    /// than the answer; all of them must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<Judged>,
    /// That this release answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseId>,
    /// Of this tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
    /// Opened at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Opened before this time: what is younger may not have all its labels yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Labels of these names; empty: of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<LabelName>,
    /// The share of the decisions that is looked at, by a hash of their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<f64>,
    /// At most so many cases, those whose ids have the least hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// What the hash begins with: another seed, another sample.
    #[serde(default)]
    pub seed: u64,
    /// Whether cases that ask the same stay apart.
    #[serde(default)]
    pub duplicates: bool,
}

/// Who has judged a decision.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// A label says what was true.
    Labelled,
    /// A person answered in review.
    Reviewed,
    /// What was true is not what was answered or proposed.
    Disagreeing,
}

/// What became of the decisions that were looked at. Whatever is no case stands in one of the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DatasetCounts {
    /// How many were looked at.
    pub decisions: u64,
    /// How many became cases.
    pub cases: u64,
    /// Their input was erased by authority.
    #[serde(default)]
    pub erased: u64,
    /// Their input was let go, as its time was over.
    #[serde(default)]
    pub let_go: u64,
    /// Their input was never kept, or only its form.
    #[serde(default)]
    pub not_kept: u64,
    /// They are judged, and what is right is not known: only that the answer was wrong.
    #[serde(default)]
    pub without_truth: u64,
    /// The truth was what was answered, and only the others were wanted.
    #[serde(default)]
    pub agreeing: u64,
    /// Another case asks the same and has the same truth.
    #[serde(default)]
    pub duplicates: u64,
    /// A later case asks the same and has another truth.
    #[serde(default)]
    pub contradicted: u64,
}

impl Judged {
    /// The word as it stands in records and as a tag.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Labelled => "labelled",
            Self::Reviewed => "reviewed",
            Self::Disagreeing => "disagreeing",
        }
    }
}
