//! `/api/v1/monitors`, `/api/v1/alarms`, `/api/v1/receivers`, `/api/v1/silences`: what is watched, what is
//! wrong, and who is told.

use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::operations::alerts::{SilenceRequest, TestRequest};
use crate::permit::Asking;
use crate::reading::{PHRASE_MAX, WORDS_MAX, limit, parse, read_body, read_query, said, the_one};
use crate::routes::Control;

/// Of which system.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MonitorQuery {
    system: Option<String>,
}

/// How the monitors stand.
pub(crate) async fn monitors(
    State(control): State<Control>,
    query: Result<Query<MonitorQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let system = parse("system", read_query(query)?.system)?;
    let monitors = control.operations.monitors(system.as_ref()).await?;
    Ok(Json(json!({"monitors": monitors})))
}

/// Which alarms.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlarmQuery {
    system: Option<String>,
    limit: Option<u32>,
}

/// Events of alarms, the latest first.
pub(crate) async fn alarms(
    State(control): State<Control>,
    query: Result<Query<AlarmQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let query = read_query(query)?;
    let system = parse("system", query.system)?;
    let limit = limit(query.limit)?;
    let alarms = control.operations.alarms(system.as_ref(), limit).await?;
    Ok(Json(json!({"alarms": alarms})))
}

/// Who is told.
pub(crate) async fn receivers(State(control): State<Control>) -> Result<Json<Value>, ApiError> {
    let receivers = control.operations.receivers().await?;
    Ok(Json(json!({"receivers": receivers})))
}

/// Sends a receiver a test, and waits for what comes of it.
pub(crate) async fn test(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let TestRequest { receiver } = read_body(body)?;
    said("receiver", &receiver, PHRASE_MAX)?;
    let permit = asking.permit(&control).await?;
    let tested = control.operations.test_receiver(&receiver, &permit);
    tested.await?;
    Ok(Json(json!({"receiver": receiver, "delivered": true})))
}

/// The silences that stand.
pub(crate) async fn silences(State(control): State<Control>) -> Result<Json<Value>, ApiError> {
    let silences = control.operations.silences().await?;
    Ok(Json(json!({"silences": silences})))
}

/// Holds alerts back.
pub(crate) async fn silence(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, ApiError> {
    let request: SilenceRequest = read_body(body)?;
    said("reason", &request.reason, WORDS_MAX)?;
    let objects = control.of_system_or_each(request.system.as_ref(), None);
    let permit = asking.permit_with_each(&control, objects).await?;
    let silence = control.operations.silence(request, &permit);
    Ok(Json(json!(silence.await?)))
}

/// Ends a silence before its time.
pub(crate) async fn lift(
    State(control): State<Control>,
    Extension(asking): Extension<Asking>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let silences = control.operations.silences().await?;
    let silence = the_one(&silences, &id, |silence| silence.id.to_string());
    // Lifted is what is judged on, whatever else begins like that by then.
    let id = silence.map_or_else(|| id.clone(), |silence| silence.id.to_string());
    let objects = silence.map_or_else(Vec::new, |silence| {
        control.of_system_or_each(silence.system.as_ref(), silence.actor.as_deref())
    });
    let permit = asking.permit_with_each(&control, objects).await?;
    let lifted = control.operations.lift_silence(&id, &permit);
    Ok(Json(json!(lifted.await?)))
}
