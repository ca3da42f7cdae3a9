//! `/api/v1/releases`, and pointing a system at one.

use axum::Json;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operations::DeploymentRequest;
use crate::reading::{parse, read_body, read_query};
use crate::routes::Control;
use crate::systems::name;
use crate::token::actor;

/// The most approvals that a deployment may name.
const APPROVALS_MAX: usize = 32;

/// What a caller may ask for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseQuery {
    system: Option<String>,
}

/// Releases, the latest first.
pub(crate) async fn list(
    State(control): State<Control>,
    query: Result<Query<ReleaseQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let system = parse("system", read_query(query)?.system)?;
    let releases = control.operations.releases(system.as_ref()).await?;
    Ok(Json(json!({"releases": releases})))
}

/// One release, with its manifest.
pub(crate) async fn show(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!(control.operations.release(&id).await?)))
}

/// Points a system at a release.
pub(crate) async fn deploy(
    State(control): State<Control>,
    Path(system): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let (system, actor) = (name(&system)?, actor(&headers)?);
    let request: DeploymentRequest = read_body(body)?;
    if request.approvals.len() > APPROVALS_MAX {
        return Err(ApiError::unfit(format!(
            "a deployment names at most {APPROVALS_MAX} approvals"
        )));
    }
    let deployment = control.operations.deploy(&system, request, &actor).await?;
    Ok(Json(json!(deployment)))
}
