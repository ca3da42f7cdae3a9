//! OpenAI's `POST /v1/chat/completions`, plain and streaming.
//!
//! The provider's bytes pass unchanged, both ways, but for the named values of [`crate::splicing`].
//! A review asked for here answers with the protocol's own shape of the abstain value, and says so
//! in the header: a 202 with another body would break callers' code.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use hyper::body::Frame as BodyFrame;
use plimsoll_core::{Code, Decision};
use plimsoll_guard::frame::{Frame, FrameLimits, Member, ValueKind, scan};
use serde_json::Value;

use crate::answer::{Answer, ChatItem, Item};
use crate::deployed::InputContract;
use crate::pipeline::decide;
use crate::protocol::openai_shape::{completion, completion_events};
use crate::protocol::{Call, respond};
use crate::refusal::Refusal;
use crate::stage::finish::{Body, Told};
use crate::stream::Telling;

/// What a body says, as far as we look into it.
struct ChatBody {
    model: String,
    item: ChatItem,
    /// `extra_body.plimsoll.variables` of the SDKs: for systems that are typed functions.
    variables: Option<Value>,
    /// OpenAI's own name for the end user.
    user: Option<String>,
}

/// Answers the call.
pub(crate) async fn handle(mut call: Call, body: Result<Bytes, Refusal>) -> respond::Reply {
    match prepare(&mut call, body) {
        Ok((exchange, item, told_as)) => {
            let told = call.patiently(decide(exchange, item).await).await;
            tell(told, told_as)
        }
        Err(refusal) => {
            call.node.count_refused(refusal.code);
            respond::refuse(call.protocol, &refusal)
        }
    }
}

/// How the caller wants to be told.
#[derive(Clone, Copy)]
struct ToldAs {
    stream: bool,
    usage_asked: bool,
}

fn prepare(
    call: &mut Call,
    body: Result<Bytes, Refusal>,
) -> Result<(crate::exchange::Exchange, Item, ToldAs), Refusal> {
    let body = read(call, &body?)?;
    if call.envelope.subject.is_none() && body.user.is_some() {
        Arc::make_mut(&mut call.envelope)
            .subject
            .clone_from(&body.user);
    }
    let system = call.resolve(&body.model)?;
    let told_as = ToldAs {
        stream: body.item.stream,
        usage_asked: body.item.usage_asked,
    };
    let mut exchange = call.begin(&system, 0);
    exchange.decision.stream = told_as.stream;
    let refuses_streams =
        system.manifest().output.stream == plimsoll_core::manifest::StreamMode::Refuse;
    let item = match (body.variables, &system.input) {
        _ if told_as.stream && refuses_streams => Item::Broken(Refusal::plain(Code::StreamRefused)),
        (Some(variables), InputContract::Row(_)) => Item::Row(variables),
        (_, _) => Item::Chat(body.item),
    };
    Ok((exchange, item, told_as))
}

fn read(call: &Call, bytes: &Bytes) -> Result<ChatBody, Refusal> {
    let frame = scan(bytes, &call.snapshot.frame);
    let frame = frame.map_err(|error| Refusal::new(error.code, error.to_string()))?;
    if frame.kind() != ValueKind::Object {
        return Err(Refusal::new(
            Code::JsonSyntax,
            "the body must be a JSON object",
        ));
    }
    let model = frame.member("model").and_then(|member| frame.text(member));
    let model = model.ok_or_else(|| unfit("model", "a text: the name of a system"))?;
    let ours = frame.member("plimsoll").map(|member| frame.parsed(member));
    let body = match &ours {
        Some(_) => Bytes::from(
            plimsoll_guard::splice::Splice::new(&frame)
                .remove("plimsoll")
                .finish()
                .0,
        ),
        None => bytes.clone(),
    };
    let variables = ours.and_then(|mut ours| ours.get_mut("variables").map(Value::take));
    Ok(ChatBody {
        model: model.into_owned(),
        item: chat_item(&frame, body)?,
        variables,
        user: user(&frame),
    })
}

/// The end user, if the body names one as OpenAI's API lets it; what is no text is the provider's to refuse.
fn user(frame: &Frame<'_>) -> Option<String> {
    let named = frame.member("user").and_then(|member| frame.text(member))?;
    (!named.is_empty()).then(|| named.into_owned())
}

/// The request that `body` is, which differs from the frame's bytes in nothing that is read here.
fn chat_item(frame: &Frame<'_>, body: Bytes) -> Result<ChatItem, Refusal> {
    let usage_asked = frame
        .member("stream_options")
        .is_some_and(|member| frame.parsed(member)["include_usage"] == Value::Bool(true));
    let max_tokens = match count(frame, "max_completion_tokens")? {
        Some(found) => Some(found),
        None => count(frame, "max_tokens")?,
    };
    Ok(ChatItem {
        body,
        parsed: Arc::default(),
        stream: flag(frame, "stream")?,
        usage_asked,
        max_tokens,
        choices: count(frame, "n")?.map_or(1, |(_, choices)| choices.max(1)),
    })
}

/// The request of a body that was accepted before, as it was kept.
pub(crate) fn kept_item(body: Bytes) -> ChatItem {
    let limits = FrameLimits {
        bytes_max: usize::MAX,
        ..FrameLimits::default()
    };
    let frame = scan(&body, &limits).ok();
    let item = frame.and_then(|frame| chat_item(&frame, body.clone()).ok());
    item.unwrap_or_else(|| ChatItem::plain(body))
}

fn flag(frame: &Frame<'_>, name: &'static str) -> Result<bool, Refusal> {
    match frame.member(name).map(|member| frame.raw(member)) {
        None | Some(b"null" | b"false") => Ok(false),
        Some(b"true") => Ok(true),
        Some(_) => Err(unfit(name, "true or false")),
    }
}

fn count(frame: &Frame<'_>, name: &'static str) -> Result<Option<(&'static str, u64)>, Refusal> {
    let value = |member: &Member<'_>| frame.parsed(member);
    match frame.member(name).map(value) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(tokens) => Ok(Some((name, tokens))),
            None => Err(unfit(name, "a whole number")),
        },
    }
}

fn unfit(name: &'static str, expected: &str) -> Refusal {
    let mut refusal = Refusal::new(
        Code::ParameterUnfit,
        format!("`{name}` does not fit: {expected} is expected"),
    );
    refusal.details.push(crate::refusal::Detail {
        code: Code::ParameterUnfit,
        field: name.to_owned(),
        rule: "type".to_owned(),
        message: refusal.message.clone(),
    });
    refusal
}

fn tell(told: Told, told_as: ToldAs) -> respond::Reply {
    let Told { decision, body } = told;
    let mut reply = match body {
        Body::Answer(answer) => tell_answer(&decision, answer, told_as),
        Body::Stream(telling) => respond::event_stream(chunks(*telling)),
        Body::Waiting(waiting) => {
            let value = waiting
                .meanwhile
                .unwrap_or_else(|| "A person has been asked.".into());
            tell_answer(&decision, Answer::given(value), told_as)
        }
        Body::Refused(refusal) => {
            respond::refuse(plimsoll_core::decision::Protocol::OpenaiChat, &refusal)
        }
    };
    respond::name_decision(&mut reply, &decision);
    reply
}

fn tell_answer(decision: &Decision, answer: Answer, told_as: ToldAs) -> respond::Reply {
    match answer {
        Answer::Buffered { events, .. } => {
            let events = events.into_iter().map(|event| event.raw);
            let mut events: std::collections::VecDeque<Bytes> = events.collect();
            let done = events.pop_back();
            let mark = Bytes::from(crate::stream::outcome_comment(decision));
            whole_stream(events.into_iter().chain([mark]).chain(done).collect())
        }
        Answer::Chat { body, .. } if !told_as.stream => respond::json_bytes(StatusCode::OK, body),
        answer if told_as.stream => {
            let value = match answer.text() {
                Some(text) => Value::String(text.to_owned()),
                None => answer.value(),
            };
            let mut events = completion_events(decision, &value, told_as.usage_asked);
            events.push_str(&crate::stream::outcome_comment(decision));
            events.push_str("data: [DONE]\n\n");
            whole_stream(vec![Bytes::from(events)])
        }
        answer => respond::json_value(StatusCode::OK, &completion(decision, &answer.value())),
    }
}

fn whole_stream(events: Vec<Bytes>) -> respond::Reply {
    let frames = events.into_iter().map(|bytes| Ok(BodyFrame::data(bytes)));
    respond::event_stream(Box::pin(stream::iter(frames)))
}

fn chunks(telling: Telling) -> respond::Chunks {
    Box::pin(stream::unfold(telling, |mut telling| async move {
        let bytes = telling.next().await?;
        Some((Ok(BodyFrame::data(bytes)), telling))
    }))
}
