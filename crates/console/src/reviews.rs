//! `/api/v1/reviews`: what waits for a person, and the person's answer.

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Actor;
use crate::error::ApiError;
use crate::operations::audit::AccessRequest;
use crate::operations::reviews::{ReviewAnswer, ReviewFilter};
use crate::permit::Asking;
use crate::reading::{PHRASE_MAX, limit, parse, read_body, read_query, said};
use crate::routes::Control;

/// What a caller may ask for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewQuery {
    queue: Option<String>,
    system: Option<String>,
    limit: Option<u32>,
}

/// Open reviews, the soonest due first, without what was asked: to see that, show one.
pub(crate) async fn list(
    State(control): State<Control>,
    Extension(actor): Extension<Actor>,
    query: Result<Query<ReviewQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let query = read_query(query)?;
    let filter = ReviewFilter {
        queue: parse("queue", query.queue)?,
        system: parse("system", query.system)?,
        limit: limit(query.limit)?,
    };
    let mut reviews = control.operations.reviews(&actor.tenancy, filter).await?;
    for review in &mut reviews {
        (review.input, review.proposal) = (Value::Null, None);
    }
    Ok(Json(json!({"reviews": reviews})))
}

/// What a review is looked at for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShowQuery {
    purpose: Option<String>,
}

/// One review with its input. That it is read is on disk before it is told.
pub(crate) async fn show(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(id): Path<String>,
    query: Result<Query<ShowQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let purpose = read_query(query)?.purpose;
    let purpose = purpose.or_else(|| asking.purpose().map(str::to_owned));
    let purpose = purpose.unwrap_or_else(|| "review".to_owned());
    said("purpose", &purpose, PHRASE_MAX)?;
    let tenancy = &asking.actor().tenancy;
    let review = control.operations.review(tenancy, &id).await?;
    let asking = asking.for_purpose(purpose.clone());
    let permit = asking.permit_on(&control, &review.decision).await?;
    let request = AccessRequest {
        decision: review.decision.id,
        tenant: review.decision.tenant.clone(),
        purpose,
        through: "review",
    };
    control.operations.record_access(request, &permit).await?;
    Ok(Json(json!(review)))
}

/// A person answers.
pub(crate) async fn answer(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let answer: ReviewAnswer = read_body(body)?;
    if answer
        .worked_seconds
        .is_some_and(|seconds| seconds > ReviewAnswer::WORKED_SECONDS_MAX)
    {
        let most = ReviewAnswer::WORKED_SECONDS_MAX;
        let message = format!("`worked_seconds` must be at most {most}, a week");
        return Err(ApiError::unfit(message));
    }
    let tenancy = asking.actor().tenancy.clone();
    let review = control.operations.review(&tenancy, &id).await?;
    let permit = asking.permit_on(&control, &review.decision).await?;
    let answered = control
        .operations
        .answer_review(&tenancy, &id, answer, &permit);
    Ok(Json(json!(answered.await?)))
}
