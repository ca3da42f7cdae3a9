//! Open Inference Protocol v2 (REST), with the binary tensor extension that stock clients use.
//!
//! Each column of the contract is an input tensor of shape `[n]` or `[n, 1]`; each row is a
//! decision. Every key of the answers is an output tensor, and two more say how each row ended:
//! `plimsoll_outcome` and `plimsoll_decision`.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::StatusCode;
use plimsoll_core::{Code, Outcome};
use plimsoll_guard::contract::{Column, ColumnType};
use serde_json::{Value, json};

use crate::answer::Item;
use crate::deployed::{Deployed, InputContract};
use crate::pipeline::decide;
use crate::protocol::oip_tensor::{self, InferRequest};
use crate::protocol::{Call, decisions, respond};
use crate::refusal::Refusal;
use crate::stage::finish::{Body, Told};

/// How many rows are under way at a time.
const ROWS_AT_ONCE: usize = 64;

/// `GET /v2`.
pub(crate) fn server() -> respond::Reply {
    let body = json!({
        "name": "plimsoll",
        "version": env!("CARGO_PKG_VERSION"),
        "extensions": ["binary_tensor_data"],
    });
    respond::json_value(StatusCode::OK, &body)
}

/// `GET /v2/health/live`, `GET /v2/health/ready`.
pub(crate) fn health(call_ready: bool) -> respond::Reply {
    let status = if call_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    respond::json_value(status, &json!({"live": true, "ready": call_ready}))
}

/// `GET /v2/models/{model}` and `…/ready`.
pub(crate) fn model(call: &Call, name: &str, only_ready: bool) -> respond::Reply {
    match call.look_at(name) {
        Ok(_) if only_ready => {
            respond::json_value(StatusCode::OK, &json!({"name": name, "ready": true}))
        }
        Ok(system) => respond::json_value(StatusCode::OK, &metadata(&system)),
        Err(refusal) => refuse(call, &refusal),
    }
}

fn metadata(system: &Deployed) -> Value {
    let columns: &[Column] = match &system.input {
        InputContract::Row(contract) => contract.columns(),
        InputContract::Chat(_) => &[],
    };
    let inputs: Vec<Value> = columns
        .iter()
        .map(|column| json!({"name": column.name, "datatype": datatype(column), "shape": [-1, 1]}))
        .collect();
    let bytes = |name: &str| json!({"name": name, "datatype": "BYTES", "shape": [-1]});
    json!({
        "name": system.system.name,
        "versions": [system.deployment.release.short()],
        "platform": "plimsoll",
        "inputs": inputs,
        "outputs": [bytes("plimsoll_outcome"), bytes("plimsoll_decision")],
    })
}

const fn datatype(column: &Column) -> &'static str {
    match column.kind {
        ColumnType::Number => "FP64",
        ColumnType::Integer => "INT64",
        ColumnType::Boolean => "BOOL",
        ColumnType::String | ColumnType::Any => "BYTES",
    }
}

fn refuse(call: &Call, refusal: &Refusal) -> respond::Reply {
    call.node.count_refused(refusal.code);
    respond::refuse(call.protocol, refusal)
}

/// `POST /v2/models/{model}/infer`.
pub(crate) async fn infer(
    mut call: Call,
    name: &str,
    body: Result<Bytes, Refusal>,
) -> respond::Reply {
    let system = match call.resolve(name) {
        Ok(system) => system,
        Err(refusal) => return refuse(&call, &refusal),
    };
    let request = body.and_then(|bytes| read(&call, &system, &bytes));
    let request = match request {
        Ok(request) => request,
        Err(refusal) => {
            let told = decide(call.begin(&system, 0), Item::Broken(refusal)).await;
            return whole(&call, &told);
        }
    };
    let numbered = (0_u32..).zip(request.rows.clone());
    let decided = stream::iter(numbered.map(|(number, row)| {
        let call = &call;
        let system = &system;
        async move {
            call.patiently(decide(call.begin(system, number), Item::Row(row)).await)
                .await
        }
    }));
    let told: Vec<Told> = decided.buffered(ROWS_AT_ONCE).collect().await;
    tell(&call, &system, &request, &told)
}

fn read(call: &Call, system: &Deployed, bytes: &Bytes) -> Result<InferRequest, Refusal> {
    let length = call.headers.get("inference-header-content-length");
    let header_bytes = match length {
        None => bytes.len(),
        Some(value) => {
            let length = value
                .to_str()
                .ok()
                .and_then(|text| text.parse::<usize>().ok());
            let fits = length.filter(|length| *length <= bytes.len());
            fits.ok_or_else(|| {
                let message = "`inference-header-content-length` does not fit the body";
                Refusal::new(Code::ParameterUnfit, message)
            })?
        }
    };
    let (header, binary) = bytes.split_at(header_bytes);
    let request = oip_tensor::read(header, binary, &call.snapshot.frame)?;
    let rows_max = decisions::rows_max(call, system);
    if request.rows.len() > rows_max {
        let message = format!(
            "the call has {} rows, {} are allowed",
            request.rows.len(),
            rows_max
        );
        return Err(Refusal::new(Code::RowsTooMany, message));
    }
    Ok(request)
}

/// A body that could not be read is one decision.
fn whole(call: &Call, told: &Told) -> respond::Reply {
    let mut reply = match &told.body {
        Body::Refused(refusal) => respond::refuse(call.protocol, refusal),
        Body::Answer(_) | Body::Stream(_) | Body::Waiting(_) => {
            respond::json_value(StatusCode::OK, &json!({"outputs": []}))
        }
    };
    respond::name_decision(&mut reply, &told.decision);
    reply
}

/// One row that was refused is a refusal of the call; of several, each row's outcome is told.
fn tell(call: &Call, system: &Deployed, request: &InferRequest, told: &[Told]) -> respond::Reply {
    if let [
        Told {
            body: Body::Refused(refusal),
            decision,
        },
    ] = told
    {
        let mut reply = respond::refuse(call.protocol, refusal);
        respond::name_decision(&mut reply, decision);
        return reply;
    }
    let values: Vec<Value> = told.iter().map(answer_value).collect();
    let mut outputs = oip_tensor::columns_of(&values);
    let outcomes = told
        .iter()
        .map(|t| json!(t.decision.outcome.map_or("pending", Outcome::as_str)));
    outputs.push(("plimsoll_outcome".to_owned(), outcomes.collect()));
    let decisions = told.iter().map(|t| json!(t.decision.id));
    outputs.push(("plimsoll_decision".to_owned(), decisions.collect()));
    let head = json!({
        "model_name": system.system.name,
        "model_version": system.deployment.release.short(),
        "id": request.id,
    });
    let (body, header_bytes) = oip_tensor::write(head, &outputs, request);
    let mut reply = respond::json_bytes(StatusCode::OK, body);
    if let Some(header_bytes) = header_bytes {
        let headers = reply.headers_mut();
        headers.insert("inference-header-content-length", header_bytes.into());
        let binary = http::HeaderValue::from_static("application/octet-stream");
        headers.insert(http::header::CONTENT_TYPE, binary);
    }
    if let [one] = told {
        respond::name_decision(&mut reply, &one.decision);
    }
    reply
}

fn answer_value(told: &Told) -> Value {
    match &told.body {
        Body::Answer(answer) => answer.value(),
        Body::Waiting(waiting) => waiting.meanwhile.clone().unwrap_or(Value::Null),
        Body::Refused(_) | Body::Stream(_) => Value::Null,
    }
}
