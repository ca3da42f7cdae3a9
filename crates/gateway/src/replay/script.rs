//! What the record says of all that was not our own logic: what models said, how calls failed, what the
//! machine had room for.

use plimsoll_core::decision::{AttemptReason, AttemptRecord, ControlRecord, PathStep};
use plimsoll_core::deployment::Halt;
use plimsoll_core::manifest::ModelSpec;
use plimsoll_core::{Code, Decision, ModelName, Outcome};
use plimsoll_models::ModelError;
use plimsoll_models::openai::StreamEvent;
use serde_json::Value;

use crate::answer::{Answer, OpenStream, Rest};
use crate::failure::Failure;
use crate::opening::SetAside;
use crate::refusal::Refusal;
use crate::replay::{Original, ReplayError, chat};
use crate::switch::Stop;

/// What a model said, to go on with.
pub(crate) enum Said {
    /// A whole answer.
    Whole(Answer),
    /// A stream.
    Stream(Box<OpenStream>),
}

/// What the record says.
pub(super) struct Script {
    asks: Vec<Ask>,
    path: Vec<PathStep>,
    code: Option<Code>,
    admission: Option<ControlRecord>,
    last_good: Option<(Value, u64)>,
}

/// One time that a model was asked, its retries included.
struct Ask {
    tries: Vec<AttemptRecord>,
    said: Option<Kept>,
}

/// What was kept of what a model said.
enum Kept {
    Value {
        value: Value,
        confidence: Option<f64>,
    },
    Chat(Value),
    /// The text of a stream, and why it broke after that.
    Text(String, Option<Code>),
}

/// In which form a model's answer is kept.
enum Form {
    Value,
    Chat,
    Text,
}

impl Script {
    /// Reads a record, which must have all that models said.
    pub(super) fn read(recorded: &Original) -> Result<Self, ReplayError> {
        let decision = &recorded.decision;
        let mut asks: Vec<Ask> = Vec::new();
        for (number, attempt) in decision.attempts.iter().enumerate() {
            let said = recorded.said(number, attempt);
            match asks.last_mut() {
                Some(last) if last.goes_on_with(attempt) => {
                    last.tries.push(attempt.clone());
                    last.said = said;
                }
                _ => asks.push(Ask {
                    tries: vec![attempt.clone()],
                    said,
                }),
            }
        }
        if let Some(ask) = asks
            .iter()
            .find(|ask| ask.was_answered() && ask.said.is_none())
        {
            return Err(ReplayError::AnswerNotKept(ask.model().clone()));
        }
        let admission = decision.controls.iter();
        let mut admission = admission.filter(|record| record.control == "admission");
        let age = decision.answer_age_ms;
        Ok(Self {
            asks,
            path: decision.path.clone(),
            code: decision.code,
            admission: admission.next().cloned(),
            last_good: age.map(|age| (recorded.payload.output.clone(), age)),
        })
    }

    /// The intervention that held then.
    pub(super) fn stop(&self) -> Option<Stop> {
        let first = self.path.first()?;
        let code = first.code;
        if !matches!(code, Code::SystemHalted | Code::ControlLost) {
            return None;
        }
        let is_fallback = first.detail.as_deref() == Some(Halt::Fallback.as_str());
        let to = if is_fallback {
            Halt::Fallback
        } else {
            Halt::Halted
        };
        Some(Stop { to, code })
    }

    /// Why the decision was not admitted.
    pub(super) fn admission(&self) -> Option<Failure> {
        let record = self.admission.as_ref()?;
        Some(failure(record.code?, record.finding.clone()))
    }

    /// What comes of asking `name` now: its attempts go into the record as they were.
    pub(super) fn ask(
        &mut self,
        decision: &mut Decision,
        name: &ModelName,
        reason: AttemptReason,
    ) -> Result<Said, Failure> {
        let fault = self.fault(&decision.path);
        let mends = reason == AttemptReason::Repair;
        let place = self.asks.iter().position(|ask| ask.is_of(name, mends));
        let Some(place) = place else {
            return Err(fault.unwrap_or_else(|| unasked(name)));
        };
        let Ask { tries, said } = self.asks.remove(place);
        let last = tries.last().and_then(|attempt| attempt.code);
        decision.attempts.extend(tries);
        match (said, last) {
            (Some(said), _) => Ok(said.again(decision)),
            (None, Some(code)) => Err(match fault {
                Some(fault) if fault.code() == code || is_circumstance(fault.code()) => fault,
                _ => Failure::plain(code),
            }),
            (None, None) => Err(fault.unwrap_or_else(|| unasked(name))),
        }
    }

    /// The earlier answer that was given, and its age.
    pub(super) fn recalled(&self, path: &[PathStep]) -> Result<(Value, u64), Failure> {
        if let Some(fault) = self.fault(path) {
            return Err(fault);
        }
        let missing = || Failure::plain(Code::LastGoodMissing);
        self.last_good.clone().ok_or_else(missing)
    }

    /// Whether a review could be opened: the record goes on if it could not.
    pub(super) fn review(&self, path: &[PathStep]) -> Result<(), Failure> {
        self.fault(path).map_or(Ok(()), Err)
    }

    /// The failure that the record tells of at this point, as long as the replay has followed it. In
    /// observe mode it tells only the last.
    fn fault(&self, path: &[PathStep]) -> Option<Failure> {
        if self.path.is_empty() && path.is_empty() {
            return self.code.map(Failure::plain);
        }
        let step = |step: &PathStep| (step.kind, step.code, step.step.clone());
        let known = self.path.get(..path.len())?;
        let followed = known.iter().map(step).eq(path.iter().map(step));
        let next = self.path.get(path.len()).filter(|_| followed)?;
        Some(failure(next.code, next.detail.clone()))
    }
}

impl Ask {
    fn model(&self) -> &ModelName {
        &self.tries[0].model
    }

    fn is_of(&self, name: &ModelName, mends: bool) -> bool {
        let is_repair = self.tries[0].reason == AttemptReason::Repair;
        self.model() == name && is_repair == mends
    }

    fn goes_on_with(&self, attempt: &AttemptRecord) -> bool {
        attempt.reason == AttemptReason::Retry && attempt.model == *self.model()
    }

    fn was_answered(&self) -> bool {
        self.tries.last().is_some_and(|last| last.code.is_none())
    }
}

impl Original {
    /// What the model of this attempt said.
    fn said(&self, number: usize, attempt: &AttemptRecord) -> Option<Kept> {
        let form = self.form(attempt);
        let kept = self.payload.attempts.get(number);
        if let Some(kept) = kept.filter(|kept| !kept.is_null()) {
            return Some(match form {
                Form::Value => Kept::Value {
                    value: kept["value"].clone(),
                    confidence: kept["confidence"].as_f64(),
                },
                Form::Chat => Kept::Chat(kept.clone()),
                Form::Text => Kept::Text(kept.as_str()?.to_owned(), None),
            });
        }
        let is_last = number + 1 == self.decision.attempts.len();
        let is_partial = self.decision.outcome == Some(Outcome::Partial);
        let spoke = attempt.code.is_none() || is_partial;
        if !(is_last && spoke && self.output_is_a_models()) {
            return None;
        }
        let output = &self.payload.output;
        Some(match form {
            Form::Value => Kept::Value {
                value: output.clone(),
                confidence: self.decision.confidence,
            },
            Form::Chat => Kept::Chat(output.clone()),
            Form::Text => Kept::Text(
                output.as_str()?.to_owned(),
                attempt.code.filter(|code| *code != Code::OutputBlocked),
            ),
        })
    }

    /// Whether the output is what a model said in this decision. One that was withheld has an output
    /// although it was refused.
    fn output_is_a_models(&self) -> bool {
        let answered = match self.decision.outcome {
            Some(Outcome::Served | Outcome::Repaired | Outcome::FellBack | Outcome::Partial) => {
                true
            }
            Some(Outcome::Refused) => !self.payload.output.is_null(),
            _ => false,
        };
        answered && self.decision.answer_age_ms.is_none()
    }

    fn form(&self, attempt: &AttemptRecord) -> Form {
        let spec = self.manifest.models.get(&attempt.model);
        if self.is_of_rows() || !matches!(spec, Some(ModelSpec::Openai(_))) {
            Form::Value
        } else if self.decision.stream && attempt.reason != AttemptReason::Repair {
            Form::Text
        } else {
            Form::Chat
        }
    }
}

impl Kept {
    /// The same, said again in the last attempt of `decision`.
    fn again(self, decision: &Decision) -> Said {
        match self {
            Self::Value { value, confidence } => Said::Whole(Answer::Value { value, confidence }),
            Self::Chat(body) => Said::Whole(chat::answer(&body)),
            Self::Text(text, broke) => {
                let usage = decision.attempts.last().and_then(|attempt| attempt.usage);
                let event = StreamEvent {
                    delta: Some(text),
                    content_bearing: true,
                    usage,
                    ..StreamEvent::default()
                };
                let broke = broke.map(|code| ModelError::new(code, "as it was recorded"));
                Said::Stream(Box::new(OpenStream {
                    head: vec![event],
                    rest: Rest::Recorded(broke),
                    attempt: decision.attempts.len().saturating_sub(1),
                    reservation: SetAside::default(),
                }))
            }
        }
    }
}

fn failure(code: Code, finding: Option<String>) -> Failure {
    let mut failure = Failure::from(Refusal::plain(code));
    failure.finding = finding;
    failure
}

fn unasked(name: &ModelName) -> Failure {
    let message = format!("the record has no answer of model `{name}`");
    let mut failure = Failure::new(Code::Internal, message.as_str());
    failure.finding = Some(message);
    failure
}

/// Whether it was the machine that decided so, and not the model that failed.
const fn is_circumstance(code: Code) -> bool {
    matches!(
        code,
        Code::TotalTimeout
            | Code::BudgetExceeded
            | Code::RecordQueueFull
            | Code::RecordUnavailable
            | Code::Internal
    )
}
