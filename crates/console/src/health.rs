//! Health and figures: open to whoever reaches the listener, and silent about everything else.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::routes::Control;

/// The process answers.
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// 200 when the node can serve, else 503; the body says why.
pub(crate) async fn readiness(State(control): State<Control>) -> Response {
    let readiness = control.operations.readiness();
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness)).into_response()
}

/// Prometheus' text format.
pub(crate) async fn metrics(State(control): State<Control>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], control.operations.metrics()).into_response()
}
