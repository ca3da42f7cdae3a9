//! Answer: ask a model, within the deadline, the retry budget and the money budget.
//!
//! Takes only [`Screened`] requests. Every call is an attempt in the record, with its time, its
//! cost and how the cost is known. A decision that may cost money writes `opened` before its first
//! paid attempt. Local models (a file in process, a rule table) cost microseconds and are asked even
//! when the deadline has passed; remote ones are not.

use std::time::Duration;

use bytes::Bytes;
use plimsoll_core::decision::{AttemptReason, AttemptRecord, Cost, Usage};
use plimsoll_core::manifest::AbstainSpec;
use plimsoll_core::{Code, FailureKind, ModelName, Step};
use plimsoll_models::openai::{ChatReply, OpenaiModel};
use plimsoll_models::{HttpModel, Model, ModelError, Reply, Timers};
use plimsoll_spec::prices::Used;
use serde_json::Value;

use crate::answer::{Answer, OpenStream, Request, Rest};
use crate::exchange::{Exchange, Given, Open};
use crate::failure::Failure;
use crate::replay;
use crate::retry;
use crate::stage::screen::Screened;
use crate::{opening, splicing, stream};

/// One call that leaves the process; of a chat, with the most tokens that its answer may have.
enum Call<'m> {
    Chat(&'m OpenaiModel, Bytes, Option<u64>),
    ChatStream(&'m OpenaiModel, Bytes, Option<u64>),
    Predict(&'m HttpModel, &'m serde_json::Map<String, Value>),
}

/// What came back from it.
enum Said {
    Chat(ChatReply),
    Stream(Box<OpenStream>),
    Reply(Reply),
}

/// Asks `name` for an answer.
pub(crate) async fn ask(
    ex: &mut Exchange,
    request: &Screened<Request>,
    name: &ModelName,
    reason: AttemptReason,
) -> Result<Answer, Failure> {
    let since = ex.lapped;
    let result = match stand_in(ex, name, reason) {
        Some(result) => result,
        None => match replay::take(ex, name, reason) {
            Some(said) => rehearse(ex, request.get(), said).await,
            None => ask_model(ex, request.get(), name, reason).await,
        },
    };
    ex.decision.stages.answer += ex.micros_since(since);
    result
}

/// What answers instead of the model: a drill's forced failure, or what a test case gives.
fn stand_in(
    ex: &mut Open,
    name: &ModelName,
    reason: AttemptReason,
) -> Option<Result<Answer, Failure>> {
    if reason == AttemptReason::First
        && let Some(kind) = ex.forced
    {
        note_attempt(ex, name, reason, Some(forced_code(kind)));
        return Some(Err(Failure::plain(forced_code(kind))));
    }
    let given = ex.given.get(name)?.clone();
    Some(match given {
        Given::Answer { value, confidence } => {
            note_attempt(ex, name, reason, None);
            Ok(Answer::Value { value, confidence })
        }
        Given::Fail(code) => {
            note_attempt(ex, name, reason, Some(code));
            Err(Failure::plain(code))
        }
    })
}

/// What the record says that a model said, on the way that it would have taken then.
async fn rehearse(
    ex: &mut Exchange,
    request: &Request,
    said: Result<replay::Said, Failure>,
) -> Result<Answer, Failure> {
    match said? {
        replay::Said::Whole(answer) => Ok(typed(request, answer)),
        replay::Said::Stream(open) => finish_said(ex, Said::Stream(open)).await,
    }
}

/// The code with which a drill forces a failure of `kind` at the model's boundary.
pub(crate) const fn forced_code(kind: FailureKind) -> Code {
    match kind {
        FailureKind::Malformed => Code::ContextTooLong,
        FailureKind::Adversarial => Code::GuardBlocked,
        FailureKind::Unavailable => Code::ModelUnreachable,
        FailureKind::Slow => Code::FirstTokenTimeout,
        FailureKind::Wrong => Code::OutputSchema,
        FailureKind::Unsure => Code::UnsureRule,
        FailureKind::OverBudget => Code::ProviderQuota,
        FailureKind::Overload => Code::ProviderRateLimited,
    }
}

async fn ask_model(
    ex: &mut Exchange,
    request: &Request,
    name: &ModelName,
    reason: AttemptReason,
) -> Result<Answer, Failure> {
    let system = std::sync::Arc::clone(&ex.system);
    let model = match system.models.get(name) {
        Some(Ok(model)) => model,
        Some(Err(error)) => return Err(not_loaded(ex, name, reason, error)),
        None => return Err(cannot_answer(name)),
    };
    match (model, request) {
        (Model::Onnx(model), Request::Row(Value::Object(row))) => {
            local(ex, name, reason, || model.predict(row))
        }
        (Model::Rules(rules), request) => {
            let inputs = request.inputs();
            local(ex, name, reason, || rules.answer(&inputs))
        }
        (Model::Http(model), Request::Row(Value::Object(row))) => {
            remote(ex, name, reason, &Call::Predict(model, row)).await
        }
        (Model::Openai(model), request) => match request.chat() {
            Some(item) => {
                let body = splicing::chat_body(ex, name, item)?;
                let most = splicing::answer_max(ex, name, item);
                let call = if item.stream {
                    Call::ChatStream(model, body, most)
                } else {
                    Call::Chat(model, body, most)
                };
                remote(ex, name, reason, &call)
                    .await
                    .map(|answer| typed(request, answer))
            }
            None => Err(cannot_answer(name)),
        },
        (Model::Onnx(_) | Model::Http(_), _) => Err(cannot_answer(name)),
    }
}

fn not_loaded(
    ex: &mut Open,
    name: &ModelName,
    reason: AttemptReason,
    error: &ModelError,
) -> Failure {
    note_attempt(ex, name, reason, Some(error.code));
    let mut failure = Failure::plain(error.code);
    failure.finding = Some(error.detail.clone());
    failure
}

fn cannot_answer(name: &ModelName) -> Failure {
    let message = format!("model `{name}` cannot answer this form of request");
    Failure::new(Code::ModelNotLoaded, message)
}

/// A typed function answers with a value rather than with a chat completion.
fn typed(request: &Request, answer: Answer) -> Answer {
    match request {
        Request::Prompt { .. } => Answer::given(answer.value()),
        Request::Row(_) | Request::Chat(_) => answer,
    }
}

fn local(
    ex: &mut Exchange,
    name: &ModelName,
    reason: AttemptReason,
    call: impl FnOnce() -> Result<Reply, ModelError>,
) -> Result<Answer, Failure> {
    let number = begin_attempt(ex, name, reason);
    ex.lap();
    let result = call();
    let micros = ex.lap();
    let cost = cost_of(ex, number, None, micros);
    let code = result.as_ref().err().map(|error| error.code);
    ex.meters().attempt(ex, number, code);
    if let Some(attempt) = ex.decision.attempts.get_mut(number) {
        (attempt.micros, attempt.code, attempt.cost) = (micros, code, cost);
    }
    Ok(value_answer(result?))
}

fn value_answer(reply: Reply) -> Answer {
    Answer::Value {
        value: reply.value,
        confidence: reply.confidence,
    }
}

async fn remote(
    ex: &mut Exchange,
    name: &ModelName,
    first_reason: AttemptReason,
    call: &Call<'_>,
) -> Result<Answer, Failure> {
    let spec = ex.system.manifest().retry.clone();
    ex.system.retries.earn(ex.lapped);
    let mut reason = first_reason;
    let mut tries = 0;
    loop {
        if ex.remaining().is_zero() {
            return Err(Failure::plain(Code::TotalTimeout));
        }
        let error = match attempt(ex, name, reason, call).await {
            Ok(said) => return finish_said(ex, said).await,
            Err(Tried::Refused(failure)) => return Err(*failure),
            Err(Tried::Failed(error)) => error,
        };
        tries += 1;
        let is_over = tries >= spec.attempts_max;
        if !error.retryable || is_over || !ex.system.retries.take(ex.lapped) {
            return Err(Failure::from(error));
        }
        let pause = retry::pause(&spec, tries, ex.node.random());
        let pause = error.retry_after.map_or(pause, |asked| asked.max(pause));
        if pause >= ex.remaining() {
            return Err(Failure::from(error));
        }
        tokio::time::sleep(pause).await;
        ex.lap();
        reason = AttemptReason::Retry;
    }
}

/// Why an attempt gave nothing.
enum Tried {
    /// It was not made: the budget or the record stands against it.
    Refused(Box<Failure>),
    /// It was made and failed.
    Failed(ModelError),
}

impl From<Failure> for Tried {
    fn from(failure: Failure) -> Self {
        Self::Refused(Box::new(failure))
    }
}

async fn attempt(
    ex: &mut Exchange,
    name: &ModelName,
    reason: AttemptReason,
    call: &Call<'_>,
) -> Result<Said, Tried> {
    let reservation = opening::reserve(ex, name, call.body(), call.answer_max()).await?;
    let opened = opening::open(ex, reservation.money()).await;
    ex.lap();
    if let Err(failure) = opened {
        opening::settle(ex, &reservation, Cost::FREE, None);
        return Err(failure.into());
    }
    let number = begin_attempt(ex, name, reason);
    if let Some(attempt) = ex.decision.attempts.get_mut(number) {
        (attempt.cost, attempt.at_most) = (reservation.cost(), reservation.at_most());
    }
    let timers = timers(ex, name, call);
    let result = match call {
        Call::Chat(model, body, _) => model.complete(body.clone(), &timers).await.map(Said::Chat),
        Call::Predict(model, row) => model.predict(row, &timers).await.map(Said::Reply),
        Call::ChatStream(model, body, _) => {
            let opened = stream::open(model, body.clone(), &timers).await;
            opened.map(|(head, rest)| {
                let reservation = reservation.clone();
                Said::Stream(Box::new(OpenStream {
                    head,
                    rest: Rest::Live(rest),
                    attempt: number,
                    reservation,
                }))
            })
        }
    };
    let micros = ex.lap();
    let spent = end_attempt(ex, number, micros, &result);
    if !matches!(result, Ok(Said::Stream(_))) {
        let usage = ex.decision.attempts.get(number);
        let usage = usage.and_then(|attempt| attempt.usage);
        opening::settle(ex, &reservation, spent, usage.as_ref());
    }
    result.map_err(Tried::Failed)
}

impl Call<'_> {
    const fn body(&self) -> Option<&Bytes> {
        match self {
            Self::Chat(_, body, _) | Self::ChatStream(_, body, _) => Some(body),
            Self::Predict(..) => None,
        }
    }

    const fn answer_max(&self) -> Option<u64> {
        match self {
            Self::Chat(_, _, most) | Self::ChatStream(_, _, most) => *most,
            Self::Predict(..) => None,
        }
    }
}

fn timers(ex: &Open, name: &ModelName, call: &Call<'_>) -> Timers {
    let deadline = &ex.system.manifest().deadline;
    let remaining = ex.remaining();
    // A whole answer has no first token that would tell in time that it is late: half of what is
    // left is kept for the other model that the ladder would ask.
    let is_whole = !matches!(call, Call::ChatStream(..));
    let total = if is_whole && leaves_a_model_to_ask(ex, name) {
        remaining / 2
    } else {
        remaining
    };
    Timers {
        connect: Duration::from_millis(deadline.connect_ms),
        first_token: Duration::from_millis(deadline.first_token_ms),
        stall: Duration::from_millis(deadline.stall_ms),
        total,
    }
}

/// Whether the ladder of slowness holds a remote model that was not asked yet.
fn leaves_a_model_to_ask(ex: &Open, name: &ModelName) -> bool {
    let is_open = |step: &Step| match step {
        Step::Model(other) => {
            let is_remote =
                matches!(ex.system.models.get(other), Some(Ok(model)) if model.is_remote());
            is_remote
                && other != name
                && !ex
                    .decision
                    .attempts
                    .iter()
                    .any(|attempt| attempt.model == *other)
        }
        _ => false,
    };
    ex.system
        .manifest()
        .ladders
        .steps(FailureKind::Slow)
        .iter()
        .any(is_open)
}

/// Puts an attempt into the record before it is made: if the caller goes away meanwhile, it stands
/// there, with what it may have cost at the most or a cost that nobody knows. Gives its number.
fn begin_attempt(ex: &mut Open, model: &ModelName, reason: AttemptReason) -> usize {
    ex.decision.attempts.push(AttemptRecord {
        model: model.clone(),
        reason,
        micros: 0,
        first_token_micros: None,
        code: None,
        reported_model: None,
        usage: None,
        cost: Cost::UNKNOWN,
        at_most: None,
    });
    ex.decision.attempts.len() - 1
}

/// Puts what came of an attempt into the record; gives what it cost. What a stream costs is known
/// at its end.
fn end_attempt(
    ex: &mut Open,
    number: usize,
    micros: u64,
    result: &Result<Said, ModelError>,
) -> Cost {
    let (usage, reported) = match result {
        Ok(Said::Chat(reply)) => (reply.usage, reply.reported_model.clone()),
        Ok(Said::Reply(reply)) => (reply.usage, reply.reported_model.clone()),
        Ok(Said::Stream(_)) => (None, None),
        Err(error) => (error.usage, None),
    };
    let is_stream = matches!(result, Ok(Said::Stream(_)));
    let at_most = ex.decision.attempts.get(number);
    let at_most = at_most.map_or(Cost::UNKNOWN, |attempt| attempt.cost);
    let code = result.as_ref().err().map(|error| error.code);
    let cost = match (code, usage) {
        _ if is_stream => at_most,
        (Some(code), None) if !may_be_billed(code) => Cost::FREE,
        _ => match cost_of(ex, number, usage.as_ref(), micros) {
            Cost::UNKNOWN => at_most,
            cost => cost,
        },
    };
    ex.meters().attempt(ex, number, code);
    if let Some(attempt) = ex.decision.attempts.get_mut(number) {
        (attempt.micros, attempt.code, attempt.usage, attempt.cost) = (micros, code, usage, cost);
        attempt.reported_model = reported;
        attempt.first_token_micros = is_stream.then_some(micros);
    }
    cost
}

/// Whether a provider may have begun to answer, and will want money for it, when an attempt failed like
/// this.
const fn may_be_billed(code: Code) -> bool {
    !matches!(
        code,
        Code::ModelUnreachable
            | Code::ModelNotLoaded
            | Code::ModelError
            | Code::ConnectTimeout
            | Code::ContextTooLong
            | Code::ProviderRefusedRequest
            | Code::ProviderRefusedKey
            | Code::ProviderModelNotFound
            | Code::ProviderQuota
            | Code::ProviderRateLimited
    )
}

/// What attempt `number` costs, by the price table.
pub(crate) fn cost_of(ex: &Open, number: usize, usage: Option<&Usage>, micros: u64) -> Cost {
    let attempt = ex.decision.attempts.get(number);
    let priced = attempt.and_then(|attempt| ex.system.priced.get(&attempt.model));
    let Some((provider, model)) = priced else {
        return Cost::UNKNOWN;
    };
    let (prices, at) = (&ex.snapshot.prices, ex.decision.opened_at);
    prices.cost(provider, model, at, Used { usage, micros })
}

/// An attempt that ended where it began: a stand-in's, or one of a model that could not be built.
fn note_attempt(ex: &mut Open, name: &ModelName, reason: AttemptReason, code: Option<Code>) {
    let number = begin_attempt(ex, name, reason);
    ex.meters().attempt(ex, number, code);
    if let Some(attempt) = ex.decision.attempts.get_mut(number) {
        (attempt.code, attempt.cost) = (code, Cost::FREE);
    }
}

async fn finish_said(ex: &mut Exchange, said: Said) -> Result<Answer, Failure> {
    match said {
        Said::Reply(reply) => Ok(value_answer(reply)),
        Said::Chat(reply) => Ok(Answer::Chat {
            body: reply.body,
            content: reply.content,
            is_only_content: reply.is_only_content,
        }),
        Said::Stream(open) if stream::must_buffer(&ex.system) => {
            let answer = stream::read_whole(ex, *open).await;
            ex.lap();
            answer
        }
        Said::Stream(open) => Ok(Answer::Stream(open)),
    }
}

/// Asks the model that gave an answer which was not cleared to mend it, and says what was wrong.
pub(crate) async fn repair(
    ex: &mut Exchange,
    request: &Screened<Request>,
    failure: Failure,
) -> Result<(ModelName, Answer), Failure> {
    let Some((name, answer)) = failure.uncleared.map(|uncleared| *uncleared) else {
        return Err(Failure::from(failure.refusal));
    };
    let since = ex.lapped;
    if let Some(said) = replay::take(ex, &name, AttemptReason::Repair) {
        let answer = rehearse(ex, request.get(), said).await;
        return answer.map(|answer| (name, answer));
    }
    let system = std::sync::Arc::clone(&ex.system);
    let (Some(Ok(Model::Openai(model))), Some(item)) =
        (system.models.get(&name), request.get().chat())
    else {
        return Err(Failure::from(failure.refusal));
    };
    let said = answer_text(&answer);
    let mut complaints: Vec<String> = failure
        .refusal
        .details
        .iter()
        .map(|d| d.message.clone())
        .collect();
    if complaints.is_empty() {
        complaints.push(failure.refusal.message.clone());
    }
    let body = splicing::repair_body(ex, &name, item, &said, &complaints)?;
    let call = Call::Chat(model, body, splicing::answer_max(ex, &name, item));
    let result = remote(ex, &name, AttemptReason::Repair, &call).await;
    ex.decision.stages.answer += ex.micros_since(since);
    result.map(|answer| (name, typed(request.get(), answer)))
}

fn answer_text(answer: &Answer) -> String {
    match answer {
        Answer::Value {
            value: Value::String(text),
            ..
        } => text.clone(),
        Answer::Value { value, .. } => value.to_string(),
        Answer::Chat { .. } | Answer::Buffered { .. } | Answer::Stream(_) => {
            answer.text().unwrap_or_default().to_owned()
        }
    }
}

/// The value that the system gives when it abstains.
pub(crate) fn abstain_value(ex: &Open) -> Result<Answer, Failure> {
    match &ex.system.manifest().abstain {
        Some(AbstainSpec::Value(value)) => Ok(Answer::given(value.clone())),
        Some(AbstainSpec::Message(text)) => Ok(Answer::given(Value::String(text.clone()))),
        None => Err(Failure::new(
            Code::Internal,
            "the system has no abstain value",
        )),
    }
}
