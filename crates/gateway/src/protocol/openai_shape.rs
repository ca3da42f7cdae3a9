//! OpenAI's shapes: errors, chat completions and their chunks, for what no provider wrote.

use plimsoll_core::{Decision, FailureKind};
use serde_json::{Value, json};

use crate::refusal::Refusal;

/// The body of an error.
pub(crate) fn error(refusal: &Refusal) -> Value {
    let param = refusal.details.first().map(|detail| detail.field.as_str());
    let mut error = json!({
        "message": refusal.message,
        "type": error_type(refusal),
        "param": param,
        "code": refusal.code,
    });
    if !refusal.details.is_empty() {
        error["details"] = json!(refusal.details);
    }
    if let Some(limit) = &refusal.limit {
        error["limit"] = limit.json();
    }
    json!({"error": error})
}

fn error_type(refusal: &Refusal) -> &'static str {
    match (refusal.code.status(), refusal.code.kind()) {
        (401, _) => "authentication_error",
        (403, _) => "permission_error",
        (404, _) => "not_found_error",
        (429, Some(FailureKind::OverBudget)) => "insufficient_quota",
        (429, _) => "rate_limit_error",
        (400..=499, _) => "invalid_request_error",
        _ => "server_error",
    }
}

/// A chat completion that says `value`: a text as it is, anything else as JSON.
pub(crate) fn completion(decision: &Decision, value: &Value) -> Value {
    json!({
        "id": format!("chatcmpl-{}", decision.id),
        "object": "chat.completion",
        "created": decision.opened_at.as_millis() / 1000,
        "model": decision.system,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": text_of(value), "refusal": null},
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": usage(decision),
    })
}

/// The same as the events of a stream, without the final `[DONE]`.
pub(crate) fn completion_events(decision: &Decision, value: &Value, usage_asked: bool) -> String {
    let head = |choices: Value| {
        json!({
            "id": format!("chatcmpl-{}", decision.id),
            "object": "chat.completion.chunk",
            "created": decision.opened_at.as_millis() / 1000,
            "model": decision.system,
            "choices": choices,
        })
    };
    let choice = |delta: Value, finish: Option<&str>| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
    let content = json!({"role": "assistant", "content": text_of(value)});
    let mut events = event(&head(choice(content, None)));
    events.push_str(&event(&head(choice(json!({}), Some("stop")))));
    if usage_asked {
        let mut last = head(json!([]));
        last["usage"] = usage(decision);
        events.push_str(&event(&last));
    }
    events
}

/// One server-sent event.
pub(crate) fn event(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn usage(decision: &Decision) -> Value {
    let used = decision.attempts.iter().filter_map(|attempt| attempt.usage);
    let (input, output) = used.fold((0, 0), |(i, o), usage| {
        (i + usage.input_tokens, o + usage.output_tokens)
    });
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output})
}
