//! What can go wrong, told so that an operator knows what to do. No error holds a payload, a key or
//! a record's text.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_core::{DecisionId, Digest, NodeName};

/// A journal, payload or blob could not be opened, read or kept.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error("the journal could not {doing} `{}`", path.display())]
    Io {
        /// What was being done: `read`, `create`.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Another process writes this journal.
    #[error("`{}` is in use by {}: stop that process, or give this node a data folder of its own",
        path.display(), Holder(*pid))]
    Locked {
        /// The journal's folder.
        path: PathBuf,
        /// The process that holds it, if it could be told.
        pid: Option<u32>,
    },
    /// The file was written in another version of the format.
    #[error("`{}` has format version {found}, and this version of plimsoll reads version {known}: \
        run the version that wrote it", path.display())]
    Version {
        /// Which file.
        path: PathBuf,
        /// The version that stands in it.
        found: u32,
        /// The version that this code reads.
        known: u32,
    },
    /// The journal belongs to another node.
    #[error("`{}` was written by node `{found}` and cannot be continued by node `{expected}`: set \
        `node` back, or give this node a data folder of its own", path.display())]
    OtherNode {
        /// Which segment.
        path: PathBuf,
        /// The node that stands in it.
        found: String,
        /// The node that opened it.
        expected: NodeName,
    },
    /// Bytes of a segment changed after they were written.
    #[error("{0}")]
    Damaged(Damage),
    /// A record is whole, but this version cannot read it.
    #[error("record {sequence} is whole but cannot be read: it may come from a newer version")]
    Record {
        /// Its sequence.
        sequence: u64,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A tenant's payload key is missing or cannot be used.
    #[error("the payload key `{}` {what}", path.display())]
    Key {
        /// Which key.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// A payload is there and cannot be trusted.
    #[error("the payload of decision {decision} {what}")]
    Payload {
        /// Whose payload.
        decision: DecisionId,
        /// What is wrong.
        what: &'static str,
    },
    /// A payload is larger than a frame may be.
    #[error("a payload of {bytes} bytes is larger than the limit of {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A blob's bytes do not have its digest.
    #[error("blob {0} was changed on disk: restore it from a backup, or remove it and reload")]
    Blob(Digest),
    /// The journal was closed while the disk was failing.
    #[error("the journal was closed with {records} records that the disk did not take")]
    Unwritten {
        /// How many records are lost; none was acknowledged as durable.
        records: u64,
    },
    /// Payloads were to be erased in a folder that another process may write.
    #[error("payloads in `{}` can be erased only by the process that writes them: ask the node, or \
        open its journal while it is stopped", path.display())]
    NotTheWriter {
        /// The payloads' folder.
        path: PathBuf,
    },
    /// A folder that is to be written has something in it.
    #[error("`{}` is not empty: name an empty folder, or one that is not there", path.display())]
    NotEmpty {
        /// Which folder.
        path: PathBuf,
    },
    /// A backup cannot be taken as it was asked for, or cannot be used.
    #[error("`{}` {what}", path.display())]
    Backup {
        /// The backup, or what was to be in it.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// What was appended before is not known to be on disk.
    #[error("what was recorded before could not be brought to disk first")]
    Unsynced(#[source] AppendError),
    /// A record that recovery must write could not be written.
    #[error("recovery could not write its own records")]
    Recovery(#[source] AppendError),
}

impl JournalError {
    /// For `map_err`: what was being done to which path.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }

    pub(crate) fn backup(path: &Path, what: impl Into<String>) -> Self {
        Self::Backup {
            path: path.to_owned(),
            what: what.into(),
        }
    }
}

/// Bytes that changed after they were written. Readers go on behind them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damage {
    /// The segment, by its first sequence.
    pub segment: u64,
    /// Where the damage begins, in bytes from the segment's start.
    pub offset: u64,
    /// How many bytes cannot be read.
    pub bytes: u64,
    /// The first sequence that is lost.
    pub sequence: u64,
    /// How many records are lost, if what follows tells.
    pub records: Option<u64>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            segment,
            offset,
            bytes,
            sequence,
            records,
        } = self;
        write!(
            f,
            "journal segment {segment:020} is damaged: {bytes} bytes from offset {offset} on"
        )?;
        match records {
            Some(records) => write!(f, ", {records} records from {sequence} on are lost"),
            None => write!(f, ", records from {sequence} on are lost"),
        }
    }
}

struct Holder(Option<u32>);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}

/// A record was not taken, or is not known to be on disk.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk is slower than what is to be recorded.
    #[error("the record queue is full: {queued} bytes wait for the disk, limit {max}")]
    QueueFull {
        /// How many bytes wait.
        queued: usize,
        /// The limit.
        max: usize,
    },
    /// The record is larger than a frame or the whole queue may be.
    #[error("a record of {bytes} bytes is larger than the limit of {max}")]
    TooLarge {
        /// Its size with its payload.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The disk refuses. The record stays in memory and is written when the disk recovers; if the node
    /// dies before that, it is lost.
    #[error("the journal could not {doing}: the disk is full or failing")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Arc<io::Error>,
    },
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
    /// The record cannot be written as JSON.
    #[error("the record cannot be written as json")]
    Unfit(#[source] Arc<serde_json::Error>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_is_wrong_and_what_to_do() {
        let locked = JournalError::Locked {
            path: "data/journal".into(),
            pid: Some(7),
        };
        assert_eq!(
            locked.to_string(),
            "`data/journal` is in use by process 7: stop that process, or give this node a data folder of its own"
        );
        let damage = Damage {
            segment: 10,
            offset: 128,
            bytes: 64,
            sequence: 10,
            records: Some(2),
        };
        assert_eq!(
            damage.to_string(),
            "journal segment 00000000000000000010 is damaged: 64 bytes from offset 128 on, 2 records from 10 on are lost"
        );
    }
}
