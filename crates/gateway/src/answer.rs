//! What is asked and what is answered, on the way through the stages.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use plimsoll_models::ModelError;
use plimsoll_models::openai::{ChatStream, StreamEvent};
use serde_json::Value;

use crate::opening::SetAside;
use crate::refusal::Refusal;

/// One item asked: what a decision is about.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// A row of named values, or the variables of a prompt.
    Row(Value),
    /// A chat request.
    Chat(ChatItem),
    /// A body that could not be read, of a call whose system is known.
    Broken(Refusal),
}

/// A chat request whose bytes are strict JSON.
#[derive(Clone, Debug)]
pub(crate) struct ChatItem {
    /// The caller's own bytes.
    pub(crate) body: Bytes,
    /// The body as a value, once somebody asked for it.
    pub(crate) parsed: Arc<OnceLock<Value>>,
    /// Whether the caller wants a stream.
    pub(crate) stream: bool,
    /// Whether the caller asked for usage at the end of the stream.
    pub(crate) usage_asked: bool,
    /// The caller's own bound on the answer, and the name under which it came.
    pub(crate) max_tokens: Option<(&'static str, u64)>,
    /// How many answers the caller wants: `n`.
    pub(crate) choices: u64,
}

impl ChatItem {
    /// A request that is no stream and states no bound of its own.
    pub(crate) fn plain(body: Bytes) -> Self {
        let parsed = Arc::default();
        Self {
            body,
            parsed,
            stream: false,
            usage_asked: false,
            max_tokens: None,
            choices: 1,
        }
    }

    /// The body as a value; read once.
    pub(crate) fn value(&self) -> &Value {
        let read = || serde_json::from_slice(&self.body).unwrap_or(Value::Null);
        self.parsed.get_or_init(read)
    }
}

/// A request that was screened.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// A row for a predictor: an object in the order of the contract.
    Row(Value),
    /// The variables of a prompt, and the chat body that it became.
    Prompt { variables: Value, item: ChatItem },
    /// A chat request.
    Chat(ChatItem),
}

impl Request {
    /// What expressions see as `inputs`.
    pub(crate) fn inputs(&self) -> Value {
        match self {
            Self::Row(value)
            | Self::Prompt {
                variables: value, ..
            } => value.clone(),
            Self::Chat(item) => item.value().clone(),
        }
    }

    /// The chat request, if a language model is to answer.
    pub(crate) const fn chat(&self) -> Option<&ChatItem> {
        match self {
            Self::Row(_) => None,
            Self::Prompt { item, .. } | Self::Chat(item) => Some(item),
        }
    }
}

/// An answer, not yet cleared.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A value: of a predictor, a rule table, a typed function, a person.
    Value {
        value: Value,
        confidence: Option<f64>,
    },
    /// A chat completion in the provider's own bytes.
    Chat {
        body: Bytes,
        /// The text of the first choice.
        content: Option<String>,
        /// Whether nothing else would reach the caller as text.
        is_only_content: bool,
    },
    /// A stream that was read to its end before anything of it was given.
    Buffered {
        events: Vec<StreamEvent>,
        content: String,
    },
    /// A stream that has begun.
    Stream(Box<OpenStream>),
}

/// A stream whose first content has arrived, with everything that came before it.
pub(crate) struct OpenStream {
    pub(crate) head: Vec<StreamEvent>,
    pub(crate) rest: Rest,
    /// The attempt in the record that this stream belongs to.
    pub(crate) attempt: usize,
    /// What was set aside for it.
    pub(crate) reservation: SetAside,
}

/// Where the rest of a stream comes from.
#[expect(
    clippy::large_enum_variant,
    reason = "a live stream is the usual case, and is not to be allocated once more"
)]
pub(crate) enum Rest {
    /// From the provider.
    Live(ChatStream),
    /// From a record: nothing more, or the error with which it broke.
    Recorded(Option<ModelError>),
}

impl Rest {
    /// The next event; as [`ChatStream::next`].
    pub(crate) async fn next(&mut self) -> Option<Result<StreamEvent, ModelError>> {
        match self {
            Self::Live(stream) => stream.next().await,
            Self::Recorded(broke) => broke.take().map(Err),
        }
    }

    /// The model that the provider says is answering.
    pub(crate) fn reported_model(&self) -> Option<&str> {
        match self {
            Self::Live(stream) => stream.reported_model(),
            Self::Recorded(_) => None,
        }
    }
}

impl std::fmt::Debug for OpenStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenStream")
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// A value that nobody was unsure of: the abstain value, a person's answer.
    pub(crate) const fn given(value: Value) -> Self {
        Self::Value {
            value,
            confidence: None,
        }
    }

    /// The text of a language model's answer.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Value { value, .. } => value.as_str(),
            Self::Chat { content, .. } => content.as_deref(),
            Self::Buffered { content, .. } => Some(content),
            Self::Stream(_) => None,
        }
    }

    /// The answer as a value: a text that is JSON becomes what it says.
    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Value { value, .. } => value.clone(),
            Self::Chat { .. } | Self::Buffered { .. } | Self::Stream(_) => {
                let text = self.text().unwrap_or_default();
                serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
            }
        }
    }

    /// How sure the model was.
    pub(crate) const fn confidence(&self) -> Option<f64> {
        match self {
            Self::Value { confidence, .. } => *confidence,
            Self::Chat { .. } | Self::Buffered { .. } | Self::Stream(_) => None,
        }
    }
}
