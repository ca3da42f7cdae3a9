//! The journal: what happened, on disk before anybody is told.
//!
//! One node writes one journal. A record is framed and checksummed by whoever appends it, copied into
//! a shared buffer, and written by one thread that commits many records with one `fdatasync`. The
//! payloads of decisions lie apart, encrypted, so that erasing one breaks nothing here.
//!
//! Invariants:
//! - what was acknowledged as durable is found again after any crash;
//! - a byte that changed on disk is found, and costs at most the records of its own batch;
//! - no queue grows without bound, and nothing is dropped silently.
//!
//! It does not know what a record means, but for one thing: which decisions are still open, so that
//! those that a dead node left behind are closed as failed. All bytes are described in
//! `docs/reference/journal-format.md`. Modules are declared in the order in which they may be read.

mod checked;
mod config;
mod error;

mod frame;
mod segment;

mod disk;
mod lock;
mod output;
mod syncer;

mod queue;
mod ticket;

pub mod audit;

mod index;
mod waiting;
mod writer;

mod cursor;
mod reader;
mod record_json;
mod scan;

mod aead;
mod keys;
mod payload_frame;
mod payload_index;
mod payloads;

mod erase;
mod recovery;
mod retention;

mod blobs;
mod journal;

pub mod backup;

pub use audit::{AuditError, AuditLog, AuditStatus};
pub use backup::{backup, restore};
pub use blobs::Blobs;
pub use config::{AuditConfig, JournalConfig, Retention};
pub use disk::{Disk, DiskFile, RealDisk};
pub use erase::Erased;
pub use error::{AppendError, Damage, JournalError};
pub use journal::{Figures, Health, Journal, Opened};
pub use payload_frame::SealedPayload;
pub use payloads::{PayloadFound, Payloads};
pub use reader::{Reader, verify};
pub use retention::{RetentionLimits, Retirable, Retired};
pub use ticket::Ticket;
