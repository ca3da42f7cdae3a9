//! The record of a decision: one item asked, and everything about how it was answered.
//!
//! This is a stored format. Its JSON is the header in the journal and the future leaf of the audit
//! log; the payload lies apart and stands here only as a salted commitment. Fields are added with a
//! default, never renamed, never reused.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::code::Code;
use crate::digest::Digest;
use crate::failure::FailureKind;
use crate::ids::{DecisionId, DeploymentId, EventId, RequestId, ReviewId};
use crate::ladder::Step;
use crate::manifest::{GuardAction, Mode, ReleaseId};
use crate::money::Money;
use crate::names::{EnvironmentName, KeyName, ModelName, SystemName, TenantName};
use crate::outcome::Outcome;

/// One decision, as far as it is known: without `outcome` it is open.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Names it.
    pub id: DecisionId,
    /// The call that it came with.
    pub request: RequestId,
    /// Which row of the call it is, from 0.
    pub row: u32,
    /// Whose it is.
    pub tenant: TenantName,
    /// Where it was made.
    pub environment: EnvironmentName,
    /// Which system was asked.
    pub system: SystemName,
    /// The key that asked; none for an open loopback listener.
    pub key: Option<KeyName>,
    /// The unit of work that it belongs to, if the caller named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The agent session that it belongs to, if the caller named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// HMAC-SHA-256 of whom it is about, under the node's pepper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Digest>,
    /// HMAC-SHA-256 of the caller's idempotency key, under the node's pepper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<Digest>,
    /// The release that answered.
    pub release: ReleaseId,
    /// The deployment event that put it there.
    pub deployment: DeploymentId,
    /// How the caller spoke.
    pub protocol: Protocol,
    /// Whether the answer was a stream.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stream: bool,
    /// Whether controls acted.
    pub mode: Mode,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The first failure's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<FailureKind>,
    /// The last failure's code, if the decision did not end with an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Time spent in each stage.
    pub stages: StageTimes,
    /// Every configured control with its verdict.
    pub controls: Vec<ControlRecord>,
    /// Every call to a model.
    pub attempts: Vec<AttemptRecord>,
    /// The steps of ladders that were taken, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<PathStep>,
    /// How sure the answering model was, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// What it cost.
    pub cost: Cost,
    /// The commitment to the payload, if one is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<PayloadRef>,
    /// The review that it waits or waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewId>,
    /// How long a person worked on that review, in seconds, as they say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worked_seconds: Option<u64>,
    /// What was changed in what passed: `model`, `max_tokens`, `inputs.age` for a value that was coerced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spliced: Vec<String>,
    /// The drill that it was part of: such decisions count in no figure of production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<EventId>,
    /// The run of an eval that asked: such decisions count in no figure of production either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eval: Option<EventId>,
    /// The alarm about which a person is asked, where nobody outside asked anything: it counts in no figure of production
    /// either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<EventId>,
    /// In observe mode: the failures that would have been acted on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<Code>,
    /// The age of the answer, when it was an earlier one, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_age_ms: Option<u64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Decision {
    /// The drill, the run of an eval or the alarm that it was made for: then nobody outside asked, and it counts in no
    /// figure of production.
    pub fn made_for(&self) -> Option<EventId> {
        self.drill.or(self.eval).or(self.alarm)
    }

    /// Microseconds from opening to closing, once closed.
    pub fn total_micros(&self) -> Option<u64> {
        let closed_at = self.closed_at?;
        Some(u64::try_from(closed_at.since(self.opened_at).as_micros()).unwrap_or(u64::MAX))
    }
}

/// How a caller spoke.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// `/v1/systems/{system}/decisions`.
    Decisions,
    /// OpenAI's `/v1/chat/completions`.
    OpenaiChat,
    /// Open Inference Protocol v2.
    Oip,
    /// `plimsoll batch`, `plimsoll test`: no listener.
    File,
}

/// Microseconds spent in each stage; `answer` and `clear` add up over all steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StageTimes {
    /// Who is asking.
    pub identify: u64,
    /// What they ask for.
    pub resolve: u64,
    /// May they, now.
    pub admit: u64,
    /// Is it fit to be asked.
    pub screen: u64,
    /// Ask.
    pub answer: u64,
    /// Is it fit to be told.
    pub clear: u64,
}

/// One control and what it said.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ControlRecord {
    /// `contract`, `guard:phrases`, `budget`, `output:schema`, `unsure`.
    pub control: Cow<'static, str>,
    /// What it said.
    pub verdict: Verdict,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// Why it failed or was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Field and rule, never a value: `loan_amount: range`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// What a guard's rules found, the first sixteen of it, never the text that was matched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<GuardFinding>,
}

/// One place at which a rule of a guard held.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GuardFinding {
    /// The rule, as family and name: `pii/iban`.
    pub rule: String,
    /// The part of the request or answer: `messages[1].content`. Names of members only where the contract
    /// has them.
    pub part: String,
    /// Its first byte in the text of that part, in UTF-8.
    pub start: u64,
    /// One past its last byte.
    pub end: u64,
    /// How sure the rule is, from 0 to 1.
    pub score: f64,
    /// What was done about it.
    pub action: GuardAction,
    /// Whether that was only said.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shadow: bool,
}

/// What a control said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing stands against it.
    Passed,
    /// It may not pass.
    Failed,
    /// The control was configured and did not run: an alarm.
    Skipped,
}

/// One call to one model.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Which model.
    pub model: ModelName,
    /// Why it was asked.
    pub reason: AttemptReason,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// To the first token, in microseconds, for streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token_micros: Option<u64>,
    /// Why it failed; none if it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// What the provider calls the model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_model: Option<String>,
    /// Tokens used, as the provider counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What it cost.
    pub cost: Cost,
    /// What it could use at the most, as it was set aside before; none if that had no bound. Beside a
    /// measured cost it tells how far such estimates lie above the truth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<AtMost>,
}

/// What a call can use at the most.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AtMost {
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Money.
    pub money: Money,
}

impl AttemptRecord {
    /// The tokens that count on limits, read and written: what the provider says or, where it was called
    /// and says nothing, what was set aside. None if it was not called, or told of no tokens.
    pub fn counted_tokens(&self) -> Option<(u64, u64)> {
        let told = self
            .usage
            .map(|usage| (usage.input_tokens, usage.output_tokens));
        told.or_else(|| {
            let at_most = self
                .at_most
                .filter(|_| self.cost.basis != CostBasis::Measured)?;
            Some((at_most.input_tokens, at_most.output_tokens))
        })
    }
}

/// Why a model was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptReason {
    /// It is the first.
    First,
    /// The same call failed in passing.
    Retry,
    /// A ladder's step asked for it.
    Ladder,
    /// It was asked to mend its answer.
    Repair,
}

/// Tokens, as a provider counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: u64,
    /// Of these, from the provider's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Of these, spent on reasoning.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reasoning_tokens: u64,
    /// Of the tokens read, those of images.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub image_input_tokens: u64,
    /// Of the tokens read, those of sound.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub audio_input_tokens: u64,
    /// Of the tokens written, those of images.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub image_output_tokens: u64,
    /// Of the tokens written, those of sound.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub audio_output_tokens: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// What something cost, and how that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cost {
    /// The amount; zero when unknown.
    pub amount: Money,
    /// How it is known.
    pub basis: CostBasis,
}

impl Cost {
    /// Nothing was bought.
    pub const FREE: Self = Self {
        amount: Money::ZERO,
        basis: CostBasis::Measured,
    };
    /// Something was bought, and nobody knows for how much.
    pub const UNKNOWN: Self = Self {
        amount: Money::ZERO,
        basis: CostBasis::Unknown,
    };

    /// The sum, as well known as its worst part.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            amount: self.amount + other.amount,
            basis: self.basis.max(other.basis),
        }
    }
}

/// How a cost is known, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostBasis {
    /// From usage that the provider gave, or time that we measured.
    Measured,
    /// From our own count.
    Estimated,
    /// Not known: an alarm.
    Unknown,
}

/// One step of a ladder that was taken.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PathStep {
    /// The failure that led here.
    pub kind: FailureKind,
    /// Its code.
    pub code: Code,
    /// The step taken.
    pub step: Step,
    /// Field and rule, never a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What the record says of a payload that lies apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PayloadRef {
    /// SHA-256 over 0x02, the 32-byte salt and the payload's bytes.
    pub commitment: Digest,
    /// The payload's length in bytes.
    pub bytes: u64,
}

/// What is kept of a decision's input and output, encrypted, apart from the journal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Payload {
    /// The input, as the payload policy leaves it.
    pub input: serde_json::Value,
    /// The answer, as the payload policy leaves it; null if there was none.
    pub output: serde_json::Value,
    /// What each attempt's model said, as the policy leaves it: in the order of the attempts, null for
    /// one that failed, and for one whose answer is `output`. Only `full` keeps them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<serde_json::Value>,
}
