//! What a log signs: how many leaves its tree has, and their root (c2sp.org/tlog-checkpoint).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use plimsoll_core::{Digest, Timestamp};

use super::error::AuditError;
use super::note::{SignerKey, VerifierKey};

/// A checkpoint whose signature was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    size: u64,
    root: Digest,
    at: Option<Timestamp>,
    note: String,
}

impl Checkpoint {
    /// Reads a checkpoint and verifies that the log with this key signed it.
    ///
    /// # Errors
    /// [`AuditError::Checkpoint`] if anything of it is not as the log wrote it.
    pub fn verify(note: &str, key: &VerifierKey) -> Result<Self, AuditError> {
        let opened = key.open(note)?;
        let wrong = AuditError::checkpoint;
        let mut lines = opened
            .text
            .strip_suffix('\n')
            .unwrap_or_default()
            .split('\n');
        if lines.next() != Some(key.origin()) {
            return Err(wrong("is that of another log"));
        }
        let size = lines
            .next()
            .and_then(parse_decimal)
            .ok_or_else(|| wrong("tells no number of leaves"))?;
        let root = lines
            .next()
            .and_then(parse_hash)
            .ok_or_else(|| wrong("tells no root"))?;
        if lines.any(str::is_empty) {
            return Err(wrong("has an empty line in its text"));
        }
        Ok(Self {
            size,
            root: Digest::from_bytes(root),
            at: opened.at,
            note: note.to_owned(),
        })
    }

    /// The checkpoint of a tree, signed at `at`.
    pub(crate) fn sign(key: &SignerKey, size: u64, root: Digest, at: Timestamp) -> Self {
        let root_text = BASE64.encode(root.as_bytes());
        let text = format!("{}\n{size}\n{root_text}\n", key.verifier().origin());
        let micros = at.as_micros();
        Self {
            size,
            root,
            at: Some(Timestamp::from_micros(
                micros - micros.rem_euclid(1_000_000),
            )),
            note: key.sign(&text, at),
        }
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The tree's root.
    pub const fn root(&self) -> Digest {
        self.root
    }

    /// When the log says that it signed it, to the second.
    pub const fn at(&self) -> Option<Timestamp> {
        self.at
    }

    /// The note: what lies in the file.
    pub fn note(&self) -> &str {
        &self.note
    }
}

/// A decimal number without leading zeros.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let leading = text.len() > 1 && text.starts_with('0');
    text.parse().ok().filter(|_| plain && !leading)
}

/// A hash in base64.
pub(crate) fn parse_hash(text: &str) -> Option<[u8; 32]> {
    BASE64.decode(text).ok()?.try_into().ok()
}
