//! `/api/v1/systems`: the bar, drills and runbooks of each; and reading the workspace again.

use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use bytes::Bytes;
use plimsoll_core::SystemName;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operations::systems::{DrillRequest, RunbookRunRequest};
use crate::permit::Asking;
use crate::reading::read_body;
use crate::routes::Control;

/// The most steps that a run of a runbook may tell of.
const STEPS_MAX: usize = 500;

/// All systems.
pub(crate) async fn list(State(control): State<Control>) -> Json<Value> {
    Json(json!({"systems": control.operations.systems()}))
}

/// One system, held against the bar.
pub(crate) async fn bar(
    State(control): State<Control>,
    Path(system): Path<String>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!(control.operations.bar(&name(&system)?).await?)))
}

/// Causes failures.
pub(crate) async fn drill(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(system): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let system = name(&system)?;
    let request: DrillRequest = read_body(body)?;
    let permit = asking.permit_of(&control, &system).await?;
    let drills = control.operations.drill(&system, request.kind, &permit);
    let drills = drills.await?;
    Ok(Json(json!({"drills": drills})))
}

/// The runbook.
pub(crate) async fn runbook(
    State(control): State<Control>,
    Path(system): Path<String>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!(
        control.operations.runbook(&name(&system)?).await?
    )))
}

/// Somebody walked through the runbook.
pub(crate) async fn record_runbook_run(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(system): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let system = name(&system)?;
    let run: RunbookRunRequest = read_body(body)?;
    if run.steps.len() > STEPS_MAX {
        return Err(ApiError::unfit(format!(
            "a run has at most {STEPS_MAX} steps"
        )));
    }
    let permit = asking.permit_of(&control, &system).await?;
    let run = control.operations.record_runbook_run(&system, run, &permit);
    Ok(Json(json!(run.await?)))
}

/// Reads the workspace again.
pub(crate) async fn reload(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
) -> Result<Json<Value>, ApiError> {
    let permit = asking.permit(&control).await?;
    control.operations.reload(&permit).await.map(Json)
}

/// A system's name out of a path.
pub(crate) fn name(text: &str) -> Result<SystemName, ApiError> {
    SystemName::new(text).map_err(|_| ApiError::no_system(text))
}
