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
mod guarding;
mod idempotency;
mod labels;
mod last_good;
mod limiting;
mod opening;
mod payload;
mod retry;
mod reviews;
mod room;
mod sharing;
mod splicing;
mod stream;

mod deployed;
mod deploying;
mod head_timer;
mod in_process;
mod listener;
mod metrics;
mod node;
mod releases;
mod replay;
mod snapshot;
mod standing;
mod switch;
mod watching;

pub use budget::Known as KnownBudget;
pub use deploying::{
    ApplyError, ApprovalRule, DeployError, InterveneError, Mandate, Order, ReloadReport, StartError,
};
pub use exchange::Given;
pub use in_process::{AskError, Asked, Question};
pub use labels::{LABELS_MAX, LabelError, Labeller};
pub use limiting::RefusedBy;
pub use listener::Listening;
pub use metrics::METRICS;
pub use node::{CanaryStatus, Node, Parts, Readiness, SystemStatus};
pub use protocol::labelling::NAME_DEFAULT as LABEL_NAME_DEFAULT;
pub use refusal::{Detail, Refusal};
pub use releases::{ExportedRelease, ReleaseError};
pub use replay::{Difference, Replay, ReplayError, Replayed};
pub use reviews::ReviewError;
pub use sharing::SharedLimits;
pub use stage::resolve::Aim;
pub use standing::Recorded;
pub use switch::ControlLoss;
pub use watching::{AlarmReviewError, FullWindow, Sampled, Unseen};
