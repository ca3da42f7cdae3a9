//! What people do to records: read, erase, hold, let go, approve, verify. Each is itself a record.

use serde::{Deserialize, Serialize};

use crate::access::{ActorKind, ControlAction, Judgement};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::ids::{DecisionId, DeploymentId, EventId};
use crate::manifest::ReleaseId;
use crate::names::{EnvironmentName, NodeName, SystemName, TenantName};

/// Somebody read what was kept of a decision's input and output.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Access {
    /// Names the event.
    pub id: EventId,
    /// Which decision.
    pub decision: DecisionId,
    /// Whose.
    pub tenant: TenantName,
    /// Who read it.
    pub actor: String,
    /// What for, in their words.
    pub purpose: String,
    /// How: `explain`, `review`, `replay`, `export`.
    pub through: String,
    /// Why the policies let them; none of records of before there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A policy refused somebody the reading of a payload, or a change.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// Names the event.
    pub id: EventId,
    /// What they wanted to do.
    pub action: ControlAction,
    /// Who.
    pub actor: String,
    /// How they are known.
    pub kind: ActorKind,
    /// Whose it is.
    pub tenant: Option<TenantName>,
    /// Of which system.
    pub system: Option<SystemName>,
    /// Of which decision, if they wanted to read one's payload.
    pub decision: Option<DecisionId>,
    /// Where.
    pub environment: EnvironmentName,
    /// What for, in their words.
    pub purpose: Option<String>,
    /// Which policy refused, which attributes it looked at, and what the others said.
    pub judgement: Judgement,
    /// When.
    pub at: Timestamp,
}

/// What was kept of some decisions is removed by authority.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Erasure {
    /// Names the event; a large erasure has several of one `request`.
    pub id: EventId,
    /// What was asked for.
    pub request: EventId,
    /// The decisions, of any node.
    pub decisions: Vec<DecisionId>,
    /// How they were chosen; the person that a subject is stands nowhere.
    pub chosen: Chosen,
    /// The legal basis, as in `GDPR Art. 17(1)(b)`.
    pub basis: String,
    /// Why, in words.
    pub reason: Option<String>,
    /// Who asked for it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// How the decisions of an erasure were chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chosen {
    /// One by one.
    Decision,
    /// All that are about one person.
    Subject,
}

/// The most decisions in one [`Erasure`].
pub const ERASED_MAX: usize = 1_000;

/// A hold is placed or lifted: what it covers is neither erased nor let go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HoldEvent {
    /// Names the event.
    pub id: EventId,
    /// Names the hold: the id of the event that placed it.
    pub hold: EventId,
    /// What happened.
    pub change: HoldChange,
    /// Why it is held.
    pub kind: HoldKind,
    /// What it covers.
    pub covers: Covered,
    /// The matter, in words.
    pub reason: String,
    /// Who did it.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// What happened to a hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldChange {
    /// It holds from now on.
    Placed,
    /// It holds no longer.
    Lifted,
}

/// Why something is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// Legal proceedings.
    Legal,
    /// An incident's evidence, as AI Act Art. 73(6) asks for.
    Freeze,
}

/// What a hold covers. Parts that are given must all fit; with none it covers everything.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Covered {
    /// Decisions of this system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemName>,
    /// This decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionId>,
    /// Decisions about this person, by pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Digest>,
    /// Decisions opened at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Decisions opened before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Covered {
    /// Whether a decision with these marks is covered.
    pub fn covers(
        &self,
        decision: DecisionId,
        system: &SystemName,
        subject: Option<Digest>,
        opened_at: Timestamp,
    ) -> bool {
        self.decision.is_none_or(|held| held == decision)
            && self.system.as_ref().is_none_or(|held| held == system)
            && self.subject.is_none_or(|held| Some(held) == subject)
            && self.since.is_none_or(|since| opened_at >= since)
            && self.until.is_none_or(|until| opened_at < until)
    }

    /// The span of time in which what it covers was opened: from, to. A decision's own id tells its time.
    pub fn span(&self) -> (Timestamp, Timestamp) {
        let least = Timestamp::from_micros(i64::MIN);
        let most = Timestamp::from_micros(i64::MAX);
        if let Some(decision) = self.decision {
            return (decision.made_at(), decision.made_at());
        }
        (self.since.unwrap_or(least), self.until.unwrap_or(most))
    }
}

/// Records or payloads were let go because their time was over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Retirement {
    /// Names the event.
    pub id: EventId,
    /// Whose journal.
    pub node: NodeName,
    /// The first sequence whose record is kept from now on.
    pub minimum: u64,
    /// The first sequence whose payload is kept from now on.
    pub payload_minimum: u64,
    /// The policy under which they were let go, by digest of its [`PolicyEvent`]'s document.
    pub policy: Option<Digest>,
    /// When.
    pub at: Timestamp,
}

/// A policy or a set of keys came into force.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PolicyEvent {
    /// Names the event.
    pub id: EventId,
    /// Which: `keys`, `operators`, `retention`, `audit`, `regimes`, `access`.
    pub name: String,
    /// The document's canonical bytes, by digest.
    pub digest: Digest,
    /// What it says; never a secret.
    pub document: serde_json::Value,
    /// On which node.
    pub node: NodeName,
    /// Who brought it about.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// Somebody approved that a release be deployed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Approval {
    /// Names the event.
    pub id: EventId,
    /// Of which system.
    pub system: SystemName,
    /// Where.
    pub environment: EnvironmentName,
    /// Which release.
    pub release: ReleaseId,
    /// Who.
    pub actor: String,
    /// The role in which they did.
    pub role: String,
    /// What they said.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Somebody looked at a deployment that overrode its approvals, after the fact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeploymentReview {
    /// Names the event.
    pub id: EventId,
    /// Which deployment.
    pub deployment: DeploymentId,
    /// Of which system.
    pub system: SystemName,
    /// Who.
    pub actor: String,
    /// Whether it was justified.
    pub justified: bool,
    /// What they said.
    pub note: String,
    /// When.
    pub at: Timestamp,
}

/// Somebody checked the audit log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Verification {
    /// Names the event.
    pub id: EventId,
    /// Whose log.
    pub node: NodeName,
    /// How many leaves the checked tree has.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// How many entries are there as they were written.
    pub intact: u64,
    /// How many payloads were erased by authority or let go by policy.
    pub gone: u64,
    /// How many things are missing or changed.
    pub faults: u64,
    /// Whether all was well.
    pub passed: bool,
    /// Who.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}
