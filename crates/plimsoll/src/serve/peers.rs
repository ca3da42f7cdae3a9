//! Following the other nodes by way of the database that they share: what they deploy runs here too, and
//! the parts of what is made here are there for them.
//!
//! Every node writes its own journal; the projection of each puts its deployment events into the shared
//! database. A notification wakes this task, and a look once a second does if none comes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::record::{Deployment, ReleaseRecord};
use plimsoll_core::{Digest, NodeName, ReleaseId, SystemName};
use plimsoll_gateway::{ApplyError, Node};
use plimsoll_journal::Blobs;
use plimsoll_store::Store;
use tokio_util::sync::CancellationToken;

use crate::assembly::Assembly;
use crate::held_keys::HeldKeys;

/// Events that are taken in at a time.
const CHANGES_MAX: u32 = 200;
/// Events before the start that are looked at once more: a start may have missed the latest.
const AGAIN: i64 = 1_000;
/// Releases of one system whose parts are handed over.
const RELEASES_MAX: u32 = 50;
/// How often the database is told that this node is there, and releases are looked through.
const TICK: Duration = Duration::from_secs(1);

/// What follows.
pub(crate) struct Peers {
    node: Arc<Node>,
    name: NodeName,
    store: Store,
    blobs: Blobs,
    keys: Arc<HeldKeys>,
    address: String,
    cursor: i64,
    /// Releases whose parts are in the database.
    handed_over: BTreeSet<ReleaseId>,
}

impl Peers {
    /// Of the node of this assembly, which listens on `address`.
    pub(crate) fn of(assembly: &Assembly, address: String) -> Self {
        Self {
            node: Arc::clone(&assembly.node),
            name: assembly.node_name.clone(),
            store: assembly.store.clone(),
            blobs: assembly.blobs.clone(),
            keys: Arc::clone(&assembly.keys),
            address,
            cursor: 0,
            handed_over: BTreeSet::new(),
        }
    }

    /// Follows until it is told to stop.
    pub(crate) async fn follow(mut self, stop: CancellationToken) {
        let mut wakeups = self.store.changes();
        let mut failing = false;
        loop {
            tokio::select! {
                () = wakeups.next() => {}
                () = tokio::time::sleep(TICK) => {}
                () = stop.cancelled() => return,
            }
            match self.look().await {
                Ok(()) => failing = false,
                // Once is enough: readiness and metrics go on telling of it.
                Err(error) if !failing => {
                    failing = true;
                    let error = format!("{error:#}");
                    tracing::warn!(error, "the other nodes cannot be followed");
                }
                Err(_) => {}
            }
        }
    }

    async fn look(&mut self) -> anyhow::Result<()> {
        self.keys.look(&self.store).await?;
        if self.cursor == 0 {
            self.cursor = (self.store.last_change().await? - AGAIN).max(0);
        }
        self.hand_over().await?;
        loop {
            let changes = self.store.changes_since(self.cursor, CHANGES_MAX).await?;
            self.node.heard();
            let is_last = changes.len() < CHANGES_MAX as usize;
            for change in changes {
                if change.deployment.node != self.name {
                    self.take_in(&change.deployment).await?;
                }
                self.cursor = change.cursor;
            }
            if is_last {
                break;
            }
        }
        let version = env!("CARGO_PKG_VERSION");
        let address = Some(self.address.as_str());
        self.store.heartbeat(&self.name, version, address).await?;
        Ok(())
    }

    /// Makes what another node said run here; parts that are not here are fetched first. A release that
    /// cannot be built here is told once, and what ran goes on.
    async fn take_in(&self, event: &Deployment) -> anyhow::Result<()> {
        // A manifest comes first, and then what it names.
        for _ in 0..3 {
            match self.node.apply(event).await {
                Ok(true) => {
                    let (system, release) = (&event.system, event.release.short());
                    let (node, slot) = (&event.node, event.slot);
                    tracing::info!(%system, release, %node, ?slot, "taken in from another node");
                    return Ok(());
                }
                Ok(false) => return Ok(()),
                Err(ApplyError::MissingBlobs(digests)) => self.fetch(&digests).await?,
                Err(error) => {
                    let system = &event.system;
                    tracing::error!(%system, %error, "what another node deployed does not run here");
                    return Ok(());
                }
            }
        }
        anyhow::bail!(
            "parts of release {} are not in the database yet",
            event.release
        )
    }

    async fn fetch(&self, digests: &[Digest]) -> anyhow::Result<()> {
        for digest in digests {
            if let Some(bytes) = self.store.get_blob(*digest).await? {
                let blobs = self.blobs.clone();
                tokio::task::spawn_blocking(move || blobs.put(&bytes)).await??;
            }
        }
        Ok(())
    }

    /// Puts the parts of releases that are here and not in the database into it.
    async fn hand_over(&mut self) -> anyhow::Result<()> {
        let systems: Vec<SystemName> = self
            .node
            .systems()
            .iter()
            .map(|status| status.system.name.clone())
            .collect();
        for system in systems {
            for release in self.store.releases(&system, RELEASES_MAX).await? {
                if !self.handed_over.contains(&release.id) && self.hand_over_one(&release).await? {
                    self.handed_over.insert(release.id);
                }
            }
        }
        Ok(())
    }

    /// True once all parts of the release are in the database.
    async fn hand_over_one(&self, release: &ReleaseRecord) -> anyhow::Result<bool> {
        let mut parts = release.manifest.blobs();
        parts.push(release.id.0);
        let missing = self.store.missing_blobs(&parts).await?;
        let mut are_all_there = true;
        for digest in missing {
            let blobs = self.blobs.clone();
            match tokio::task::spawn_blocking(move || blobs.get(digest)).await?? {
                Some(bytes) => drop(self.store.put_blob(&bytes).await?),
                None => are_all_there = false,
            }
        }
        Ok(are_all_there)
    }
}
