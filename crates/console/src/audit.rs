//! `/api/v1/audit`: how the log stands, who read what, and what people do to records.

use std::collections::BTreeSet;

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use bytes::Bytes;
use plimsoll_core::governance::{ERASED_MAX, HoldEvent};
use plimsoll_core::{DecisionId, SystemName, Tenancy};
use plimsoll_store::AccessFilter;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Actor;
use crate::error::ApiError;
use crate::operations::audit::{
    CheckpointRequest, ErasureRequest, HoldRequest, LiftRequest, VerificationRequest,
};
use crate::permit::{Asking, Object, guarded_most};
use crate::reading::{
    PHRASE_MAX, WORDS_MAX, limit, maybe_said, parse, read_body, read_query, said, the_one, time,
};
use crate::routes::Control;

/// The longest name of a person that an erasure or a hold is about, in characters: as long as
/// `plimsoll-subject` may be.
const SUBJECT_MAX: usize = 256;

/// How the log stands.
pub(crate) async fn status(State(control): State<Control>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!(control.operations.audit_status().await?)))
}

/// Waits for a checkpoint.
pub(crate) async fn checkpoint(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let CheckpointRequest { leaves } = read_body(body)?;
    let permit = asking.permit(&control).await?;
    let signed = control.operations.checkpoint(leaves, &permit);
    Ok(Json(json!(signed.await?)))
}

/// Which accesses.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessQuery {
    actor: Option<String>,
    decision: Option<String>,
    tenant: Option<String>,
    verdict: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<u32>,
    before: Option<String>,
}

/// A page of accesses, the latest first, and where the next begins.
pub(crate) async fn accesses(
    State(control): State<Control>,
    Extension(actor): Extension<Actor>,
    query: Result<Query<AccessQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let query = read_query(query)?;
    let tenancy = actor.within(query.tenant)?;
    let limit = limit(query.limit)?;
    let filter = AccessFilter {
        actor: query.actor,
        decision: parse("decision", query.decision)?,
        verdict: parse("verdict", query.verdict)?,
        since: time("since", query.since)?,
        until: time("until", query.until)?,
        before: parse("before", query.before)?,
        limit,
        ..AccessFilter::default()
    };
    let accesses = control.operations.accesses(&tenancy, filter).await?;
    let full = accesses.len() >= limit as usize;
    let before = accesses
        .last()
        .filter(|_| full)
        .map(|last| last.id.to_string());
    Ok(Json(
        json!({"accesses": accesses, "next": {"before": before}}),
    ))
}

/// Erases.
pub(crate) async fn erase(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let request: ErasureRequest = read_body(body)?;
    said("basis", &request.basis, PHRASE_MAX)?;
    maybe_said("reason", request.reason.as_deref(), WORDS_MAX)?;
    maybe_said("subject", request.subject.as_deref(), SUBJECT_MAX)?;
    if request.subject.is_some() != request.decisions.is_empty() {
        let message = "an erasure is either of a `subject` or of `decisions`";
        return Err(ApiError::unfit(message).hint("give one of the two"));
    }
    if request.tenant.is_some() && request.subject.is_none() {
        return Err(ApiError::unfit(
            "`tenant` is for an erasure of a `subject`: each decision is of one tenant",
        ));
    }
    if request.decisions.len() > ERASED_MAX {
        return Err(ApiError::unfit(format!(
            "an erasure names at most {ERASED_MAX} decisions"
        )));
    }
    let erasable = control.operations.erasable(&request).await?;
    let permit = if erasable.is_empty() {
        asking.permit_for(&control, request.tenant.clone()).await?
    } else {
        let objects = erasable.iter().map(|(id, decision)| match decision {
            Some(decision) => control.of_decision(decision),
            None => Object {
                decision: Some(*id),
                ..guarded_most(request.tenant.clone()).into()
            },
        });
        asking.permit_with_each(&control, objects.collect()).await?
    };
    let permitted: BTreeSet<DecisionId> = erasable.iter().map(|(id, _)| *id).collect();
    let erased = control.operations.erase(request, &permitted, &permit);
    Ok(Json(json!(erased.await?)))
}

/// The holds that stand.
pub(crate) async fn holds(State(control): State<Control>) -> Result<Json<Value>, ApiError> {
    let holds = control.operations.holds().await?;
    Ok(Json(json!({"holds": holds})))
}

/// Places a hold.
pub(crate) async fn hold(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let request: HoldRequest = read_body(body)?;
    said("reason", &request.reason, WORDS_MAX)?;
    maybe_said("subject", request.subject.as_deref(), SUBJECT_MAX)?;
    let span = request.since.zip(request.until);
    if span.is_some_and(|(since, until)| since >= until) {
        return Err(ApiError::unfit(
            "`since` is not before `until`: the hold would cover nothing",
        ));
    }
    let objects = covered(&control, request.decision, request.system.as_ref(), None).await?;
    let permit = asking.permit_with_each(&control, objects).await?;
    let placed = control.operations.hold(request, &permit);
    Ok(Json(json!(placed.await?)))
}

/// What a hold is about: its decision, its system, or each system.
async fn covered(
    control: &Control,
    decision: Option<DecisionId>,
    system: Option<&SystemName>,
    author: Option<&str>,
) -> Result<Vec<Object>, ApiError> {
    let Some(decision) = decision else {
        return Ok(control.of_system_or_each(system, author));
    };
    let object = control.of_decision_named(&Tenancy::Installation, decision);
    let mut object = object.await?;
    object.resource.author = author.map(str::to_owned);
    Ok(vec![object])
}

/// Lifts a hold.
pub(crate) async fn lift(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let LiftRequest { reason } = read_body(body)?;
    said("reason", &reason, WORDS_MAX)?;
    let holds = control.operations.holds().await?;
    let held = the_one(&holds, &id, |hold| hold.hold.to_string());
    // Lifted is what is judged on, whatever else begins like that by then.
    let id = held.map_or_else(|| id.clone(), |hold| hold.hold.to_string());
    let objects = match held {
        Some(HoldEvent { covers, actor, .. }) => {
            covered(
                &control,
                covers.decision,
                covers.system.as_ref(),
                Some(actor),
            )
            .await?
        }
        None => Vec::new(),
    };
    let permit = asking.permit_with_each(&control, objects).await?;
    let lifted = control.operations.lift_hold(&id, reason, &permit);
    Ok(Json(json!(lifted.await?)))
}

/// Somebody checked the log.
pub(crate) async fn record_verification(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let request: VerificationRequest = read_body(body)?;
    let permit = asking.permit(&control).await?;
    let recorded = control.operations.record_verification(request, &permit);
    Ok(Json(json!(recorded.await?)))
}
