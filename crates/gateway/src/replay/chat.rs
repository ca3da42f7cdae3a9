//! A kept chat completion, read again for what of it reaches the caller as text. The same reading as of
//! the provider's own bytes when they came ([`plimsoll_models::ChatReply`]).

use bytes::Bytes;
use serde_json::Value;

use crate::answer::Answer;

/// The answer that a completion is.
pub(super) fn answer(body: &Value) -> Answer {
    let (mut content, mut more_texts) = (None, Vec::new());
    let choices = body["choices"].as_array().into_iter().flatten();
    for (position, choice) in choices.enumerate() {
        let is_first = choice["index"]
            .as_u64()
            .map_or(position == 0, |index| index == 0);
        let message = match &choice["message"] {
            Value::Null => &choice["delta"],
            message => message,
        };
        let said = text(&message["content"]);
        if is_first {
            content = said;
        } else {
            more_texts.extend(said);
        }
        more_texts.extend(text(&message["refusal"]));
        let reasoning = text(&message["reasoning"]);
        more_texts.extend(reasoning.or_else(|| text(&message["reasoning_content"])));
        more_texts.extend(arguments(message));
    }
    Answer::Chat {
        body: Bytes::from(body.to_string()),
        content,
        more_texts,
    }
}

/// What a completion says, or else the value itself: a text that is JSON becomes what it says.
pub(super) fn says(output: &Value) -> Value {
    match output.get("choices") {
        Some(Value::Array(_)) => answer(output).value(),
        _ => output.clone(),
    }
}

/// The arguments of its tool calls.
fn arguments(message: &Value) -> Vec<String> {
    let calls = message["tool_calls"].as_array().into_iter().flatten();
    let functions = calls.map(|call| match &call["function"] {
        Value::Null => &call["custom"],
        function => function,
    });
    let functions = functions.chain([&message["function_call"]]);
    let given = functions.filter_map(|function| match &function["arguments"] {
        Value::Null => text(&function["input"]),
        arguments => text(arguments),
    });
    given.collect()
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
    fn every_text_that_reached_the_caller_is_read_again() {
        let body = json!({"choices": [
            {"index": 1, "message": {"content": "second"}},
            {"index": 0, "message": {"content": [{"text": "a"}, {"type": "x"}, {"text": "b"}],
                "refusal": "no", "reasoning_content": "hm", "tool_calls": [
                    {"function": {"name": "f", "arguments": "{\"a\":1}"}},
                    {"custom": {"input": {"b": 2}}}
                ]}},
        ]});
        let Answer::Chat {
            content,
            more_texts,
            ..
        } = answer(&body)
        else {
            panic!("a completion is a chat answer")
        };
        assert_eq!(content.as_deref(), Some("ab"));
        assert_eq!(more_texts, ["second", "no", "hm", "{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(says(&body), json!("ab"));
        assert_eq!(says(&json!({"decision": "approve"}))["decision"], "approve");
    }
}
