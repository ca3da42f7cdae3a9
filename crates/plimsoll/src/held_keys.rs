//! The tenants and keys that a node holds: in memory, in its journal, and in a file of its own.
//!
//! A change is a record that is on disk before anybody is told, then holds in memory, then stands in
//! `keyring.json`. The file is why nobody is locked out that has a key: what other nodes gave, and what
//! this journal no longer retains, is there also when the shared database is away at a start. It holds no
//! secret, and the other way round: what it lacks, journal and database still say.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use plimsoll_core::keyring::{KeyEvent, Keyring, TenantEvent};
use plimsoll_core::{Clock, EventId, Record, Timestamp};
use plimsoll_gateway::Node;
use plimsoll_journal::AppendError;
use plimsoll_store::Store;
use serde::{Deserialize, Serialize};

/// The version of the file that is written, and the newest that is read.
const VERSION: u32 = 1;

/// The largest file that is read, in bytes: [`plimsoll_core::keyring::KEYS_MAX`] keys fit many times.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// The file.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    tenants: Vec<TenantEvent>,
    keys: Vec<KeyEvent>,
}

/// What a change comes to: an event, or why not.
pub(crate) enum Change {
    Tenant(TenantEvent),
    Key(KeyEvent),
}

/// The tenants and keys that a node holds.
pub(crate) struct HeldKeys {
    node: Arc<Node>,
    clock: Arc<dyn Clock>,
    file: PathBuf,
    ring: tokio::sync::Mutex<Keyring>,
    /// How many events the shared database had when it was read last.
    seen: std::sync::atomic::AtomicU64,
}

impl std::fmt::Debug for HeldKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldKeys")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl HeldKeys {
    /// Those that `node` was started with.
    pub(crate) async fn of(
        node: Arc<Node>,
        clock: Arc<dyn Clock>,
        root: &Path,
        ring: Keyring,
    ) -> Self {
        let held = Self {
            node,
            clock,
            file: file_of(root),
            seen: std::sync::atomic::AtomicU64::new(u64::MAX),
            ring: tokio::sync::Mutex::new(ring),
        };
        let ring = held.ring.lock().await;
        if !ring.is_empty() || ring.tenants().next().is_some() {
            held.keep(&ring).await;
        }
        drop(ring);
        held
    }

    /// As they stand now.
    pub(crate) async fn now(&self) -> Keyring {
        self.ring.lock().await.clone()
    }

    /// Makes a change: `make` looks at what stands and says what is to happen, with the id and the time
    /// that it shall have. Comes back when it is on disk and holds.
    ///
    /// # Errors
    /// If `make` says no, or the journal does not take the record.
    pub(crate) async fn change<E: From<AppendError>>(
        &self,
        make: impl FnOnce(&Keyring, EventId, Timestamp) -> Result<Change, E>,
    ) -> Result<(), E> {
        let mut ring = self.ring.lock().await;
        let now = self.clock.now();
        // Later than all that is known, also by a clock that was set back: what is said last holds.
        let millisecond = std::time::Duration::from_millis(1);
        let after = ring.newest().map(|newest| newest.plus(millisecond));
        let id = EventId::new(after.map_or(now, |after| after.max(now)));
        let change = make(&ring, id, now)?;
        let record = match &change {
            Change::Tenant(event) => Record::Tenant(Box::new(event.clone())),
            Change::Key(event) => Record::Key(Box::new(event.clone())),
        };
        self.node.record(record).await?;
        match &change {
            Change::Tenant(event) => ring.note_tenant(event),
            Change::Key(event) => ring.note_key(event),
        };
        self.node.hold_keys(&ring);
        self.keep(&ring).await;
        Ok(())
    }

    /// Looks whether other nodes gave or revoked keys, and takes that in.
    ///
    /// # Errors
    /// If the database is away.
    pub(crate) async fn look(&self, store: &Store) -> anyhow::Result<()> {
        use std::sync::atomic::Ordering::Relaxed;
        let events = store.keyring_events().await?;
        if self.seen.load(Relaxed) == events {
            return Ok(());
        }
        let theirs = store.keyring().await?;
        let mut ring = self.ring.lock().await;
        if ring.take_in(&theirs) {
            self.node.hold_keys(&ring);
            self.keep(&ring).await;
            tracing::info!(keys = ring.len(), "keys taken in from other nodes");
        }
        self.seen.store(events, Relaxed);
        Ok(())
    }

    /// Writes the file. If that fails, the journal has it all.
    async fn keep(&self, ring: &Keyring) {
        let kept = Kept {
            version: VERSION,
            tenants: ring.tenants().cloned().collect(),
            keys: ring.events().cloned().collect(),
        };
        let file = self.file.clone();
        let writing = tokio::task::spawn_blocking(move || write(&file, &kept));
        let written = writing
            .await
            .map_err(io::Error::other)
            .and_then(|done| done);
        if let Err(error) = written {
            let file = self.file.display();
            tracing::error!(%error, %file, "the keys could not be kept in their file");
        }
    }
}

/// Where the file is.
fn file_of(root: &Path) -> PathBuf {
    root.join("keyring.json")
}

/// What the file in the data folder `root` holds; nothing if there is none.
///
/// # Errors
/// If it cannot be read, or a newer version wrote it.
pub(crate) fn kept(root: &Path) -> anyhow::Result<Keyring> {
    let file = file_of(root);
    let shown = file.display();
    let bytes = match std::fs::metadata(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Keyring::default()),
        Err(error) => Err(error),
        Ok(found) if found.len() > FILE_BYTES_MAX => Err(io::Error::other("it is too large")),
        Ok(_) => std::fs::read(&file),
    };
    let bytes = bytes.with_context(|| format!("the keys in `{shown}` cannot be read"))?;
    let kept: Kept = serde_json::from_slice(&bytes)
        .with_context(|| format!("the keys in `{shown}` cannot be read: move the file away, and what journal and database say of keys holds"))?;
    anyhow::ensure!(
        kept.version <= VERSION,
        "a newer version wrote `{shown}`: run that version"
    );
    let mut ring = Keyring::default();
    for event in &kept.tenants {
        ring.note_tenant(event);
    }
    for event in &kept.keys {
        ring.note_key(event);
    }
    Ok(ring)
}

/// Written under another name first, so that a crash leaves no half of one; for its owner only.
fn write(file: &Path, kept: &Kept) -> io::Result<()> {
    let draft = file.with_extension("new");
    let mut open = std::fs::OpenOptions::new();
    open.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    let mut writer = open.open(&draft)?;
    writer.write_all(&serde_json::to_vec(kept)?)?;
    writer.sync_all()?;
    std::fs::rename(&draft, file)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use plimsoll_core::TenantName;

    use super::*;

    #[test]
    fn what_is_kept_reads_back_and_is_its_owners_only() {
        let root = tempfile::tempdir().unwrap();
        assert!(kept(root.path()).unwrap().is_empty());
        let at = Timestamp::from_micros(1_000);
        let event = TenantEvent {
            id: EventId::new(at),
            tenant: TenantName::new("acme").unwrap(),
            note: None,
            actor: "ann".into(),
            at,
        };
        let one = Kept {
            version: VERSION,
            tenants: vec![event.clone()],
            keys: Vec::new(),
        };
        write(&file_of(root.path()), &one).unwrap();
        assert!(kept(root.path()).unwrap().has_tenant(&event.tenant));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(file_of(root.path())).unwrap();
            assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        }
        let newer = Kept {
            version: VERSION + 1,
            ..one
        };
        write(&file_of(root.path()), &newer).unwrap();
        let error = kept(root.path()).unwrap_err().to_string();
        assert!(error.contains("newer version"), "{error}");
        std::fs::write(file_of(root.path()), "{").unwrap();
        assert!(kept(root.path()).is_err());
    }
}
