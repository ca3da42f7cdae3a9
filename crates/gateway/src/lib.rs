//! The data plane: the life of a request, from the socket to the record.
//!
//! Begin with `pipeline.rs`: it is the life of a request on one screen. Around it stand what calls
//! it (`protocol`, `in_process`), its stages (`stage`), what stages lean on (rooms, budgets,
//! retries, reviews, streams), and what a node is made of (`node`, `deploying`, `listener`).
//!
//! It knows nothing of the control plane, the console or SQL: what it asks of them are the ports of
//! `core`.

mod pipeline;
mod stage;

mod answer;
mod exchange;
mod failure;
mod refusal;

mod caller;
mod envelope;
mod protocol;
mod routes;

mod budget;
mod idempotency;
mod last_good;
mod opening;
mod payload;
mod retry;
mod reviews;
mod room;
mod splicing;
mod stream;

mod deployed;
mod deploying;
mod head_timer;
mod in_process;
mod listener;
mod metrics;
mod node;
mod snapshot;

pub use deploying::{DeployError, ReloadReport, StartError};
pub use exchange::Given;
pub use in_process::{AskError, Asked, Question};
pub use listener::Listening;
pub use metrics::METRICS;
pub use node::{Node, Parts, Readiness, Recorded, SystemStatus};
pub use refusal::{Detail, Refusal};
pub use reviews::ReviewError;
