//! Texts that strangers may have written, marked on their way to a language model.
//!
//! Guards judge what came; the model gets it marked, with an instruction at the end of the system
//! message. The marker is made of the decision's id, which is random and nobody knows before. What the
//! operator, the caller and the model wrote passes as it came.

use std::collections::BTreeSet;

use plimsoll_core::manifest::{Mode, SpotlightMethod};
use plimsoll_core::{Code, Digest};
use plimsoll_guard::spotlight::{Method, Spotlight};
use serde_json::{Value, json};

use super::input::with_members;
use super::texts;
use crate::answer::{ChatItem, Request};
use crate::exchange::Open;
use crate::failure::Failure;
use crate::stage::screen::row_request;

/// The name that records carry.
const CONTROL: &str = "spotlight";

/// The request with its untrusted texts marked; none if there is nothing to mark. In observe mode
/// nothing is changed.
pub(crate) fn mark_untrusted(ex: &mut Open, request: &Request) -> Result<Option<Request>, Failure> {
    let system = std::sync::Arc::clone(&ex.system);
    let input = &system.manifest().input;
    let Some(method) = input
        .spotlight
        .filter(|_| ex.decision.mode == Mode::Enforce)
    else {
        return Ok(None);
    };
    let seed = format!("spotlight {}", ex.decision.id);
    let spotlight = Spotlight::new(as_marked(method), *Digest::of(seed.as_bytes()).as_bytes());
    let marked = match request {
        Request::Row(_) => None,
        Request::Prompt { variables, .. } => {
            let mut marked = variables.clone();
            let mut count = 0;
            for name in &input.retrieved {
                count += marked
                    .get_mut(name)
                    .map_or(0, |value| mark_all(value, &spotlight));
            }
            let rendered = (count > 0)
                .then(|| row_request(&system, marked))
                .transpose()?;
            let item = rendered.as_ref().and_then(Request::chat);
            let item = item.map(|item| changed(item, item.value().clone(), &spotlight));
            let request = item.transpose()?.map(|item| Request::Prompt {
                variables: variables.clone(),
                item,
            });
            request.map(|request| (count, request))
        }
        Request::Chat(item) => {
            let mut body = item.value().clone();
            let texts = texts::of_chat(item.value(), &input.retrieved);
            let untrusted = texts.iter().filter(|at| at.is_untrusted_content());
            let count = untrusted
                .filter(|at| texts::put(&mut body, at, &spotlight.mark(&at.text)))
                .count();
            let item = (count > 0).then(|| changed(item, body, &spotlight));
            item.transpose()?.map(|item| (count, Request::Chat(item)))
        }
    };
    Ok(marked.map(|(count, request)| {
        let names = ["messages", texts::DOCUMENTS].into_iter().filter(|name| {
            let body = request.chat().map(ChatItem::value);
            body.is_some_and(|body| body.get(name).is_some())
        });
        for name in names.map(str::to_owned) {
            if matches!(request, Request::Chat(_)) && !ex.decision.spliced.contains(&name) {
                ex.decision.spliced.push(name);
            }
        }
        let finding = format!("{} ×{count}", method.as_str());
        ex.note_findings(CONTROL, None, Some(finding), Vec::new());
        request
    }))
}

const fn as_marked(method: SpotlightMethod) -> Method {
    match method {
        SpotlightMethod::Delimit => Method::Delimit,
        SpotlightMethod::Datamark => Method::Datamark,
        SpotlightMethod::Encode => Method::Encode,
    }
}

/// Marks every text in a value, and counts them.
fn mark_all(value: &mut Value, spotlight: &Spotlight) -> usize {
    match value {
        Value::String(text) => {
            *text = spotlight.mark(text);
            1
        }
        Value::Array(items) => items.iter_mut().map(|item| mark_all(item, spotlight)).sum(),
        Value::Object(members) => {
            let members = members.values_mut();
            members.map(|member| mark_all(member, spotlight)).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// The item with the members of `body` that hold texts, and the model told what marks are.
fn changed(item: &ChatItem, mut body: Value, spotlight: &Spotlight) -> Result<ChatItem, Failure> {
    let lost = || Failure::new(Code::ControlFailed, "untrusted texts could not be marked");
    let messages = body.get_mut("messages").and_then(Value::as_array_mut);
    instruct(messages.ok_or_else(lost)?, &spotlight.instruction());
    let mut members = BTreeSet::from(["messages".to_owned()]);
    if body.get(texts::DOCUMENTS).is_some() {
        members.insert(texts::DOCUMENTS.to_owned());
    }
    Ok(ChatItem {
        body: with_members(&item.body, &body, &members).ok_or_else(lost)?,
        parsed: std::sync::Arc::default(),
        ..item.clone()
    })
}

/// Adds the instruction to the system message at the start, or one that says only this.
fn instruct(messages: &mut Vec<Value>, instruction: &str) {
    let first = messages.first_mut().filter(|message| {
        let role = message.get("role").and_then(Value::as_str);
        matches!(role, Some("system" | "developer"))
    });
    match first.and_then(|message| message.get_mut("content")) {
        Some(Value::String(content)) => {
            content.push_str("\n\n");
            content.push_str(instruction);
        }
        Some(Value::Array(parts)) => parts.push(json!({"type": "text", "text": instruction})),
        _ => messages.insert(0, json!({"role": "system", "content": instruction})),
    }
}
