//! Why a model gave no answer.

use std::time::Duration;

use plimsoll_core::Code;
use plimsoll_core::decision::Usage;

/// A call to a model that gave no answer.
///
/// It may be recorded and shown to operators: `detail` never holds a payload, a prompt or a secret,
/// and of what a provider says only identifiers such as `context_length_exceeded`.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct ModelError {
    /// What went wrong, and with it the failure kind.
    pub code: Code,
    /// The particulars, for operators.
    pub detail: String,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// How long the model's server asks us to wait.
    pub retry_after: Option<Duration>,
    /// Whether the same call may succeed a little later.
    pub retryable: bool,
    /// What the call cost all the same, if the server said so.
    pub usage: Option<Usage>,
}

impl ModelError {
    /// An error without an answer from the server, retryable if its code is.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            status: None,
            retry_after: None,
            retryable: code.is_retryable(),
            usage: None,
        }
    }

    /// The same error, with the HTTP status that the server answered with.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The same error, with what the call cost.
    #[must_use]
    pub fn with_usage(mut self, usage: Option<Usage>) -> Self {
        self.usage = usage;
        self
    }
}
