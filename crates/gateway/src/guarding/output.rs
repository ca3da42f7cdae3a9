//! What is answered, judged text by text, and redacted before anybody is told; and values that were
//! taken out of the input, put back once the answer is recorded.

use std::sync::Arc;

use plimsoll_core::Code;
use plimsoll_core::manifest::Mode;
use plimsoll_guard::finding::{Action, Finding};
use plimsoll_guard::tools::Provenance;
use plimsoll_guard::vault::Vault;
use plimsoll_models::openai::StreamEvent;
use serde_json::Value;

use super::texts::{self, TextAt};
use super::weave::{Stop, Weave};
use super::{Side, Tally, tools};
use crate::answer::Answer;
use crate::exchange::Open;
use crate::failure::Failure;

/// Judges the texts of an answer by each guard in turn, and replaces what is to be redacted. A stream
/// that has begun is judged as it goes.
pub(crate) fn clear_texts(ex: &mut Open, answer: &mut Answer) -> Result<(), Failure> {
    if ex.system.output_guards.is_empty() && ex.system.tools.is_none() {
        return Ok(());
    }
    match answer {
        Answer::Stream(_) => Ok(()),
        Answer::Buffered { events, content } => {
            let mut weave = Weave::new(ex, false).keeping(usize::MAX);
            let passed = pass_all(&mut weave, std::mem::take(events));
            if let Some(redacted) = weave.redacted() {
                *content = redacted;
            }
            weave.note(ex);
            *events = passed.map_err(|Stop(failure)| failure)?;
            tools::judge(ex, &tools::calls_in(events))
        }
        Answer::Value { value, .. } => {
            let texts = texts::of_value(value, "answer", Provenance::Assistant, &|_| false);
            let found = judged(ex, &texts)?;
            redact(ex, value, &texts, &found)?;
            tools::judge(ex, &[])
        }
        Answer::Chat {
            body,
            content,
            is_only_content,
        } => {
            // Most answers are one text, which was read when they came: their bytes are not read again.
            let mut value = None;
            let texts = match content {
                Some(said) if *is_only_content => vec![TextAt::of_content(said)],
                _ => texts::of_completion(value.insert(completion(body)?)),
            };
            tools::judge(ex, &value.as_ref().map_or_else(Vec::new, tools::calls_of))?;
            let found = judged(ex, &texts)?;
            if found.iter().all(Vec::is_empty) {
                return Ok(());
            }
            let mut value = value.map_or_else(|| completion(body), Ok)?;
            redact(ex, &mut value, &texts, &found)?;
            drop_logprobs(&mut value);
            *body = value.to_string().into();
            *content = content.is_some().then(|| first_text(&value));
            Ok(())
        }
    }
}

fn completion(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body).map_err(|_| Failure::plain(Code::ModelProtocol))
}

/// What the first choice of a completion says.
fn first_text(completion: &Value) -> String {
    let mut told = texts::of_completion(completion);
    told.retain(|at| at.can_change() && at.part.starts_with("choices[0].message.content"));
    told.into_iter().map(|at| at.text).collect()
}

fn pass_all(weave: &mut Weave, events: Vec<StreamEvent>) -> Result<Vec<StreamEvent>, Stop> {
    let mut passed = Vec::with_capacity(events.len());
    let mut last = None;
    for event in events {
        // The end is told behind all that was held back.
        if event.done {
            last = Some(event);
        } else {
            passed.extend(weave.push(event)?);
        }
    }
    passed.extend(weave.finish()?);
    passed.extend(last);
    Ok(passed)
}

/// What is to be redacted of each text. Fails if the answer may not be told.
fn judged(ex: &mut Open, texts: &[TextAt]) -> Result<Vec<Vec<Finding>>, Failure> {
    let system = Arc::clone(&ex.system);
    let mut to_redact = vec![Vec::new(); texts.len()];
    for guard in &system.output_guards {
        let known = ex.guarded.prompt.as_ref();
        let judge = known.map_or_else(
            || guard.judge.clone(),
            |prompt| guard.judge.knowing(Arc::clone(prompt)),
        );
        let mut tally = Tally::default();
        for (number, at) in texts.iter().enumerate() {
            let judgement = judge.judge(&at.text, at.direction());
            tally.take(&at.part, &judgement);
            let found = judgement.found.into_iter();
            let redacted = found.filter(|one| one.is_to(Action::Redact));
            let before = to_redact[number].len();
            to_redact[number].extend(redacted.map(|one| one.finding));
            tally.fails_closed |= !at.can_change() && to_redact[number].len() > before;
        }
        let failure = tally.failure(Side::Output);
        tally.note(ex, &guard.control, Side::Output);
        match (failure, ex.decision.mode) {
            (Some(failure), Mode::Enforce) => return Err(failure),
            (Some(failure), Mode::Observe) => ex.decision.observed.push(failure.code()),
            (None, _) => {}
        }
    }
    if ex.decision.mode == Mode::Observe {
        to_redact.iter_mut().for_each(Vec::clear);
    }
    Ok(to_redact)
}

/// Replaces what was found, if anything was.
fn redact(
    ex: &mut Open,
    value: &mut Value,
    texts: &[TextAt],
    found: &[Vec<Finding>],
) -> Result<(), Failure> {
    let lost = || Failure::new(Code::ControlFailed, "the answer could not be redacted");
    if found.iter().all(Vec::is_empty) {
        return Ok(());
    }
    let mut vault = ex.guarded.vault.take().unwrap_or_default();
    vault.keep_out();
    for (at, found) in texts.iter().zip(found) {
        if !found.is_empty() {
            let text = vault.redact(&at.text, found).map_err(|_| lost())?;
            if !texts::put(value, at, &text) {
                return Err(lost());
            }
        }
    }
    ex.guarded.vault = Some(vault);
    Ok(())
}

/// Token by token, these tell the text once more.
fn drop_logprobs(completion: &mut Value) {
    let choices = completion.get_mut("choices").and_then(Value::as_array_mut);
    for choice in choices.into_iter().flatten() {
        if let Some(choice) = choice.as_object_mut() {
            choice.shift_remove("logprobs");
        }
    }
}

/// The answer as its caller gets it: with the values in place of the placeholders that went upstream.
pub(crate) fn restore(answer: Answer, vault: Option<Vault>) -> Answer {
    let Some(vault) = vault.filter(|vault| !vault.is_empty()) else {
        return answer;
    };
    match answer {
        Answer::Value { value, confidence } => Answer::Value {
            value: vault.restore_value(&value),
            confidence,
        },
        Answer::Chat {
            body,
            content,
            is_only_content,
        } => Answer::Chat {
            body: restored_body(&body, &vault).unwrap_or(body),
            content: content.map(|text| vault.restore(&text)),
            is_only_content,
        },
        Answer::Buffered { events, content } => {
            let content = vault.restore(&content);
            let mut weave = Weave::restoring(vault);
            let events = pass_all(&mut weave, events).unwrap_or_default();
            Answer::Buffered { events, content }
        }
        Answer::Stream(open) => Answer::Stream(open),
    }
}

/// The body with values put back; none if it holds no placeholder.
fn restored_body(body: &[u8], vault: &Vault) -> Option<bytes::Bytes> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    let choices = value.get_mut("choices")?.as_array_mut()?;
    let mut changed = false;
    for choice in choices {
        if let Some(message) = choice.get_mut("message") {
            changed |= put_back(message, "", vault);
        }
    }
    changed.then(|| value.to_string().into())
}

/// Puts values back in every text; in JSON within a string as its strings need them. Whether there were any.
fn put_back(value: &mut Value, key: &str, vault: &Vault) -> bool {
    match value {
        Value::String(text) => {
            let restored = if texts::JSON_WITHIN.contains(&key) {
                vault.restore_json(text)
            } else {
                vault.restore(text)
            };
            let changed = restored != *text;
            *text = restored;
            changed
        }
        Value::Array(items) => items
            .iter_mut()
            .fold(false, |changed, item| put_back(item, key, vault) | changed),
        Value::Object(members) => members.iter_mut().fold(false, |changed, (key, item)| {
            put_back(item, key, vault) | changed
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
