//! `/api/v1/decisions`: a page by filter, one by id, what is kept of it and the proof of it.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use plimsoll_store::DecisionFilter;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Actor;
use crate::error::ApiError;
use crate::operations::audit::{AccessRequest, PayloadView};
use crate::permit::Asking;
use crate::reading::{PHRASE_MAX, limit, parse, read_query, said, time};
use crate::routes::Control;

/// What a caller may ask for. Texts are read here, so that an error names the parameter.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionQuery {
    system: Option<String>,
    outcome: Option<String>,
    kind: Option<String>,
    since: Option<String>,
    until: Option<String>,
    release: Option<String>,
    tenant: Option<String>,
    #[serde(default)]
    drills: bool,
    limit: Option<u32>,
    before: Option<String>,
}

/// A page of decisions, and where the next begins.
pub(crate) async fn list(
    State(control): State<Control>,
    Extension(actor): Extension<Actor>,
    query: Result<Query<DecisionQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let query = read_query(query)?;
    let tenancy = actor.within(query.tenant.clone())?;
    let filter = filter(&control, query).await?;
    let limit = filter.limit as usize;
    let decisions = control.operations.decisions(&tenancy, filter).await?;
    let full = decisions.len() >= limit;
    let before = decisions
        .last()
        .filter(|_| full)
        .map(|last| last.id.to_string());
    Ok(Json(
        json!({"decisions": decisions, "next": {"before": before}}),
    ))
}

/// One decision.
pub(crate) async fn show(
    State(control): State<Control>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let decision = control.operations.decision(&actor.tenancy, &id).await?;
    Ok(Json(json!(decision)))
}

/// How a payload may be read here; reviews show theirs by their own route.
const THROUGH: [&str; 3] = ["explain", "replay", "export"];

/// What a payload is read for, and how.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayloadQuery {
    purpose: Option<String>,
    through: Option<String>,
}

/// What is kept of one decision's input and output. That it is read is on disk before it is read.
pub(crate) async fn payload(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(id): Path<String>,
    query: Result<Query<PayloadQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let PayloadQuery { purpose, through } = read_query(query)?;
    let purpose = purpose.or_else(|| asking.purpose().map(str::to_owned));
    let purpose = purpose.ok_or_else(|| {
        let message = "parameter `purpose` is missing: say what the payload is read for";
        ApiError::unfit(message).hint("or say so in the header `plimsoll-purpose`")
    })?;
    said("purpose", &purpose, PHRASE_MAX)?;
    let through = through.as_deref().unwrap_or(THROUGH[0]);
    let known = THROUGH.into_iter().find(|known| *known == through);
    let through = known.ok_or_else(|| {
        let message = format!("parameter `through` is none of {}", THROUGH.join(", "));
        ApiError::unfit(message)
    })?;
    let tenancy = &asking.actor().tenancy;
    let decision = control.operations.decision(tenancy, &id).await?;
    let asking = asking.for_purpose(purpose.clone());
    let permit = asking.permit_on(&control, &decision).await?;
    let nothing = PayloadView {
        decision: decision.id,
        access: None,
        payload: None,
    };
    if decision.payload.is_none() {
        return Ok(Json(json!(nothing)));
    }
    let request = AccessRequest {
        decision: decision.id,
        tenant: decision.tenant.clone(),
        purpose,
        through,
    };
    let access = control.operations.record_access(request, &permit).await?;
    let payload = control.operations.payload(&decision, &permit).await?;
    Ok(Json(json!(PayloadView {
        access: Some(access.id),
        payload: Some(payload),
        ..nothing
    })))
}

/// The proof that one decision is in the log.
pub(crate) async fn proof(
    State(control): State<Control>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let proof = control.operations.proof(&actor.tenancy, &id).await?;
    Ok(Json(json!(proof)))
}

async fn filter(control: &Control, query: DecisionQuery) -> Result<DecisionFilter, ApiError> {
    let open = query.outcome.as_deref() == Some("open");
    let release = match query.release.as_deref() {
        Some(release) => Some(control.operations.release(release).await?.id),
        None => None,
    };
    Ok(DecisionFilter {
        system: parse("system", query.system)?,
        outcome: parse("outcome", query.outcome.filter(|_| !open))?,
        open,
        kind: parse("kind", query.kind)?,
        since: time("since", query.since)?,
        until: time("until", query.until)?,
        before: parse("before", query.before)?,
        drills: query.drills,
        limit: limit(query.limit)?,
        release,
        ..DecisionFilter::default()
    })
}
