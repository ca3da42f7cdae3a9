//! The boundary of an agent: which tools an answer may call, with what, and after having read what.
//!
//! The call is judged before the caller is told of it. Once the conversation holds what strangers may
//! have written (the results of tools, roles that nobody knows), a tool with external effect is withheld:
//! that is `adversarial`, and its ladder decides, by a person say. All else that a call may not is `wrong`.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll_core::decision::GuardFinding;
use plimsoll_core::manifest::{GuardAction, ToolEffect, ToolSpec};
use plimsoll_core::{Code, Digest};
use plimsoll_guard::tools::{Effect, Provenance, Taint, Tool, ToolRefusal, Tools};
use plimsoll_guard::url_policy::UrlPolicy;
use plimsoll_models::openai::{StreamEvent, event_data};
use serde_json::{Value, json};

use super::texts;
use crate::exchange::Open;
use crate::failure::Failure;

/// The name that records carry.
pub(crate) const CONTROL: &str = "guard:tools";
/// The most calls in an answer that are judged; more are refused.
const CALLS_MAX: usize = 256;

/// A call that an answer makes.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct ToolCall {
    /// Where it stands, for records.
    pub(super) part: String,
    pub(super) name: String,
    /// JSON, as the model wrote it.
    pub(super) arguments: String,
}

/// Compiles the tools of a release.
pub(crate) fn compile(
    specs: &BTreeMap<String, ToolSpec>,
    blob: &dyn Fn(Digest) -> Option<Arc<[u8]>>,
) -> Result<Tools, String> {
    let mut tools = Tools::new();
    for (name, spec) in specs {
        let told = |reason: String| format!("tool `{name}` cannot be built: {reason}");
        let schema = match spec.arguments {
            None => json!({"type": "object", "additionalProperties": true}),
            Some(digest) => {
                let bytes = blob(digest).ok_or_else(|| told(super::missing(digest)))?;
                serde_json::from_slice(&bytes).map_err(|error| told(error.to_string()))?
            }
        };
        let effect = match spec.effect {
            ToolEffect::None => Effect::None,
            ToolEffect::External => Effect::External,
        };
        let mut tool = Tool::new(&schema, effect).map_err(|error| told(error.to_string()))?;
        if let Some(policy) = &spec.policy {
            let with = tool.with_policy(policy);
            tool = with.map_err(|error| told(error.to_string()))?;
        }
        tools = tools.with(name, tool.with_urls(urls(spec)));
    }
    Ok(tools)
}

fn urls(spec: &ToolSpec) -> UrlPolicy {
    UrlPolicy {
        hosts: spec.hosts.clone(),
        ..UrlPolicy::https([])
    }
}

/// What the conversation has taken up: messages, parts and documents that others than operator, user
/// and model wrote.
pub(super) fn taint(body: &Value, retrieved: &[String]) -> Taint {
    let list = |key: &str| {
        body.get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let mut taint = Taint::default();
    for message in list("messages") {
        let provenance = texts::provenance(message, retrieved);
        taint.add(provenance);
        let parts = message.get("content").and_then(Value::as_array);
        for part in parts.into_iter().flatten() {
            taint.add(provenance.of_part(part.get("type").and_then(Value::as_str)));
        }
    }
    if list(texts::DOCUMENTS).next().is_some() {
        taint.add(Provenance::Retrieved);
    }
    taint
}

/// What the variables of a prompt bring along: those that were retrieved.
pub(super) fn taint_of_row(row: &Value, retrieved: &[String]) -> Taint {
    let is_there = |name: &String| row.get(name).is_some_and(|value| !value.is_null());
    Taint::of(
        retrieved
            .iter()
            .filter(|name| is_there(name))
            .map(|_| Provenance::Retrieved),
    )
}

/// The calls of a completion's choices.
pub(super) fn calls_of(completion: &Value) -> Vec<ToolCall> {
    let mut calls = Vec::new();
    let choices = completion.get("choices").and_then(Value::as_array);
    for (choice, value) in choices.into_iter().flatten().enumerate() {
        let Some(message) = value.get("message") else {
            continue;
        };
        let listed = message.get("tool_calls").and_then(Value::as_array);
        for (number, call) in listed.into_iter().flatten().enumerate() {
            let part = format!("choices[{choice}].message.tool_calls[{number}]");
            calls.push(one_call(part, called(call)));
        }
        if let Some(function) = message.get("function_call").filter(|call| !call.is_null()) {
            let part = format!("choices[{choice}].message.function_call");
            calls.push(one_call(part, Some(function)));
        }
    }
    calls
}

fn called(call: &Value) -> Option<&Value> {
    call.get("function").or_else(|| call.get("custom"))
}

fn one_call(part: String, function: Option<&Value>) -> ToolCall {
    let text = |key: &str| match function.and_then(|function| function.get(key)) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let arguments = text("arguments");
    ToolCall {
        part,
        name: text("name"),
        arguments: if arguments.is_empty() {
            text("input")
        } else {
            arguments
        },
    }
}

/// The calls of a stream that was read to its end.
pub(super) fn calls_in(events: &[StreamEvent]) -> Vec<ToolCall> {
    let mut gathered = Gathered::default();
    for event in events.iter().filter(|event| event.has_tool_calls) {
        gathered.take(&event_data(&event.raw).unwrap_or_default());
    }
    gathered.0.into_values().collect()
}

/// The calls of a stream, as they are put together from its events.
#[derive(Debug, Default)]
struct Gathered(BTreeMap<(u64, u64), ToolCall>);

impl Gathered {
    /// Takes up the pieces of calls in an event's data.
    fn take(&mut self, chunk: &Value) {
        let choices = chunk.get("choices").and_then(Value::as_array);
        for (position, choice) in choices.into_iter().flatten().enumerate() {
            let number = choice.get("index").and_then(Value::as_u64);
            let number = number.unwrap_or(position as u64);
            let delta = choice.get("delta").or_else(|| choice.get("message"));
            let listed = delta.and_then(|delta| delta.get("tool_calls")?.as_array());
            for (position, call) in listed.into_iter().flatten().enumerate() {
                let index = call.get("index").and_then(Value::as_u64);
                let index = index.unwrap_or(position as u64);
                let part = format!("choices[{number}].tool_calls[{index}]");
                self.add((number, index), one_call(part, called(call)));
            }
            let older = delta.and_then(|delta| delta.get("function_call"));
            if let Some(function) = older.filter(|call| !call.is_null()) {
                let part = format!("choices[{number}].function_call");
                self.add((number, u64::MAX), one_call(part, Some(function)));
            }
        }
    }

    fn add(&mut self, key: (u64, u64), piece: ToolCall) {
        if self.0.len() > CALLS_MAX {
            return;
        }
        let call = self.0.entry(key).or_insert_with(|| ToolCall {
            part: piece.part,
            ..ToolCall::default()
        });
        call.name.push_str(&piece.name);
        call.arguments.push_str(&piece.arguments);
    }
}

/// Judges the calls of an answer, and notes in the record what came of it. The first that may not be
/// made says why.
pub(super) fn judge(ex: &mut Open, calls: &[ToolCall]) -> Result<(), Failure> {
    let system = Arc::clone(&ex.system);
    let Some(tools) = &system.tools else {
        return Ok(());
    };
    let mut findings = Vec::new();
    let mut failure: Option<Failure> = None;
    if calls.len() > CALLS_MAX {
        failure = Some(Failure::new(
            Code::ToolRefused,
            format!("the answer calls more than {CALLS_MAX} tools"),
        ));
    }
    for call in calls.iter().take(CALLS_MAX) {
        let arguments = match call.arguments.trim() {
            "" => Some(json!({})),
            text => texts::json_within(text),
        };
        let arguments = arguments.unwrap_or(Value::Null);
        // Judged is what the caller gets: with the values that went upstream as placeholders.
        let arguments = match &ex.guarded.vault {
            Some(vault) => vault.restore_value(&arguments),
            None => arguments,
        };
        let Err(refusal) = tools.judge(&call.name, &arguments, ex.guarded.taint) else {
            continue;
        };
        let (code, rule) = told(&refusal);
        let finding = format!("{rule} {}", call.part);
        findings.push(GuardFinding {
            rule: rule.to_owned(),
            part: call.part.clone(),
            start: 0,
            end: call.arguments.len() as u64,
            score: 1.0,
            action: GuardAction::Block,
            shadow: false,
        });
        failure.get_or_insert_with(|| {
            let mut failure = Failure::new(code, refusal.to_string());
            failure.finding = Some(finding);
            failure
        });
    }
    findings.truncate(super::FINDINGS_MAX);
    let (code, finding) = failure.as_ref().map_or((None, None), |failure| {
        (Some(failure.code()), failure.finding.clone())
    });
    ex.note_findings(CONTROL, code, finding, findings);
    failure.map_or(Ok(()), Err)
}

const fn told(refusal: &ToolRefusal) -> (Code, &'static str) {
    match refusal {
        ToolRefusal::NotAllowed => (Code::ToolRefused, "tool/not-allowed"),
        ToolRefusal::NotAnObject | ToolRefusal::Schema(_) => (Code::ToolRefused, "tool/arguments"),
        ToolRefusal::Policy => (Code::ToolRefused, "tool/policy"),
        ToolRefusal::Url(_) => (Code::ToolRefused, "tool/url"),
        ToolRefusal::Tainted(_) => (Code::ToolWithheld, "tool/tainted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_of_a_stream_are_those_of_its_whole() {
        let whole = json!({"choices": [{"message": {"tool_calls": [
            {"function": {"name": "look", "arguments": "{\"a\":1}"}},
            {"function": {"name": "send", "arguments": "{}"}}]}}]});
        let delta =
            |calls: Value| json!({"choices": [{"index": 0, "delta": {"tool_calls": calls}}]});
        let mut gathered = Gathered::default();
        for calls in [
            json!([{"index": 0, "function": {"name": "look", "arguments": ""}}]),
            json!([{"index": 0, "function": {"arguments": "{\"a\""}}]),
            json!([{"index": 1, "function": {"name": "send", "arguments": "{"}},
                {"index": 0, "function": {"arguments": ":1}"}}]),
            json!([{"index": 1, "function": {"arguments": "}"}}]),
        ] {
            gathered.take(&delta(calls));
        }
        let said = |calls: Vec<ToolCall>| -> Vec<(String, String)> {
            let calls = calls.into_iter();
            calls.map(|call| (call.name, call.arguments)).collect()
        };
        assert_eq!(
            said(gathered.0.into_values().collect()),
            said(calls_of(&whole))
        );
    }

    #[test]
    fn a_conversation_is_tainted_by_what_tools_and_strangers_said() {
        let of = |roles: &[&str]| {
            let messages: Vec<Value> = roles.iter().map(|role| json!({"role": role})).collect();
            taint(&json!({"messages": messages}), &[]).source()
        };
        assert_eq!(of(&["system", "user", "assistant"]), None);
        assert_eq!(of(&["user", "tool", "user"]), Some(Provenance::Tool));
        assert_eq!(of(&["user", "wizard"]), Some(Provenance::Tool));
        let names = ["library".to_owned()];
        let of = |body: Value| taint(&body, &names).source();
        let retrieved = Some(Provenance::Retrieved);
        let named = |name: &str| json!({"messages": [{"role": "user", "name": name}]});
        assert_eq!((of(named("library")), of(named("ada"))), (retrieved, None));
        let part = json!({"messages": [{"role": "user", "content": [{"type": "document"}]}]});
        assert_eq!(of(part), retrieved);
        assert_eq!(of(json!({"messages": [], "documents": [{}]})), retrieved);
        let row = |row: Value| taint_of_row(&row, &names).source();
        assert_eq!(
            row(json!({"library": "a page", "question": "?"})),
            retrieved
        );
        assert_eq!(row(json!({"library": null, "question": "?"})), None);
    }
}
