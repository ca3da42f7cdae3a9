//! Streams: nothing is given before it was cleared, and a stream that breaks says so.
//!
//! Until the first content has come, a failure goes down the ladder and the caller sees nothing of
//! it. From then on two models are never spliced: a failure ends the stream with the provider's own
//! error shape, and the decision is `partial`. The decision is finished before `[DONE]` is told.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use plimsoll_core::decision::Usage;
use plimsoll_core::manifest::StreamMode;
use plimsoll_core::stakes::PayloadPolicy;
use plimsoll_core::{Code, Decision, Outcome};
use plimsoll_models::openai::{ChatStream, OpenaiModel, StreamEvent};
use plimsoll_models::{ModelError, Timers};

use crate::answer::{Answer, OpenStream, Rest};
use crate::deployed::Deployed;
use crate::exchange::{Exchange, Open};
use crate::failure::Failure;
use crate::guarding::{Stop, Weave};
use crate::opening::{self, SetAside};
use crate::protocol::openai_shape;
use crate::refusal::Refusal;
use crate::stage::answer::cost_of;
use crate::stage::finish;
use crate::watching::Windows;

/// The most text of a stream that is kept for its payload or cleared as a whole.
const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Texts of any length have tokens of fewer bytes on average.
const BYTES_PER_TOKEN_MAX: u64 = 8;
/// The most events that are held back at a time.
const HELD_EVENTS_MAX: usize = 4096;

/// Opens a stream and reads it up to its first content, so that everything before it can still fail
/// unseen.
pub(crate) async fn open(
    model: &OpenaiModel,
    body: Bytes,
    timers: &Timers,
) -> Result<(Vec<StreamEvent>, ChatStream), ModelError> {
    let mut stream = model.stream(body, timers).await?;
    let mut head = Vec::new();
    while let Some(event) = stream.next().await {
        let event = event?;
        let begins = event.content_bearing || event.done || event.finish_reason.is_some();
        head.push(event);
        if begins || head.len() >= HELD_EVENTS_MAX {
            break;
        }
    }
    Ok((head, stream))
}

/// Whether answers of `system` are cleared as a whole before their first byte.
pub(crate) fn must_buffer(system: &Deployed) -> bool {
    let asked = system.manifest().output.stream == StreamMode::Buffer;
    system.clears_whole_answers_only() || (asked && system.has_output_controls())
}

/// Reads a stream to its end before anything of it is given.
pub(crate) async fn read_whole(ex: &mut Exchange, open: OpenStream) -> Result<Answer, Failure> {
    let OpenStream {
        head,
        mut rest,
        attempt,
        reservation,
    } = open;
    let mut reading = Reading {
        attempt,
        reservation,
        ..Reading::default()
    };
    let mut events = Vec::new();
    let mut head = VecDeque::from(head);
    let usage_asked = reading.usage_asked(ex);
    loop {
        let event = match head.pop_front() {
            Some(event) => event,
            None => match rest.next().await {
                Some(event) => event.map_err(|error| reading.broken(ex, &error))?,
                None => break,
            },
        };
        if let Err(failure) = reading.take_in(&event) {
            return Err(reading.ended(ex, failure));
        }
        if usage_asked || !is_usage_alone(&event) {
            events.push(event);
        }
    }
    reading.settle(ex, rest.reported_model());
    Ok(Answer::Buffered {
        events,
        content: reading.text,
    })
}

/// What is gathered from a stream as it passes.
#[derive(Default)]
struct Reading {
    attempt: usize,
    reservation: SetAside,
    /// What of the answer came, in pieces and in bytes.
    pieces: u64,
    bytes: u64,
    text: String,
    usage: Option<Usage>,
    is_done: bool,
}

impl Reading {
    /// Counts what came. Fails once it is certain that the answer is longer than what was set aside for
    /// it, whatever the provider was asked for: by its own count, or because neither tokens of a piece
    /// each nor tokens of [`BYTES_PER_TOKEN_MAX`] would fit.
    fn count(&mut self, event: &StreamEvent) -> Result<(), Failure> {
        self.usage = event.usage.or(self.usage);
        let more = event.more.iter().map(|piece| piece.text.len());
        for bytes in event.delta.iter().map(String::len).chain(more) {
            self.pieces += u64::from(bytes > 0);
            self.bytes += bytes as u64;
        }
        let told = self.usage.map_or(0, |usage| usage.output_tokens);
        let seen = self.pieces.min(self.bytes / BYTES_PER_TOKEN_MAX);
        match self.reservation.answer_max() {
            Some(most) if told.max(seen) > most && !event.done => Err(Failure::new(
                Code::BudgetExceeded,
                format!("the answer was cut: more than the {most} tokens came that were set aside"),
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn take_in(&mut self, event: &StreamEvent) -> Result<(), Failure> {
        self.count(event)?;
        self.is_done |= event.done;
        let Some(delta) = &event.delta else {
            return Ok(());
        };
        if self.text.len() + delta.len() > TEXT_BYTES_MAX {
            return Err(Failure::new(
                Code::OutputTruncated,
                "the answer is longer than is cleared",
            ));
        }
        self.text.push_str(delta);
        Ok(())
    }

    fn usage_asked(&self, ex: &Open) -> bool {
        !ex.decision
            .spliced
            .iter()
            .any(|name| name == "stream_options")
    }

    /// Puts the usage and its cost into the record of the attempt, and settles what was set aside. A
    /// stream that told no usage keeps its reservation: it may have cost that much.
    fn settle(&self, ex: &mut Open, reported_model: Option<&str>) {
        ex.lap();
        if let Some(began) = self.reservation.began() {
            let micros = ex.micros_since(began);
            if let Some(attempt) = ex.decision.attempts.get_mut(self.attempt) {
                attempt.micros = micros;
            }
        }
        let attempt = ex.decision.attempts.get(self.attempt);
        let micros = attempt.map_or(0, |attempt| attempt.micros);
        let cost = match &self.usage {
            Some(usage) => cost_of(ex, self.attempt, Some(usage), micros),
            None => self.reservation.cost(),
        };
        if self.usage.is_some() {
            opening::settle(ex, &self.reservation, cost, self.usage.as_ref());
        }
        if let Some(attempt) = ex.decision.attempts.get_mut(self.attempt) {
            attempt.usage = self.usage;
            attempt.cost = cost;
            attempt.reported_model = reported_model.map(str::to_owned);
        }
    }

    fn broken(&self, ex: &mut Open, error: &ModelError) -> Failure {
        let mut failure = Failure::plain(error.code);
        failure.finding = Some(error.detail.clone());
        self.ended(ex, failure)
    }

    /// The attempt ended with this failure.
    fn ended(&self, ex: &mut Open, failure: Failure) -> Failure {
        self.settle(ex, None);
        if let Some(attempt) = ex.decision.attempts.get_mut(self.attempt) {
            attempt.code = Some(failure.code());
        }
        failure
    }
}

fn is_usage_alone(event: &StreamEvent) -> bool {
    event.usage.is_some()
        && !event.content_bearing
        && !event.done
        && event.delta.is_none()
        && event.finish_reason.is_none()
}

/// A stream on its way to the caller. Dropped before its end, its decision is cancelled.
pub(crate) struct Telling {
    exchange: Option<Exchange>,
    outcome: Outcome,
    head: VecDeque<StreamEvent>,
    rest: Rest,
    reading: Reading,
    usage_asked: bool,
    keeps_text: bool,
    weave: Option<Weave>,
    ready: VecDeque<Bytes>,
    ended_in_order: bool,
    /// What came of it, if it was only made again to be compared.
    rehearsed: Option<(Box<Decision>, String)>,
}

impl Telling {
    pub(crate) fn new(mut ex: Exchange, open: OpenStream, outcome: Outcome) -> Self {
        let reading = Reading {
            attempt: open.attempt,
            reservation: open.reservation,
            ..Reading::default()
        };
        Self {
            usage_asked: reading.usage_asked(&ex),
            keeps_text: ex.system.manifest().payloads != PayloadPolicy::None
                || ex
                    .system
                    .predictions
                    .as_ref()
                    .is_some_and(Windows::reads_text),
            weave: Some(Weave::new(&mut ex, true).keeping(TEXT_BYTES_MAX)),
            exchange: Some(ex),
            outcome,
            head: open.head.into(),
            rest: open.rest,
            reading,
            ready: VecDeque::new(),
            ended_in_order: false,
            rehearsed: None,
        }
    }

    /// Reads a stream to its end that is only made again to be compared: what came of it, and its text.
    pub(crate) async fn rehearse(mut self) -> Option<(Box<Decision>, String)> {
        while self.next().await.is_some() {}
        self.rehearsed
    }

    /// The next bytes for the caller; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            if self.exchange.is_none() {
                self.give_back().await;
                return None;
            }
            let event = match self.head.pop_front() {
                Some(event) => Some(Ok(event)),
                None => self.rest.next().await,
            };
            match event {
                Some(Ok(event)) if event.done => self.end(Some(event.raw)).await,
                Some(Ok(event)) => self.pass(event).await,
                Some(Err(error)) => self.fail(error.code, Some(error.detail)).await,
                None => self.end(None).await,
            }
        }
    }

    /// A stream that ended in order gives its connection back, so that the next one need not connect.
    async fn give_back(&mut self) {
        if std::mem::take(&mut self.ended_in_order) {
            let rest = self.rest.next().await;
            debug_assert!(rest.is_none(), "nothing comes after the end");
        }
    }

    async fn pass(&mut self, event: StreamEvent) {
        if let Err(failure) = self.reading.count(&event) {
            return self.cut(failure).await;
        }
        if is_usage_alone(&event) && !self.usage_asked {
            return;
        }
        if let Some(delta) = event.delta.as_ref().filter(|_| self.keeps_text) {
            let room = TEXT_BYTES_MAX.saturating_sub(self.reading.text.len());
            self.reading
                .text
                .push_str(&delta[..delta.floor_char_boundary(room)]);
        }
        let Some(weave) = &mut self.weave else { return };
        match weave.push(event) {
            Ok(released) => self
                .ready
                .extend(released.into_iter().map(|event| event.raw)),
            Err(Stop(failure)) => self.fail(failure.code(), failure.finding).await,
        }
    }

    /// Ends the stream in order: what was held back is released, the decision is finished, and only
    /// then `[DONE]` is told.
    async fn end(&mut self, done: Option<Bytes>) {
        if let Some(weave) = &mut self.weave {
            match weave.finish() {
                Ok(released) => self
                    .ready
                    .extend(released.into_iter().map(|event| event.raw)),
                Err(Stop(failure)) => return self.fail(failure.code(), failure.finding).await,
            }
        }
        self.ended_in_order = done.is_some();
        let outcome = self.outcome;
        let Some(decision) = self.finish(outcome, None).await else {
            return;
        };
        if decision.outcome == Some(outcome) {
            self.ready
                .push_back(Bytes::from(outcome_comment(&decision)));
            self.ready.extend(done);
        } else {
            let code = decision.code.unwrap_or(Code::RecordUnavailable);
            self.ready.push_back(error_event(&decision, code));
        }
    }

    /// Ends a stream that is longer than what was set aside for it: nothing more is read.
    async fn cut(&mut self, failure: Failure) {
        if let Some(ex) = &mut self.exchange {
            ex.lap();
            ex.note_control("limits:stream", Some(&failure));
        }
        self.fail(failure.code(), None).await;
    }

    async fn fail(&mut self, code: Code, finding: Option<String>) {
        if let Some(weave) = &mut self.weave {
            weave.forget();
        }
        if let Some(ex) = &mut self.exchange {
            let attempt = self.reading.attempt;
            if let Some(attempt) = ex.decision.attempts.get_mut(attempt) {
                attempt.code = Some(code);
            }
            if finding.is_some() {
                tracing::debug!(decision = %ex.decision.id, %code, "a stream broke");
            }
        }
        if let Some(decision) = self.finish(Outcome::Partial, Some(code)).await {
            self.ready.push_back(error_event(&decision, code));
        }
    }

    async fn finish(&mut self, outcome: Outcome, code: Option<Code>) -> Option<Box<Decision>> {
        let mut open = self.exchange.take()?.close();
        self.reading.settle(&mut open, self.rest.reported_model());
        let mut content = std::mem::take(&mut self.reading.text);
        if let Some(mut weave) = self.weave.take() {
            open.lap();
            content = weave.redacted().unwrap_or(content);
            weave.note(&mut open);
        }
        let answer = Answer::Buffered {
            events: Vec::new(),
            content,
        };
        let (node, is_rehearsal) = (Arc::clone(&open.node), open.is_rehearsal());
        let is_real = open.decision.made_for().is_none() && !is_rehearsal;
        if let (Some(windows), true, None) = (&open.system.predictions, is_real, code) {
            let attempt = open.decision.attempts.get(self.reading.attempt);
            windows.count_answer(&answer, attempt);
        }
        // What is only counted goes no further: neither into a payload nor to scorers.
        let is_kept = open.system.manifest().payloads != PayloadPolicy::None;
        let kept = is_kept.then_some(&answer);
        let (mut decision, recorded) = finish::write(open, outcome, code, kept).await;
        if let Err(refusal) = recorded {
            finish::withhold(&node, &mut decision, Outcome::Partial, refusal.code);
        }
        if let Answer::Buffered { content, .. } = answer
            && is_rehearsal
        {
            self.rehearsed = Some((decision.clone(), content));
        }
        Some(decision)
    }
}

/// The comment that tells the final outcome before `[DONE]`; SDKs pass over comments.
pub(crate) fn outcome_comment(decision: &Decision) -> String {
    let outcome = decision.outcome.map_or("pending", Outcome::as_str);
    format!(
        ": plimsoll-outcome {outcome} plimsoll-decision {}\n\n",
        decision.id
    )
}

fn error_event(decision: &Decision, code: Code) -> Bytes {
    let mut event = openai_shape::event(&openai_shape::error(&Refusal::plain(code)));
    event.push_str(&outcome_comment(decision));
    Bytes::from(event)
}
