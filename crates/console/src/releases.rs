//! `/api/v1/releases`: listed, made, approved, and carried from one installation to another.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use bytes::Bytes;
use http_body_util::LengthLimitError;
use plimsoll_core::Code;
use plimsoll_core::access::ActorKind;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operations::releases::{ApprovalRequest, ReleaseBundle, ReleaseRequest};
use crate::permit::Asking;
use crate::reading::{PHRASE_MAX, WORDS_MAX, json, maybe_said, parse, read_body, read_query, said};
use crate::routes::{Control, IMPORT_BYTES_MAX};
use crate::systems::name;

/// For a whole bundle to arrive.
const IMPORT_TIME: Duration = Duration::from_mins(10);

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

/// Makes a release from the files.
pub(crate) async fn make(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(system): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let system = name(&system)?;
    let ReleaseRequest { note, author } = read_body(body)?;
    said("note", &note, WORDS_MAX)?;
    maybe_said("author", author.as_deref(), PHRASE_MAX)?;
    let actor = asking.actor();
    let author = author.unwrap_or_else(|| actor.name.clone());
    if author != actor.name && actor.kind != ActorKind::Owner {
        let message = format!("`{}` is the author of what they make", actor.name);
        let hint = "leave `author` away: who makes a release cannot approve it, under any name";
        return Err(ApiError::unfit(message).hint(hint));
    }
    let permit = asking.permit_of(&control, &system).await?;
    let made = control
        .operations
        .make_release(&system, note, &author, &permit);
    Ok(Json(json!(made.await?)))
}

/// A release with all its parts. One bundle at a time is in memory.
pub(crate) async fn export(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<ReleaseBundle>, ApiError> {
    let _one_at_a_time = control.bundles.lock().await;
    Ok(Json(control.operations.export_release(&id).await?))
}

/// Takes in a release. One bundle at a time is in memory, and every byte of it is held against the digest
/// that names it.
pub(crate) async fn import(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let _one_at_a_time = control.bundles.lock().await;
    let bundle: ReleaseBundle = json(&whole(body).await?)?;
    bundle.check().map_err(|fault| {
        ApiError::bundle_unfit(fault.to_string()).hint("export the release again")
    })?;
    let system = bundle.release.manifest.system.clone();
    let permit = asking.permit_of(&control, &system).await?;
    let imported = control.operations.import_release(bundle, &permit);
    Ok(Json(json!(imported.await?)))
}

async fn whole(body: Body) -> Result<Bytes, ApiError> {
    let incomplete = |why: &str| ApiError::of(Code::BodyIncomplete, why);
    let reading = tokio::time::timeout(IMPORT_TIME, to_bytes(body, IMPORT_BYTES_MAX));
    let read = reading
        .await
        .map_err(|_| incomplete("the body did not arrive within ten minutes"))?;
    read.map_err(|error| {
        if error.into_inner().is::<LengthLimitError>() {
            return ApiError::of(
                Code::BodyTooLarge,
                format!("the body is larger than {} MiB", IMPORT_BYTES_MAX >> 20),
            );
        }
        incomplete("the connection closed before the body was whole")
    })
}

/// How a release stands with its approvals.
pub(crate) async fn approvals(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let approvals = control.operations.approvals(&id).await?;
    let mut answer = json!(approvals);
    answer["counted"] = json!(approvals.counted());
    Ok(Json(answer))
}

/// Approves a release, in the role that its system asks for.
pub(crate) async fn approve(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let ApprovalRequest { note } = read_body(body)?;
    maybe_said("note", note.as_deref(), WORDS_MAX)?;
    let approvals = control.operations.approvals(&id).await?;
    let role = approvals.rule.role;
    asking.actor().require(&[role])?;
    let mut resource = control.of_system(&approvals.system);
    resource.author = Some(approvals.author.clone());
    let permit = asking.permit_with(&control, resource).await?;
    let (by, release) = (permit.actor(), approvals.release.short());
    let before = |given: &plimsoll_core::governance::Approval| {
        given.actor == by && given.role == role.as_str()
    };
    if approvals.given.iter().any(before) {
        let message = format!("`{by}` approved release {release} before");
        return Err(ApiError::approval_refused(message).hint("each approval is somebody else's"));
    }
    let approved = control
        .operations
        .approve(approvals.release, role, note, &permit);
    Ok(Json(json!(approved.await?)))
}
