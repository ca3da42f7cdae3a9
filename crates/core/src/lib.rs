//! The nouns of Plimsoll, and nothing that does IO.
//!
//! Each module holds one word of the project's vocabulary. They are declared in the order in which
//! a newcomer may read them: first the small words, then what is built from them.

pub mod clock;
pub mod digest;
pub mod ids;
pub mod money;
pub mod names;
pub mod random;
pub mod role;
pub mod secret;
pub mod tenancy;

pub mod code;
pub mod failure;
pub mod outcome;
pub mod stakes;

pub mod ladder;
pub mod limits;
pub mod manifest;
pub mod system;

pub mod access;
pub mod account;
pub mod dataset;
pub mod decision;
pub mod deployment;
pub mod drill;
pub mod eval;
pub mod governance;
pub mod keyring;
pub mod label;
pub mod monitor;
pub mod record;
pub mod review;
pub mod sampling;

pub mod ports;

pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use code::Code;
pub use decision::Decision;
pub use digest::Digest;
pub use failure::FailureKind;
pub use ids::{DecisionId, DeploymentId, EventId, RequestId, ReviewId};
pub use ladder::{Descent, Ladders, Step};
pub use manifest::{Manifest, ReleaseId};
pub use money::Money;
pub use names::{
    EnvironmentName, KeyName, LabelName, LimitName, ModelName, NodeName, ProviderName, QueueName,
    SystemName, TeamName, TenantName,
};
pub use outcome::Outcome;
pub use random::random;
pub use record::Record;
pub use role::{Criticality, Role};
pub use secret::Secret;
pub use stakes::Stakes;
pub use system::System;
pub use tenancy::Tenancy;
