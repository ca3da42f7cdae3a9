//! A system as it runs: built from a manifest and its blobs, and from nothing else.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use minijinja::Environment;
use plimsoll_core::manifest::{GuardAction, GuardSpec, Manifest, ModelSpec};
use plimsoll_core::record::Deployment;
use plimsoll_core::{Digest, ModelName, System};
use plimsoll_guard::contract::{Contract, ContractProblem, JsonContract};
use plimsoll_guard::expr::Expr;
use plimsoll_guard::tokens::TokenBudget;
use plimsoll_guard::tools::Tools;
use plimsoll_models::{BuildContext, Model, ModelError};

use plimsoll_spec::REFERENCE_ARTIFACT;
use plimsoll_spec::prices::priced_as;
use plimsoll_stats::estimate::Confidence;

use crate::guarding::{Guard, Prompt, compile_tools};
use crate::metrics::Meters;
use crate::retry::RetryBudget;
use crate::room::Room;
use crate::switch::Switch;
use crate::watching::{Referenced, Windows};

/// A release that runs in a slot: what was built, and the event that put it there.
pub(crate) struct Deployed {
    /// The event that put the release here.
    pub(crate) deployment: Deployment,
    /// What runs; another event about the same release goes on with it.
    pub(crate) built: Arc<Built>,
    /// The system's switch, which its releases share.
    pub(crate) switch: Arc<Switch>,
}

impl Deref for Deployed {
    type Target = Built;

    fn deref(&self) -> &Built {
        &self.built
    }
}

/// What a manifest and its blobs make.
pub(crate) struct Built {
    /// What the workspace says about the system; its manifest is the deployed one.
    pub(crate) system: Arc<System>,
    /// The models; one that could not be built is unavailable, and says why.
    pub(crate) models: BTreeMap<ModelName, Result<Model, ModelError>>,
    /// Under which provider and model each is priced.
    pub(crate) priced: BTreeMap<ModelName, (String, String)>,
    pub(crate) input: InputContract,
    /// The most tokens that a language model is given to read.
    pub(crate) tokens: Option<TokenBudget>,
    pub(crate) output: Option<JsonContract>,
    /// What a typed function tells its model of the form of the answer.
    pub(crate) response_format: Option<serde_json::Value>,
    pub(crate) unsure: Option<Expr>,
    pub(crate) prompt: Option<Environment<'static>>,
    pub(crate) input_guards: Vec<Guard>,
    pub(crate) output_guards: Vec<Guard>,
    /// The inputs, and the answers, counted against the release's reference.
    pub(crate) features: Option<Windows>,
    pub(crate) predictions: Option<Windows>,
    /// What the first model's confidence is worth, if the reference says so.
    pub(crate) confidence: Option<Arc<Confidence>>,
    /// The tools that answers may call, if the release says which.
    pub(crate) tools: Option<Tools>,
    /// What is known of the prompt, where a guard asks whether an answer tells it.
    pub(crate) prompt_words: Option<Prompt>,
    pub(crate) room: Arc<Room>,
    pub(crate) retries: RetryBudget,
    /// The counters of what nearly every decision does, found once.
    pub(crate) meters: OnceLock<Meters>,
}

/// What inputs are held against.
pub(crate) enum InputContract {
    /// Rows of named values, or the variables of a prompt.
    Row(Box<Contract>),
    /// Chat bodies, against a schema if there is one.
    Chat(Option<JsonContract>),
}

/// A manifest that cannot be run.
#[derive(Debug, thiserror::Error)]
#[error("system `{system}` could not be built: {reason}")]
pub(crate) struct BrokenSystem {
    pub(crate) system: String,
    pub(crate) reason: String,
}

impl Built {
    /// Builds the system that its manifest describes. `blob` finds its parts. Without `models` none is
    /// built: for what asks none.
    pub(crate) fn new(
        system: &System,
        blob: &dyn Fn(Digest) -> Option<Arc<[u8]>>,
        models: Option<&BuildContext<'_>>,
    ) -> Result<Self, BrokenSystem> {
        let broken = |reason: String| BrokenSystem {
            system: system.name.to_string(),
            reason,
        };
        let manifest = &system.manifest;
        let schema = |digest: Option<Digest>| json_blob(digest, blob).map_err(broken);
        let input = input_contract(manifest, schema(manifest.input.schema)?).map_err(broken)?;
        let output_schema = schema(manifest.output.schema)?;
        let output = output_schema
            .as_ref()
            .map(JsonContract::compile)
            .transpose()
            .map_err(|problems| broken(list(&problems)))?;
        let reference = referenced(manifest, blob).map_err(broken)?;
        let variables = ["answer", "confidence", "inputs"];
        let unsure = manifest.output.unsure.as_deref();
        let unsure = unsure
            .map(|text| Expr::compile(text, &variables))
            .transpose();
        Ok(Self {
            models: models.map_or_else(BTreeMap::new, |context| {
                build_models(manifest, &input, blob, context)
            }),
            priced: manifest
                .models
                .iter()
                .map(|(name, spec)| (name.clone(), priced_as(&system.name, name, spec)))
                .collect(),
            unsure: unsure.map_err(|e| broken(chain(&e)))?,
            prompt: prompt(manifest, blob).map_err(broken)?,
            input_guards: guards(manifest, &manifest.guards.input, blob).map_err(broken)?,
            output_guards: guards(manifest, &manifest.guards.output, blob).map_err(broken)?,
            tools: tools(manifest, blob).map_err(broken)?,
            prompt_words: prompt_words(manifest, blob).map_err(broken)?,
            tokens: manifest.input.tokens.map(TokenBudget::new),
            features: reference.inputs,
            predictions: reference.answers,
            confidence: reference.confidence,
            room: Arc::new(Room::new(manifest.in_flight_max)),
            retries: RetryBudget::new(manifest.retry.budget_percent),
            system: Arc::new(system.clone()),
            response_format: output_schema.map(|schema| response_format(system, &schema)),
            meters: OnceLock::new(),
            input,
            output,
        })
    }

    /// The deployed manifest.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.system.manifest
    }

    /// The first model that could not be built, and why.
    pub(crate) fn defect(&self) -> Option<String> {
        let unbuilt = |(name, model): (&ModelName, &Result<Model, ModelError>)| {
            let error = model.as_ref().err()?;
            Some(format!(
                "model `{name}` of system `{}`: {}",
                self.system.name, error.detail
            ))
        };
        self.models.iter().find_map(unbuilt)
    }

    /// Whether an answer can only be cleared as a whole.
    pub(crate) fn clears_whole_answers_only(&self) -> bool {
        let asks_a_person = |guard: &Guard| guard.may(GuardAction::Review);
        self.output.is_some()
            || self.unsure.is_some()
            || self.tools.is_some()
            || self.output_guards.iter().any(asks_a_person)
    }

    /// Whether anything is held against answers.
    pub(crate) fn has_output_controls(&self) -> bool {
        self.clears_whole_answers_only() || !self.output_guards.is_empty()
    }
}

fn build_models(
    manifest: &Manifest,
    input: &InputContract,
    blob: &dyn Fn(Digest) -> Option<Arc<[u8]>>,
    context: &BuildContext<'_>,
) -> BTreeMap<ModelName, Result<Model, ModelError>> {
    let columns = match input {
        InputContract::Row(contract) => contract.columns(),
        InputContract::Chat(_) => &[],
    };
    let context = BuildContext {
        columns,
        ..*context
    };
    let build = |(name, spec): (&ModelName, &ModelSpec)| {
        let model = Model::build(spec, blob, &context);
        (name.clone(), model.map_err(|error| error.model_error()))
    };
    manifest.models.iter().map(build).collect()
}

/// OpenAI's structured outputs: the schema of the answer, under the system's name.
fn response_format(system: &System, schema: &serde_json::Value) -> serde_json::Value {
    serde_json::json!({
        "type": "json_schema",
        "json_schema": {"name": system.name, "schema": schema},
    })
}

fn guards(
    manifest: &Manifest,
    specs: &[GuardSpec],
    blob: &dyn Fn(Digest) -> Option<Arc<[u8]>>,
) -> Result<Vec<Guard>, String> {
    let has_reviewers = manifest.review.is_some();
    let guard = |spec| Guard::new(spec, blob, has_reviewers);
    specs.iter().map(guard).collect()
}

/// The tools that answers may call, if the release says which.
fn tools(
    manifest: &Manifest,
    blob: &dyn Fn(Digest) -> Option<Arc<[u8]>>,
) -> Result<Option<Tools>, String> {
    let compile = |specs| compile_tools(specs, blob);
    manifest.tools.as_ref().map(compile).transpose()
}

/// What is known of the prompt, if a guard on answers looks for it.
fn prompt_words(
    manifest: &Manifest,
    blob: &dyn Fn(Digest) -> Option<Arc<[u8]>>,
) -> Result<Option<Prompt>, String> {
    let mut guards = manifest.guards.output.iter();
    if !guards.any(|spec| spec.detector == "leakage") {
        return Ok(None);
    }
    let template = prompt_text(manifest, blob)?;
    Ok(Some(Prompt::new(template.as_deref())))
}

/// An error and its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn list(problems: &[ContractProblem]) -> String {
    let line = |problem: &ContractProblem| format!("{}: {}", problem.path, problem.message);
    problems.iter().map(line).collect::<Vec<_>>().join("; ")
}

fn json_blob(
    digest: Option<Digest>,
    blob: &dyn Fn(Digest) -> Option<Arc<[u8]>>,
) -> Result<Option<serde_json::Value>, String> {
    let Some(digest) = digest else {
        return Ok(None);
    };
    let bytes = blob(digest).ok_or_else(|| format!("blob {digest} is missing from data/blobs"))?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|e| format!("blob {digest} is not JSON: {e}"))
}

fn input_contract(
    manifest: &Manifest,
    schema: Option<serde_json::Value>,
) -> Result<InputContract, String> {
    if manifest.is_predictor() || manifest.prompt.is_some() {
        let contract = Contract::compile(schema.as_ref(), &manifest.input);
        return contract
            .map(|c| InputContract::Row(Box::new(c)))
            .map_err(|p| list(&p));
    }
    let schema = schema.map(|s| JsonContract::compile(&s));
    schema
        .transpose()
        .map(InputContract::Chat)
        .map_err(|p| list(&p))
}

/// What the release's reference is for; nothing if it has none.
fn referenced(
    manifest: &Manifest,
    blob: &dyn Fn(Digest) -> Option<Arc<[u8]>>,
) -> Result<Referenced, String> {
    let Some(digest) = manifest.artifacts.get(REFERENCE_ARTIFACT) else {
        return Ok(Referenced::default());
    };
    let bytes = blob(*digest).ok_or("the reference's blob is missing from data/blobs")?;
    Referenced::read(&bytes)
}

fn prompt(
    manifest: &Manifest,
    blob: &dyn Fn(Digest) -> Option<Arc<[u8]>>,
) -> Result<Option<Environment<'static>>, String> {
    let Some(text) = prompt_text(manifest, blob)? else {
        return Ok(None);
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    let added = environment.add_template_owned("prompt", text);
    added.map_err(|e| format!("the prompt does not parse: {e}"))?;
    Ok(Some(environment))
}

fn prompt_text(
    manifest: &Manifest,
    blob: &dyn Fn(Digest) -> Option<Arc<[u8]>>,
) -> Result<Option<String>, String> {
    let Some(prompt) = &manifest.prompt else {
        return Ok(None);
    };
    let bytes = blob(prompt.template).ok_or("the prompt's blob is missing from data/blobs")?;
    let text = String::from_utf8(bytes.to_vec()).map_err(|_| "the prompt is not UTF-8")?;
    Ok(Some(text))
}
