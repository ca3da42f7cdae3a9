//! Opening everything that a node is made of, in order, and closing it again.
//!
//! The journal comes first: it says whether another process has the data folder, and mends what a
//! crash left. Then the database is brought up to the journal, so that the node sees every deployment
//! and every amount that was spent. `serve`, `batch`, `test` and `check` all start like this.

mod without_database;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use plimsoll_core::record::Recovery;
use plimsoll_core::{
    Clock, Digest, EventId, NodeName, Record, SystemClock, SystemName, Tenancy, Timestamp,
};
use plimsoll_gateway::{ControlLoss, Node, Parts, Recorded, SharedLimits};
use plimsoll_journal::{AuditConfig, Blobs, Damage, Journal, JournalConfig, Opened, Retention};
use plimsoll_leases::RedisKeeper;
use plimsoll_spec::{OnControlLoss, Workspace};
use plimsoll_store::{
    PayloadSource, PostgresConfig, ProjectedDecisions, Projector, Store, StoredReviews,
};

use crate::data_folder::DataFolder;
use crate::exit::{Exit, Exits as _, Outcome};
use crate::held_keys::{self, HeldKeys};
use crate::monitor_file;

/// The most deployment events of one system that are read at a start; what stands is folded over all.
const DEPLOYMENTS_MAX: u32 = 500;
/// Events of reviews that are brought into the journal at a start.
const REVIEW_EVENTS_MAX: u32 = 1_000;
pub(crate) const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;
/// For how long before a start a unit of work is looked for: what it cost counts on in its budget.
pub(crate) const UNITS_LATELY: Duration = Duration::from_hours(30 * 24);

/// A node with what it stands on.
pub(crate) struct Assembly {
    pub(crate) node: Arc<Node>,
    pub(crate) node_name: NodeName,
    pub(crate) journal: Arc<Journal>,
    pub(crate) blobs: Blobs,
    pub(crate) store: Store,
    pub(crate) projector: Projector,
    pub(crate) keys: Arc<HeldKeys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) recovery: Recovery,
    pub(crate) damage: Vec<Damage>,
    /// The folder of a node aside.
    temporary: Option<tempfile::TempDir>,
}

/// A node in a folder of its own that is thrown away with it, for tests and replays: no audit log, no
/// database that others see. Parts of releases are read from the data folder `blobs` too, if it is given.
pub(crate) async fn assemble_aside(
    mut workspace: Workspace,
    blobs: Option<PathBuf>,
) -> Outcome<Assembly> {
    let temporary = tempfile::tempdir().or_exit(Exit::Data)?;
    workspace.storage.path = temporary.path().to_owned();
    workspace.storage.postgres = None;
    workspace.storage.redis = None;
    workspace.audit.enabled = false;
    let mut assembly = assemble_with(workspace, blobs).await?;
    assembly.temporary = Some(temporary);
    Ok(assembly)
}

/// Opens the data folder and starts a node in it; no sockets.
pub(crate) async fn assemble(workspace: Workspace) -> Outcome<Assembly> {
    assemble_with(workspace, None).await
}

async fn assemble_with(workspace: Workspace, blobs: Option<PathBuf>) -> Outcome<Assembly> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let folder = DataFolder::create(workspace.storage.path.clone())?;
    let Opened {
        journal,
        recovery,
        damage,
    } = open_journal(&workspace, &clock).await?;
    let journal = Arc::new(journal);
    let store = open_store(&workspace, &folder, &clock).await?;
    let projector = Projector::new(&store, workspace.server.node.clone());
    let mut keyring = held_keys::kept(folder.root()).or_exit(Exit::Data)?;
    let database_is_there = !may_be_away(&workspace, &store).await;
    let recorded = if database_is_there {
        bring_up(&journal, &projector).await?;
        log_reviews(&journal, &store, clock.now()).await?;
        keyring.take_in(&store.keyring().await?);
        recorded(&workspace, &store, clock.now()).await?
    } else {
        let known = without_database::read(&journal, &workspace, clock.now()).await?;
        keyring.take_in(&known.keyring);
        known.recorded
    };
    let payloads: Arc<dyn PayloadSource> = Arc::new(journal.payloads());
    let node_name = workspace.server.node.clone();
    let blobs = Blobs::open(blobs.as_deref().unwrap_or(folder.root()))?;
    let parts = Parts {
        held_back: held_back(folder.root()),
        shared_limits: shared_limits(&workspace)?,
        keyring: keyring.clone(),
        recorded,
        journal: Arc::clone(&journal),
        blobs: blobs.clone(),
        reviews: Arc::new(StoredReviews::new(&store)),
        decisions: Arc::new(ProjectedDecisions::new(&store, Some(payloads))),
        clock: Arc::clone(&clock),
        pepper: match &workspace.pepper {
            Some(pepper) => pepper.clone(),
            None => folder.pepper()?,
        },
        binary_version: env!("CARGO_PKG_VERSION"),
        binary: own_digest().await,
        control_loss: control_loss(&workspace),
        runtime_folders: runtime_folders(&workspace),
        workspace,
    };
    let node = Node::start(parts).await?;
    if database_is_there {
        finish_reviews(&node, &store).await?;
    }
    let keys = HeldKeys::of(
        Arc::clone(&node),
        Arc::clone(&clock),
        folder.root(),
        keyring,
    );
    Ok(Assembly {
        keys: Arc::new(keys.await),
        node,
        node_name,
        journal,
        blobs,
        store,
        projector,
        clock,
        recovery,
        damage,
        temporary: None,
    })
}

/// What alarms that stood at the last stop hold back.
fn held_back(data: &std::path::Path) -> BTreeMap<SystemName, String> {
    let kept = monitor_file::read(data);
    let systems = kept.map(|kept| kept.systems).unwrap_or_default();
    let held = systems.iter().filter_map(|(name, watch)| {
        let (monitor, alarm) = watch.holds()?;
        Some((name.clone(), held_by(monitor, alarm)))
    });
    held.collect()
}

/// Why an alarm holds deployments back, in words.
pub(crate) fn held_by(monitor: plimsoll_core::monitor::Watched, alarm: EventId) -> String {
    format!("alarm {alarm} of the monitor `{monitor}` stands")
}

impl Assembly {
    /// Notes that the node stops, brings the database up to the journal, and closes both.
    pub(crate) async fn close(self) -> Outcome<()> {
        let stopped = self.node.stop().await;
        if let Err(error) = &stopped {
            tracing::error!(%error, "the stop could not be recorded");
        }
        let journal = Arc::clone(&self.journal);
        let closing = tokio::task::spawn_blocking(move || journal.close());
        let closed = closing.await.or_exit(Exit::Internal)?;
        if let Err(error) = bring_up(&self.journal, &self.projector).await {
            // The journal has it all; the next start reads it.
            tracing::warn!(error = %error.error, "the database was not brought up to the journal");
        }
        self.store.close().await;
        drop(self.temporary);
        Ok(closed?)
    }
}

/// Opens the database: the one that several nodes share, or the one in the data folder.
pub(crate) async fn open_store(
    workspace: &Workspace,
    folder: &DataFolder,
    clock: &Arc<dyn Clock>,
) -> Outcome<Store> {
    let clock = Arc::clone(clock);
    match &workspace.storage.postgres {
        Some(config) => {
            let config = PostgresConfig {
                url: config.url.clone(),
                migrate_url: config.migrate.clone(),
            };
            Ok(Store::connect(&config, clock).await?)
        }
        None => Ok(Store::open(folder.database(), clock).await?),
    }
}

/// Opens the journal as its one writer.
pub(crate) async fn open_journal(workspace: &Workspace, clock: &Arc<dyn Clock>) -> Outcome<Opened> {
    let config = journal_config(workspace);
    let (node, clock) = (workspace.server.node.clone(), Arc::clone(clock));
    let opening = tokio::task::spawn_blocking(move || Journal::open(config, node, clock));
    Ok(opening.await.or_exit(Exit::Internal)??)
}

fn journal_config(workspace: &Workspace) -> JournalConfig {
    let storage = &workspace.storage;
    let retention = &storage.retention;
    let audit = &workspace.audit;
    JournalConfig {
        root: storage.path.clone(),
        segment_bytes: storage.segment_bytes,
        queue_bytes: usize::try_from(storage.queue.bytes).unwrap_or(usize::MAX),
        linger: storage.linger,
        buffered_window: storage.buffered_window,
        retention: Retention {
            age: retention.age.unwrap_or(Duration::MAX),
            bytes: retention.bytes.unwrap_or(u64::MAX),
            payloads: retention.payloads.unwrap_or(Duration::MAX),
            least: retention
                .floors
                .records
                .max(retention.floors.payloads)
                .unwrap_or_default(),
        },
        audit: audit.enabled.then(|| AuditConfig {
            origin: audit.origin.clone(),
            every: audit.checkpoint,
            copy_to: audit.copy.clone(),
        }),
    }
}

/// The server through which nodes share limits, if there is one.
fn shared_limits(workspace: &Workspace) -> Outcome<Option<SharedLimits>> {
    let Some(config) = &workspace.storage.redis else {
        return Ok(None);
    };
    let (environment, node) = (&workspace.server.environment, &workspace.server.node);
    let keeper = RedisKeeper::new(&config.url, (environment, node), config.lease);
    Ok(Some(SharedLimits {
        keeper: Arc::new(keeper.or_exit(Exit::Workspace)?),
        lease: config.lease,
        wait: config.wait,
    }))
}

/// A node on its own waits for nobody's word.
fn control_loss(workspace: &Workspace) -> ControlLoss {
    if workspace.storage.postgres.is_none() {
        return ControlLoss::default();
    }
    ControlLoss {
        after: workspace.server.control_loss,
        halt: workspace.server.on_control_loss == OnControlLoss::Halt,
    }
}

/// The digest of this process' own binary; none if it cannot be read.
async fn own_digest() -> Option<Digest> {
    let read = || {
        let mut file = std::fs::File::open(std::env::current_exe()?)?;
        Digest::of_reader(&mut file)
    };
    let digest = tokio::task::spawn_blocking(read).await.ok()?;
    digest
        .inspect_err(|error| tracing::warn!(%error, "the digest of the binary is not known"))
        .ok()
}

/// Applies what the journal has and the database has not yet.
pub(crate) async fn bring_up(journal: &Journal, projector: &Projector) -> Outcome<()> {
    if let Some(last) = journal.committed().checked_sub(1) {
        projector.project_until(journal, last).await?;
    }
    Ok(())
}

/// Whether the shared database does not answer. One in the data folder is always there, or damaged.
async fn may_be_away(workspace: &Workspace, store: &Store) -> bool {
    if workspace.storage.postgres.is_none() {
        return false;
    }
    let answered = store.ping().await;
    if let Err(error) = &answered {
        tracing::warn!(%error, "the database is away: starting from the journal and what is kept beside it");
    }
    answered.is_err()
}

/// Events of reviews whose append a crash prevented.
async fn log_reviews(journal: &Journal, store: &Store, now: Timestamp) -> Outcome<()> {
    for event in store.unlogged_review_events(now, REVIEW_EVENTS_MAX).await? {
        let ticket = journal
            .append_waiting(&Record::Review(Box::new(event)), None)
            .await;
        let written = match ticket {
            Ok(ticket) => ticket.durable().await,
            Err(error) => Err(error),
        };
        written
            .context("the events of reviews could not be recorded")
            .or_exit(Exit::Data)?;
    }
    Ok(())
}

/// Closes decisions whose review was closed just before a crash, so that none stays open for ever.
async fn finish_reviews(node: &Node, store: &Store) -> Outcome<()> {
    for review in store.closed_reviews(None, REVIEW_EVENTS_MAX).await? {
        let decision = store.decision(review.decision.id).await?;
        if decision.is_some_and(|decision| decision.outcome.is_none()) {
            let closed = node.close_reviewed(review).await;
            closed
                .context("a reviewed decision could not be closed")
                .or_exit(Exit::Data)?;
        }
    }
    Ok(())
}

async fn recorded(workspace: &Workspace, store: &Store, now: Timestamp) -> Outcome<Recorded> {
    let (environment, node) = (&workspace.server.environment, &workspace.server.node);
    let micros = now.as_micros();
    let midnight = Timestamp::from_micros(micros - micros.rem_euclid(DAY_MICROS));
    let mut recorded = Recorded::default();
    for (name, system) in &workspace.systems {
        let events = store.deployments(name, Some(environment), DEPLOYMENTS_MAX);
        for event in events.await?.iter().rev() {
            recorded.take_in(node, event);
        }
        let standing = store.standing(name, environment).await?;
        recorded.standings.insert(name.clone(), standing);
        if system.manifest.budget.per_day.is_some() {
            let facts = store.bar_facts(name, environment, midnight).await?;
            recorded.spent_today.insert(name.clone(), facts.cost.total);
        }
        if system.manifest.budget.per_unit.is_some() {
            let since = now.minus(UNITS_LATELY);
            let place = (name, environment);
            let all = Tenancy::Installation;
            let units = store.spent_on_units(&all, place, since).await?;
            recorded.spent_on_units.insert(name.clone(), units);
        }
    }
    Ok(recorded)
}

/// Where ONNX Runtime may lie beside what the settings say.
fn runtime_folders(workspace: &Workspace) -> Vec<PathBuf> {
    let mut folders = vec![workspace.root.join(".runtime")];
    folders.extend(
        std::env::current_dir()
            .ok()
            .map(|here| here.join(".runtime")),
    );
    let beside = std::env::current_exe().ok();
    folders.extend(beside.and_then(|exe| exe.parent().map(|folder| folder.join(".runtime"))));
    folders
}
