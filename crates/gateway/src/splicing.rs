//! What is changed in a chat request on its way: named values only, each noted in the record; all
//! other bytes pass as they came.

use bytes::Bytes;
use plimsoll_core::manifest::{ModelSpec, OpenaiSpec};
use plimsoll_core::{Code, ModelName};
use plimsoll_guard::frame::{FrameLimits, scan};
use plimsoll_guard::splice::Splice;
use plimsoll_models::openai;
use serde_json::Value;

use crate::answer::ChatItem;
use crate::exchange::Open;
use crate::failure::Failure;

/// The body that goes to `name`: `model`, what the operator fixed, a clamped bound on the answer,
/// and usage at the end of a stream.
pub(crate) fn chat_body(
    ex: &mut Open,
    name: &ModelName,
    item: &ChatItem,
) -> Result<Bytes, Failure> {
    let system = std::sync::Arc::clone(&ex.system);
    let Some(ModelSpec::Openai(spec)) = system.manifest().models.get(name) else {
        return Err(Failure::plain(Code::Internal));
    };
    let (body, mut names) = splice(spec, item)?;
    names.retain(|spliced| !ex.decision.spliced.contains(spliced));
    ex.decision.spliced.append(&mut names);
    Ok(body)
}

fn splice(spec: &OpenaiSpec, item: &ChatItem) -> Result<(Bytes, Vec<String>), Failure> {
    let limits = FrameLimits {
        bytes_max: usize::MAX,
        ..FrameLimits::default()
    };
    let frame = scan(&item.body, &limits).map_err(|_| Failure::plain(Code::Internal))?;
    let text = |value: &Value| value.to_string();
    let mut splice = Splice::new(&frame).set("model", text(&Value::from(spec.model.as_str())));
    for (parameter, value) in &spec.parameters {
        splice = splice.set(parameter, text(value));
    }
    if let Some(max) = spec.max_output_tokens {
        // Servers differ in which of the two they heed: each that is there is clamped.
        for parameter in ["max_completion_tokens", "max_tokens"] {
            let asked = frame.member(parameter).map(|member| frame.parsed(member));
            if asked.is_some_and(|asked| asked.as_u64().is_none_or(|asked| asked > max.into())) {
                splice = splice.set(parameter, max.to_string());
            }
        }
        if item.max_tokens.is_none() {
            splice = splice.set(openai::output_limit_key(spec), max.to_string());
        }
    }
    if item.stream && !item.usage_asked {
        splice = splice.set("stream_options", r#"{"include_usage":true}"#.to_owned());
    }
    let (bytes, names) = splice.finish();
    Ok((Bytes::from(bytes), names))
}

/// The most tokens that all answers to `item` together may have; none if nothing bounds them.
pub(crate) fn answer_max(ex: &Open, name: &ModelName, item: &ChatItem) -> Option<u64> {
    let Some(ModelSpec::Openai(spec)) = ex.system.manifest().models.get(name) else {
        return None;
    };
    let asked = item.max_tokens.map(|(_, asked)| asked);
    let each = match (spec.max_output_tokens.map(u64::from), asked) {
        (Some(max), Some(asked)) => Some(max.min(asked)),
        (max, asked) => max.or(asked),
    };
    let fixed = spec.parameters.get("n").and_then(Value::as_u64);
    each.map(|each| each.saturating_mul(fixed.unwrap_or(item.choices).max(1)))
}

/// The conversation in which a model is asked to mend its answer; never a stream.
pub(crate) fn repair_body(
    ex: &mut Open,
    name: &ModelName,
    item: &ChatItem,
    said: &str,
    complaints: &[String],
) -> Result<Bytes, Failure> {
    let body = openai::repair_body(&item.body, said, complaints);
    let body = body.map_err(|_| Failure::plain(Code::Internal))?;
    let item = ChatItem {
        max_tokens: item.max_tokens,
        choices: item.choices,
        ..ChatItem::plain(body)
    };
    chat_body(ex, name, &item)
}
