//! The behaviour manifest: all that shapes how a system behaves, resolved, in one canonical form.
//!
//! Its SHA-256 names the release. Larger parts (model files, schemas, prompts) stand in it as
//! digests of blobs. A running system is built from a manifest and its blobs and from nothing else,
//! so that what the release says is what is served.

mod guards;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, DigestError};
use crate::ladder::Ladders;
use crate::money::Money;
use crate::names::{ModelName, ProviderName, QueueName, SystemName};
use crate::stakes::{Durability, PayloadPolicy};

pub use guards::{GuardAction, GuardSpec, Guards, OnError, ToolEffect, ToolSpec};

/// The version of the manifest's form.
pub const MANIFEST_FORMAT: u32 = 1;

/// Names a release: the SHA-256 of its manifest's canonical bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseId(pub Digest);

impl ReleaseId {
    /// The first seven hexadecimal digits: what people are shown.
    pub fn short(&self) -> String {
        self.0.short()
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for ReleaseId {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.parse().map(Self)
    }
}

/// All that shapes a system's behaviour.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_FORMAT`].
    pub format: u32,
    /// The system that this is a release of.
    pub system: SystemName,
    /// Whether controls act or only tell what they would have done.
    pub mode: Mode,
    /// The models, by name. `primary` is asked first.
    pub models: BTreeMap<ModelName, ModelSpec>,
    /// The prompt that makes the system a typed function.
    pub prompt: Option<PromptSpec>,
    /// Whatever else shapes behaviour: name → blob.
    pub artifacts: BTreeMap<String, Digest>,
    /// What inputs must look like.
    pub input: InputSpec,
    /// What outputs must look like.
    pub output: OutputSpec,
    /// The guards on input and output.
    pub guards: Guards,
    /// The tools that answers may call; none: whatever the caller offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<BTreeMap<String, ToolSpec>>,
    /// The designed answers to failures.
    pub ladders: Ladders,
    /// The time limits.
    pub deadline: DeadlineSpec,
    /// How often a model is asked again after a passing failure.
    pub retry: RetrySpec,
    /// The money limits.
    pub budget: BudgetSpec,
    /// What is given when the system abstains.
    pub abstain: Option<AbstainSpec>,
    /// How a person is asked.
    pub review: Option<ReviewSpec>,
    /// When an answer may leave.
    pub record: Durability,
    /// What is kept of inputs and outputs.
    pub payloads: PayloadPolicy,
    /// How many requests are answered at a time before more are overload.
    pub in_flight_max: u32,
}

impl Manifest {
    /// The canonical bytes: JSON in UTF-8 without white space, object keys in byte order, absent
    /// options as `null`.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        canonical_json(&serde_json::to_value(self).expect("a manifest has only text keys"))
    }

    /// The id of the release with this manifest.
    pub fn release_id(&self) -> ReleaseId {
        ReleaseId(Digest::of(&self.canonical_bytes()))
    }

    /// The blobs that the manifest names.
    pub fn blobs(&self) -> Vec<Digest> {
        let mut blobs: Vec<Digest> = self.artifacts.values().copied().collect();
        blobs.extend(self.prompt.as_ref().map(|prompt| prompt.template));
        blobs.extend(self.input.schema);
        blobs.extend(self.output.schema);
        blobs.extend(self.models.values().filter_map(ModelSpec::file));
        for guard in self.guards.input.iter().chain(&self.guards.output) {
            blobs.extend(guard.packs.iter().copied().chain(guard.weights));
        }
        let tools = self.tools.iter().flat_map(BTreeMap::values);
        blobs.extend(tools.filter_map(|tool| tool.arguments));
        blobs.sort_unstable();
        blobs.dedup();
        blobs
    }

    /// Whether the system answers rows of named values rather than chat messages.
    pub fn is_predictor(&self) -> bool {
        let primary = self.models.get(&ModelName::primary());
        !matches!(primary, Some(ModelSpec::Openai(_)) | None)
    }
}

/// Any JSON in canonical form: UTF-8 without white space, object keys in byte order.
pub fn canonical_json(value: &serde_json::Value) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2048);
    write_canonical(value, &mut bytes);
    bytes
}

fn write_canonical(value: &serde_json::Value, out: &mut Vec<u8>) {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            out.push(b'{');
            for (index, (key, member)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(&Value::String(key.clone()), out);
                out.push(b':');
                write_canonical(member, out);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.extend_from_slice(value.to_string().as_bytes());
        }
    }
}

/// Whether controls act.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Controls act.
    Enforce,
    /// Nothing is enforced; what would have been done is recorded.
    Observe,
}

/// One model.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ModelSpec {
    /// An ONNX file, run in process.
    Onnx(OnnxSpec),
    /// A language model behind an OpenAI-compatible API.
    Openai(OpenaiSpec),
    /// A predictor behind any HTTP API that speaks JSON.
    Http(HttpSpec),
    /// A table of rules.
    Rules(RulesSpec),
}

impl ModelSpec {
    /// The blob with the model's file, if it has one.
    pub const fn file(&self) -> Option<Digest> {
        match self {
            Self::Onnx(spec) => Some(spec.file),
            Self::Rules(spec) => Some(spec.file),
            Self::Openai(_) | Self::Http(_) => None,
        }
    }

    /// What kind of model it is, in one word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Onnx(_) => "onnx",
            Self::Openai(_) => "openai",
            Self::Http(_) => "http",
            Self::Rules(_) => "rules",
        }
    }
}

/// An ONNX model as scikit-learn, LightGBM and XGBoost export them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnnxSpec {
    /// The `.onnx` file.
    pub file: Digest,
    /// For a model with a single tensor as input: the columns of the tensor in order. Empty: one
    /// input per column, by name.
    pub columns: Vec<String>,
    /// How the answer is made from what the model says; see [`AnswerSpec`].
    pub answer: AnswerSpec,
}

/// How an answer is made from a prediction: name → CEL expression over `label`, `probabilities`
/// (map from class to probability), `confidence` and `inputs` (for HTTP predictors also `response`).
/// Empty: `{"label", "probabilities", "confidence"}` as they are.
pub type AnswerSpec = BTreeMap<String, String>;

/// A language model behind an OpenAI-compatible API.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenaiSpec {
    /// The provider, as `plimsoll.toml` names it: that is where its key is.
    pub provider: ProviderName,
    /// The API's base, as in `https://api.openai.com/v1`, without a slash at the end.
    pub base_url: String,
    /// The provider's name for the model.
    pub model: String,
    /// Parameters that the operator fixed: they override the caller's.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// The most tokens an answer may have; a caller's larger or missing limit is set to it.
    pub max_output_tokens: Option<u32>,
}

/// A predictor behind an HTTP API.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSpec {
    /// The provider whose key is sent as a bearer token, if any.
    pub provider: Option<ProviderName>,
    /// Where to POST.
    pub url: String,
    /// MiniJinja template of the request body over `inputs`; none: the row itself as JSON.
    pub request: Option<String>,
    /// JSON Pointer (RFC 6901) to the label in the response.
    pub label: Option<String>,
    /// JSON Pointer to the probability of the label, or to a map or array of probabilities.
    pub probabilities: Option<String>,
    /// See [`AnswerSpec`].
    pub answer: AnswerSpec,
}

/// A table of rules.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesSpec {
    /// The `rules.toml`.
    pub file: Digest,
}

/// A prompt.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptSpec {
    /// The MiniJinja template.
    pub template: Digest,
    /// The role of the message that it becomes: `user` or `system`.
    pub role: String,
}

/// What inputs must look like.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// JSON Schema 2020-12 of a row, of the prompt's variables, or of a chat request's body.
    pub schema: Option<Digest>,
    /// What to do when a value is missing.
    pub missing: MissingPolicy,
    /// What to do with a category that the schema's `enum` does not have.
    pub unknown_category: CategoryPolicy,
    /// What to do with a field that the schema does not have.
    pub unknown_field: UnknownFieldPolicy,
    /// What to do with a number outside its range.
    pub out_of_range: CategoryPolicy,
    /// Whether a value of another type may be read as one of the column's.
    #[serde(default, skip_serializing_if = "CoercePolicy::is_never")]
    pub coerce: CoercePolicy,
    /// Policies per column, over the ones above.
    pub columns: BTreeMap<String, ColumnSpec>,
    /// Cross-field rules in CEL over `inputs`: name → expression that must hold.
    pub rules: BTreeMap<String, String>,
    /// The most rows in one call.
    pub rows_max: u32,
    /// What was searched for and not written by the caller: columns, or in a chat the `name`s of messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retrieved: Vec<String>,
    /// How texts that strangers may have written are marked when they go to a model; none: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spotlight: Option<SpotlightMethod>,
    /// The most tokens that a language model is given to read; none: as many as come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenLimit>,
}

/// The most tokens of an input, and how they are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TokenLimit {
    /// The most tokens.
    pub max: u32,
    /// Whose tokens.
    pub tokenizer: Tokenizer,
}

/// A vocabulary into which texts are cut for a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Tokenizer {
    /// Of GPT-4o and what came after it.
    #[serde(rename = "o200k_base")]
    O200kBase,
    /// Of GPT-3.5, GPT-4 and the embedding models.
    #[serde(rename = "cl100k_base")]
    Cl100kBase,
}

impl Tokenizer {
    /// Its name in files and records, which is tiktoken's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::O200kBase => "o200k_base",
            Self::Cl100kBase => "cl100k_base",
        }
    }

    /// The tokenizer with this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::O200kBase, Self::Cl100kBase]
            .into_iter()
            .find(|tokenizer| tokenizer.as_str() == text)
    }
}

/// How untrusted texts are marked for a model (spotlighting).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpotlightMethod {
    /// A line with a random word before and after each.
    Delimit,
    /// A random character in place of each blank.
    Datamark,
    /// In base64.
    Encode,
}

impl SpotlightMethod {
    /// Its name in files and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delimit => "delimit",
            Self::Datamark => "datamark",
            Self::Encode => "encode",
        }
    }

    /// The method with this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Delimit, Self::Datamark, Self::Encode]
            .into_iter()
            .find(|method| method.as_str() == text)
    }
}

/// What to do with a missing value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingPolicy {
    /// Malformed.
    Refuse,
    /// Fill in the column's `impute` value.
    Impute,
    /// The answer is unsure.
    Unsure,
    /// Hand the model a missing value.
    Allow,
}

/// What to do with an unknown category or a number out of range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CategoryPolicy {
    /// Malformed.
    Refuse,
    /// The answer is unsure.
    Unsure,
    /// Hand it to the model as it is.
    Allow,
}

/// What to do with a field that the schema does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownFieldPolicy {
    /// Malformed.
    Refuse,
    /// Leave it out.
    Drop,
}

/// Whether a value of another type may be read as one of the column's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoercePolicy {
    /// Malformed.
    #[default]
    Never,
    /// Read it where it can mean one value only and nothing of it is lost.
    Lossless,
}

impl CoercePolicy {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde asks for a reference"
    )]
    fn is_never(&self) -> bool {
        *self == Self::Never
    }
}

/// Policies for one column.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    /// Over [`InputSpec::missing`].
    pub missing: Option<MissingPolicy>,
    /// The value that stands in for a missing one.
    pub impute: Option<serde_json::Value>,
    /// Over [`InputSpec::unknown_category`].
    pub unknown_category: Option<CategoryPolicy>,
    /// Over [`InputSpec::out_of_range`].
    pub out_of_range: Option<CategoryPolicy>,
    /// Over [`InputSpec::coerce`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coerce: Option<CoercePolicy>,
}

/// What outputs must look like.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputSpec {
    /// JSON Schema 2020-12 of the answer.
    pub schema: Option<Digest>,
    /// CEL over `answer`, `confidence` and `inputs`: when it holds, the answer is unsure.
    pub unsure: Option<String>,
    /// How streams are treated.
    pub stream: StreamMode,
}

/// How streams are treated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamMode {
    /// The whole answer is cleared before its first byte.
    Buffer,
    /// Only the suffix that a rule could still extend is held back.
    Window,
    /// No streams.
    Refuse,
}

/// The time limits, in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadlineSpec {
    /// For the whole decision, ladders included (a person's time is not).
    pub total_ms: u64,
    /// To connect to a model's server.
    pub connect_ms: u64,
    /// To the first token of a model's answer (of a predictor: to the answer).
    pub first_token_ms: u64,
    /// Between two tokens.
    pub stall_ms: u64,
}

/// How often a model is asked again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrySpec {
    /// The most calls to one model in one decision, the first included.
    pub attempts_max: u32,
    /// The first pause before a retry, in milliseconds; it doubles, with full jitter.
    pub base_ms: u64,
    /// The longest pause, in milliseconds.
    pub cap_ms: u64,
    /// Retries as a share of requests, in percent, over ten seconds; one per second is always free.
    pub budget_percent: u32,
}

/// The money limits.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetSpec {
    /// For one unit of work.
    pub per_unit: Option<Money>,
    /// For one day in UTC.
    pub per_day: Option<Money>,
}

/// What is given when the system abstains.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbstainSpec {
    /// A value in the shape of the output.
    Value(serde_json::Value),
    /// A message, for language models.
    Message(String),
}

/// How a person is asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewSpec {
    /// Where the review waits.
    pub queue: QueueName,
    /// How long it may wait, in milliseconds.
    pub due_ms: u64,
    /// What happens when nobody answers in time: `abstain` or `refuse`, never an approval.
    pub on_expiry: ExpiryStep,
}

/// What happens to a review that nobody answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryStep {
    /// The abstain value is given.
    Abstain,
    /// The decision is refused.
    Refuse,
}
