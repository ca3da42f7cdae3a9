//! A kept chat completion, read again for what of it reaches the caller as text. The same reading as of
//! the provider's own bytes when they came ([`plimsoll_models::ChatReply`]).

use bytes::Bytes;
use serde_json::Value;

use crate::answer::Answer;

/// The answer that a completion is.
pub(super) fn answer(body: &Value) -> Answer {
    let choices = body["choices"].as_array().into_iter().flatten();
    let first = choices.enumerate().filter(|(position, choice)| {
        let index = choice["index"].as_u64();
        index.map_or(*position == 0, |index| index == 0)
    });
    let message = first.last().map(|(_, choice)| match &choice["message"] {
        Value::Null => &choice["delta"],
        message => message,
    });
    Answer::Chat {
        body: Bytes::from(body.to_string()),
        content: message.and_then(|message| text(&message["content"])),
        is_only_content: false,
    }
}

/// What a completion says, or else the value itself: a text that is JSON becomes what it says.
pub(super) fn says(output: &Value) -> Value {
    match output.get("choices") {
        Some(Value::Array(_)) => answer(output).value(),
        _ => output.clone(),
    }
}

/// A text that is not empty: as it is, in parts, or as the JSON that a server wrote in its place.
fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        Value::Object(_) => value.to_string(),
        Value::Null | Value::Bool(_) | Value::Number(_) => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_first_choice_said_is_read_again() {
        let body = json!({"choices": [
            {"index": 1, "message": {"content": "second"}},
            {"index": 0, "message": {"content": [{"text": "a"}, {"type": "x"}, {"text": "b"}],
                "refusal": "no", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}},
        ]});
        let Answer::Chat { content, .. } = answer(&body) else {
            panic!("a completion is a chat answer")
        };
        assert_eq!(content.as_deref(), Some("ab"));
        assert_eq!(says(&body), json!("ab"));
        assert_eq!(says(&json!({"decision": "approve"}))["decision"], "approve");
    }
}
