//! A streamed answer: its events with their exact bytes, and the timers between them.
//!
//! Only content moves the timers on: text, reasoning, refusals and tool calls. Comments, keep-alives
//! and chunks without content do not, so that a provider that holds the line open without a word is
//! found to be slow. A stream is whole when it said `[DONE]` or why it finished; one that ends
//! before is a reset, whatever came.

use bytes::Bytes;
use plimsoll_core::Code;
use plimsoll_core::decision::Usage;
use tokio::time::Instant;

use super::errors;
use super::protocol;
use super::response::withheld;
use super::sse::{SseEvent, SseParser};
use super::wire::{Choice, Completion, Message};
use crate::error::ModelError;
use crate::timers::{Deadline, Running};
use crate::transport::{Answer, reset};

/// The most bytes of one event.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// One event of a stream.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct StreamEvent {
    /// The exact bytes, the blank line at the end included.
    pub raw: Bytes,
    /// Text of the first choice.
    pub delta: Option<String>,
    /// What else would reach the caller as text and a guard must therefore read.
    pub more: Vec<TextPiece>,
    /// Whether it holds content: from the first such event on, another model's answer can no longer
    /// take this one's place.
    pub content_bearing: bool,
    /// Whether it holds a piece of a tool call.
    pub has_tool_calls: bool,
    /// Why the first choice ends, if it does.
    pub finish_reason: Option<String>,
    /// The tokens, if the provider tells them here.
    pub usage: Option<Usage>,
    /// Whether it is `[DONE]`, the last one.
    pub done: bool,
}

/// A piece of text beside the text of the first choice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextPiece {
    /// Which text it is a piece of.
    pub channel: Channel,
    /// The piece.
    pub text: String,
}

/// Which of the texts that a stream weaves together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Channel {
    /// The choice, from 0.
    pub choice: u32,
    /// The part of it.
    pub part: Part,
}

/// A part of a choice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// The answer itself.
    Content,
    /// What the model thought on the way, where a provider tells it.
    Reasoning,
    /// Why the model declines.
    Refusal,
    /// The arguments of the tool call with this number.
    ToolArguments(u32),
}

/// A stream of events. Dropping it before its end closes the connection, so that the provider stops.
#[derive(Debug)]
pub struct ChatStream {
    answer: Answer,
    parser: SseParser,
    running: Running,
    /// By when the next content must have come.
    content_by: Deadline,
    reported_model: Option<String>,
    has_content: bool,
    has_finish: bool,
    input_ended: bool,
    over: bool,
}

impl ChatStream {
    pub(super) fn new(answer: Answer, running: Running) -> Self {
        Self {
            answer,
            parser: SseParser::new(EVENT_BYTES_MAX),
            content_by: running.first_token,
            running,
            reported_model: None,
            has_content: false,
            has_finish: false,
            input_ended: false,
            over: false,
        }
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        self.answer.status
    }

    /// The model that the provider says is answering, once an event has told it.
    pub fn reported_model(&self) -> Option<&str> {
        self.reported_model.as_deref()
    }

    /// The next event; `None` after `[DONE]`, after an error, and at the end of a stream that said
    /// why it finished but not `[DONE]`. The future may be dropped and `next` called again without
    /// loss.
    pub async fn next(&mut self) -> Option<Result<StreamEvent, ModelError>> {
        if self.over {
            self.release().await;
            return None;
        }
        let next = self.advance().await;
        self.over = !matches!(&next, Some(Ok(event)) if !event.done);
        next
    }

    async fn advance(&mut self) -> Option<Result<StreamEvent, ModelError>> {
        loop {
            match self.parser.next() {
                Ok(Some(event)) => return Some(self.read(event)),
                Ok(None) => {}
                Err(_) => {
                    let detail = format!("an event is larger than {EVENT_BYTES_MAX} bytes");
                    return Some(Err(protocol(detail)));
                }
            }
            if self.input_ended {
                let Some(rest) = self.parser.finish() else {
                    return self.end(reset("before its answer was whole"));
                };
                return self.read_rest(rest);
            }
            let by = self.content_by.earlier(self.running.total);
            match by.hold(self.answer.chunk()).await {
                Ok(Some(Ok(bytes))) => self.parser.push(bytes),
                Ok(None) => self.input_ended = true,
                Ok(Some(Err(error))) | Err(error) => return self.end(error),
            }
        }
    }

    /// No more will come, because of `error`: that matters only if the answer is not whole.
    fn end(&self, error: ModelError) -> Option<Result<StreamEvent, ModelError>> {
        (!self.has_finish).then_some(Err(error))
    }

    /// An event without the blank line that ends it: the last one of a server that is sloppy, or a
    /// piece of one that broke off.
    fn read_rest(&mut self, mut rest: SseEvent) -> Option<Result<StreamEvent, ModelError>> {
        let mut raw = rest.raw.to_vec();
        raw.extend_from_slice(b"\n\n");
        rest.raw = raw.into();
        match self.read(rest) {
            Ok(event) => Some(Ok(event)),
            Err(error) if error.code == Code::ModelProtocol => {
                self.end(reset("before its answer was whole"))
            }
            Err(error) => Some(Err(error)),
        }
    }

    fn read(&mut self, event: SseEvent) -> Result<StreamEvent, ModelError> {
        let mut read = StreamEvent {
            raw: event.raw,
            ..StreamEvent::default()
        };
        let Some(data) = event.data else {
            return Ok(read);
        };
        let text = data.trim_ascii();
        if text == b"[DONE]" {
            read.done = true;
            return Ok(read);
        }
        if text.is_empty() {
            return Ok(read);
        }
        let chunk: Completion<'_> = serde_json::from_slice(text)
            .map_err(|_| protocol("an event of the stream is not a chat completion chunk"))?;
        if chunk.error.is_some()
            && let Some(error) = errors::in_body(text)
        {
            return Err(error);
        }
        if self.reported_model.is_none() {
            self.reported_model = chunk
                .model
                .filter(|m| !m.is_empty())
                .map(|m| m.into_owned());
        }
        read.usage = chunk.usage.as_ref().and_then(|usage| usage.usage());
        for (position, choice) in chunk.choices.into_iter().flatten().enumerate() {
            self.has_finish |= choice.finish_reason.is_some();
            read.take_in(position, choice);
        }
        if read.content_bearing {
            self.has_content = true;
            self.content_by =
                Deadline::after(Instant::now(), self.running.stall, Code::StallTimeout);
        }
        if !self.has_content && read.finish_reason.as_deref() == Some("content_filter") {
            return Err(withheld().with_usage(read.usage));
        }
        Ok(read)
    }

    /// Lets the connection be used again if the answer's end is already here.
    async fn release(&mut self) {
        let ended = Deadline::after(
            Instant::now(),
            std::time::Duration::ZERO,
            Code::TotalTimeout,
        );
        drop(ended.hold(self.answer.chunk()).await);
    }
}

impl StreamEvent {
    fn take_in(&mut self, position: usize, choice: Choice) {
        let number = choice
            .index
            .unwrap_or(u32::try_from(position).unwrap_or(u32::MAX));
        let message = choice.message.unwrap_or_default();
        let has_tool_calls = message.has_tool_calls();
        self.has_tool_calls |= has_tool_calls;
        if number == 0 {
            self.finish_reason = choice.finish_reason;
        }
        let texts = texts(message);
        self.content_bearing |= has_tool_calls || !texts.is_empty();
        for (part, text) in texts {
            if number == 0 && part == Part::Content {
                self.delta = Some(text);
                continue;
            }
            let choice = number;
            let channel = Channel { choice, part };
            self.more.push(TextPiece { channel, text });
        }
    }
}

/// The texts of a message that are not empty.
fn texts(mut message: Message) -> Vec<(Part, String)> {
    let mut texts = Vec::new();
    let mut add = |part, text: Option<String>| texts.extend(text.map(|text| (part, text)));
    add(Part::Reasoning, message.take_reasoning());
    add(Part::Content, message.content.filled());
    add(Part::Refusal, message.refusal.filled());
    for (position, call) in message.tool_calls.into_iter().flatten().enumerate() {
        let number = call
            .index
            .unwrap_or(u32::try_from(position).unwrap_or(u32::MAX));
        let arguments = call
            .function
            .and_then(|function| function.arguments.filled());
        add(Part::ToolArguments(number), arguments);
    }
    let arguments = message
        .function_call
        .and_then(|function| function.arguments.filled());
    add(Part::ToolArguments(0), arguments);
    texts
}
