//! What the journal holds. This is a stored format: kinds and fields are added, never renamed.

use serde::{Deserialize, Serialize, Serializer};

use crate::account::AccountEvent;
use crate::clock::Timestamp;
use crate::code::Code;
use crate::decision::Decision;
use crate::digest::Digest;
use crate::failure::FailureKind;
use crate::governance::{
    Access, Approval, DeploymentReview, Erasure, HoldEvent, PolicyEvent, Refusal, Retirement,
    Verification,
};
use crate::ids::{DecisionId, EventId, ReviewId};
use crate::keyring::{KeyEvent, TenantEvent};
use crate::label::Label;
use crate::ladder::Step;
use crate::manifest::{Manifest, ReleaseId};
use crate::money::Money;
use crate::monitor::{Alarm, AlertEvent};
use crate::names::{EnvironmentName, NodeName, QueueName, SystemName, TenantName};

pub use crate::dataset::DatasetExport;
pub use crate::deployment::{Deployment, DeploymentCause};
pub use crate::eval::EvalRun;
use crate::outcome::Outcome;

/// One record of the journal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "record", rename_all = "snake_case")]
pub enum Record {
    /// A decision was begun that will cost money, must survive, or waits for a person.
    Opened(Box<Opened>),
    /// A decision ended.
    Closed(Box<Decision>),
    /// A release was made.
    Release(Box<ReleaseRecord>),
    /// A slot was pointed at a release.
    Deployment(Box<Deployment>),
    /// A review was opened, answered or expired.
    Review(Box<ReviewEvent>),
    /// A drill was run.
    Drill(Box<Drill>),
    /// A person tried a runbook.
    RunbookRun(Box<RunbookRun>),
    /// A node started or stopped.
    Node(Box<NodeEvent>),
    /// Recovery mended a journal.
    Recovery(Box<Recovery>),
    /// Requests that were shed or refused without a decision each, counted.
    Uncounted(Box<Aggregate>),
    /// Somebody read a payload.
    Access(Box<Access>),
    /// Payloads are removed by authority.
    Erasure(Box<Erasure>),
    /// A hold was placed or lifted.
    Hold(Box<HoldEvent>),
    /// Records or payloads were let go as their time was over.
    Retirement(Box<Retirement>),
    /// A policy or a set of keys came into force.
    Policy(Box<PolicyEvent>),
    /// Somebody approved a release.
    Approval(Box<Approval>),
    /// Somebody looked at a deployment that overrode its approvals.
    DeploymentReview(Box<DeploymentReview>),
    /// Somebody checked the audit log.
    Verification(Box<Verification>),
    /// A tenant was made.
    Tenant(Box<TenantEvent>),
    /// A key was given, rotated or revoked.
    Key(Box<KeyEvent>),
    /// The truth about a decision became known.
    Label(Box<Label>),
    /// Something is wrong with a system, or is well again.
    Alarm(Box<Alarm>),
    /// People were told of an alarm, or were not; alerts were silenced.
    Alert(Box<AlertEvent>),
    /// A set of cases was asked of a system, and scored.
    Eval(Box<EvalRun>),
    /// Decisions that were judged were taken out as a version of a set.
    Dataset(Box<DatasetExport>),
    /// A policy refused somebody a reading or a change.
    Refusal(Box<Refusal>),
    /// An account was made or changed, or somebody signed in or out.
    Account(Box<AccountEvent>),
}

impl Record {
    const OPENED: u8 = 1;
    const CLOSED: u8 = 2;

    /// The number that stands for the kind in a frame; fixed for ever.
    pub const fn kind_number(&self) -> u8 {
        match self {
            Self::Opened(_) => Self::OPENED,
            Self::Closed(_) => Self::CLOSED,
            Self::Release(_) => 3,
            Self::Deployment(_) => 4,
            Self::Review(_) => 5,
            Self::Drill(_) => 6,
            Self::RunbookRun(_) => 7,
            Self::Node(_) => 8,
            Self::Recovery(_) => 9,
            Self::Uncounted(_) => 10,
            Self::Access(_) => 11,
            Self::Erasure(_) => 12,
            Self::Hold(_) => 13,
            Self::Retirement(_) => 14,
            Self::Policy(_) => 15,
            Self::Approval(_) => 16,
            Self::DeploymentReview(_) => 17,
            Self::Verification(_) => 18,
            Self::Tenant(_) => 19,
            Self::Key(_) => 20,
            Self::Label(_) => 21,
            Self::Alarm(_) => 22,
            Self::Alert(_) => 23,
            Self::Eval(_) => 24,
            Self::Dataset(_) => 25,
            Self::Refusal(_) => 26,
            Self::Account(_) => 27,
        }
    }
}

/// A record as it is written: whole, or from the parts of a decision that is still under way, which need
/// not be copied for it.
#[derive(Clone, Copy, Debug)]
pub enum RecordRef<'r> {
    /// What [`Record::Opened`] says.
    Opened {
        /// The decision as far as it is known.
        decision: &'r Decision,
        /// What it may cost at the most.
        reserved: Money,
    },
    /// What [`Record::Closed`] says.
    Closed(&'r Decision),
    /// Any record.
    Whole(&'r Record),
}

impl RecordRef<'_> {
    /// As [`Record::kind_number`].
    pub const fn kind_number(&self) -> u8 {
        match self {
            Self::Opened { .. } => Record::OPENED,
            Self::Closed(_) => Record::CLOSED,
            Self::Whole(record) => record.kind_number(),
        }
    }
}

impl<'r> From<&'r Record> for RecordRef<'r> {
    fn from(record: &'r Record) -> Self {
        match record {
            Record::Opened(opened) => Self::Opened {
                decision: &opened.decision,
                reserved: opened.reserved,
            },
            Record::Closed(decision) => Self::Closed(decision),
            record => Self::Whole(record),
        }
    }
}

impl Serialize for RecordRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(tag = "type", content = "record", rename_all = "snake_case")]
        enum OfDecision<'r> {
            Opened {
                decision: &'r Decision,
                reserved: Money,
            },
            Closed(&'r Decision),
        }
        let of_decision = match *self {
            Self::Opened { decision, reserved } => OfDecision::Opened { decision, reserved },
            Self::Closed(decision) => OfDecision::Closed(decision),
            Self::Whole(record) => return record.serialize(serializer),
        };
        of_decision.serialize(serializer)
    }
}

/// The beginning of a decision.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Opened {
    /// The decision as far as it is known.
    pub decision: Decision,
    /// What it may cost at the most: what recovery charges if the node dies.
    pub reserved: Money,
}

/// A release, by its manifest; its parts are blobs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ReleaseRecord {
    /// Its id.
    pub id: ReleaseId,
    /// Its manifest.
    pub manifest: Manifest,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub author: String,
    /// What changed.
    pub note: Option<String>,
    /// The release that was deployed when it was made.
    pub parent: Option<ReleaseId>,
}

/// Something happened to a review.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ReviewEvent {
    /// Which review.
    pub review: ReviewId,
    /// Of which decision.
    pub decision: DecisionId,
    /// Whose.
    pub tenant: TenantName,
    /// Which system.
    pub system: SystemName,
    /// Where it waits.
    pub queue: QueueName,
    /// What happened.
    pub event: ReviewChange,
    /// Who did it; none for the node itself.
    pub actor: Option<String>,
    /// When.
    pub at: Timestamp,
    /// When it is due.
    pub due_at: Timestamp,
}

/// What happened to a review.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewChange {
    /// It was opened.
    Opened,
    /// A person answered.
    Answered,
    /// Nobody answered in time.
    Expired,
}

/// A failure caused on purpose, and what was seen.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Drill {
    /// Names it.
    pub id: EventId,
    /// Which system.
    pub system: SystemName,
    /// Where.
    pub environment: EnvironmentName,
    /// Which failure.
    pub kind: FailureKind,
    /// Under which release.
    pub release: ReleaseId,
    /// The step that should end the decision.
    pub expected: Vec<Step>,
    /// The steps that were taken.
    pub taken: Vec<Step>,
    /// How the decision ended; none if it stayed open for a person.
    pub outcome: Option<Outcome>,
    /// Whether the designed answer happened.
    pub passed: bool,
    /// What was different.
    pub note: Option<String>,
    /// Who ran it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
    /// The decision that it made.
    pub decision: Option<DecisionId>,
}

/// A person walked through a runbook.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunbookRun {
    /// Names it.
    pub id: EventId,
    /// Which system.
    pub system: SystemName,
    /// Where.
    pub environment: EnvironmentName,
    /// Who.
    pub actor: String,
    /// When they began.
    pub started_at: Timestamp,
    /// When they ended.
    pub ended_at: Timestamp,
    /// The runbook's text, by digest.
    pub runbook: Digest,
    /// What they said of each step.
    pub steps: Vec<RunbookStep>,
    /// Whether every step worked.
    pub passed: bool,
}

/// One step of a runbook, tried.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunbookStep {
    /// The step's title.
    pub title: String,
    /// Whether it worked.
    pub worked: bool,
    /// What the person noted.
    pub note: Option<String>,
}

/// A node started or stopped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeEvent {
    /// Which node.
    pub node: NodeName,
    /// Whether it started, or else stopped in order.
    pub started: bool,
    /// When.
    pub at: Timestamp,
    /// The version of the binary.
    pub binary_version: String,
}

/// What recovery found and did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Recovery {
    /// The segment whose tail was torn, by its first sequence.
    pub torn_segment: Option<u64>,
    /// How many bytes were cut from it.
    pub torn_bytes: u64,
    /// How many open decisions were closed as failed.
    pub orphans: u64,
    /// How long recovery took, in microseconds.
    pub micros: u64,
    /// When.
    pub at: Option<Timestamp>,
}

/// Requests that got no decision of their own, counted over a span of time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Aggregate {
    /// Which system, if it is known.
    pub system: Option<SystemName>,
    /// Why.
    pub code: Code,
    /// How many.
    pub count: u64,
    /// From when.
    pub from: Timestamp,
    /// To when.
    pub to: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let record = Record::Recovery(Box::new(Recovery {
            orphans: 3,
            ..Recovery::default()
        }));
        let text = serde_json::to_string(&record).unwrap();
        assert!(
            text.starts_with(r#"{"type":"recovery","record":{"#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    }
}
