//! What is kept of inputs and outputs, as the payload policy says.

use plimsoll_core::stakes::PayloadPolicy;
use plimsoll_guard::redact::{Shape, shape_of_json};
use serde_json::Value;

use crate::answer::{Answer, Item};
use crate::exchange::Open;
use crate::failure::Failure;

/// Keeps the input aside, as far as the policy allows, until the decision is finished.
pub(crate) fn keep_input(ex: &mut Open, item: &Item) {
    ex.kept_input = match ex.system.manifest().payloads {
        PayloadPolicy::None => None,
        PayloadPolicy::Full => Some(item_bytes(item)),
        PayloadPolicy::Redacted => Some(match item {
            Item::Chat(chat) => match chat.parsed.get() {
                Some(value) => redacted(value),
                None => shape_of_json(&chat.body).unwrap_or_else(|| b"null".to_vec()),
            },
            Item::Row(row) => redacted(row),
            Item::Broken(_) => b"null".to_vec(),
        }),
    };
}

/// The most bytes of answers that were not cleared: past that they are left out, and the decision
/// cannot be replayed.
const UNCLEARED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Keeps an answer aside that was not cleared, if the policy keeps everything: a replay needs to know
/// what was said. The answer that is given in the end stands as the output.
pub(crate) fn keep_uncleared(ex: &mut Open, failure: &Failure) {
    let Some(uncleared) = &failure.uncleared else {
        return;
    };
    if ex.system.manifest().payloads == PayloadPolicy::Full {
        let number = ex.decision.attempts.len().saturating_sub(1);
        ex.uncleared.push((number, attempt_bytes(&uncleared.1)));
    }
}

/// The payload of a decision that waits for a person, if models have said something that is kept.
pub(crate) fn so_far(ex: &Open) -> Option<Vec<u8>> {
    let input = ex.kept_input.as_ref()?;
    let attempts = attempts(ex)?;
    Some(written(input, b"null", Some(&attempts)))
}

/// The payload's bytes: `{"input":…,"output":…}`, and `attempts` if some were not cleared; none if the
/// policy keeps nothing.
pub(crate) fn payload(ex: &mut Open, answer: Option<&Answer>) -> Option<Vec<u8>> {
    let input = ex.kept_input.take()?;
    let output = match (ex.system.manifest().payloads, answer) {
        (PayloadPolicy::Full, Some(answer)) => answer_bytes(answer),
        (PayloadPolicy::Redacted, Some(answer)) => redacted_answer(answer),
        (PayloadPolicy::None, _) | (_, None) => b"null".to_vec(),
    };
    let attempts = attempts(ex);
    Some(written(&input, &output, attempts.as_deref()))
}

fn written(input: &[u8], output: &[u8], attempts: Option<&[u8]>) -> Vec<u8> {
    let more = attempts.map_or(0, |attempts| attempts.len() + 12);
    let mut bytes = Vec::with_capacity(input.len() + output.len() + more + 24);
    bytes.extend_from_slice(br#"{"input":"#);
    bytes.extend_from_slice(input);
    bytes.extend_from_slice(br#","output":"#);
    bytes.extend_from_slice(output);
    if let Some(attempts) = attempts {
        bytes.extend_from_slice(br#","attempts":"#);
        bytes.extend_from_slice(attempts);
    }
    bytes.push(b'}');
    bytes
}

/// What each attempt's model said, in their order, null for those that failed or stand as the output;
/// none if there is nothing but these.
fn attempts(ex: &Open) -> Option<Vec<u8>> {
    let bytes: usize = ex.uncleared.iter().map(|(_, said)| said.len()).sum();
    if bytes == 0 || bytes > UNCLEARED_BYTES_MAX {
        return None;
    }
    let said = |number| ex.uncleared.iter().find(|(of, _)| *of == number);
    let mut list = Vec::with_capacity(bytes + 8 * ex.decision.attempts.len());
    for number in 0..ex.decision.attempts.len() {
        list.push(if number == 0 { b'[' } else { b',' });
        list.extend_from_slice(said(number).map_or(b"null", |(_, said)| said));
    }
    list.push(b']');
    Some(list)
}

/// An answer of a model, with what is needed to give it again: a provider's own bytes, a stream's text,
/// or a value and how sure the model was.
fn attempt_bytes(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Value { value, confidence } => {
            text_of(&serde_json::json!({"value": value, "confidence": confidence}))
        }
        Answer::Chat { .. } | Answer::Buffered { .. } | Answer::Stream(_) => answer_bytes(answer),
    }
}

/// The item as a value: what a person in review sees.
pub(crate) fn item_value(item: &Item) -> Value {
    match item {
        Item::Row(value) => value.clone(),
        Item::Chat(chat) => chat.value().clone(),
        Item::Broken(_) => Value::Null,
    }
}

/// An answer as the output under which it is kept in full.
pub(crate) fn output(answer: &Answer) -> Value {
    serde_json::from_slice(&answer_bytes(answer)).unwrap_or(Value::Null)
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
