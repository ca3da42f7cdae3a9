//! What a run leaves: a heading, a line for each case and repetition, and at its end what came of it.
//!
//! Lines hold all that figures are made of, so that a run can be shown and compared when the set has long
//! changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use plimsoll_core::record::EvalRun;
use plimsoll_core::system::Bound;
use plimsoll_core::{Digest, EnvironmentName, EventId, ReleaseId, SystemName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::case::Case;
use crate::scorer::{Scored, ScorerSpec};

/// What is asked of whom.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Heading {
    /// Names the run.
    pub id: EventId,
    /// Which system.
    pub system: SystemName,
    /// Where.
    pub environment: EnvironmentName,
    /// The set's file.
    pub set: String,
    /// The set's content, by digest; what was left out by a tag or a limit is not in it.
    pub digest: Digest,
    /// The file's bytes, by digest: what deployments name.
    pub file: Digest,
    /// How many cases it asks.
    pub cases: u64,
    /// How often it asks each.
    pub repetitions: u32,
    /// The scorers.
    pub scorers: Vec<ScorerSpec>,
    /// What has to be reached, by metric.
    pub targets: BTreeMap<String, Bound>,
    /// What was deployed when it began.
    pub release: ReleaseId,
    /// Whether it asks only a part of the set.
    pub partial: bool,
    /// Who began it.
    pub actor: String,
    /// When.
    pub started_at: Timestamp,
}

impl Heading {
    /// Whether a run with this heading would ask and score the same: then it may go on where that stopped.
    pub fn goes_on(&self, other: &Self) -> bool {
        self.system == other.system
            && self.environment == other.environment
            && self.digest == other.digest
            && self.repetitions == other.repetitions
            && self.scorers == other.scorers
            && self.targets == other.targets
            && self.release == other.release
    }
}

/// One case, asked once and scored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Line {
    /// The case's id.
    pub case: String,
    /// Its content, by digest.
    pub digest: Digest,
    /// Which time it was asked, from 0.
    pub repetition: u32,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its weight.
    pub weight: f64,
    /// The values by which figures are sliced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slices: BTreeMap<String, String>,
    /// What the system said; none if it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// Why it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Whether the answer is one of an earlier run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
    /// What scorers said.
    pub scores: BTreeMap<String, Scored>,
    /// Which release of a judge said so, by scorer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub judges: BTreeMap<String, ReleaseId>,
    /// What judges cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judging: Option<plimsoll_core::decision::Cost>,
}

impl Line {
    /// A line of a case that is neither asked nor scored yet.
    pub fn of(case: &Case, repetition: u32) -> Self {
        Self {
            case: case.id.clone(),
            digest: case.digest,
            repetition,
            tags: case.tags.clone(),
            group: case.group.clone(),
            weight: case.weight,
            slices: BTreeMap::new(),
            answer: None,
            failed: None,
            reused: false,
            scores: BTreeMap::new(),
            judges: BTreeMap::new(),
            judging: None,
        }
    }
}

/// A line of a results file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// What is asked.
    Run(Box<Heading>),
    /// A case.
    Case(Box<Line>),
    /// The end, with what was recorded.
    End(Box<EvalRun>),
}

/// A run as it stands in its file.
#[derive(Clone, PartialEq, Debug)]
pub struct Results {
    /// What is asked.
    pub heading: Heading,
    /// The lines so far.
    pub lines: Vec<Line>,
    /// What came of it; none if it was interrupted.
    pub end: Option<EvalRun>,
}

/// Answers of earlier runs. Their key holds the repetition, so that two repetitions of a case are never
/// one answer told twice.
#[derive(Debug, Default)]
pub struct Reusable(HashMap<(ReleaseId, Digest, u32), Answer>);

impl Reusable {
    /// Takes in the answers of a run; those of a later one stand.
    pub fn add(&mut self, lines: Vec<Line>) {
        for line in lines {
            if let Some(answer) = line.answer {
                let key = (answer.release, line.digest, line.repetition);
                self.0.insert(key, answer);
            }
        }
    }

    /// The answer that `release` gave to the case, asked for the `repetition`th time.
    pub fn find(&self, release: ReleaseId, case: &Case, repetition: u32) -> Option<&Answer> {
        self.0.get(&(release, case.digest, repetition))
    }
}
