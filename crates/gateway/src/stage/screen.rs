//! Screen: is it fit to be asked. Decodes, holds the input against the contract, runs the guards.
//!
//! Outcome: a [`Screened`] request, which only this file can make and which alone reaches a model;
//! or a failure, `malformed` or `adversarial`. Fails closed. In observe mode what would have been
//! refused is noted and passed on.

use plimsoll_core::decision::AttemptReason;
use plimsoll_core::manifest::Mode;
use plimsoll_core::{Code, ModelName};
use plimsoll_guard::contract::Violation;
use plimsoll_guard::fetched;
use serde_json::Value;

use crate::answer::{ChatItem, Item, Request};
use crate::deployed::{Deployed, InputContract};
use crate::exchange::{Exchange, Open};
use crate::failure::Failure;
use crate::guarding::{hold_length, mark_untrusted, screen_texts};
use crate::refusal::Refusal;

/// Something that was screened. Its field is private to this file, so nothing else makes one.
#[derive(Debug)]
pub(crate) struct Screened<T> {
    inner: T,
    doubts: Vec<Violation>,
    /// Columns whose value was read from another type.
    coerced: Vec<String>,
}

impl<T> Screened<T> {
    /// What was screened.
    pub(crate) const fn get(&self) -> &T {
        &self.inner
    }
}

impl Screened<Request> {
    /// Fails as `unsure` if the contract says that the input makes an answer doubtful, so that the
    /// first model is not asked; steps of the ladder are.
    pub(crate) fn doubt(&self, ex: &mut Open, reason: AttemptReason) -> Result<(), Failure> {
        if self.doubts.is_empty() || reason != AttemptReason::First {
            return Ok(());
        }
        let failure = Failure::from(Refusal::about(Code::UnsureInput, self.doubts.clone()));
        if ex.decision.mode == Mode::Observe {
            ex.decision.observed.push(failure.code());
            return Ok(());
        }
        Err(failure)
    }
}

/// Screens one item.
pub(crate) fn screen(ex: &mut Exchange, item: &Item) -> Result<Screened<Request>, Failure> {
    let since = ex.lapped;
    count(ex, item);
    let fit = contract(ex, item);
    crate::payload::keep_input(ex, item);
    let screened = fit.and_then(|request| guards(ex, request));
    ex.decision.stages.screen = ex.micros_since(since);
    screened
}

/// Counts what was asked as it came, for the monitors: before anything is filled in or refused.
fn count(ex: &Exchange, item: &Item) {
    let is_real = ex.decision.made_for().is_none() && !ex.is_rehearsal();
    let (Some(windows), true) = (&ex.system.features, is_real) else {
        return;
    };
    match item {
        Item::Row(Value::Object(row)) => windows.count(row),
        Item::Chat(chat) => windows.count_chat(chat.value()),
        Item::Row(_) | Item::Broken(_) => {}
    }
}

fn contract(ex: &mut Exchange, item: &Item) -> Result<Screened<Request>, Failure> {
    let system = std::sync::Arc::clone(&ex.system);
    let screened = hold_against_contract(&system, item);
    ex.note_control("contract", screened.as_ref().err());
    if let Ok(screened) = &screened {
        note_coerced(ex, &screened.coerced);
    }
    match (screened, ex.decision.mode) {
        // What an address reaches is no question of tuning: nothing is fetched to see what would happen.
        (Err(failure), _) if failure.code() == Code::AddressForbidden => Err(failure),
        (Err(failure), Mode::Observe) => {
            ex.decision.observed.push(failure.code());
            let inner = as_it_is(&system, item).ok_or(failure)?;
            Ok(Screened {
                inner,
                doubts: Vec::new(),
                coerced: Vec::new(),
            })
        }
        (screened, _) => screened,
    }
}

/// The record names what the model got in another form than it came, and it is counted.
fn note_coerced(ex: &mut Exchange, columns: &[String]) {
    for column in columns {
        ex.decision.spliced.push(format!("inputs.{column}"));
    }
    if !columns.is_empty() && !ex.is_rehearsal() {
        let metrics = &ex.node.metrics;
        metrics.coerced(&ex.decision.system, columns.len());
    }
}

fn hold_against_contract(system: &Deployed, item: &Item) -> Result<Screened<Request>, Failure> {
    match (&system.input, item) {
        (_, Item::Broken(refusal)) => Err(Failure::from(refusal.clone())),
        (InputContract::Row(contract), Item::Row(Value::Object(row))) => {
            let screened = contract.screen(row).map_err(Failure::about)?;
            let inner = row_request(system, Value::Object(screened.values))?;
            Ok(Screened {
                inner,
                doubts: screened.doubts,
                coerced: screened.coerced,
            })
        }
        (InputContract::Row(_), Item::Row(_)) => Err(Failure::new(
            Code::ContractType,
            "the input must be an object of named values",
        )),
        (InputContract::Row(_), Item::Chat(_)) => Err(Failure::new(
            Code::PromptVariables,
            "this system takes named values, not messages: send them in \
             `plimsoll.variables`, or POST them to /v1/systems/SYSTEM/decisions",
        )),
        (InputContract::Chat(schema), Item::Chat(chat)) => {
            fetches_nothing_private(chat)?;
            if let Some(schema) = schema {
                schema
                    .check(chat.value(), Code::ContractSchema)
                    .map_err(Failure::about)?;
            }
            Ok(Screened {
                inner: Request::Chat(chat.clone()),
                doubts: Vec::new(),
                coerced: Vec::new(),
            })
        }
        (InputContract::Chat(_), Item::Row(_)) => Err(Failure::new(
            Code::ContractType,
            "the input must be a chat request",
        )),
    }
}

/// No model is made to fetch from within a network what a caller names.
fn fetches_nothing_private(chat: &ChatItem) -> Result<(), Failure> {
    if !fetched::may_have_addresses(&chat.body) {
        return Ok(());
    }
    match fetched::unfetchable(chat.value()) {
        None => Ok(()),
        Some(found) => {
            let (part, why) = (found.part, found.refusal);
            let message = format!("an address in {part} may not be fetched: {why}");
            Err(Failure::new(Code::AddressForbidden, message))
        }
    }
}

/// The request that observe mode lets through though the contract stands against it.
fn as_it_is(system: &Deployed, item: &Item) -> Option<Request> {
    match item {
        Item::Row(row) if row.is_object() => row_request(system, row.clone()).ok(),
        Item::Chat(chat) if matches!(system.input, InputContract::Chat(_)) => {
            Some(Request::Chat(chat.clone()))
        }
        Item::Row(_) | Item::Chat(_) | Item::Broken(_) => None,
    }
}

/// The request that a row makes: for a predictor as it is, or filled into the prompt.
pub(crate) fn row_request(system: &Deployed, row: Value) -> Result<Request, Failure> {
    let Some(prompt) = &system.prompt else {
        return Ok(Request::Row(row));
    };
    let rendered = prompt.get_template("prompt").and_then(|template| {
        template.render(minijinja::Value::from(minijinja::value::Serde(&row)))
    });
    let text = rendered.map_err(|_| {
        let message = "the prompt could not be filled in from these variables";
        Failure::new(Code::PromptVariables, message)
    })?;
    let role = system
        .manifest()
        .prompt
        .as_ref()
        .map_or("user", |spec| spec.role.as_str());
    let message = serde_json::json!({"role": role, "content": text});
    let mut body = serde_json::json!({"model": ModelName::primary(), "messages": [message]});
    if let Some(format) = &system.response_format {
        body["response_format"] = format.clone();
    }
    let body = serde_json::to_vec(&body).map(bytes::Bytes::from);
    let body = body.map_err(|_| Failure::plain(Code::Internal))?;
    let item = ChatItem::plain(body);
    Ok(Request::Prompt {
        variables: row,
        item,
    })
}

fn guards(ex: &mut Exchange, request: Screened<Request>) -> Result<Screened<Request>, Failure> {
    hold_length(ex, request.get())?;
    let redacted = screen_texts(ex, request.get())?;
    let request = match redacted {
        Some(inner) => Screened { inner, ..request },
        None => request,
    };
    // Scorers, and judges elsewhere, see what models see: no column the contract leaves out, nothing redacted.
    crate::watching::sample::keep(ex, request.get());
    let marked = mark_untrusted(ex, request.get())?;
    Ok(match marked {
        Some(inner) => Screened { inner, ..request },
        None => request,
    })
}
