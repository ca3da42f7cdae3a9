//! `/api/v1/systems/{system}/evals`: runs of evals, and the cases that they ask; `…/datasets`: the sets that were
//! taken out of decisions.

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use bytes::Bytes;
use plimsoll_core::dataset::DatasetExport;
use plimsoll_core::eval::EvalRun;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operations::evals::EvalQuestion;
use crate::permit::Asking;
use crate::reading::{PHRASE_MAX, limit, read_body, read_query, said};
use crate::routes::Control;
use crate::systems::name;

/// The most metrics of a run.
const FIGURES_MAX: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    limit: Option<u32>,
}

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

/// The sets that were taken out of a system's decisions, the latest first.
pub(crate) async fn list_datasets(
    State(control): State<Control>,
    Path(system): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let limit = limit(read_query(query)?.limit)?;
    let exports = control.operations.datasets(&name(&system)?, limit).await?;
    Ok(Json(json!({"datasets": exports})))
}

/// Records that a set was taken out. What it was made of was read, and recorded, before.
pub(crate) async fn record_dataset(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(system): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let system = name(&system)?;
    let export: DatasetExport = read_body(body)?;
    if export.system != system {
        let message = format!("the dataset is of `{}`", export.system);
        return Err(ApiError::unfit(message));
    }
    said("purpose", &export.purpose, PHRASE_MAX)?;
    said("format", &export.format, PHRASE_MAX)?;
    let permit = asking.permit_of(&control, &system).await?;
    let export = control.operations.record_dataset(export, &permit);
    Ok(Json(json!(export.await?)))
}
