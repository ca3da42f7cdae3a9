//! The models of a system.

use std::collections::BTreeMap;

use plimsoll_core::limits::Resource;
use plimsoll_core::manifest::{AnswerSpec, ModelSpec, OnnxSpec, OpenaiSpec, RulesSpec};
use plimsoll_core::{ModelName, ProviderName, Step};

use super::Resolver;
use super::contracts::Contracts;
use crate::forms::view::{Found, View};
use crate::prices::priced_as;
use crate::source::{Span, did_you_mean, listed, nearest};
use crate::workspace::{Provider, ProviderProtocol};

/// The models that could be resolved, and the names of all that the file declares.
pub(super) struct Models {
    pub(super) specs: BTreeMap<ModelName, ModelSpec>,
    /// Each name with the place of its key.
    pub(super) declared: BTreeMap<String, Span>,
}

impl Models {
    /// Whether some model is, or may be, a language model.
    pub(super) fn may_talk(&self) -> bool {
        self.specs.len() < self.declared.len()
            || self
                .specs
                .values()
                .any(|spec| matches!(spec, ModelSpec::Openai(_)))
    }

    /// Whether the first model is a language model.
    pub(super) fn primary_talks(&self) -> bool {
        matches!(
            self.specs.get(&ModelName::primary()),
            Some(ModelSpec::Openai(_))
        )
    }
}

/// Parameters that a request has for the pipeline's own use.
const PIPELINE: [&str; 3] = ["messages", "stream", "stream_options"];

/// The limits that `max_output_tokens` stands for.
const LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

/// The parameters of OpenAI's chat completions that an operator may fix: others may pass, and one
/// that is almost one of these is warned of.
const PARAMETERS: [&str; 24] = [
    "temperature",
    "top_p",
    "n",
    "seed",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning_effort",
    "verbosity",
    "service_tier",
    "store",
    "metadata",
    "user",
    "modalities",
    "prediction",
    "safety_identifier",
    "prompt_cache_key",
];

impl Resolver<'_> {
    pub(super) fn models(&mut self, contracts: &Contracts) -> Models {
        let view = self.file.table("models");
        let mut models = Models {
            specs: BTreeMap::new(),
            declared: BTreeMap::new(),
        };
        for (text, model) in view.tables() {
            models.declared.insert(text.to_owned(), model.at());
            if Step::RESERVED.contains(&text) {
                self.error(
                    &model.at(),
                    format!("no model may be called `{text}`: it is the name of a step"),
                    "give it another name",
                );
                continue;
            }
            let name = match ModelName::new(text) {
                Ok(name) => name,
                Err(error) => {
                    self.error(&model.at(), error.to_string(), "");
                    continue;
                }
            };
            models
                .specs
                .extend(self.model(model, contracts).map(|spec| (name, spec)));
        }
        if view.exists() && view.key("primary").is_none() {
            let names: Vec<&str> = view.tables().iter().map(|(name, _)| *name).collect();
            let hint = match nearest("primary", names.iter().copied()).or(names.first().copied()) {
                Some(name) => {
                    format!("call the one that is asked first `primary`, perhaps `{name}`")
                }
                None => "add `[models.primary]`".to_owned(),
            };
            self.error(&view.at(), "no model is called `primary`", hint);
        }
        models
    }

    fn model(&mut self, model: View<'_>, contracts: &Contracts) -> Option<ModelSpec> {
        if model.key("onnx").is_some() {
            self.onnx(model, contracts)
        } else if model.key("rules").is_some() {
            self.rules(model, contracts)
                .map(|file| ModelSpec::Rules(RulesSpec { file }))
        } else if model.key("http").is_some() {
            self.http(model, contracts)
        } else {
            self.openai(model)
        }
    }

    fn onnx(&mut self, model: View<'_>, contracts: &Contracts) -> Option<ModelSpec> {
        let answer = self.answer(
            model,
            contracts,
            &["label", "probabilities", "confidence", "inputs"],
        );
        let columns = model.texts("columns").unwrap_or_default();
        match &contracts.columns {
            Some(known) => self.known_columns(&columns, known),
            None if self.file.table("input").key("schema").is_none() => {
                let hint = "give `[input]` a `schema` with the columns as its properties";
                self.error(
                    &model.at(),
                    "an ONNX model needs to know the columns of its input",
                    hint,
                );
            }
            None if contracts.input.schema.is_some() => {
                let hint = "let its properties be numbers, texts and truths";
                self.error(
                    &model.at(),
                    "an ONNX model reads flat rows, and the input schema is not of one",
                    hint,
                );
            }
            None => {}
        }
        let located = self.locate(model, "onnx")?;
        let (file, bytes) = self.blob(&located)?;
        if bytes.is_empty() {
            self.report.file_error(&located.name, "the file is empty");
            return None;
        }
        let columns = columns
            .into_iter()
            .map(|found| found.value.to_owned())
            .collect();
        Some(ModelSpec::Onnx(OnnxSpec {
            file,
            columns,
            answer,
        }))
    }

    fn known_columns(&mut self, columns: &[Found<&str>], known: &[String]) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        for (index, found) in columns.iter().enumerate() {
            if !known.contains(&found.value) {
                let hint = did_you_mean(found.value, &known, |known| {
                    format!("it has {}", listed(known))
                });
                self.error(
                    &found.at,
                    format!("the input schema has no `{}`", found.value),
                    hint,
                );
            }
            if columns[..index]
                .iter()
                .any(|before| before.value == found.value)
            {
                self.error(&found.at, format!("`{}` stands twice", found.value), "");
            }
        }
    }

    fn openai(&mut self, model: View<'_>) -> Option<ModelSpec> {
        let mut parameters = BTreeMap::new();
        for (key, at, _) in model.entries() {
            if ["provider", "model", "max_output_tokens"].contains(&key) {
                continue;
            }
            if LIMITS.contains(&key) {
                self.error(
                    &at,
                    format!("`{key}` goes by another name here"),
                    "write `max_output_tokens`, which also bounds what callers ask for",
                );
            } else if PIPELINE.contains(&key) {
                self.error(
                    &at,
                    format!("`{key}` is not a parameter that can be fixed"),
                    "take the line out",
                );
            } else if let Some(found) = model.json(key) {
                if !PARAMETERS.contains(&key)
                    && let Some(near) = nearest(key, PARAMETERS)
                {
                    self.warn(
                        &at,
                        format!("`{key}` is handed to the provider as it is"),
                        format!("did you mean `{near}`?"),
                    );
                }
                parameters.insert(key.to_owned(), found.value);
            } else {
                self.error(
                    &at,
                    format!("`{key}` holds a number that JSON cannot hold"),
                    "",
                );
            }
        }
        let provider = self.provider(model);
        if let (Some(provider), Some(at)) = (&provider, model.key("provider"))
            && provider.protocol != ProviderProtocol::Openai
        {
            let message = format!(
                "provider `{}` does not speak OpenAI's protocol",
                provider.name
            );
            self.error(
                &at,
                message,
                "name the model's URL as `http`, or give the provider protocol = \"openai\"",
            );
        }
        let provider = provider?;
        let max_output_tokens = model
            .whole("max_output_tokens")
            .and_then(|found| u32::try_from(found.value).ok());
        Some(ModelSpec::Openai(OpenaiSpec {
            model: model.text("model")?.value.to_owned(),
            provider: provider.name,
            base_url: provider.base_url,
            parameters,
            max_output_tokens,
        }))
    }

    pub(super) fn provider(&mut self, model: View<'_>) -> Option<Provider> {
        let found = model.text("provider")?;
        let providers = &self.settings.providers;
        if let Some(provider) = providers.get(found.value) {
            return Some(provider.clone());
        }
        let names: Vec<&str> = providers.keys().map(ProviderName::as_str).collect();
        let hint = did_you_mean(found.value, &names, |_| {
            format!(
                "add [providers.{}] to plimsoll.toml, with its `base_url` and `key`",
                found.value
            )
        });
        self.error(
            &found.at,
            format!("there is no provider `{}`", found.value),
            hint,
        );
        None
    }

    pub(super) fn answer(
        &mut self,
        model: View<'_>,
        contracts: &Contracts,
        variables: &[&str],
    ) -> AnswerSpec {
        let view = model.table("answer");
        let mut answer = AnswerSpec::new();
        for (member, at, _) in view.entries() {
            let Some(found) = view.text(member) else {
                continue;
            };
            contracts.check_expression(view.source, &found, variables, self.report);
            if let Some(known) = contracts
                .answer_members
                .as_ref()
                .filter(|known| !known.iter().any(|name| name == member))
            {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                let hint =
                    did_you_mean(member, &known, |known| format!("it has {}", listed(known)));
                self.error(&at, format!("the output schema has no `{member}`"), hint);
            }
            answer.insert(member.to_owned(), found.value.to_owned());
        }
        answer
    }

    /// Checks what models must be to each other: a language model reads messages or a prompt, a
    /// predictor a row.
    pub(super) fn check_models(&mut self, models: &Models, contracts: &Contracts) {
        let has_prompt = self.file.key("prompt").is_some();
        let Some(primary) = models.specs.get(&ModelName::primary()) else {
            return;
        };
        let primary_talks = matches!(primary, ModelSpec::Openai(_));
        for (name, spec) in &models.specs {
            let at = models.declared.get(name.as_str()).cloned().unwrap_or(0..0);
            let talks = matches!(spec, ModelSpec::Openai(_));
            if talks && !primary_talks && !has_prompt {
                let message = format!("`{name}` is a language model, and the input is a row");
                self.error(&at, message, "say in `[prompt]` how it is asked");
            }
            if matches!(spec, ModelSpec::Onnx(_))
                && primary_talks
                && !has_prompt
                && contracts.columns.is_some()
            {
                let message = format!("`{name}` reads rows, and callers send messages");
                self.error(
                    &at,
                    message,
                    "make the system a typed function with `[prompt]`, or take the model out",
                );
            }
        }
    }

    /// Checks that what models cost is known and bounded: under a budget it must be.
    pub(super) fn check_budget(&mut self, models: &Models) {
        let budget = self.file.table("budget");
        let has_budget = ["per_unit", "per_day"]
            .into_iter()
            .any(|key| budget.key(key).is_some());
        let limited = |resource| self.settings.limits.are_on(resource, self.name);
        let bound = match (has_budget, limited(Resource::Money)) {
            (true, _) => Some("`[budget]`"),
            (false, true) => Some("a limit on money in plimsoll.toml"),
            (false, false) => None,
        };
        let ends = bound.or_else(|| {
            let limited = limited(Resource::TokensOut);
            limited.then_some("a limit on `tokens_out` in plimsoll.toml")
        });
        for (name, spec) in &models.specs {
            let at = models.declared.get(name.as_str()).cloned().unwrap_or(0..0);
            let is_endless =
                matches!(spec, ModelSpec::Openai(spec) if spec.max_output_tokens.is_none());
            if let Some(bound) = ends.filter(|_| is_endless) {
                self.error(
                    &at,
                    format!("what `{name}` costs has no bound, so {bound} could not be kept"),
                    "give it `max_output_tokens`: the most tokens that an answer may have",
                );
            }
            let (provider, model) = priced_as(self.name, name, spec);
            if self.prices.has_price(&provider, &model) {
                continue;
            }
            let hint = format!(
                "add a [[price]] with provider = \"{provider}\" and model = \"{model}\" to prices.toml"
            );
            if let Some(bound) = bound {
                self.error(
                    &at,
                    format!("model `{name}` has no price, so {bound} could not be kept"),
                    hint,
                );
            } else {
                self.warn(
                    &at,
                    format!("model `{name}` has no price, so its costs will be unknown"),
                    hint,
                );
            }
        }
    }
}
