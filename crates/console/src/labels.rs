//! `/api/v1/labels`: the truth about decisions, as it becomes known.

use std::collections::BTreeSet;

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::{Extension, Json};
use bytes::Bytes;
use plimsoll_core::access::ControlAction;
use plimsoll_store::LabelFilter;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Actor;
use crate::error::ApiError;
use crate::operations::labels::LabelsRequest;
use crate::permit::Asking;
use crate::reading::{limit, parse, read_body, read_query};
use crate::routes::Control;

/// Which labels.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LabelQuery {
    system: Option<String>,
    decision: Option<String>,
    tenant: Option<String>,
    #[serde(default)]
    waiting: bool,
    limit: Option<u32>,
    before: Option<String>,
}

/// A page of labels, the latest first, and where the next begins.
pub(crate) async fn list(
    State(control): State<Control>,
    Extension(actor): Extension<Actor>,
    query: Result<Query<LabelQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let query = read_query(query)?;
    let tenancy = actor.within(query.tenant)?;
    let limit = limit(query.limit)?;
    let filter = LabelFilter {
        system: parse("system", query.system)?,
        decision: parse("decision", query.decision)?,
        before: parse("before", query.before)?,
        waiting: query.waiting,
        limit,
        ..LabelFilter::default()
    };
    let labels = control.operations.labels(&tenancy, filter).await?;
    let full = labels.len() >= limit as usize;
    let before = labels
        .last()
        .filter(|_| full)
        .map(|last| last.label.id.to_string());
    Ok(Json(json!({"labels": labels, "next": {"before": before}})))
}

/// Records labels.
pub(crate) async fn record(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let request: LabelsRequest = read_body(body)?;
    let tenant = request.tenant.as_ref().map(ToString::to_string);
    let tenancy = asking.actor().tenancy.clone();
    let tenant = asking.actor().within(tenant)?.tenant().cloned();
    if request.labels.is_empty() {
        return Err(ApiError::unfit("`labels` is empty"));
    }
    let policies = control.operations.grounds().policies;
    // Labels come by the thousand: what no policy looks at is not looked up.
    let permit = if policies.own_look_at(ControlAction::RecordLabels, "resource") {
        let ids: BTreeSet<_> = request.labels.iter().map(|label| label.decision).collect();
        let mut objects = Vec::with_capacity(ids.len());
        for id in ids {
            let mut object = control.of_decision_named(&tenancy, id).await?;
            let resource = &mut object.resource;
            resource.tenant = resource.tenant.take().or_else(|| tenant.clone());
            objects.push(object);
        }
        asking.permit_with_each(&control, objects).await?
    } else {
        asking.permit_for(&control, tenant).await?
    };
    let recorded = control.operations.record_labels(&tenancy, request, &permit);
    Ok(Json(json!(recorded.await?)))
}
