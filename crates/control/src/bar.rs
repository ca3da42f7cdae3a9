//! The bar: six characteristics, each judged yes or no from evidence, with the next step where it is
//! no. Pure: what the workspace asks for, what the projection counted, and the time go in.
//!
//! A characteristic is met when all of its checks are. What this version cannot show yet is not met
//! and says so: the line is there to be believed.

mod characteristics;
mod monitors;
mod quality;
mod render;

use std::time::Duration;

use plimsoll_core::deployment::Deployment;
use plimsoll_core::eval::EvalRun;
use plimsoll_core::governance::Verification;
use plimsoll_core::{EnvironmentName, ReleaseId, Stakes, System, SystemName, Timestamp};
use plimsoll_store::BarFacts;
use serde::Serialize;

use crate::cost::freshness::PricedModel;
use crate::watch::MonitorView;

pub use render::{render, render_summary};

/// Over which time decisions count as evidence.
pub const WINDOW: Duration = Duration::from_hours(30 * 24);

/// Where a system stands.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// Which system.
    pub system: SystemName,
    /// Where.
    pub environment: EnvironmentName,
    /// What is at stake.
    pub stakes: Stakes,
    /// What is deployed, if anything is.
    pub release: Option<ReleaseId>,
    /// Since when that release is deployed.
    pub release_since: Option<Timestamp>,
    /// Decisions count from here on.
    pub evidence_since: Timestamp,
    /// When this was judged.
    pub judged_at: Timestamp,
    /// The verdict.
    pub standing: Standing,
    /// How many of the six are met.
    pub met: usize,
    /// The six.
    pub characteristics: Vec<Characteristic>,
}

/// How many of the six characteristics are met, in words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Six.
    AboveTheLine,
    /// Four or five.
    ApproachingTheLine,
    /// Three or fewer.
    InProductionByAccident,
}

impl Standing {
    /// The standing of a system that meets `met` of six.
    pub const fn of(met: usize) -> Self {
        match met {
            6.. => Self::AboveTheLine,
            4 | 5 => Self::ApproachingTheLine,
            _ => Self::InProductionByAccident,
        }
    }

    /// The standing as people read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AboveTheLine => "above the line",
            Self::ApproachingTheLine => "below the line, approaching it",
            Self::InProductionByAccident => "below the line, in production by accident",
        }
    }
}

/// One of the six.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Characteristic {
    /// `quality`, `failure`, `cost`, `versions`, `audit`, `ownership`.
    pub name: &'static str,
    /// Whether every check is met.
    pub met: bool,
    /// The evidence, one piece after the other.
    pub checks: Vec<Check>,
}

/// One piece of evidence.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Check {
    /// Whether it is as it should be.
    pub met: bool,
    /// Whether this version can show it at all: it can show all there is.
    pub built: bool,
    /// What was found.
    pub evidence: String,
    /// What to do about it: a command, or what to write where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Check {
    pub(crate) fn yes(evidence: impl Into<String>) -> Self {
        Self {
            met: true,
            built: true,
            evidence: evidence.into(),
            next: None,
        }
    }

    pub(crate) fn no(evidence: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            met: false,
            built: true,
            evidence: evidence.into(),
            next: Some(next.into()),
        }
    }

    pub(crate) fn when(met: bool, evidence: impl Into<String>, next: impl Into<String>) -> Self {
        if met {
            Self::yes(evidence)
        } else {
            Self::no(evidence, next)
        }
    }
}

/// What is known of a system beside what the workspace says of it.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What the projection counted.
    pub facts: &'a BarFacts,
    /// The audit log of the node that is asked; none if it keeps none.
    pub audit: Option<&'a AuditFacts>,
    /// What is watched; none if the workspace says nothing.
    pub monitors: Option<&'a MonitorFacts>,
    /// The last run of an eval that asked its whole set; none if there never was one.
    pub eval: Option<&'a EvalRun>,
    /// Who is told of an alarm that pages, and whether they took a test of it.
    pub on_call: &'a OnCallFacts,
    /// Deployments that overrode their approvals and that nobody has looked at since.
    pub unreviewed: &'a [Deployment],
    /// The prices that hold now for what the system asks; empty if everything that it asks is free.
    pub prices: &'a [PricedModel],
}

/// Who is told of an alarm of a system that pages.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OnCallFacts {
    /// The receivers of such alarms, by name.
    pub receivers: Vec<String>,
    /// The last test of one of them.
    pub tested: Option<ReceiverTest>,
}

/// Somebody tried a receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceiverTest {
    /// Which.
    pub receiver: String,
    /// Whether it took the test.
    pub taken: bool,
    /// When.
    pub at: Timestamp,
}

/// What an audit log says of itself.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AuditFacts {
    /// Leaves under the latest checkpoint.
    pub leaves: u64,
    /// Records that are on disk and under no checkpoint yet.
    pub behind: u64,
    /// When the latest checkpoint was signed.
    pub checkpoint_at: Option<Timestamp>,
    /// Why the log goes on no more, if it stopped.
    pub defect: Option<String>,
    /// The last time that somebody checked it.
    pub verified: Option<Verification>,
}

/// What the monitors of the node say of a system.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct MonitorFacts {
    /// When they were looked at last; none if never.
    pub looked_at: Option<Timestamp>,
    /// How each stands.
    pub monitors: Vec<MonitorView>,
}

/// Holds a system against the bar. `currency` is the workspace's.
pub fn judge(system: &System, evidence: Evidence<'_>, now: Timestamp, currency: &str) -> Report {
    let facts = evidence.facts;
    let case = characteristics::Case {
        system,
        evidence,
        facts,
        now,
        currency,
    };
    let characteristics = case.all();
    let met = characteristics.iter().filter(|one| one.met).count();
    let deployed = facts.deployment.as_ref();
    Report {
        system: system.name.clone(),
        environment: facts.environment.clone(),
        stakes: system.stakes,
        release: deployed.map(|current| current.deployment.release),
        release_since: deployed.map(|current| current.since),
        evidence_since: facts.since,
        judged_at: now,
        standing: Standing::of(met),
        met,
        characteristics,
    }
}

#[cfg(test)]
pub(crate) mod tests;
