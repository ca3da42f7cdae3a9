//! How long an input is for a language model: its tokens, held against the release's limit.

use plimsoll_core::Code;
use plimsoll_core::manifest::Mode;
use plimsoll_guard::tokens::TokenBudget;
use serde_json::Value;

use super::texts;
use crate::answer::{ChatItem, Request};
use crate::exchange::Open;
use crate::failure::Failure;

/// The name that records carry.
const CONTROL: &str = "tokens";

/// Fails if a language model would have more to read than the system's limit.
pub(crate) fn hold_length(ex: &mut Open, request: &Request) -> Result<(), Failure> {
    let system = std::sync::Arc::clone(&ex.system);
    let (Some(budget), Some(item)) = (&system.tokens, request.chat()) else {
        return Ok(());
    };
    let failure = (!holds(budget, item, &system.manifest().input.retrieved)).then(|| {
        let message = format!(
            "the input is more than {} tokens: shorten it, or leave earlier messages out",
            budget.max()
        );
        Failure::new(Code::TokensTooMany, message)
    });
    ex.note_control(CONTROL, failure.as_ref());
    match (failure, ex.decision.mode) {
        (None, _) => Ok(()),
        (Some(failure), Mode::Enforce) => Err(failure),
        (Some(failure), Mode::Observe) => {
            ex.decision.observed.push(failure.code());
            Ok(())
        }
    }
}

fn holds(budget: &TokenBudget, item: &ChatItem, retrieved: &[String]) -> bool {
    if budget.surely_holds(item.body.len()) {
        return true;
    }
    let body = item.value();
    let messages = body.get("messages").and_then(Value::as_array);
    let mut texts = texts::of_chat(body, retrieved);
    texts.retain(|at| !texts::SCHEMAS.contains(&texts::member_of(at).as_str()));
    // What tools take is read as it is written.
    let schemas = texts::SCHEMAS.iter().filter_map(|name| body.get(*name));
    let schemas: Vec<String> = schemas.map(Value::to_string).collect();
    let texts = texts.iter().map(|at| at.text.as_str());
    let texts = texts.chain(schemas.iter().map(String::as_str));
    budget.holds(texts, messages.map_or(0, Vec::len))
}
