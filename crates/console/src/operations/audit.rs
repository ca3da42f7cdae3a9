//! What is said of records: read, proved, erased, held, verified.

use plimsoll_core::decision::Payload;
use plimsoll_core::governance::{Chosen, Covered, HoldKind, Verification};
use plimsoll_core::{DecisionId, Digest, EventId, NodeName, SystemName, TenantName, Timestamp};
use serde::{Deserialize, Serialize};

/// Somebody is about to read a payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessRequest {
    /// Which decision.
    pub decision: DecisionId,
    /// Whose.
    pub tenant: TenantName,
    /// What for.
    pub purpose: String,
    /// How: `explain`, `review`, `replay`, `export`.
    pub through: &'static str,
}

/// What is kept of a decision's input and output.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PayloadView {
    /// Which decision.
    pub decision: DecisionId,
    /// The record of its being read; none if there was nothing to read.
    pub access: Option<EventId>,
    /// What is kept; none if nothing was from the beginning.
    pub payload: Option<Payload>,
}

/// How a node's audit log stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditStatus {
    /// Whether one is kept.
    pub enabled: bool,
    /// Whose log.
    pub node: NodeName,
    /// Its name in checkpoints.
    pub origin: Option<String>,
    /// Its public key, as a signed note's verifier takes it.
    pub key: Option<String>,
    /// How many leaves the latest checkpoint covers.
    pub size: u64,
    /// The root of that tree.
    pub root: Option<Digest>,
    /// When that checkpoint was signed.
    pub checkpoint_at: Option<Timestamp>,
    /// How many records are not under it yet.
    pub behind: u64,
    /// Why the log has stopped, if it has.
    pub defect: Option<String>,
    /// Why checkpoints cannot be copied to the second place, if they cannot.
    pub copy_failing: Option<String>,
    /// When somebody last checked it, and what they found.
    pub last_verification: Option<Verification>,
}

/// Waits until a signed checkpoint covers what was recorded.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointRequest {
    /// So many leaves; none: all that are recorded now.
    #[serde(default)]
    pub leaves: Option<u64>,
}

/// A signed checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedCheckpoint {
    /// Whose log.
    pub origin: String,
    /// How many leaves it covers.
    pub size: u64,
    /// The root of that tree.
    pub root: Digest,
    /// The checkpoint as C2SP tlog-checkpoint writes it, signatures included.
    pub note: String,
}

/// A proof that a decision's last record is in a node's log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DecisionProof {
    /// Which decision.
    pub decision: DecisionId,
    /// In whose log.
    pub node: NodeName,
    /// The record's sequence there, which is its leaf's index.
    pub sequence: u64,
    /// The proof as a self-contained file's text.
    pub proof: String,
}

/// Erases what is kept of decisions.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureRequest {
    /// Everything about this person, as callers name them in `plimsoll-subject`. It is kept nowhere.
    #[serde(default)]
    pub subject: Option<String>,
    /// Only this tenant's, where callers of several tenants may name the same person.
    #[serde(default)]
    pub tenant: Option<TenantName>,
    /// Or these decisions, by their whole ids.
    #[serde(default)]
    pub decisions: Vec<DecisionId>,
    /// The legal basis, as in `GDPR Art. 17(1)(b)`.
    pub basis: String,
    /// Why, in words that name nobody.
    #[serde(default)]
    pub reason: Option<String>,
    /// Only tell what would be erased.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was erased, or would be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ErasureReport {
    /// Names what was asked for: the `request` of its events; none of a dry run.
    pub request: Option<EventId>,
    /// Whether nothing was erased.
    pub dry_run: bool,
    /// How the decisions were chosen.
    pub chosen: Chosen,
    /// How many decisions it is about.
    pub decisions: u64,
    /// How many payloads were erased on this node, or would be.
    pub payloads: u64,
    /// How many decisions are recorded by other nodes, which erase what they keep of them themselves.
    pub elsewhere: u64,
    /// How many had nothing left to erase: nothing was kept, or it is gone already.
    pub empty: u64,
}

/// Places a hold. Parts that are given must all fit; with none it covers everything.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    /// Why it is held.
    pub kind: HoldKind,
    /// Decisions of this system.
    #[serde(default)]
    pub system: Option<SystemName>,
    /// This decision.
    #[serde(default)]
    pub decision: Option<DecisionId>,
    /// Everything about this person, as callers name them in `plimsoll-subject`. It is kept nowhere.
    #[serde(default)]
    pub subject: Option<String>,
    /// Decisions opened at this time or later, in microseconds since 1970 in UTC.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Decisions opened before this time.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// The matter.
    pub reason: String,
}

impl HoldRequest {
    /// What it covers, the person by pseudonym.
    pub fn covers(&self, subject: Option<Digest>) -> Covered {
        Covered {
            system: self.system.clone(),
            decision: self.decision,
            subject,
            since: self.since,
            until: self.until,
        }
    }
}

/// Lifts a hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiftRequest {
    /// Why.
    pub reason: String,
}

/// What somebody found who checked this node's log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerificationRequest {
    /// How many leaves the checked tree has.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// How many entries are there as they were written.
    pub intact: u64,
    /// How many payloads were erased by authority or let go by policy.
    pub gone: u64,
    /// How many things are missing or changed; zero: all was well.
    pub faults: u64,
}
