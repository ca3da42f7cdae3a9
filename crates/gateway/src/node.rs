//! The node: the running data plane, from its parts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::Mutex;
use plimsoll_core::deployment::{Slot as DeploymentSlot, Standing, Weight};
use plimsoll_core::keyring::Keyring;
use plimsoll_core::limits::{Seeding, Who, Window};
use plimsoll_core::ports::{Decisions, PortError, Reviews, Seed, UnitSpent, UsageQuery, Used};
use plimsoll_core::record::{Aggregate, Deployment, Record, RecordRef};
use plimsoll_core::{
    Clock, Code, DecisionId, Digest, KeyName, Money, NodeName, ReleaseId, Role, Secret, System,
    SystemName, TeamName, TenantName, Timestamp,
};
use plimsoll_journal::{AppendError, AuditStatus, Blobs, Health, Journal, SealedPayload, Ticket};
use plimsoll_models::{OnnxSearch, Transport};
use plimsoll_spec::{WhenFull, Workspace};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::budget::{Known, Ledger};
use crate::caller::Access;
use crate::idempotency::Idempotency;
use crate::last_good::LastGood;
use crate::limiting::Limiter;
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::replay::Rehearsed;
use crate::reviews::Waiters;
use crate::room::Room;
use crate::sharing::{SharedLimits, Sharing};
use crate::snapshot::{CanarySlot, Slots, Snapshot};
use crate::standing::{Recorded, Standings};
use crate::switch::{Control, ControlLoss, Stop};
use crate::watching::Watching;

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
    /// What the records know of the time before this start.
    pub recorded: Recorded,
    /// Reviews, in the store.
    pub reviews: Arc<dyn Reviews>,
    /// Decisions, in the store.
    pub decisions: Arc<dyn Decisions>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Tenants and the keys that they were given, as far as they are known at the start.
    pub keyring: Keyring,
    /// Under which subjects and idempotency keys become pseudonyms, and the secrets of keys are kept; the
    /// same after each start.
    pub pepper: Secret,
    /// The version of the binary, for deployment events.
    pub binary_version: &'static str,
    /// The digest of the binary, for deployment events.
    pub binary: Option<Digest>,
    /// What the node does that hears nothing from its control plane.
    pub control_loss: ControlLoss,
    /// Where ONNX Runtime is looked for after the settings: the `.runtime` folders.
    pub runtime_folders: Vec<PathBuf>,
    /// How limits are shared with other nodes; none: this node has them for itself.
    pub shared_limits: Option<SharedLimits>,
    /// Why deployments are held back from the start on, of the systems of which they are.
    pub held_back: BTreeMap<SystemName, String>,
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
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) waiters: Waiters,
    pub(crate) watching: Watching,
    pub(crate) idempotency: Idempotency,
    pub(crate) last_good: LastGood,
    pub(crate) transport: Arc<Transport>,
    pub(crate) onnx: OnnxSearch,
    pub(crate) workers: usize,
    pub(crate) binary: Option<Digest>,
    pub(crate) standings: Standings,
    pub(crate) access: Access,
    pub(crate) control: Control,
    /// Held by whoever changes what runs: one change at a time.
    pub(crate) changing: tokio::sync::Mutex<()>,
    pub(crate) rehearsed: Rehearsed,
    /// Why deployments of a system are held back, of those of which they are.
    pub(crate) held_back: Mutex<BTreeMap<SystemName, String>>,
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
    /// What a share of the units of work gets, if there is a canary.
    pub canary: Option<CanaryStatus>,
    /// The intervention in force, if there is one.
    pub halt: Option<Deployment>,
    /// The release that stands and does not run here yet, because its parts are not here or cannot be
    /// built.
    pub awaited: Option<ReleaseId>,
}

/// How a canary stands, for operators.
#[derive(Clone, Debug)]
pub struct CanaryStatus {
    /// The latest event about it.
    pub deployment: Deployment,
    /// Its share.
    pub weight: Weight,
    /// Why it is not served, so that the stable release answers everybody.
    pub broken: Option<String>,
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
        (standings, access): (Standings, Access),
        (transport, onnx): (Arc<Transport>, OnnxSearch),
    ) -> Self {
        let Parts {
            workspace,
            journal,
            blobs,
            recorded,
            clock,
            pepper,
            held_back,
            shared_limits,
            ..
        } = parts;
        let now = clock.now();
        let (today, units) = (recorded.spent_today, recorded.spent_on_units);
        let spenders: BTreeSet<&SystemName> = today.keys().chain(units.keys()).collect();
        let ledgers = spenders.into_iter().map(|name| {
            let today = today.get(name).copied();
            let units = units.get(name).map(Vec::as_slice);
            let ledger = Ledger::recovered(today, units, now);
            (name.clone(), Arc::new(ledger))
        });
        let ledgers = ledgers.collect();
        Self {
            name: workspace.server.node.clone(),
            binary_version: parts.binary_version,
            room: Arc::new(Room::new(workspace.server.in_flight_max)),
            limiter: Arc::new(Limiter::new(
                &workspace.limits,
                shared_limits,
                Arc::clone(&clock),
            )),
            workers: workers(&workspace),
            when_full: workspace.storage.queue.when_full,
            ledgers: Mutex::new(ledgers),
            workspace: Mutex::new(LastWorkspace {
                served: Arc::new(workspace),
                rejected: None,
            }),
            snapshot: ArcSwap::from_pointee(snapshot),
            metrics: Metrics::new(),
            waiters: Waiters::default(),
            watching: Watching::default(),
            idempotency: Idempotency::new(),
            last_good: LastGood::new(),
            control: Control::new(parts.control_loss, clock.elapsed()),
            binary: parts.binary,
            changing: tokio::sync::Mutex::default(),
            rehearsed: Rehearsed::default(),
            held_back: Mutex::new(held_back),
            standings,
            access,
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

    /// The pseudonym under which records know the person whom callers call `text` in
    /// `plimsoll-subject`.
    pub fn subject(&self, text: &str) -> Digest {
        self.pseudonym("subject", text)
    }

    /// What is kept of the secret of a key: its HMAC under the pepper, and which pepper that is.
    pub fn key_digest(&self, secret: &Secret) -> (Digest, String) {
        let digester = &self.access.digester;
        let digest = digester.digest(secret.expose().as_bytes());
        (digest, digester.pepper().to_owned())
    }

    /// Whose the key `shown` is that the control plane gave, and what it lets do there; none if it is not
    /// good here and now.
    pub fn key_roles(&self, shown: &[u8]) -> Option<(TenantName, KeyName, BTreeSet<Role>)> {
        let digest = self.access.digester.digest(shown);
        let (caller, roles) = self.access.managed.holder(digest, self.clock.now())?;
        Some((caller.tenant.clone(), caller.key.clone()?, roles))
    }

    /// From now on the keys that the control plane gave stand as `ring` says: the next request knows.
    pub fn hold_keys(&self, ring: &Keyring) {
        self.access.managed.replace(ring);
    }

    /// The ledger of a system; made when first asked for.
    pub(crate) fn ledger(&self, system: &SystemName) -> Arc<Ledger> {
        let mut ledgers = self.ledgers.lock();
        Arc::clone(ledgers.entry(system.clone()).or_default())
    }

    /// The systems of whose budget it is not known what was spent before it came, and what of it: it was
    /// added by an edit or by a deployment.
    pub fn lacking_budgets(&self) -> Vec<(SystemName, Known)> {
        let snapshot = self.snapshot.load();
        let lacks = |(name, slots): (&SystemName, &Slots)| {
            let mut limits = slots.stable.system().manifest.budget.clone();
            if let Some(canary) = &slots.canary {
                let of_canary = &canary.slot.system().manifest.budget;
                limits.per_day = limits.per_day.or(of_canary.per_day);
                limits.per_unit = limits.per_unit.or(of_canary.per_unit);
            }
            let lacks = self.ledger(name).lacks(&limits);
            (lacks != Known::default()).then(|| (name.clone(), lacks))
        };
        snapshot.systems.iter().filter_map(lacks).collect()
    }

    /// Takes in what the records say that a system spent today, and on units of work.
    pub fn learn_budget(
        &self,
        system: &SystemName,
        today: Option<Money>,
        units: Option<&[UnitSpent]>,
    ) {
        self.ledger(system).learn(today, units, self.clock.now());
    }

    /// Brings into the limits what the records say was used before they began to count: at a start, and
    /// for ceilings that a reload added. The database must hold what the journal does. While it does not
    /// answer, limits count what they see themselves. Where nodes share limits each counts its own.
    pub async fn seed_limits(&self) {
        let now = self.clock.now();
        let Some(seeding) = self.limiter.seeding(now) else {
            return;
        };
        let sharing = self.limiter.sharing();
        let mut used = match self.used_before(&seeding, sharing.is_some()).await {
            Ok(used) => used,
            Err(error) => {
                let error = crate::deployed::chain(&error);
                tracing::error!(
                    error,
                    "limits do not know what was used before; they count from now"
                );
                return;
            }
        };
        if sharing.is_some() {
            let own = |row: &Used| row.node.as_ref() == Some(&self.name);
            used.iter_mut().for_each(|(_, rows)| rows.retain(own));
        }
        let served = self.served();
        self.limiter.seed(&used, &|key| team_of(&served, key), now);
        if let Some(sharing) = sharing.filter(|sharing| sharing.has_met()) {
            let met = sharing.tenure();
            sharing.note_told(self.seed_keeper(sharing).await, met);
        }
    }

    /// Whether limits do not know yet what was used before they began to count.
    pub fn lacks_seeds(&self) -> bool {
        self.limiter.seeding(self.clock.now()).is_some()
    }

    /// Tells a keeper that remembers nothing what the records say that each node used. Gives how many
    /// counters that is about.
    pub(crate) async fn seed_keeper(&self, sharing: &Sharing) -> Result<usize, PortError> {
        let now = self.clock.now();
        let Some(seeding) = self.limiter.tree().counting(now) else {
            return Ok(0);
        };
        let used = self.used_before(&seeding, true).await?;
        let served = self.served();
        let mut seeds = BTreeMap::new();
        for (window, rows) in &used {
            for row in rows {
                let Some(node) = &row.node else { continue };
                let who = who_used(row, &served);
                let shares = self
                    .limiter
                    .tree()
                    .shares_of(*window, &who, &row.amounts, now);
                for (key, amount, life) in shares {
                    let seed = seeds.entry((node.clone(), key)).or_insert((0, life));
                    seed.0 += amount;
                }
            }
        }
        let seeds = seeds.into_iter().map(|((node, key), (used, life))| Seed {
            node,
            key,
            used,
            life,
        });
        let seeds: Vec<Seed> = seeds.collect();
        sharing.keeper().seed(&seeds).await?;
        Ok(seeds.len())
    }

    /// What the records say was used in each window.
    async fn used_before(
        &self,
        seeding: &Seeding,
        by_node: bool,
    ) -> Result<Vec<(Window, Vec<Used>)>, PortError> {
        let mut used = Vec::with_capacity(seeding.windows.len());
        for (window, since) in &seeding.windows {
            let query = UsageQuery {
                environment: self.snapshot.load().environment.clone(),
                since: *since,
                until: seeding.until,
                by_subject: seeding.users,
                by_session: seeding.sessions,
                by_node,
            };
            used.push((*window, self.decisions.usage(&query).await?));
        }
        Ok(used)
    }

    /// Hands a record to the journal's writer; a full queue sheds, or waits as long as `patience`, as
    /// declared. What waits is recorded also if its caller goes away meanwhile.
    pub(crate) async fn append(
        &self,
        record: RecordRef<'_>,
        sealed: Option<SealedPayload>,
        patience: Duration,
    ) -> Result<Ticket, Refusal> {
        let full = || Refusal::plain(Code::RecordQueueFull);
        let appended = match self.when_full {
            WhenFull::Shed => self.journal.append(record, sealed),
            WhenFull::Wait => {
                let patience = patience.max(PATIENCE_MIN);
                let lost = || {
                    let code = Code::RecordQueueFull;
                    if let RecordRef::Opened { decision, .. } | RecordRef::Closed(decision) = record
                    {
                        self.metrics.unrecorded(&decision.system, code);
                    }
                };
                let appending = self.journal.append_surely(record, sealed, lost);
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

    /// Drops all that memory holds of what these decisions were asked and have answered: earlier good
    /// answers, and responses under idempotency keys, which stay used. For an erasure, once its event is
    /// on disk.
    pub fn forget(&self, decisions: &[DecisionId]) {
        let decisions = decisions.iter().copied().collect();
        self.last_good.forget(&decisions);
        self.idempotency.forget(&decisions);
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

    /// What stands in the slots of a system of the workspace.
    pub fn standing(&self, system: &SystemName) -> Option<Standing> {
        let snapshot = self.snapshot.load();
        let known = snapshot.systems.contains_key(system);
        known.then(|| self.standings.view(system).standing)
    }

    /// The systems of the workspace.
    pub fn systems(&self) -> Vec<SystemStatus> {
        let snapshot = self.snapshot.load();
        let status = |(name, slots): (&SystemName, &Slots)| {
            let standing = self.standings.standing(name);
            let (stable, canary) = (&standing.stable, &standing.canary);
            let stands = stable.iter().chain(canary.as_ref().map(|c| &c.deployment));
            let mut stands = stands.map(|deployment| deployment.release);
            SystemStatus {
                system: Arc::clone(slots.stable.system()),
                deployment: slots.stable.deployment().clone(),
                broken: slots.stable.defect(),
                pending: snapshot.pending.get(name).copied(),
                canary: slots.canary.as_ref().map(CanaryStatus::of),
                awaited: stands.find(|release| !slots.run(*release)),
                halt: standing.halt,
            }
        };
        snapshot.systems.iter().map(status).collect()
    }

    /// Whether the node may be sent requests, and why not. One that has lost its control plane and
    /// halts then may not.
    pub fn readiness(&self) -> Readiness {
        let failing = self.journal_failure();
        let (systems, now) = (self.systems(), self.clock.elapsed());
        let named = |of: &dyn Fn(&SystemStatus) -> Option<Value>| -> BTreeMap<String, Value> {
            let named = |status| Some((status_name(status), of(status)?));
            systems.iter().filter_map(named).collect()
        };
        let halts = self.control.halts(now);
        let snapshot = self.snapshot.load();
        let mut slots = snapshot.systems.values();
        let serves = systems.is_empty() || slots.any(|slots| slots.stable.running().is_some());
        let ready = failing.is_none() && serves && !halts;
        let detail = json!({
            "ready": ready,
            "node": self.name,
            "version": self.binary_version,
            "systems": systems.len(),
            "systems_broken": named(&|status| status.broken.clone().map(Value::from)),
            "systems_halted": named(&|status| status.halt.as_ref().map(halt_detail)),
            "releases_awaited": named(&|status| status.awaited.map(|release| json!(release))),
            "control_lost": self.control.is_lost(now),
            "control_silence_seconds": self.control.silence(now).as_secs(),
            "control_halts": halts,
            "keys_under_another_pepper": self.access.managed.foreign(),
            "workspace_rejected": self.workspace.lock().rejected,
            "limits_shared": self.limiter.sharing().map(Sharing::detail),
            "journal_failing": failing,
            "audit_log": self.journal.audit().map(|log| audit_detail(&log.status())),
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
        let (members, folded) = self.limiter.figures();
        self.metrics.limits.set(count(members as u64), folded);
        let sharing = self.limiter.sharing().map(Sharing::figures);
        self.metrics.limits.share(sharing.unwrap_or_default());
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
        if let Some(log) = self.journal.audit() {
            self.metrics.audit.set(&log.status());
        }
        let now = self.clock.elapsed();
        self.metrics
            .control_lost
            .set(i64::from(self.control.is_lost(now)));
        let halted = |system: &SystemName| {
            let switch = self.standings.switch(system);
            (
                system.clone(),
                Stop::now(&switch, &self.control, now).is_some(),
            )
        };
        let snapshot = self.snapshot.load();
        self.metrics.halted(snapshot.systems.keys().map(halted));
        self.metrics.page()
    }
}

impl CanaryStatus {
    fn of(canary: &CanarySlot) -> Self {
        Self {
            deployment: canary.slot.deployment().clone(),
            weight: canary.weight,
            broken: canary.slot.defect(),
        }
    }
}

fn team_of<'a>(workspace: &'a Workspace, key: &KeyName) -> Option<&'a TeamName> {
    let key = workspace.keys.iter().find(|known| known.name == *key)?;
    key.team.as_ref()
}

fn who_used<'a>(row: &'a Used, workspace: &'a Workspace) -> Who<'a> {
    Who {
        tenant: &row.tenant,
        team: row.key.as_ref().and_then(|key| team_of(workspace, key)),
        key: row.key.as_ref(),
        user: row.subject,
        session: row.session.as_deref(),
        system: &row.system,
    }
}

fn status_name(status: &SystemStatus) -> String {
    status.system.name.to_string()
}

fn audit_detail(status: &AuditStatus) -> Value {
    json!({
        "leaves": status.size,
        "behind": status.behind,
        "checkpoint_at": status.checkpoint_at.map(|at| at.to_string()),
        "stopped": status.defect,
        "failing": status.failing,
        "copy_failing": status.copy_failing,
    })
}

fn halt_detail(event: &Deployment) -> Value {
    let to = match event.slot {
        DeploymentSlot::Halt { to } => to.as_str(),
        DeploymentSlot::Stable | DeploymentSlot::Canary { .. } => "",
    };
    json!({
        "to": to,
        "since": event.at.to_string(),
        "actor": event.actor,
        "reason": event.reason,
    })
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
