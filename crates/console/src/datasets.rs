//! `/api/v1/systems/{system}/datasets`: the sets that were taken out of a system's decisions.

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use bytes::Bytes;
use plimsoll_core::dataset::DatasetExport;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::permit::Asking;
use crate::reading::{ListQuery, PHRASE_MAX, limit, read_body, read_query, said};
use crate::routes::Control;
use crate::systems::name;

/// The sets that were taken out of a system's decisions, the latest first.
pub(crate) async fn list(
    State(control): State<Control>,
    Path(system): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let limit = limit(read_query(query)?.limit)?;
    let exports = control.operations.datasets(&name(&system)?, limit).await?;
    Ok(Json(json!({"datasets": exports})))
}

/// Records that a set was taken out. What it was made of was read, and recorded, before.
pub(crate) async fn record(
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
