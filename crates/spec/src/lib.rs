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
mod settings;
mod system;

pub mod cases;
pub mod runbook;
pub mod starter;

pub use forms::reference::reference;
pub use forms::schema::schemas;
pub use load::{Inspection, inspect, load};
pub use prices::PriceTable;
pub use problem::{Problem, Problems, Severity};
pub use starter::{InitError, StarterKind, init};
pub use workspace::{
    Criticality, Environment, Key, KeyScope, LogConfig, LogFormat, LogLevel, OnnxConfig,
    ProcessEnvironment, Provider, ProviderProtocol, Queue, Retention, ServerConfig, StorageConfig,
    SystemFolder, WhenFull, Workspace,
};
