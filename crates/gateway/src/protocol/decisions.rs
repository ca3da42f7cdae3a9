//! The decisions API: `POST /v1/systems/{system}/decisions` with `{"input": …}` for one item or
//! `{"inputs": […]}` for a batch. Each row is a decision; the answer is 200 with an outcome per row.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use plimsoll_core::{Code, Outcome};
use plimsoll_guard::frame::{ValueKind, scan};
use serde_json::{Map, Value, json};

use crate::answer::{ChatItem, Item};
use crate::deployed::{Deployed, InputContract};
use crate::envelope::Patience;
use crate::pipeline::decide;
use crate::protocol::{Call, respond};
use crate::refusal::Refusal;
use crate::stage::finish::{Body, Told};

/// How many rows of a batch are under way at a time.
const ROWS_AT_ONCE: usize = 64;

/// What a body asks.
enum Asked {
    One(Item),
    Batch(Vec<Item>),
}

/// Answers the call.
pub(crate) async fn handle(
    mut call: Call,
    system: &str,
    body: Result<Bytes, Refusal>,
) -> respond::Reply {
    let system = match call.resolve(system) {
        Ok(system) => system,
        Err(refusal) => {
            call.node.count_refused(refusal.code);
            return respond::refuse(call.protocol, &refusal);
        }
    };
    let asked = body.and_then(|bytes| read(&call, &system, &bytes));
    match asked {
        Ok(Asked::One(item)) => one(&call, &system, item).await,
        Ok(Asked::Batch(items)) => batch(&call, &system, items).await,
        Err(refusal) => broken(&call, &system, refusal).await,
    }
}

fn read(call: &Call, system: &Deployed, bytes: &Bytes) -> Result<Asked, Refusal> {
    let frame = scan(bytes, &call.snapshot.frame);
    let frame = frame.map_err(|error| Refusal::new(error.code, error.to_string()))?;
    if let Some(other) = frame
        .members()
        .iter()
        .find(|m| m.key != "input" && m.key != "inputs")
    {
        let shown: String = other.key.chars().take(60).collect();
        return Err(shape(&format!("the body has the key `{shown}`")));
    }
    match (frame.member("input"), frame.member("inputs")) {
        (Some(input), None) => Ok(Asked::One(item(system, frame.raw(input))?)),
        (None, Some(inputs)) if inputs.kind == ValueKind::Array => {
            let rows: Vec<&serde_json::value::RawValue> = serde_json::from_slice(frame.raw(inputs))
                .map_err(|_| shape("the rows are unread"))?;
            if rows.len() > rows_max(call, system) {
                let message = format!(
                    "the batch has {} rows, {} are allowed",
                    rows.len(),
                    rows_max(call, system)
                );
                return Err(Refusal::new(Code::RowsTooMany, message));
            }
            let items = rows
                .into_iter()
                .map(|row| item(system, row.get().as_bytes()));
            items.collect::<Result<_, _>>().map(Asked::Batch)
        }
        (None, Some(_)) => Err(shape("`inputs` is not an array")),
        (Some(_), Some(_)) => Err(shape("the body has both")),
        (None, None) => Err(shape("the body has neither")),
    }
}

/// The server's limit or the system's own, whichever is lower.
pub(crate) fn rows_max(call: &Call, system: &Deployed) -> usize {
    let own = usize::try_from(system.manifest().input.rows_max).unwrap_or(usize::MAX);
    call.snapshot.rows_max.min(own)
}

fn shape(what: &str) -> Refusal {
    let message =
        format!("send `{{\"input\": …}}` for one item or `{{\"inputs\": […]}}` for many: {what}");
    Refusal::new(Code::JsonSyntax, message)
}

fn item(system: &Deployed, raw: &[u8]) -> Result<Item, Refusal> {
    if matches!(system.input, InputContract::Chat(_)) {
        let body = Bytes::copy_from_slice(raw);
        return Ok(Item::Chat(ChatItem::plain(body)));
    }
    let value = serde_json::from_slice(raw);
    value
        .map(Item::Row)
        .map_err(|_| shape("the input could not be read"))
}

async fn one(call: &Call, system: &std::sync::Arc<Deployed>, item: Item) -> respond::Reply {
    let told = call
        .patiently(decide(call.begin(system, 0), item).await)
        .await;
    let waits = matches!(told.body, Body::Waiting(_));
    let status = if waits && call.envelope.patience == Patience::Async {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    let mut reply = respond::json_value(status, &row(&told));
    respond::name_decision(&mut reply, &told.decision);
    reply
}

async fn batch(call: &Call, system: &std::sync::Arc<Deployed>, items: Vec<Item>) -> respond::Reply {
    let numbered = (0_u32..).zip(items);
    let decided = stream::iter(numbered.map(|(number, item)| async move {
        let told = decide(call.begin(system, number), item).await;
        row(&told)
    }));
    let rows: Vec<Value> = decided.buffered(ROWS_AT_ONCE).collect().await;
    let body = json!({
        "request": call.request,
        "system": system.system.name,
        "release": system.deployment.release,
        "decisions": rows,
    });
    respond::json_value(StatusCode::OK, &body)
}

/// A body that could not be read is one malformed decision; the status says so too.
async fn broken(
    call: &Call,
    system: &std::sync::Arc<Deployed>,
    refusal: Refusal,
) -> respond::Reply {
    let told = decide(call.begin(system, 0), Item::Broken(refusal)).await;
    let mut reply = match &told.body {
        Body::Refused(refusal) => respond::refuse(call.protocol, refusal),
        Body::Answer(_) | Body::Stream(_) | Body::Waiting(_) => {
            respond::json_value(StatusCode::OK, &row(&told))
        }
    };
    respond::name_decision(&mut reply, &told.decision);
    reply
}

/// One row of the response.
pub(crate) fn row(told: &Told) -> Value {
    let decision = &told.decision;
    let mut row = Map::new();
    row.insert("decision".into(), json!(decision.id));
    row.insert(
        "outcome".into(),
        json!(decision.outcome.map_or("pending", Outcome::as_str)),
    );
    if let Some(kind) = decision.kind {
        row.insert("kind".into(), json!(kind));
    }
    match &told.body {
        Body::Answer(answer) => {
            row.insert("answer".into(), answer.value());
            if let Some(confidence) = answer.confidence() {
                row.insert("confidence".into(), json!(confidence));
            }
        }
        Body::Waiting(waiting) => {
            row.insert("answer".into(), Value::Null);
            row.insert("meanwhile".into(), json!(waiting.meanwhile));
            row.insert("review".into(), json!(waiting.review));
            row.insert("due_at".into(), json!(waiting.due_at.to_string()));
        }
        Body::Refused(refusal) => {
            row.insert("error".into(), respond::error(refusal));
        }
        Body::Stream(_) => {}
    }
    row.insert("release".into(), json!(decision.release));
    Value::Object(row)
}
