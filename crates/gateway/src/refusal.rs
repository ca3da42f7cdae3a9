//! A refusal: the code, what the caller is told, and which fields it is about. Its shape on the
//! wire belongs to the caller's protocol.

use std::time::Duration;

use plimsoll_core::Code;
use plimsoll_guard::contract::Violation;
use serde::Serialize;

use crate::limiting::RefusedBy;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// What the caller is told; never a value of theirs or of the model's.
    pub message: String,
    /// The fields and rules that it is about.
    pub details: Vec<Detail>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// The limit of the workspace that it is about.
    pub limit: Option<Box<RefusedBy>>,
}

/// One field that does not fit, and the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detail {
    /// The code of this one.
    pub code: Code,
    /// The field, as a name or a JSON Pointer.
    pub field: String,
    /// The rule.
    pub rule: String,
    /// What is wrong and what is expected.
    pub message: String,
}

impl Refusal {
    /// A refusal with a message of its own.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
            retry_after: None,
            limit: None,
        }
    }

    /// A refusal that says what its code says.
    pub fn plain(code: Code) -> Self {
        Self::new(code, code.summary().trim_end_matches('.').to_lowercase())
    }

    /// A refusal about these fields.
    pub fn about(code: Code, violations: Vec<Violation>) -> Self {
        let details: Vec<Detail> = violations.into_iter().map(Detail::from).collect();
        let message = match details.as_slice() {
            [] => code.summary().to_lowercase(),
            [one] => one.message.clone(),
            [first, rest @ ..] => format!("{} (and {} more)", first.message, rest.len()),
        };
        Self {
            code,
            message,
            details,
            retry_after: None,
            limit: None,
        }
    }
}

impl From<Violation> for Detail {
    fn from(violation: Violation) -> Self {
        let Violation {
            code,
            field,
            rule,
            message,
        } = violation;
        Self {
            code,
            field,
            rule,
            message,
        }
    }
}
