//! Finish: always, once, streams too. Closes the record, seals the payload, writes both, counts.
//!
//! With a durable record the answer leaves after its record is on disk. If the record cannot be
//! written, the answer is withheld: what is not recorded was not decided.

use std::sync::Arc;

use plimsoll_core::decision::Cost;
use plimsoll_core::record::RecordRef;
use plimsoll_core::stakes::Durability;
use plimsoll_core::{Code, Decision, Outcome};
use plimsoll_journal::SealedPayload;

use crate::answer::Answer;
use crate::exchange::{Exchange, Open};
use crate::guarding::{TOOLS_CONTROL, restore};
use crate::node::Node;
use crate::pipeline::Ending;
use crate::refusal::Refusal;
use crate::reviews::Waiting;
use crate::stream::Telling;

/// A finished decision (or one that waits for a person), and what its caller is told.
pub(crate) struct Told {
    pub(crate) decision: Box<Decision>,
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
            answer => close(ex.close(), outcome, Ok(answer)).await,
        },
        Ending::Refused(outcome, refusal) => close(ex.close(), outcome, Err(refusal)).await,
        Ending::Waiting(waiting) => {
            let open = *ex.close();
            if !open.is_rehearsal() {
                open.node.metrics.waiting(&open.decision);
            }
            Told {
                decision: open.decision,
                body: Body::Waiting(waiting),
            }
        }
    }
}

/// Closes a decision with an answer or a refusal. What is recorded has placeholders where input was
/// redacted; the caller gets the values.
pub(crate) async fn close(
    mut open: Box<Open>,
    outcome: Outcome,
    end: Result<Answer, Refusal>,
) -> Told {
    let node = Arc::clone(&open.node);
    let code = end.as_ref().err().map(|refusal| refusal.code);
    let vault = open.guarded.vault.take();
    let (mut decision, recorded) = write(open, outcome, code, end.as_ref().ok()).await;
    let body = match (recorded, end) {
        (Ok(()), Ok(answer)) => Body::Answer(restore(answer, vault)),
        (Ok(()), Err(refusal)) => Body::Refused(refusal),
        (Err(refusal), _) => {
            withhold(&node, &mut decision, Outcome::Refused, refusal.code);
            Body::Refused(refusal)
        }
    };
    Told { decision, body }
}

/// Closes the record, seals the payload and hands both to the journal's writer; with a durable record
/// it waits for the disk. Of what is only made again to be compared nothing is written. Gives the
/// decision as it was written, and whether it is recorded.
pub(crate) async fn write(
    mut open: Box<Open>,
    outcome: Outcome,
    code: Option<Code>,
    answer: Option<&Answer>,
) -> (Box<Decision>, Result<(), Refusal>) {
    let recorded = record(&mut open, outcome, code, answer).await;
    (open.decision, recorded)
}

async fn record(
    open: &mut Open,
    outcome: Outcome,
    code: Option<Code>,
    answer: Option<&Answer>,
) -> Result<(), Refusal> {
    if open.is_rehearsal() {
        complete(open, outcome, code);
        return Ok(());
    }
    let sealed = seal(open, answer);
    complete(open, outcome, code);
    crate::watching::sample::note(open, answer);
    let patience = open.remaining();
    let record = RecordRef::Closed(&open.decision);
    let ticket = open.node.append(record, sealed?, patience).await?;
    match open.system.manifest().record {
        Durability::Durable => ticket.durable().await.map_err(|_| refused_record()),
        Durability::Buffered => Ok(()),
    }
}

fn seal(open: &mut Open, answer: Option<&Answer>) -> Result<Option<SealedPayload>, Refusal> {
    let Some(bytes) = crate::payload::payload(open, answer) else {
        return Ok(None);
    };
    let decision = &mut open.decision;
    let sealed = open
        .node
        .journal
        .seal(&decision.tenant, decision.id, &bytes);
    let (reference, sealed) = sealed.map_err(|_| refused_record())?;
    decision.payload = Some(reference);
    Ok(Some(sealed))
}

/// The record could not be made sure of, so the answer is withheld. The journal may still write it
/// when the disk recovers: a later record then says what the caller was told.
pub(crate) fn withhold(node: &Node, decision: &mut Decision, outcome: Outcome, code: Code) {
    node.metrics.unrecorded(&decision.system, code);
    (decision.outcome, decision.code) = (Some(outcome), Some(code));
    decision.kind = decision.kind.or(code.kind());
    let correction = RecordRef::Closed(decision);
    if let Err(error) = node.journal.append_last(correction) {
        tracing::debug!(%error, "the withheld answer could not be noted either");
    }
}

fn complete(open: &mut Open, outcome: Outcome, code: Option<Code>) {
    open.lap();
    let total = open.micros_since(open.started);
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
    open.admission = None;
    if !open.is_rehearsal() {
        open.meters()
            .closed(&open.node.metrics, &open.decision, total);
        open.node.watching.note(&open.decision, None);
        crate::watching::estimate(open);
    }
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
    let system = Arc::clone(&open.system);
    let guards = system.input_guards.iter().chain(&system.output_guards);
    let schema = system.output.is_some().then_some("output:schema");
    let unsure = system.unsure.is_some().then_some("unsure");
    let tools = system.tools.is_some().then_some(TOOLS_CONTROL);
    let named = ["admission", "contract"]
        .into_iter()
        .chain(schema)
        .chain(unsure)
        .chain(tools);
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
    if open.is_rehearsal() {
        return;
    }
    complete(&mut open, outcome, None);
    let record = RecordRef::Closed(&open.decision);
    if open.node.journal.append_last(record).is_err() {
        open.node
            .metrics
            .unrecorded(&open.decision.system, Code::RecordUnavailable);
    }
}

fn refused_record() -> Refusal {
    Refusal::plain(Code::RecordUnavailable)
}
