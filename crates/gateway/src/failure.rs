//! A failure inside a decision, on its way to a ladder.

use plimsoll_core::{Code, FailureKind, ModelName};
use plimsoll_guard::contract::Violation;
use plimsoll_models::ModelError;

use crate::answer::Answer;
use crate::refusal::Refusal;

/// What went wrong, and what a step of a ladder may need to know of it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the caller is told if no step has an answer.
    pub(crate) refusal: Refusal,
    /// Field and rule for the record, never a value.
    pub(crate) finding: Option<String>,
    /// The answer that was not cleared, and the model that gave it.
    pub(crate) uncleared: Option<Box<(ModelName, Answer)>>,
}

impl Failure {
    /// A failure that says what its code says.
    pub(crate) fn plain(code: Code) -> Self {
        Self::from(Refusal::plain(code))
    }

    /// A failure with a message.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self::from(Refusal::new(code, message))
    }

    /// A failure about these fields.
    pub(crate) fn about(violations: Vec<Violation>) -> Self {
        let code = violations
            .first()
            .map_or(Code::ContractSchema, |violation| violation.code);
        Self::from(Refusal::about(code, violations))
    }

    /// The same, keeping the answer that was not cleared.
    pub(crate) fn of(mut self, model: &ModelName, answer: Answer) -> Self {
        self.uncleared = Some(Box::new((model.clone(), answer)));
        self
    }

    /// The stable code.
    pub(crate) const fn code(&self) -> Code {
        self.refusal.code
    }

    /// Whether a guard leaves it to a person, whatever the ladder says.
    pub(crate) const fn asks_a_person(&self) -> bool {
        matches!(self.refusal.code, Code::GuardReview | Code::OutputReview)
    }

    /// Whether a limit of the workspace stands in the way.
    pub(crate) const fn is_limit(&self) -> bool {
        self.refusal.limit.is_some()
    }

    /// Which ladder it takes.
    pub(crate) fn kind(&self) -> FailureKind {
        self.refusal.code.kind().unwrap_or(FailureKind::Unavailable)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let finding = findings(&refusal);
        Self {
            refusal,
            finding,
            uncleared: None,
        }
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        let mut refusal = Refusal::plain(error.code);
        refusal.retry_after = error.retry_after;
        Self {
            refusal,
            finding: Some(error.detail),
            uncleared: None,
        }
    }
}

fn findings(refusal: &Refusal) -> Option<String> {
    if refusal.details.is_empty() {
        return None;
    }
    let lines = refusal
        .details
        .iter()
        .take(8)
        .map(|d| format!("{}: {}", d.field, d.rule));
    Some(lines.collect::<Vec<_>>().join(", "))
}
