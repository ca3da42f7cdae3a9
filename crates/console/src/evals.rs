//! `/api/v1/systems/{system}/evals`: runs of evals, and the cases that they ask.

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use bytes::Bytes;
use plimsoll_core::eval::EvalRun;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operations::evals::EvalQuestion;
use crate::permit::Asking;
use crate::reading::{ListQuery, limit, read_body, read_query};
use crate::routes::Control;
use crate::systems::name;

/// The most metrics of a run.
const FIGURES_MAX: usize = 500;

/// The runs of a system, the latest first.
pub(crate) async fn list(
    State(control): State<Control>,
    Path(system): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let limit = limit(read_query(query)?.limit)?;
    let runs = control.operations.eval_runs(&name(&system)?, limit).await?;
    Ok(Json(json!({"evals": runs})))
}

/// Asks a case.
pub(crate) async fn ask(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(system): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let system = name(&system)?;
    let question: EvalQuestion = read_body(body)?;
    let permit = asking.permit_of(&control, &system).await?;
    let asked = control.operations.ask_for_eval(&system, question, &permit);
    Ok(Json(json!(asked.await?)))
}

/// Records what came of a run.
pub(crate) async fn record(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(system): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let system = name(&system)?;
    let run: EvalRun = read_body(body)?;
    if run.system != system {
        return Err(ApiError::unfit(format!("the run is of `{}`", run.system)));
    }
    if run.figures.len() > FIGURES_MAX {
        let message = format!("a run has at most {FIGURES_MAX} metrics");
        return Err(ApiError::unfit(message));
    }
    let permit = asking.permit_of(&control, &system).await?;
    let run = control.operations.record_eval(run, &permit).await?;
    Ok(Json(json!(run)))
}
