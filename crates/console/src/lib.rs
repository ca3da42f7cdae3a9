//! The control plane over HTTP: what operators and their tools ask of a node.
//!
//! [`ROUTES`] is the table that everything else comes from: the router, who may call what, and the
//! `OpenAPI` document. What a route does stands behind [`Operations`], which the binary fills with a
//! running node, so that nothing here knows how a decision is made.
//!
//! Invariants: every route but health, metrics and signing in needs a token, all compared in constant time, or a
//! session (with a token of its own for changes), and a role
//! where its row names some; nothing is read or changed before the policies were asked; a named operator acts
//! as themselves alone; no input or output is told before it is recorded who reads it and what for; every
//! body and every list has a bound; every error has one shape.

mod access;
mod datasets;
mod error;
mod evals;
mod identity;
mod operations;
mod people;
mod permit;

mod route;
mod routes;
mod table;

mod reading;

mod alerts;
mod audit;
mod decisions;
mod deployments;
mod health;
mod keys;
mod labels;
mod provider_sign_in;
mod releases;
mod reviews;
mod sign_in;
mod systems;

mod openapi;

#[cfg(test)]
mod tests;

pub use access::{Actor, KeyHolder, KeyHolders, OperatorToken, Operators};
pub use error::{ApiError, OWN_CODES, OwnCode};
pub use identity::Identity;
pub use openapi::openapi;
pub use operations::alerts::{ReceiverView, SilenceRequest, SilenceView, TestRequest};
pub use operations::audit::{
    AccessRequest, AuditStatus, CheckpointRequest, DecisionProof, ErasureReport, ErasureRequest,
    HoldRequest, LiftRequest, PayloadView, SignedCheckpoint, VerificationRequest,
};
pub use operations::deployments::{
    AsOfView, CanaryView, DeploymentRequest, DeploymentReviewRequest, EventPlace,
    InterventionRequest, RollbackRequest, StandingView,
};
pub use operations::evals::{EvalAnswer, EvalQuestion};
pub use operations::keys::{
    GivenKey, KeyRequest, KeyView, OVERLAP_SECONDS_MAX, RevocationRequest, RotationRequest,
    SecretView, TenantRequest, TenantView,
};
pub use operations::labels::{LabelRequest, LabelsReport, LabelsRequest};
pub use operations::people::{SessionView, UserView};
pub use operations::releases::{
    ApprovalRequest, Approvals, Blob, BundleFault, ReleaseBundle, ReleaseRequest,
};
pub use operations::reviews::{ReviewAnswer, ReviewFilter};
pub use operations::systems::{
    DrillRequest, Readiness, RunbookPart, RunbookRunRequest, RunbookView, SystemSummary,
};
pub use operations::{Answer, Operations};
pub use people::{ACCOUNTS_MAX, Account, PASSWORD_CHARS_MIN, PasswordHash, People, TooMany};
pub use permit::{Grounds, Permit};
pub use route::{Parameter, Place, Reach, Route, Shape};
pub use routes::{BODY_BYTES_MAX, IMPORT_BYTES_MAX, router};
pub use table::ROUTES;
