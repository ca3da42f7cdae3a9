//! What is kept of inputs and outputs, as the payload policy says.

use plimsoll_core::stakes::PayloadPolicy;
use plimsoll_guard::redact::Shape;
use serde_json::Value;

use crate::answer::{Answer, Item};
use crate::exchange::Open;

/// Keeps the input aside, as far as the policy allows, until the decision is finished.
pub(crate) fn keep_input(ex: &mut Open, item: &Item) {
    ex.kept_input = match ex.system.manifest().payloads {
        PayloadPolicy::None => None,
        PayloadPolicy::Full => Some(item_bytes(item)),
        PayloadPolicy::Redacted => Some(match item {
            Item::Chat(chat) => redacted(chat.value()),
            Item::Row(row) => redacted(row),
            Item::Broken(_) => b"null".to_vec(),
        }),
    };
}

/// The payload's bytes: `{"input":…,"output":…}`; none if the policy keeps nothing.
pub(crate) fn payload(ex: &mut Open, answer: Option<&Answer>) -> Option<Vec<u8>> {
    let input = ex.kept_input.take()?;
    let output = match (ex.system.manifest().payloads, answer) {
        (PayloadPolicy::Full, Some(answer)) => answer_bytes(answer),
        (PayloadPolicy::Redacted, Some(answer)) => redacted_answer(answer),
        (PayloadPolicy::None, _) | (_, None) => b"null".to_vec(),
    };
    let mut bytes = Vec::with_capacity(input.len() + output.len() + 24);
    bytes.extend_from_slice(br#"{"input":"#);
    bytes.extend_from_slice(&input);
    bytes.extend_from_slice(br#","output":"#);
    bytes.extend_from_slice(&output);
    bytes.push(b'}');
    Some(bytes)
}

/// The item as a value: what a person in review sees.
pub(crate) fn item_value(item: &Item) -> Value {
    match item {
        Item::Row(value) => value.clone(),
        Item::Chat(chat) => chat.value().clone(),
        Item::Broken(_) => Value::Null,
    }
}

fn item_bytes(item: &Item) -> Vec<u8> {
    match item {
        Item::Chat(chat) => chat.body.to_vec(),
        Item::Row(_) | Item::Broken(_) => text_of(&item_value(item)),
    }
}

fn answer_bytes(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Chat { body, .. } => body.to_vec(),
        Answer::Value { value, .. } => text_of(value),
        Answer::Buffered { content, .. } => text_of(&Value::String(content.clone())),
        Answer::Stream(_) => b"null".to_vec(),
    }
}

fn redacted_answer(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Value { value, .. } => redacted(value),
        Answer::Chat { .. } | Answer::Buffered { .. } | Answer::Stream(_) => {
            redacted(&answer.value())
        }
    }
}

fn redacted(value: &Value) -> Vec<u8> {
    let shape = serde_json::to_vec(&Shape(value));
    shape.expect("a value's shape is JSON")
}

fn text_of(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
