//! Watching a system while it serves: what its decisions tell goes in, alarms come out.
//!
//! Pure: time is told, nothing is read or sent. All of it can be written down and read back, so that a
//! restart goes on where the node stopped. Each monitor has a stated mean number of decisions between two
//! false alarms, and each is bounded: a few numbers, and the last decisions that were bad.

mod accuracy;
mod burn;
mod evals;
mod features;
mod level;
mod rate;
mod scores;
mod standing;
mod system;
mod truth;

pub use accuracy::{Accuracy, EstimatedShare, RealisedShare};
pub use evals::{EvalFacts, SpentOnEvals, grace};
pub use features::{FeatureFinding, Judged, judge_window};
pub use scores::Scores;
pub use standing::{Finding, State};
pub use system::{MonitorView, SystemWatch, WatchEvent};
pub use truth::Cohort;

/// Decisions from which a monitor without a bar of its own learns what is usual.
pub const LEARNT_FROM: u64 = 1_000;
