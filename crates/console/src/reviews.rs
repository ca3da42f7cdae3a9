//! `/api/v1/reviews`: what waits for a person, and the person's answer.

use axum::Json;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operations::{ReviewAnswer, ReviewFilter};
use crate::reading::{limit, parse, read_body, read_query};
use crate::routes::Control;
use crate::token::actor;

/// What a caller may ask for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewQuery {
    queue: Option<String>,
    system: Option<String>,
    limit: Option<u32>,
}

/// Open reviews, the soonest due first.
pub(crate) async fn list(
    State(control): State<Control>,
    query: Result<Query<ReviewQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let query = read_query(query)?;
    let filter = ReviewFilter {
        queue: parse("queue", query.queue)?,
        system: parse("system", query.system)?,
        limit: limit(query.limit)?,
    };
    let reviews = control.operations.reviews(filter).await?;
    Ok(Json(json!({"reviews": reviews})))
}

/// One review.
pub(crate) async fn show(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!(control.operations.review(&id).await?)))
}

/// A person answers.
pub(crate) async fn answer(
    State(control): State<Control>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let actor = actor(&headers)?;
    let answer: ReviewAnswer = read_body(body)?;
    let decision = control
        .operations
        .answer_review(&id, answer, &actor)
        .await?;
    Ok(Json(json!(decision)))
}
