//! Workspace files to checked, resolved systems; the one place that reads configuration and
//! environment.
//!
//! [`load`] reads a folder and gives either a [`Workspace`], all of it resolved into the nouns of
//! `plimsoll-core`, or every problem at once, each with its place and its fix. The keys of each
//! file are described once, as data (`forms`): what is accepted, the did-you-mean, the JSON
//! Schemas for editors and the reference page all come from there.

pub mod problem;
pub mod quantity;
pub mod workspace;

mod load;

mod files;
mod forms;
mod json_place;
mod source;

pub mod prices;
pub mod receiver;
pub mod regimes;
mod settings;
mod system;

pub mod identity;
pub mod operator;
pub mod policies;

pub mod cases;
pub mod runbook;
pub mod starter;

pub use forms::reference::reference;
pub use forms::schema::schemas;
pub use identity::{Grant, IdentityProvider};
pub use load::{Inspection, inspect, load};
pub use operator::{ApprovalRule, Operator};
pub use plimsoll_core::{Criticality, Role};
pub use policies::Policy;
pub use prices::PriceTable;
pub use problem::{Problem, Problems, Severity};
pub use receiver::{Receiver, ReceiverKind};
pub use regimes::{RecordClass, Regime, Regimes};
pub use starter::{InitError, StarterKind, init};
pub use system::{MATURED_AFTER, REFERENCE_ARTIFACT};
pub use workspace::{
    AuditConfig, Environment, Key, KeyScope, LogConfig, LogFormat, LogLevel, OnControlLoss,
    OnnxConfig, PostgresConfig, ProcessEnvironment, Provider, ProviderProtocol, Queue, RedisConfig,
    Retention, RetentionFloors, ServerConfig, StorageConfig, SystemFolder, WhenFull, Workspace,
};
