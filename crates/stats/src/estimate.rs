//! How well a model does while nobody knows the truth yet: from its own probabilities, made honest on a
//! reference of which the truth is known.
//!
//! What this cannot see is a changed relation between features and truth (concept drift): estimated
//! figures are marked as that wherever they are shown.

mod confidence;
mod confidence_based;
mod isotonic;

pub use confidence::{Confidence, Usual};
pub use confidence_based::{ConfidenceBased, Estimate, expected_error, needs_calibration};
pub use isotonic::Isotonic;
