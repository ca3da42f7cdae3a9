//! What can go wrong with the audit log. Where files were changed, `verify` says so as a fault of its
//! report; an error is what keeps it from looking.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::JournalError;

/// The audit log could not be read, continued or proved from.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The operating system refused.
    #[error("the audit log could not {doing} `{}`", path.display())]
    Io {
        /// What was being done: `read`, `write`.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// There is no audit log in the folder.
    #[error(
        "`{}` holds no audit log: it begins with the next start of the node that writes this folder, \
        unless `[audit] enabled` is false", path.display()
    )]
    NoLog {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A text is no key of a log.
    #[error("this is no key of an audit log: it {what}; copy the whole line of `audit/log.vkey`")]
    Key {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A text is no origin of a log.
    #[error(
        "`{origin}` cannot be the origin of an audit log: take 1 to 200 bytes without spaces, control \
        characters and `+`, as in example.com/node-1"
    )]
    Origin {
        /// The text.
        origin: String,
    },
    /// A checkpoint is not whole, or not signed by the log's key.
    #[error("the checkpoint {what}")]
    Checkpoint {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A proof is not whole, or proves nothing.
    #[error("the proof {what}")]
    Proof {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A tile of the tree is missing or was changed.
    #[error("tile `{}` {what}: restore it from a backup", path.display())]
    Tile {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A record is not under the checkpoint yet.
    #[error("record {sequence} is not under a checkpoint yet: the newest covers {size} records")]
    Ahead {
        /// Its sequence.
        sequence: u64,
        /// How many leaves the newest checkpoint has.
        size: u64,
    },
    /// A record is in the tree and cannot be read.
    #[error(
        "record {sequence} is in the log, but can no longer be read: it was let go, or is damaged"
    )]
    Gone {
        /// Its sequence.
        sequence: u64,
    },
    /// The log stopped, because to go on would be to sign something else than before.
    #[error("the audit log has stopped: {0}")]
    Stopped(String),
    /// The disk refuses for now; it is tried again.
    #[error("the audit log could not sign a checkpoint, and tries again: {0}")]
    Failing(String),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl AuditError {
    /// For `map_err`: what was being done to which path.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }

    pub(crate) const fn checkpoint(what: &'static str) -> Self {
        Self::Checkpoint { what }
    }
}
