//! The node: the running data plane, from its parts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::Mutex;
use plimsoll_core::ports::{Decisions, Reviews};
use plimsoll_core::record::{Aggregate, Deployment, Record};
use plimsoll_core::{
    Clock, Code, Digest, Money, NodeName, ReleaseId, Secret, System, SystemName, Timestamp,
};
use plimsoll_journal::{AppendError, Blobs, Health, Journal, SealedPayload, Ticket};
use plimsoll_models::{OnnxSearch, Transport};
use plimsoll_spec::{WhenFull, Workspace};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::budget::Ledger;
use crate::idempotency::Idempotency;
use crate::last_good::LastGood;
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::reviews::Waiters;
use crate::room::Room;
use crate::snapshot::{Slot, Snapshot};

/// A record waits at least this long for a full queue that it should wait for: the decision was made.
const PATIENCE_MIN: Duration = Duration::from_secs(1);

/// Everything that a node is made of; the binary opens the parts.
pub struct Parts {
    /// The checked workspace.
    pub workspace: Workspace,
    /// Where decisions are recorded.
    pub journal: Arc<Journal>,
    /// Where parts of releases are kept.
    pub blobs: Blobs,
    /// What was deployed before this start.
    pub recorded: Recorded,
    /// Reviews, in the store.
    pub reviews: Arc<dyn Reviews>,
    /// Decisions, in the store.
    pub decisions: Arc<dyn Decisions>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Under which subjects and idempotency keys become pseudonyms; the same after each start.
    pub pepper: Secret,
    /// The version of the binary, for deployment events.
    pub binary_version: &'static str,
    /// Where ONNX Runtime is looked for after the settings: the `.runtime` folders.
    pub runtime_folders: Vec<PathBuf>,
}

/// What the store knows when a node starts.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The current deployment of each system in this environment.
    pub deployments: BTreeMap<SystemName, Deployment>,
    /// What each system has spent today (UTC).
    pub spent_today: BTreeMap<SystemName, Money>,
}

/// The running data plane.
pub struct Node {
    pub(crate) name: NodeName,
    pub(crate) binary_version: &'static str,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) blobs: Blobs,
    pub(crate) reviews: Arc<dyn Reviews>,
    pub(crate) decisions: Arc<dyn Decisions>,
    pub(crate) metrics: Metrics,
    pub(crate) room: Arc<Room>,
    pub(crate) waiters: Waiters,
    pub(crate) idempotency: Idempotency,
    pub(crate) last_good: LastGood,
    pub(crate) transport: Arc<Transport>,
    pub(crate) onnx: OnnxSearch,
    pub(crate) workers: usize,
    /// The workspace as it was read last, and what was wrong with it.
    pub(crate) workspace: Mutex<LastWorkspace>,
    ledgers: Mutex<BTreeMap<SystemName, Arc<Ledger>>>,
    pepper: Secret,
    when_full: WhenFull,
    /// Refused without a decision: how many, since when. Bounded by the number of codes.
    refused: Mutex<BTreeMap<Code, (u64, Timestamp)>>,
    random: Mutex<u64>,
}

/// The workspace that is served, and the problems of a newer one that was rejected.
pub(crate) struct LastWorkspace {
    pub(crate) served: Arc<Workspace>,
    pub(crate) rejected: Option<String>,
}

/// How a system stands, for operators.
#[derive(Clone, Debug)]
pub struct SystemStatus {
    /// The system as the workspace describes it, with the deployed manifest.
    pub system: Arc<System>,
    /// The event that put its release here.
    pub deployment: Deployment,
    /// Why it is not served, if it is not.
    pub broken: Option<String>,
    /// A release that was made and waits for somebody to deploy it.
    pub pending: Option<ReleaseId>,
}

/// Whether the node may be sent requests.
#[derive(Clone, Debug)]
pub struct Readiness {
    /// Whether it may.
    pub ready: bool,
    /// Why, in parts.
    pub detail: Value,
}

impl Node {
    pub(crate) fn assemble(
        parts: Parts,
        snapshot: Snapshot,
        transport: Arc<Transport>,
        onnx: OnnxSearch,
    ) -> Self {
        let Parts {
            workspace,
            journal,
            blobs,
            recorded,
            clock,
            pepper,
            ..
        } = parts;
        let now = clock.now();
        let ledger =
            |(name, spent): (SystemName, Money)| (name, Arc::new(Ledger::recovered(spent, now)));
        Self {
            name: workspace.server.node.clone(),
            binary_version: parts.binary_version,
            room: Arc::new(Room::new(workspace.server.in_flight_max)),
            workers: workers(&workspace),
            when_full: workspace.storage.queue.when_full,
            ledgers: Mutex::new(recorded.spent_today.into_iter().map(ledger).collect()),
            workspace: Mutex::new(LastWorkspace {
                served: Arc::new(workspace),
                rejected: None,
            }),
            snapshot: ArcSwap::from_pointee(snapshot),
            metrics: Metrics::new(),
            waiters: Waiters::default(),
            idempotency: Idempotency::new(),
            last_good: LastGood::new(),
            transport,
            reviews: parts.reviews,
            decisions: parts.decisions,
            refused: Mutex::default(),
            random: Mutex::new(seed()),
            clock,
            journal,
            blobs,
            onnx,
            pepper,
        }
    }

    /// The pseudonym of `text`: HMAC-SHA-256 under the node's pepper, apart for each use.
    pub(crate) fn pseudonym(&self, purpose: &str, text: &str) -> Digest {
        let mac = Hmac::<Sha256>::new_from_slice(self.pepper.expose().as_bytes());
        let mut mac = mac.expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        Digest::from_bytes(mac.finalize().into_bytes().into())
    }

    /// The ledger of a system; made when first asked for.
    pub(crate) fn ledger(&self, system: &SystemName) -> Arc<Ledger> {
        let mut ledgers = self.ledgers.lock();
        Arc::clone(ledgers.entry(system.clone()).or_default())
    }

    /// Hands a record to the journal's writer; a full queue sheds, or waits as long as `patience`, as
    /// declared.
    pub(crate) async fn append(
        &self,
        record: &Record,
        sealed: Option<SealedPayload>,
        patience: Duration,
    ) -> Result<Ticket, Refusal> {
        let full = || Refusal::plain(Code::RecordQueueFull);
        let appended = match self.when_full {
            WhenFull::Shed => self.journal.append(record, sealed),
            WhenFull::Wait => {
                let patience = patience.max(PATIENCE_MIN);
                let appending = self.journal.append_waiting(record, sealed);
                tokio::time::timeout(patience, appending)
                    .await
                    .map_err(|_| full())?
            }
        };
        appended.map_err(|error| match error {
            AppendError::QueueFull { .. } => full(),
            other => {
                tracing::debug!(error = %other, "a record was not taken");
                Refusal::plain(Code::RecordUnavailable)
            }
        })
    }

    /// Counts a request that is refused before there is a decision.
    pub(crate) fn count_refused(&self, code: Code) {
        self.metrics.refused(code);
        let now = self.clock.now();
        let mut refused = self.refused.lock();
        refused.entry(code).or_insert((0, now)).0 += 1;
    }

    /// Writes what was refused without a decision since the last time into the journal, counted by
    /// code. What cannot be written is counted on.
    pub fn flush_refused(&self) {
        let counted = std::mem::take(&mut *self.refused.lock());
        let to = self.clock.now();
        for (code, (count, from)) in counted {
            let aggregate = Aggregate {
                system: None,
                code,
                count,
                from,
                to,
            };
            let record = Record::Uncounted(Box::new(aggregate));
            if let Err(error) = self.journal.append(&record, None) {
                tracing::warn!(%error, "counted refusals could not be recorded yet");
                self.refused.lock().entry(code).or_insert((0, from)).0 += count;
            }
        }
    }

    /// Appends a record and waits until it is on disk: a drill, a runbook run.
    ///
    /// # Errors
    /// If the journal does not take it.
    pub async fn record(&self, record: Record) -> Result<u64, AppendError> {
        let ticket = self.journal.append_waiting(&record, None).await?;
        ticket.durable().await?;
        Ok(ticket.sequence())
    }

    /// A number for jitter; not for secrets.
    pub(crate) fn random(&self) -> u64 {
        // SplitMix64 (Steele, Lea, Flood 2014).
        let mut state = self.random.lock();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The systems of the workspace.
    pub fn systems(&self) -> Vec<SystemStatus> {
        let snapshot = self.snapshot.load();
        let status = |(name, slot): (&SystemName, &Slot)| {
            let (system, deployment) = match slot {
                Slot::Running(deployed) => (&deployed.system, &deployed.deployment),
                Slot::Broken {
                    system, deployment, ..
                } => (system, &**deployment),
            };
            SystemStatus {
                system: Arc::clone(system),
                deployment: deployment.clone(),
                broken: slot.defect(),
                pending: snapshot.pending.get(name).copied(),
            }
        };
        snapshot.systems.iter().map(status).collect()
    }

    /// Whether the node may be sent requests, and why not.
    pub fn readiness(&self) -> Readiness {
        let failing = self.journal_failure();
        let broken: BTreeMap<String, String> = self
            .systems()
            .into_iter()
            .filter_map(|status| Some((status.system.name.to_string(), status.broken?)))
            .collect();
        let snapshot = self.snapshot.load();
        let systems = snapshot.systems.len();
        let running = snapshot
            .systems
            .values()
            .any(|slot| matches!(slot, Slot::Running(_)));
        let ready = failing.is_none() && (systems == 0 || running);
        let detail = json!({
            "ready": ready,
            "node": self.name,
            "version": self.binary_version,
            "systems": systems,
            "systems_broken": broken,
            "workspace_rejected": self.workspace.lock().rejected,
            "journal_failing": failing,
        });
        Readiness { ready, detail }
    }

    /// Why the journal cannot write, if it cannot.
    fn journal_failure(&self) -> Option<String> {
        match self.journal.health() {
            Health::Healthy => None,
            Health::Failing(error) => Some(crate::deployed::chain(&error)),
        }
    }

    /// The metrics, in Prometheus' text format.
    pub fn metrics(&self) -> String {
        let figures = self.journal.figures();
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.in_flight.set(i64::from(self.room.taken()));
        self.metrics
            .systems_broken
            .set(count(self.snapshot.load().defects() as u64));
        self.metrics.committed.set(count(self.journal.committed()));
        self.metrics
            .queue_bytes
            .set(count(figures.queued_bytes as u64));
        self.metrics
            .journal_failing
            .set(i64::from(self.journal_failure().is_some()));
        self.metrics.page()
    }
}

pub(crate) fn workers(workspace: &Workspace) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    workspace
        .server
        .workers
        .map_or_else(cores, std::num::NonZero::get)
}

fn seed() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the operating system always has random bytes");
    u64::from_le_bytes(bytes)
}
