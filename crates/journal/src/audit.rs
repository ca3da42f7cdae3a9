//! The audit log: an append-only Merkle tree (RFC 6962) over the journal's records, its root signed at
//! least every ten seconds, so that whoever kept a checkpoint can tell whether a record was changed,
//! removed or slipped in since.
//!
//! The log has a thread of its own. The writer hands records on once they are on disk; the thread hashes
//! many at once, keeps the tree in tiles and signs its root. It holds nothing up: what it cannot take it
//! reads from the journal later.
//!
//! Invariants:
//! - a leaf is in the tree only when its record is on disk;
//! - what a checkpoint counts on is on disk before it;
//! - a log never signs a tree that does not begin with every tree that it signed before. If key, tiles,
//!   checkpoint and journal do not agree it stops, says why, and serving goes on.
//!
//! All bytes are described in `docs/reference/audit-log.md`. Modules are declared in the order in which
//! they may be read.

mod hashing;
mod tree;

mod error;
mod note;

mod checkpoint;
mod proof;

pub(crate) mod folder;
pub(crate) mod tiles;

mod edge;
mod writing;

mod board;
mod feed;

mod begin;
mod copy;
mod keeper;
mod log;

mod prove;
mod verify;

pub use board::AuditStatus;
pub use checkpoint::Checkpoint;
pub use error::AuditError;
pub use log::AuditLog;
pub use note::VerifierKey;
pub use proof::Proof;
pub use prove::{newest_checkpoint, prove, prove_consistency, verifier_key};
pub use tree::is_consistent;
pub use verify::{
    Fault, FaultKind, PayloadCounts, RecordCounts, VerificationReport, VerifyOptions, verify,
};

pub(crate) use feed::Feed;
