//! What a journal is opened with.

use std::path::PathBuf;
use std::time::Duration;

/// Where a journal lies and how it behaves. The defaults are those of `[storage]` in `plimsoll.toml`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JournalConfig {
    /// The data folder: `journal/` and `payloads/` are made inside it.
    pub root: PathBuf,
    /// A segment that has grown to this many bytes is ended and the next one begun. A payload file
    /// may grow to four times as much.
    pub segment_bytes: u64,
    /// The most bytes of records and payloads that may wait in memory for the disk.
    pub queue_bytes: usize,
    /// How long the writer waits for company before a commit that somebody waits for.
    pub linger: Duration,
    /// The longest time that a record nobody waits for stays in memory only.
    pub buffered_window: Duration,
    /// What is kept, and for how long.
    pub retention: Retention,
    /// The audit log over the journal; none: there is none.
    pub audit: Option<AuditConfig>,
}

/// How the audit log behaves. The settings are those of `[audit]` in `plimsoll.toml`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditConfig {
    /// The log's name, which its key and its checkpoints bear: never changed once it has begun.
    pub origin: String,
    /// The longest time between two checkpoints while there is something new; at most ten seconds.
    pub every: Duration,
    /// A second place for checkpoints: a folder, best where whoever runs this node cannot write at will.
    pub copy_to: Option<PathBuf>,
}

impl AuditConfig {
    /// The defaults for the log `origin`: every ten seconds, without a second place.
    pub fn new(origin: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            every: Duration::from_secs(10),
            copy_to: None,
        }
    }
}

/// How much is kept. Whole files go, the oldest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// A segment goes when its newest record is older than this.
    pub age: Duration,
    /// Segments go until journal and payloads together are no larger than this.
    pub bytes: u64,
    /// A payload file goes when its newest payload is older than this, or with its segment before.
    pub payloads: Duration,
    /// Nothing younger than this goes because of `bytes`: what a law asks for comes before the disk.
    pub least: Duration,
}

impl JournalConfig {
    /// The defaults, in the data folder `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            segment_bytes: 64 << 20,
            queue_bytes: 64 << 20,
            linger: Duration::from_micros(200),
            buffered_window: Duration::from_millis(250),
            retention: Retention::default(),
            audit: None,
        }
    }
}

impl Default for Retention {
    /// 400 days, 50 GiB; payloads as long as their records.
    fn default() -> Self {
        Self {
            age: Duration::from_secs(400 * 24 * 60 * 60),
            bytes: 50 << 30,
            payloads: Duration::MAX,
            least: Duration::ZERO,
        }
    }
}
