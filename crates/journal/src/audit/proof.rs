//! One record with its proof, in one file that needs nothing else to be checked but the log's public key
//! (c2sp.org/tlog-proof).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use plimsoll_core::Digest;

use super::checkpoint::{Checkpoint, parse_decimal, parse_hash};
use super::error::AuditError;
use super::note::VerifierKey;
use super::tree::{self, Hash};

const TITLE: &str = "c2sp.org/tlog-proof@v1";
/// The largest proof that is read: an entry of 16 MiB, in base64, and the rest.
const PROOF_BYTES_MAX: usize = 32 << 20;
/// A tree of 2^64 leaves has paths of this many hashes.
const HASHES_MAX: usize = 64;

/// That an entry is in a log: its text is the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    pub(crate) entry: Vec<u8>,
    pub(crate) index: u64,
    pub(crate) hashes: Vec<Hash>,
    pub(crate) checkpoint: String,
}

impl Proof {
    /// The record's sequence, as the proof claims it.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The record's JSON, as the proof claims it.
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// Checks the checkpoint, as [`Checkpoint::verify`].
    ///
    /// # Errors
    /// If the log with this key did not sign it.
    pub fn checkpoint(&self, key: &VerifierKey) -> Result<Checkpoint, AuditError> {
        Checkpoint::verify(&self.checkpoint, key)
    }

    /// Checks that the entry is in the log with this key, at the place that the proof claims; the entry.
    ///
    /// # Errors
    /// If it does not show that.
    pub fn check(&self, key: &VerifierKey) -> Result<Vec<u8>, AuditError> {
        let checkpoint = self.checkpoint(key)?;
        let leaf = tree::leaf_hash(&self.entry);
        let root = tree::root_by_inclusion(leaf, self.index, checkpoint.size(), &self.hashes);
        if root.map(Digest::from_bytes) != Some(checkpoint.root()) {
            let what = "does not show that the entry is in the log";
            return Err(AuditError::Proof { what });
        }
        Ok(self.entry.clone())
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TITLE}")?;
        writeln!(f, "extra {}", BASE64.encode(&self.entry))?;
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", BASE64.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for Proof {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        let wrong = |what| AuditError::Proof { what };
        if text.len() > PROOF_BYTES_MAX {
            return Err(wrong("is longer than 32 MiB"));
        }
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or_else(|| wrong("has no empty line before its checkpoint"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(TITLE) {
            return Err(wrong("does not begin with `c2sp.org/tlog-proof@v1`"));
        }
        let entry = lines
            .next()
            .and_then(|line| line.strip_prefix("extra "))
            .and_then(|extra| BASE64.decode(extra).ok())
            .ok_or_else(|| wrong("has no entry: its second line is not `extra` and base64"))?;
        let index = lines
            .next()
            .and_then(|line| parse_decimal(line.strip_prefix("index ")?))
            .ok_or_else(|| wrong("has no place: its third line is not `index` and a number"))?;
        let mut hashes = Vec::new();
        for line in lines {
            let hash = parse_hash(line).filter(|_| hashes.len() < HASHES_MAX);
            hashes.push(hash.ok_or_else(|| wrong("has a line that is no hash"))?);
        }
        Ok(Self {
            entry,
            index,
            hashes,
            checkpoint: checkpoint.to_owned(),
        })
    }
}
