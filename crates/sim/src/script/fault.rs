//! The faults: every way in which a provider is known to fail, and a few answers that are allowed but awkward.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The largest answer that [`Fault::Oversized`] gives, in bytes.
const OVERSIZED_BYTES_MAX: u64 = 1 << 30;

/// What happens to a request instead of the plain answer.
///
/// In a script a fault without settings is a word (`do = "reset"`), one with settings a table
/// (`do = { stall = { after = 3 } }`). `after` counts content chunks of a stream; on a plain response
/// any `after` above 0 means half of the body.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// An error response with this status.
    Status {
        /// The HTTP status, 200 to 599.
        code: u16,
        /// What its body looks like.
        #[serde(default)]
        body: ErrorBody,
    },
    /// 429 `rate_limit_exceeded`, with `Retry-After` if given.
    RateLimit {
        /// Seconds until the caller may try again; no header without it.
        #[serde(default)]
        retry_after: Option<u32>,
    },
    /// 429 `insufficient_quota`: the bill was not paid.
    Quota,
    /// 401 `invalid_api_key`.
    BadKey,
    /// 404 `model_not_found`.
    ModelNotFound,
    /// 400 `context_length_exceeded`.
    ContextLength,
    /// 400 `content_filter`: the prompt was refused.
    ContentFilter,
    /// 200, but the answer stops with the finish reason `content_filter`.
    Filtered,
    /// 200, but the answer stops half way with the finish reason `length`.
    Truncated,
    /// 200 with a `refusal` instead of content.
    Refusal,

    /// The connection is reset (RST) before the first byte of a response.
    Reset,
    /// The connection is closed (FIN) before the first byte of a response.
    Close,
    /// The request is read and never answered.
    Silence,
    /// The response begins, and then nothing comes any more; the connection stays open.
    Stall {
        /// Content chunks before it.
        #[serde(default)]
        after: u32,
        /// Whether comments (`: keep-alive`) go on coming, ten a second.
        #[serde(default)]
        keep_alive: bool,
    },
    /// The response begins, and then the connection is closed in the middle of the body.
    Cut {
        /// Content chunks before it.
        #[serde(default)]
        after: u32,
        /// Whether it is reset (RST) rather than closed (FIN).
        #[serde(default)]
        reset: bool,
    },
    /// The stream ends properly as HTTP, but too early: no finish reason, no `[DONE]`.
    EndEarly {
        /// Content chunks before it.
        #[serde(default)]
        after: u32,
    },
    /// A complete stream, but without `[DONE]`.
    MissingDone,
    /// A stream with an event that is not JSON.
    MalformedChunk {
        /// Content chunks before it.
        #[serde(default)]
        after: u32,
    },
    /// A stream with an error event, as providers send it once headers are out.
    ErrorEvent {
        /// Content chunks before it.
        #[serde(default)]
        after: u32,
    },
    /// The response's headers come at once, the first content chunk after this.
    SlowFirstToken {
        /// How long it takes.
        #[serde(with = "super::duration")]
        delay: Duration,
    },
    /// This long between content chunks.
    SlowChunks {
        /// How long each takes.
        #[serde(with = "super::duration")]
        interval: Duration,
    },

    /// 200 with a body that is cut JSON.
    BrokenJson,
    /// 200 with JSON that is no chat completion.
    WrongShape,
    /// 200 with an answer that breaks the schema that was asked for.
    WrongSchema,
    /// 200 with a body of about this many bytes.
    Oversized {
        /// How many, at most 1 GiB.
        bytes: u64,
    },
    /// 200 without a usage block.
    NoUsage,

    /// 200 with exactly this answer (for `/predict`: this JSON body).
    Answer(String),
}

/// What the body of an error response looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorBody {
    /// The error envelope of the OpenAI API.
    #[default]
    Openai,
    /// An HTML page, as load balancers send.
    Html,
    /// Plain text.
    Text,
    /// Nothing.
    Empty,
}

impl Fault {
    /// The word by which scripts and the ledger call this fault.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::RateLimit { .. } => "rate_limit",
            Self::Quota => "quota",
            Self::BadKey => "bad_key",
            Self::ModelNotFound => "model_not_found",
            Self::ContextLength => "context_length",
            Self::ContentFilter => "content_filter",
            Self::Filtered => "filtered",
            Self::Truncated => "truncated",
            Self::Refusal => "refusal",
            Self::Reset => "reset",
            Self::Close => "close",
            Self::Silence => "silence",
            Self::Stall { .. } => "stall",
            Self::Cut { .. } => "cut",
            Self::EndEarly { .. } => "end_early",
            Self::MissingDone => "missing_done",
            Self::MalformedChunk { .. } => "malformed_chunk",
            Self::ErrorEvent { .. } => "error_event",
            Self::SlowFirstToken { .. } => "slow_first_token",
            Self::SlowChunks { .. } => "slow_chunks",
            Self::BrokenJson => "broken_json",
            Self::WrongShape => "wrong_shape",
            Self::WrongSchema => "wrong_schema",
            Self::Oversized { .. } => "oversized",
            Self::NoUsage => "no_usage",
            Self::Answer(_) => "answer",
        }
    }

    /// Whether this fault can be; if not, what to write instead.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Status { code, .. } if !(200..=599).contains(code) => {
                Err(format!("status {code} is not one: write 200 to 599"))
            }
            Self::Oversized { bytes } if *bytes > OVERSIZED_BYTES_MAX => Err(format!(
                "{bytes} bytes are too many: write at most {OVERSIZED_BYTES_MAX}"
            )),
            _ => Ok(()),
        }
    }
}
