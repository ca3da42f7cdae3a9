//! The projection of the journal and control state, in SQLite or in PostgreSQL.
//!
//! **Decisions and what stands around them** (releases, deployments, drills, runbook runs, what people did
//! to records) are a view: the journal is the truth, [`Projector`] follows it, and its place in the journal
//! moves in the same transaction as the rows, so that nothing is missed or doubled. **Reviews** are control
//! state: the truth is here, and each change leaves an event that the journal has to take up.
//!
//! Nothing here speaks HTTP, and nothing here decides what is above the line: [`BarFacts`] are figures.

mod database;
mod error;
mod migrations;
mod postgres;
mod rollup;
mod sql;
mod sqlite;
mod store;

pub mod projector;

mod alarms;
mod backup;
mod bar;
mod blobs;
mod decisions;
mod deployments;
mod erasure;
mod events;
pub mod export;
mod figures;
mod governance;
mod judged;
mod keyring;
mod labels;
mod leases;
mod nodes;
mod pages;
mod places;
mod prefix;
mod releases;
mod reviews;
mod unit_spending;
mod usage;
mod wakeups;

pub use bar::{BarFacts, CostFacts, ReviewFacts};
pub use decisions::{DecisionFilter, LIST_MAX, PayloadSource, ProjectedDecisions};
pub use deployments::{AsOf, Change, CurrentDeployment};
pub use erasure::DecisionMark;
pub use error::{Cause, StoreError};
pub use governance::{AccessEntry, AccessFilter, Verdict};
pub use judged::JudgedPage;
pub use labels::{Joined, LabelFilter, StoredLabel};
pub use leases::Lease;
pub use migrations::SCHEMA;
pub use nodes::NodeSeen;
pub use pages::DecisionPages;
pub use places::Place;
pub use postgres::{POSTGRES_SCHEMA, PostgresConfig};
pub use projector::{Feed, Pace, Projector, RecordSource};
pub use releases::{Deployed, ListedRelease};
pub use reviews::StoredReviews;
pub use rollup::{Counts, Rollup, Sketch};
pub use store::Store;
pub use wakeups::Wakeups;
