//! Clear: is it fit to be told. Output contract, guards, the system's own rule of doubt.
//!
//! Outcome: a [`Cleared`] answer, which only this file can make and which alone reaches a caller; or
//! a failure, `wrong` or `unsure`. Fails closed.

use plimsoll_core::manifest::Mode;
use plimsoll_core::{Code, ModelName};
use plimsoll_guard::expr::Scope;
use serde_json::Value;

use crate::answer::{Answer, Request};
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::guarding::clear_texts;
use crate::refusal::Refusal;
use crate::stage::screen::Screened;

/// Something that was cleared. Its field is private to this file, so nothing else makes one.
#[derive(Debug)]
pub(crate) struct Cleared<T>(T);

impl<T> Cleared<T> {
    /// What was cleared.
    pub(crate) const fn get(&self) -> &T {
        &self.0
    }

    /// What was cleared, to be told.
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

/// Clears what `model` answered. A stream that has begun is cleared window by window as it goes
/// ([`crate::stream`]); here it only gets its permit.
pub(crate) fn clear(
    ex: &mut Exchange,
    request: &Screened<Request>,
    model: &ModelName,
    mut answer: Answer,
) -> Result<Cleared<Answer>, Failure> {
    let since = ex.lapped;
    ex.decision.confidence = answer.confidence();
    let verdict = schema(ex, &answer)
        .and_then(|()| clear_texts(ex, &mut answer))
        .and_then(|()| certainty(ex, request, &answer));
    ex.decision.stages.clear += ex.micros_since(since);
    count(ex, &answer);
    match verdict {
        Ok(()) => Ok(Cleared(answer)),
        Err(failure) if ex.decision.mode == Mode::Observe => {
            ex.decision.observed.push(failure.code());
            Ok(Cleared(answer))
        }
        Err(failure) => Err(failure.of(model, answer)),
    }
}

/// Clears an answer that no model just made: the abstain value, a person's, an earlier one. It is
/// held against the same contract and guards; nobody is unsure of it.
pub(crate) fn clear_given(
    ex: &mut Exchange,
    mut answer: Answer,
) -> Result<Cleared<Answer>, Failure> {
    let since = ex.lapped;
    let verdict = schema(ex, &answer).and_then(|()| clear_texts(ex, &mut answer));
    ex.decision.stages.clear += ex.micros_since(since);
    verdict.map(|()| Cleared(answer))
}

/// Counts what a model answered, for the monitors. A stream is counted at its end.
fn count(ex: &Exchange, answer: &Answer) {
    let is_real = ex.decision.made_for().is_none() && !ex.is_rehearsal();
    if let (Some(windows), true) = (&ex.system.predictions, is_real) {
        windows.count_answer(answer, ex.decision.attempts.last());
    }
}

fn schema(ex: &mut Exchange, answer: &Answer) -> Result<(), Failure> {
    let system = std::sync::Arc::clone(&ex.system);
    let Some(contract) = &system.output else {
        return Ok(());
    };
    // The contract is about what the caller gets: with the values that went upstream as placeholders.
    let check = |value: &Value| match &ex.guarded.vault {
        Some(vault) => contract.check(&vault.restore_value(value), Code::OutputSchema),
        None => contract.check(value, Code::OutputSchema),
    };
    let verdict = held_against(answer, check);
    ex.note_control("output:schema", verdict.as_ref().err());
    verdict
}

fn held_against(
    answer: &Answer,
    check: impl Fn(&Value) -> Result<(), Vec<plimsoll_guard::contract::Violation>>,
) -> Result<(), Failure> {
    let about = |violations| Failure::from(Refusal::about(Code::OutputSchema, violations));
    match answer {
        Answer::Value { value, .. } => check(value).map_err(about),
        Answer::Chat { .. } | Answer::Buffered { .. } | Answer::Stream(_) => {
            let text = answer.text().unwrap_or_default();
            if text.trim().is_empty() {
                return Err(Failure::plain(Code::OutputEmpty));
            }
            let value = serde_json::from_str(text);
            check(&value.map_err(|_| Failure::plain(Code::OutputNotJson))?).map_err(about)
        }
    }
}

fn certainty(
    ex: &mut Exchange,
    request: &Screened<Request>,
    answer: &Answer,
) -> Result<(), Failure> {
    let system = std::sync::Arc::clone(&ex.system);
    let Some(unsure) = &system.unsure else {
        return Ok(());
    };
    let (inputs, value) = (request.get().inputs(), answer.value());
    let confidence = answer.confidence().map_or(Value::Null, Value::from);
    let scope = Scope::new()
        .with("answer", &value)
        .with("confidence", &confidence);
    let failure = match unsure.holds(&scope.with("inputs", &inputs)) {
        Ok(false) => None,
        Ok(true) => Some(Failure::plain(Code::UnsureRule)),
        Err(error) => {
            let mut failure =
                Failure::new(Code::ControlFailed, "the rule of doubt could not be run");
            failure.finding = Some(error.to_string());
            Some(failure)
        }
    };
    ex.note_control("unsure", failure.as_ref());
    failure.map_or(Ok(()), Err)
}
