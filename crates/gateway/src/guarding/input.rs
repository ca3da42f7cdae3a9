//! What is asked, judged part by part, and redacted before anybody else sees it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use plimsoll_core::Code;
use plimsoll_core::manifest::Mode;
use plimsoll_guard::finding::{Action, Finding};
use plimsoll_guard::frame::{FrameLimits, scan};
use plimsoll_guard::splice::Splice;
use plimsoll_guard::tools::Taint;
use serde_json::Value;

use super::texts::{self, TextAt};
use super::{Side, Tally, tools};
use crate::answer::{ChatItem, Request};
use crate::deployed::{Deployed, InputContract};
use crate::exchange::Open;
use crate::failure::Failure;
use crate::stage::screen::row_request;

/// Judges the texts of a request by each guard in turn. Gives another request if something of it was
/// replaced, and fails if it may not go on.
pub(crate) fn screen_texts(ex: &mut Open, request: &Request) -> Result<Option<Request>, Failure> {
    let system = std::sync::Arc::clone(&ex.system);
    let knows_prompts = system.prompt_words.as_ref();
    if let (Some(prompt), Some(item)) = (knows_prompts, request.chat()) {
        ex.guarded.prompt = prompt.of(item.value());
    }
    let retrieved = &system.manifest().input.retrieved;
    if system.tools.is_some() {
        ex.guarded.taint = match request {
            Request::Row(_) => Taint::default(),
            Request::Prompt { variables, .. } => tools::taint_of_row(variables, retrieved),
            Request::Chat(item) => tools::taint(item.value(), retrieved),
        };
    }
    if system.input_guards.is_empty() {
        return Ok(None);
    }
    let texts = texts_of(&system, request);
    let mut to_redact: BTreeMap<usize, Vec<Finding>> = BTreeMap::new();
    for guard in &system.input_guards {
        let mut tally = Tally::default();
        for (number, at) in texts.iter().enumerate() {
            let judgement = guard.judge.judge(&at.text, at.direction());
            tally.take(&at.part, &judgement);
            let found = judgement.found.into_iter();
            let redacted = found.filter(|one| one.is_to(Action::Redact));
            let redacted: Vec<Finding> = redacted.map(|one| one.finding).collect();
            tally.fails_closed |= !at.can_change() && !redacted.is_empty();
            if !redacted.is_empty() {
                to_redact.entry(number).or_default().extend(redacted);
            }
        }
        let failure = tally.failure(Side::Input);
        tally.note(ex, &guard.control, Side::Input);
        match (failure, ex.decision.mode) {
            (Some(failure), Mode::Enforce) => return Err(failure),
            (Some(failure), Mode::Observe) => ex.decision.observed.push(failure.code()),
            (None, _) => {}
        }
    }
    if to_redact.is_empty() || ex.decision.mode == Mode::Observe {
        return Ok(None);
    }
    redacted(ex, request, &texts, &to_redact).map(Some)
}

fn texts_of(system: &Deployed, request: &Request) -> Vec<TextAt> {
    let columns = match &system.input {
        InputContract::Row(contract) => contract.columns(),
        InputContract::Chat(_) => &[],
    };
    let retrieved = &system.manifest().input.retrieved;
    let is_column = |key: &str| columns.iter().any(|column| column.name == key);
    match request {
        Request::Row(row) => texts::of_row(row, retrieved, &is_column, false),
        Request::Prompt { variables, .. } => texts::of_row(variables, retrieved, &is_column, true),
        Request::Chat(item) => texts::of_chat(item.value(), retrieved),
    }
}

/// The request with placeholders in place of what was found.
fn redacted(
    ex: &mut Open,
    request: &Request,
    texts: &[TextAt],
    found: &BTreeMap<usize, Vec<Finding>>,
) -> Result<Request, Failure> {
    let unfit = |_| Failure::new(Code::ControlFailed, "the input could not be redacted");
    let lost = || Failure::new(Code::ControlFailed, "the input could not be redacted");
    let mut vault = ex.guarded.vault.take().unwrap_or_default();
    let mut value = match request {
        Request::Row(row) | Request::Prompt { variables: row, .. } => row.clone(),
        Request::Chat(item) => item.value().clone(),
    };
    let mut members = BTreeSet::new();
    // What texts bring along that looks like a placeholder is known before one is given out.
    for at in texts {
        vault.redact(&at.text, &[]).map_err(unfit)?;
    }
    for (number, found) in found {
        let at = &texts[*number];
        let text = vault.redact(&at.text, found).map_err(unfit)?;
        if !texts::put(&mut value, at, &text) {
            return Err(lost());
        }
        members.insert(texts::member_of(at));
    }
    ex.guarded.vault = Some(vault);
    match request {
        Request::Row(_) => Ok(Request::Row(value)),
        Request::Prompt { .. } => row_request(&ex.system, value),
        Request::Chat(item) => {
            let body = with_members(&item.body, &value, &members).ok_or_else(lost)?;
            let mut names: Vec<String> = members.into_iter().collect();
            names.retain(|name| !ex.decision.spliced.contains(name));
            ex.decision.spliced.append(&mut names);
            Ok(Request::Chat(ChatItem {
                body,
                parsed: std::sync::Arc::default(),
                ..item.clone()
            }))
        }
    }
}

/// The body with these members as `value` has them, and every other byte as it came.
pub(super) fn with_members(
    body: &[u8],
    value: &Value,
    members: &BTreeSet<String>,
) -> Option<Bytes> {
    let limits = FrameLimits {
        bytes_max: usize::MAX,
        ..FrameLimits::default()
    };
    let frame = scan(body, &limits).ok()?;
    let mut splice = Splice::new(&frame);
    for member in members {
        splice = splice.set(member, value.get(member)?.to_string());
    }
    Some(splice.finish().0.into())
}
