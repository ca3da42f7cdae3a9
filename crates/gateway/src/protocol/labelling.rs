//! `POST /v1/decisions/{id}/labels`: callers say what turned out to be true of their decisions.

use bytes::Bytes;
use http::StatusCode;
use plimsoll_core::label::{LabelSource, LabelState, LabelValue, NewLabel};
use plimsoll_core::{Code, DecisionId, LabelName, Timestamp};
use plimsoll_guard::frame::scan;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::labels::{LabelError, Labeller};
use crate::protocol::{Call, respond};
use crate::refusal::Refusal;

/// What a label without a name is called.
pub const NAME_DEFAULT: &str = "label";

/// A label as callers write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    value: Value,
    name: Option<String>,
    observed_at: Option<String>,
}

/// Several.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    labels: Vec<Written>,
}

/// Answers the call.
pub(crate) async fn handle(
    call: Call,
    id: &str,
    body: Result<Bytes, Refusal>,
) -> Result<respond::Reply, Refusal> {
    let decision: DecisionId = id
        .parse()
        .map_err(|_| Refusal::new(Code::DecisionNotFound, "this is no decision's id"))?;
    let labels = read(&call, decision, &body?)?;
    let names: Vec<LabelName> = labels.iter().map(|label| label.name.clone()).collect();
    let actor = call
        .caller
        .key
        .as_ref()
        .map_or("caller", |key| key.as_str());
    let labeller = Labeller {
        tenant: Some(&call.caller.tenant),
        unknown_of: &call.caller.tenant,
        may_use: &|system| call.caller.may_use(system),
        through: LabelSource::Caller,
        actor,
    };
    let states = call.node.label(&labeller, labels).await;
    let states = states.map_err(|error| refusal(&error))?;
    let waits = states.contains(&LabelState::Waiting);
    let told: Vec<Value> = names
        .iter()
        .zip(&states)
        .map(|(name, state)| json!({"name": name, "state": state}))
        .collect();
    let status = if waits {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    let body = json!({"decision": decision, "labels": told});
    Ok(respond::json_value(status, &body))
}

fn read(call: &Call, decision: DecisionId, bytes: &Bytes) -> Result<Vec<NewLabel>, Refusal> {
    let frame = scan(bytes, &call.snapshot.frame);
    let frame = frame.map_err(|error| Refusal::new(error.code, error.to_string()))?;
    let written = match frame.member("labels") {
        Some(_) => serde_json::from_slice::<Many>(bytes).map(|many| many.labels),
        None => serde_json::from_slice::<Written>(bytes).map(|one| vec![one]),
    };
    let written = written.map_err(|error| {
        let message = format!(
            "send `{{\"value\": …}}` with `name` and `observed_at` if need be, or `{{\"labels\": […]}}`: {error}"
        );
        Refusal::new(Code::LabelUnfit, message)
    })?;
    if written.is_empty() {
        return Err(Refusal::new(Code::LabelUnfit, "`labels` is empty"));
    }
    let one = |(index, written)| label(index, decision, written);
    written.into_iter().enumerate().map(one).collect()
}

fn label(index: usize, decision: DecisionId, written: Written) -> Result<NewLabel, Refusal> {
    let unfit = |why: String| Refusal::new(Code::LabelUnfit, format!("label {index}: {why}"));
    let name = written.name.as_deref().unwrap_or(NAME_DEFAULT);
    let name = LabelName::new(name).map_err(|error| unfit(format!("`name`: {error}")))?;
    let value = LabelValue::json(&written.value).map_err(|error| unfit(error.to_string()))?;
    let observed_at = written.observed_at.as_deref().map(Timestamp::parse);
    let observed_at = observed_at
        .transpose()
        .map_err(|error| unfit(format!("`observed_at`: {error}")))?;
    Ok(NewLabel {
        decision,
        name,
        value,
        observed_at,
    })
}

fn refusal(error: &LabelError) -> Refusal {
    let code = match error {
        LabelError::TooMany(_) | LabelError::NotYet(_) => Code::LabelUnfit,
        LabelError::WaitingFull => Code::LabelsTooMany,
        LabelError::Store(_) => Code::StoreUnavailable,
        LabelError::Record(_) => Code::RecordUnavailable,
    };
    if matches!(error, LabelError::Store(_)) {
        tracing::warn!(error = %crate::deployed::chain(error), "labels could not be taken");
        return Refusal::plain(code);
    }
    Refusal::new(code, error.to_string())
}
