//! What a replay came to, held against the record.

use plimsoll_core::decision::{AttemptRecord, ControlRecord, PathStep};
use plimsoll_core::{Code, Decision, Outcome, Step};
use serde::Serialize;
use serde_json::{Value, json};

use crate::replay::{Original, chat};

/// The controls that say what the machine had left: they are taken as they were.
const OF_THE_MACHINE: [&str; 2] = ["admission", "budget"];

/// Something that is not as it was recorded.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Difference {
    /// What: `outcome`, `kind`, `code`, `path`, `controls`, `observed`, `attempts`, `confidence` or
    /// `answer`.
    pub what: String,
    /// As it was recorded.
    pub recorded: Value,
    /// As it came out now.
    pub replayed: Value,
}

/// What a replay came to.
pub(super) struct Played {
    pub(super) decision: Decision,
    pub(super) answer: Option<Value>,
    /// The answer in the form in which it would be kept.
    pub(super) output: Value,
    /// Whether it waits for a person.
    pub(super) waits: bool,
}

/// What is not as it was recorded. A live replay is not held to the words in which a provider failed,
/// nor to the bytes around its answer.
pub(super) fn differences(recorded: &Original, played: &Played, live: bool) -> Vec<Difference> {
    let (then, now) = (&recorded.decision, &played.decision);
    let mut found = Vec::new();
    let mut differ = |what: &str, recorded: Value, replayed: Value| {
        if recorded != replayed {
            let what = what.to_owned();
            found.push(Difference {
                what,
                recorded,
                replayed,
            });
        }
    };
    if !was_withheld(then) {
        differ(
            "outcome",
            ending(then, waited(then)),
            ending(now, played.waits),
        );
        differ("kind", json!(then.kind), json!(now.kind));
        differ("code", json!(then.code), json!(now.code));
    }
    differ("path", path(then, live), path(now, live));
    differ("controls", controls(then), controls(now));
    differ("observed", json!(then.observed), json!(now.observed));
    differ("attempts", attempts(then), attempts(now));
    differ("confidence", json!(then.confidence), json!(now.confidence));
    let a_person_answered = waited(then) && then.outcome != Some(Outcome::Expired);
    if !a_person_answered {
        let output = &recorded.payload.output;
        if live {
            let says = |output: &Value| chat::says(output);
            differ("answer", says(output), says(&played.output));
        } else {
            differ("answer", output.clone(), played.output.clone());
        }
    }
    found
}

/// Whether it waits or waited for a person.
fn waited(decision: &Decision) -> bool {
    let last = decision.path.last();
    decision.review.is_some() && last.is_some_and(|last| last.step == Step::Review)
}

/// Whether the answer was there and could not be recorded, so that the caller was told nothing of it.
fn was_withheld(decision: &Decision) -> bool {
    let unrecorded = matches!(
        decision.code,
        Some(Code::RecordUnavailable | Code::RecordQueueFull)
    );
    let told = decision.path.last().map(|step| step.code);
    unrecorded && told != decision.code
}

/// How it ended; what a person made of it is not a replay's to say.
fn ending(decision: &Decision, waits: bool) -> Value {
    if waits {
        return json!("review");
    }
    json!(decision.outcome)
}

fn path(decision: &Decision, live: bool) -> Value {
    let step = |step: &PathStep| {
        let detail = step.detail.as_ref().filter(|_| !live);
        json!({"kind": step.kind, "code": step.code, "step": step.step, "detail": detail})
    };
    decision.path.iter().map(step).collect()
}

fn controls(decision: &Decision) -> Value {
    let ours = |record: &&ControlRecord| !OF_THE_MACHINE.contains(&record.control.as_ref());
    let verdict = |record: &ControlRecord| {
        json!({
            "control": record.control,
            "verdict": record.verdict,
            "code": record.code,
            "finding": record.finding,
        })
    };
    decision.controls.iter().filter(ours).map(verdict).collect()
}

fn attempts(decision: &Decision) -> Value {
    let attempt = |attempt: &AttemptRecord| json!({"model": attempt.model, "reason": attempt.reason, "code": attempt.code});
    decision.attempts.iter().map(attempt).collect()
}
