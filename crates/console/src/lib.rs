//! The control plane over HTTP: what operators and their tools ask of a node.
//!
//! [`ROUTES`] is the table that everything else comes from: the router, who may call what, and the
//! `OpenAPI` document. What a route does stands behind [`Operations`], which the binary fills with a
//! running node, so that nothing here knows how a decision is made.
//!
//! Invariants: every route but health and metrics needs the operator's token, compared in constant
//! time; every body and every list has a bound; every error has one shape.

mod error;
mod operations;
mod token;

mod route;
mod routes;

mod reading;

mod decisions;
mod health;
mod releases;
mod reviews;
mod systems;

mod openapi;

#[cfg(test)]
mod tests;

pub use error::{ApiError, OWN_CODES, OwnCode};
pub use openapi::openapi;
pub use operations::{
    Answer, DeploymentRequest, DrillRequest, Operations, Readiness, ReviewAnswer, ReviewFilter,
    RunbookPart, RunbookRunRequest, RunbookView, SystemSummary,
};
pub use route::{Parameter, Place, Route, Shape};
pub use routes::{BODY_BYTES_MAX, ROUTES, router};
pub use token::OperatorToken;
