//! What stands where: pointing slots, going back, stepping in, and what stood at a time.

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use bytes::Bytes;
use plimsoll_core::access::{ControlAction, Resource};
use plimsoll_core::deployment::{Halt, Slot};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operations::deployments::{
    DeploymentRequest, DeploymentReviewRequest, InterventionRequest, RollbackRequest,
};
use crate::permit::{Asking, Object};
use crate::reading::{WORDS_MAX, maybe_said, parse, read_body, read_query, said, time};
use crate::routes::Control;
use crate::systems::name;

/// What stands now.
pub(crate) async fn standing(
    State(control): State<Control>,
    Path(system): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let system = name(&system)?;
    Ok(Json(json!(control.operations.standing(&system).await?)))
}

/// When, and where.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AsOfQuery {
    at: Option<String>,
    environment: Option<String>,
}

/// What stood at a time.
pub(crate) async fn as_of(
    State(control): State<Control>,
    Path(system): Path<String>,
    query: Result<Query<AsOfQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let (system, query) = (name(&system)?, read_query(query)?);
    let environment = parse("environment", query.environment)?;
    let at = time("at", query.at)?
        .ok_or_else(|| ApiError::unfit("parameter `at` is missing: as of when?"))?;
    let stood = control
        .operations
        .as_of(&system, environment.as_ref(), at)
        .await?;
    Ok(Json(json!(stood)))
}

/// Points a slot at a release.
pub(crate) async fn deploy(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(system): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let system = name(&system)?;
    let request = deployment_request(read_body(body)?)?;
    let mut resource = control.of_system(&system);
    let policies = control.operations.grounds().policies;
    // Stepping forward needs no database, unless a policy asks for who made the release.
    if policies.look_at(ControlAction::Deploy, "resource", "author") {
        resource.author = Some(control.operations.release(&request.release).await?.author);
    }
    let permit = asking.permit_with(&control, resource).await?;
    let deployment = control.operations.deploy(&system, request, &permit);
    Ok(Json(json!(deployment.await?)))
}

/// The body, also as earlier versions wrote it: with the names of those who approved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeploymentBody {
    release: String,
    #[serde(default)]
    slot: Slot,
    reason: Option<String>,
    note: Option<String>,
    #[serde(default)]
    break_glass: bool,
    #[serde(default)]
    approvals: Vec<String>,
}

fn deployment_request(body: DeploymentBody) -> Result<DeploymentRequest, ApiError> {
    if !body.approvals.is_empty() {
        let message = "`approvals` is read no longer: nobody is approved for";
        let hint = "each approves with their own token: POST /api/v1/releases/{id}/approvals, or `plimsoll release approve`";
        return Err(ApiError::unfit(message).hint(hint));
    }
    let request = DeploymentRequest {
        release: body.release,
        slot: body.slot,
        reason: body.reason,
        note: body.note,
        break_glass: body.break_glass,
    };
    maybe_said("reason", request.reason.as_deref(), WORDS_MAX)?;
    maybe_said("note", request.note.as_deref(), WORDS_MAX)?;
    if matches!(request.slot, Slot::Halt { .. }) {
        let hint = "POST /api/v1/systems/{system}/halt, …/fallback or …/resume";
        return Err(ApiError::unfit("a deployment does not step in").hint(hint));
    }
    if request.break_glass && request.reason.is_none() {
        return Err(ApiError::unfit(
            "to override approvals, say why: `reason` is missing",
        ));
    }
    Ok(request)
}

/// Points the stable slot back.
pub(crate) async fn roll_back(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(system): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let system = name(&system)?;
    let request: RollbackRequest = read_body(body)?;
    said("reason", &request.reason, WORDS_MAX)?;
    let mut resource = control.of_system(&system);
    let policies = control.operations.grounds().policies;
    if policies.look_at(ControlAction::RollBack, "resource", "author") {
        let to = request.to.as_deref().ok_or_else(|| {
            let message = "a policy asks who made the release that is rolled back to";
            ApiError::unfit(message).hint("name the release in `to`")
        })?;
        resource.author = Some(control.operations.release(to).await?.author);
    }
    let permit = asking.permit_with(&control, resource).await?;
    let deployment = control.operations.roll_back(&system, request, &permit);
    Ok(Json(json!(deployment.await?)))
}

/// No model is asked any more.
pub(crate) async fn halt(
    control: State<Control>,
    asking: Extension<Asking>,
    system: Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    intervene(control, asking, system, body, Halt::Halted).await
}

/// The primary model is asked no more.
pub(crate) async fn fall_back(
    control: State<Control>,
    asking: Extension<Asking>,
    system: Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    intervene(control, asking, system, body, Halt::Fallback).await
}

/// As usual again.
pub(crate) async fn resume(
    control: State<Control>,
    asking: Extension<Asking>,
    system: Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    intervene(control, asking, system, body, Halt::Resumed).await
}

async fn intervene(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(system): Path<String>,
    body: Result<Bytes, BytesRejection>,
    to: Halt,
) -> Result<Json<Value>, ApiError> {
    let system = name(&system)?;
    let InterventionRequest { reason } = read_body(body)?;
    said("reason", &reason, WORDS_MAX)?;
    let permit = asking.permit_of(&control, &system).await?;
    let deployment = control.operations.intervene(&system, to, reason, &permit);
    Ok(Json(json!(deployment.await?)))
}

/// Somebody looked at a deployment that overrode its approvals.
pub(crate) async fn review(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let request: DeploymentReviewRequest = read_body(body)?;
    said("note", &request.note, WORDS_MAX)?;
    let deployment = control.operations.deployment(&id).await?;
    // Looked back at is what is judged on, whatever else begins like that by then.
    let id = deployment.id.to_string();
    let resource = Resource {
        author: Some(deployment.actor),
        ..control.of_system(&deployment.system)
    };
    let object = Object {
        environment: Some(deployment.environment),
        ..resource.into()
    };
    let permit = asking.permit_with_each(&control, vec![object]).await?;
    let reviewed = control.operations.review_deployment(&id, request, &permit);
    Ok(Json(json!(reviewed.await?)))
}
