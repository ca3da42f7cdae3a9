//! The projection of the journal and control state, in SQLite.
//!
//! **Decisions and what stands around them** (releases, deployments, drills, runbook runs) are a view:
//! the journal is the truth, [`Projector`] follows it, and its place in the journal moves in the same
//! transaction as the rows, so that nothing is missed or doubled. **Reviews** are control state: the
//! truth is here, and each change leaves an event that the journal has to take up.
//!
//! Nothing here speaks HTTP, and nothing here decides what is above the line: [`BarFacts`] are figures.

mod error;
mod migrations;
mod sql;
mod store;

pub mod projector;

mod bar;
mod decisions;
mod events;
pub mod export;
mod prefix;
mod releases;
mod reviews;

pub use bar::{BarFacts, CostFacts, ReviewFacts};
pub use decisions::{DecisionFilter, LIST_MAX, PayloadSource, ProjectedDecisions};
pub use error::{Cause, StoreError};
pub use migrations::SCHEMA;
pub use projector::{Feed, Pace, Projector, RecordSource};
pub use releases::{CurrentDeployment, Deployed};
pub use reviews::StoredReviews;
pub use store::Store;
