//! `GET /v1/models` and `GET /v1/models/{id}`: the systems that a key may use.

use http::StatusCode;
use plimsoll_core::Code;
use serde_json::{Value, json};

use crate::deployed::Deployed;
use crate::protocol::{Call, respond};
use crate::refusal::Refusal;

/// The list.
pub(crate) fn list(call: &Call) -> respond::Reply {
    let systems = call
        .snapshot
        .systems
        .iter()
        .filter(|(name, _)| call.caller.may_use(name));
    let running = systems.filter_map(|(_, slots)| slots.stable.running());
    let data: Vec<Value> = running.map(|deployed| model(deployed)).collect();
    respond::json_value(StatusCode::OK, &json!({"object": "list", "data": data}))
}

/// One of them.
pub(crate) fn one(call: &Call, name: &str) -> respond::Reply {
    match call.look_at(name) {
        Ok(deployed) => respond::json_value(StatusCode::OK, &model(&deployed)),
        Err(refusal) if refusal.code == Code::SystemForbidden => {
            let hidden = Refusal::new(Code::SystemNotFound, format!("there is no system `{name}`"));
            respond::refuse(call.protocol, &hidden)
        }
        Err(refusal) => respond::refuse(call.protocol, &refusal),
    }
}

fn model(deployed: &Deployed) -> Value {
    json!({
        "id": deployed.system.name,
        "object": "model",
        "created": deployed.deployment.at.as_millis() / 1000,
        "owned_by": deployed.system.owner.team.as_deref().unwrap_or("plimsoll"),
    })
}
