//! An event of a stream with other texts: what a guard redacts, or what stood for a value that is put
//! back.
//!
//! Only an event whose text changes is written again; all others pass as they came. What tells the text
//! once more, token by token (`logprobs`), is left out of one that is.

use bytes::Bytes;
use serde_json::Value;

use super::stream::{Channel, Part};

/// The event `raw` with these texts in place of its own; none if it has no data that is an object.
pub fn event_with_texts(raw: &[u8], texts: &[(Channel, String)]) -> Option<Bytes> {
    let mut data = event_data(raw)?;
    let choices = data.get_mut("choices")?.as_array_mut()?;
    for (position, choice) in choices.iter_mut().enumerate() {
        let number = choice.get("index").and_then(Value::as_u64);
        let number = number.unwrap_or(position as u64);
        let key = if choice.get("delta").is_some() {
            "delta"
        } else {
            "message"
        };
        let mut of_this = texts
            .iter()
            .filter(|(channel, _)| u64::from(channel.choice) == number)
            .peekable();
        if of_this.peek().is_none() {
            continue;
        }
        for (channel, text) in of_this {
            put(choice.get_mut(key)?, channel.part, text);
        }
        if let Some(choice) = choice.as_object_mut() {
            choice.shift_remove("logprobs");
        }
    }
    Some(format!("data: {data}\n\n").into())
}

/// What an event holds; none if that is no JSON.
pub fn event_data(raw: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(raw).ok()?;
    let lines = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let data: Vec<&str> = lines.collect();
    serde_json::from_str(&data.join("\n")).ok()
}

fn put(message: &mut Value, part: Part, text: &str) {
    let members: &[&str] = match part {
        Part::Content => &["content"],
        Part::Reasoning => &["reasoning", "reasoning_content"],
        Part::Refusal => &["refusal"],
        Part::ToolArguments(number) => return put_arguments(message, number, text),
    };
    for member in members {
        if let Some(there) = message.get_mut(member).filter(|there| !there.is_null()) {
            *there = text.into();
        }
    }
}

fn put_arguments(message: &mut Value, number: u32, text: &str) {
    let replace = |call: Option<&mut Value>| {
        for member in ["arguments", "input"] {
            let there = call.as_ref().is_some_and(|call| call.get(member).is_some());
            if there && let Some(call) = call {
                call[member] = text.into();
                return;
            }
        }
    };
    let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
    for (position, call) in calls.into_iter().flatten().enumerate() {
        let index = call.get("index").and_then(Value::as_u64);
        if index.unwrap_or(position as u64) == u64::from(number) {
            let key = if call.get("function").is_some() {
                "function"
            } else {
                "custom"
            };
            return replace(call.get_mut(key));
        }
    }
    if number == 0 {
        replace(message.get_mut("function_call"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rewritten(choice: &Value, part: Part) -> Value {
        let chunk = json!({"id": "c", "choices": [choice], "model": "m"});
        let raw = format!("data: {chunk}\n\n");
        let channel = Channel { choice: 1, part };
        let bytes = event_with_texts(raw.as_bytes(), &[(channel, "new".to_owned())]).unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let data = text.strip_prefix("data: ").unwrap().strip_suffix("\n\n");
        let told: Value = serde_json::from_str(data.unwrap()).unwrap();
        assert_eq!((&told["id"], &told["model"]), (&json!("c"), &json!("m")));
        told["choices"][0].clone()
    }

    #[test]
    fn each_text_is_replaced_where_it_stands_and_nothing_else() {
        let choice = json!({"index": 1, "delta": {"role": "assistant", "content": "old"},
            "logprobs": {"content": [{"token": "old"}]}, "finish_reason": null});
        let told = rewritten(&choice, Part::Content);
        assert_eq!(
            told,
            json!({"index": 1, "delta": {"role": "assistant", "content": "new"}, "finish_reason": null})
        );
        let choice = json!({"index": 1, "delta": {"reasoning": "old", "reasoning_content": "old"}});
        let told = rewritten(&choice, Part::Reasoning);
        assert_eq!(
            told["delta"],
            json!({"reasoning": "new", "reasoning_content": "new"})
        );
        let choice = json!({"index": 1, "delta": {"tool_calls": [
            {"index": 0, "function": {"arguments": "old"}}, {"index": 2, "function": {"arguments": "old"}}]}});
        let told = rewritten(&choice, Part::ToolArguments(2));
        assert_eq!(
            told["delta"]["tool_calls"][0]["function"]["arguments"],
            "old"
        );
        assert_eq!(
            told["delta"]["tool_calls"][1]["function"]["arguments"],
            "new"
        );
    }

    #[test]
    fn what_is_no_chunk_is_not_rewritten() {
        assert_eq!(event_with_texts(b": comment\n\n", &[]), None);
        assert_eq!(event_with_texts(b"data: [DONE]\n\n", &[]), None);
    }
}
