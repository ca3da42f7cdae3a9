//! Finish: always, once, streams too. Closes the record, seals the payload, writes both, counts.
//!
//! With a durable record the answer leaves after its record is on disk. If the record cannot be
//! written, the answer is withheld: what is not recorded was not decided.

use plimsoll_core::decision::Cost;
use plimsoll_core::stakes::Durability;
use plimsoll_core::{Code, Decision, Outcome, Record};
use plimsoll_journal::Ticket;

use crate::answer::Answer;
use crate::exchange::{Exchange, Open};
use crate::pipeline::Ending;
use crate::refusal::Refusal;
use crate::reviews::Waiting;
use crate::stream::Telling;

/// A finished decision (or one that waits for a person), and what its caller is told.
pub(crate) struct Told {
    pub(crate) decision: Decision,
    pub(crate) body: Body,
}

/// What a caller is told.
pub(crate) enum Body {
    /// An answer.
    Answer(Answer),
    /// A stream that has begun; it finishes its decision at its end.
    Stream(Box<Telling>),
    /// A person is needed.
    Waiting(Waiting),
    /// No answer.
    Refused(Refusal),
}

/// Finishes a decision.
pub(crate) async fn finish(ex: Exchange, ending: Ending) -> Told {
    match ending {
        Ending::Answered(outcome, answer) => match answer.into_inner() {
            Answer::Stream(open) => {
                let decision = ex.decision.clone();
                Told {
                    decision,
                    body: Body::Stream(Box::new(Telling::new(ex, *open, outcome))),
                }
            }
            answer => close(*ex.close(), outcome, Ok(answer)).await,
        },
        Ending::Refused(outcome, refusal) => close(*ex.close(), outcome, Err(refusal)).await,
        Ending::Waiting(waiting) => {
            let open = *ex.close();
            open.node.metrics.waiting(&open.decision);
            Told {
                decision: open.decision,
                body: Body::Waiting(waiting),
            }
        }
    }
}

/// Closes a decision with an answer or a refusal.
pub(crate) async fn close(mut open: Open, outcome: Outcome, end: Result<Answer, Refusal>) -> Told {
    let code = end.as_ref().err().map(|refusal| refusal.code);
    let (answer, durability) = (end.as_ref().ok(), open.system.manifest().record);
    let written = write(&mut open, outcome, code, answer).await;
    let written = match (written, durability) {
        (Ok(ticket), Durability::Durable) => ticket.durable().await.map_err(|_| refused_record()),
        (Ok(_), Durability::Buffered) => Ok(()),
        (Err(refusal), _) => Err(refusal),
    };
    let body = match (written, end) {
        (Ok(()), Ok(answer)) => Body::Answer(answer),
        (Ok(()), Err(refusal)) | (Err(refusal), _) => Body::Refused(refusal),
    };
    if let Body::Refused(refusal) = &body
        && code != Some(refusal.code)
    {
        open.decision.outcome = Some(Outcome::Refused);
        open.decision.code = Some(refusal.code);
        open.decision.kind = open.decision.kind.or(refusal.code.kind());
        open.node
            .metrics
            .unrecorded(&open.decision.system, refusal.code);
    }
    Told {
        decision: open.decision,
        body,
    }
}

/// Closes the record, seals the payload and hands both to the journal's writer.
pub(crate) async fn write(
    open: &mut Open,
    outcome: Outcome,
    code: Option<Code>,
    answer: Option<&Answer>,
) -> Result<Ticket, Refusal> {
    let sealed = match crate::payload::payload(open, answer) {
        Some(bytes) => {
            let decision = &mut open.decision;
            let sealed = open
                .node
                .journal
                .seal(&decision.tenant, decision.id, &bytes);
            let (reference, sealed) = sealed.map_err(|_| refused_record())?;
            decision.payload = Some(reference);
            Some(sealed)
        }
        None => None,
    };
    complete(open, outcome, code);
    let record = Record::Closed(Box::new(open.decision.clone()));
    let patience = open.remaining();
    open.node.append(record, sealed, patience).await
}

fn complete(open: &mut Open, outcome: Outcome, code: Option<Code>) {
    let total = crate::exchange::micros(open.node.clock.elapsed().saturating_sub(open.started));
    let decision = &mut open.decision;
    decision.closed_at = Some(
        decision
            .opened_at
            .plus(std::time::Duration::from_micros(total)),
    );
    decision.outcome = Some(outcome);
    decision.code = code;
    if let Some(code) = code {
        decision.kind = decision.kind.or(code.kind());
    }
    decision.cost = cost_of_attempts(decision);
    open.places.clear();
    open.meters()
        .closed(&open.node.metrics, &open.decision, total);
    note_skipped(open, outcome);
}

/// What all attempts of a decision cost together.
pub(crate) fn cost_of_attempts(decision: &Decision) -> Cost {
    decision
        .attempts
        .iter()
        .fold(Cost::FREE, |sum, attempt| sum.plus(attempt.cost))
}

/// A control that is configured and did not run on a model's answer is an alarm.
fn note_skipped(open: &mut Open, outcome: Outcome) {
    let is_from_a_model = matches!(
        outcome,
        Outcome::Served | Outcome::Repaired | Outcome::FellBack
    );
    if !is_from_a_model || open.decision.answer_age_ms.is_some() {
        return;
    }
    let system = std::sync::Arc::clone(&open.system);
    let guards = system.input_guards.iter().chain(&system.output_guards);
    let schema = system.output.is_some().then_some("output:schema");
    let unsure = system.unsure.is_some().then_some("unsure");
    let named = ["admission", "contract"]
        .into_iter()
        .chain(schema)
        .chain(unsure);
    for control in named.chain(guards.map(|guard| guard.control.as_str())) {
        if !open
            .decision
            .controls
            .iter()
            .any(|record| record.control == control)
        {
            open.note_skipped(control, "it did not run");
        }
    }
}

/// Closes a decision whose caller went away or whose stream broke: there is nobody to tell, and
/// nothing may be awaited.
pub(crate) fn abandon(mut open: Open, outcome: Outcome) {
    complete(&mut open, outcome, None);
    let record = Record::Closed(Box::new(open.decision.clone()));
    if open.node.journal.append(&record, None).is_err() {
        open.node
            .metrics
            .unrecorded(&open.decision.system, Code::RecordUnavailable);
    }
}

fn refused_record() -> Refusal {
    Refusal::plain(Code::RecordUnavailable)
}
