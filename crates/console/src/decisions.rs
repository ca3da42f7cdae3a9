//! `/api/v1/decisions`: a page by filter, one by id.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use plimsoll_core::Timestamp;
use plimsoll_store::DecisionFilter;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::reading::{limit, parse, read_query, unfit};
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
    query: Result<Query<DecisionQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let filter = filter(&control, read_query(query)?).await?;
    let limit = filter.limit as usize;
    let decisions = control.operations.decisions(filter).await?;
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
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let decision = control.operations.decision(&id).await?;
    Ok(Json(json!(decision)))
}

async fn filter(control: &Control, query: DecisionQuery) -> Result<DecisionFilter, ApiError> {
    let open = query.outcome.as_deref() == Some("open");
    let release = match query.release.as_deref() {
        Some(release) => Some(control.operations.release(release).await?.id),
        None => None,
    };
    let time = |name, text: Option<String>| {
        let parse = |text: String| Timestamp::parse(&text).map_err(|e| unfit(name, &e));
        text.map(parse).transpose()
    };
    Ok(DecisionFilter {
        system: parse("system", query.system)?,
        outcome: parse("outcome", query.outcome.filter(|_| !open))?,
        open,
        kind: parse("kind", query.kind)?,
        since: time("since", query.since)?,
        until: time("until", query.until)?,
        tenant: parse("tenant", query.tenant)?,
        before: parse("before", query.before)?,
        drills: query.drills,
        limit: limit(query.limit)?,
        release,
        ..DecisionFilter::default()
    })
}
