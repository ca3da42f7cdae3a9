//! A model as its system's manifest describes it, ready to be asked.

use std::sync::Arc;

use plimsoll_core::manifest::ModelSpec;
use plimsoll_core::{Code, Digest, ProviderName, Secret};
use plimsoll_guard::contract::Column;
use serde_json::Value;

use crate::error::ModelError;
use crate::http::HttpModel;
use crate::onnx::{OnnxError, OnnxModel, OnnxRuntime, OnnxSearch};
use crate::openai::OpenaiModel;
use crate::reply::{AnswerError, Reply};
use crate::rules::RulesModel;
use crate::timers::Timers;
use crate::transport::{EndpointError, Transport};

/// A model of any kind.
#[derive(Debug)]
pub enum Model {
    /// An ONNX file, run in process.
    Onnx(OnnxModel),
    /// A language model behind an OpenAI-compatible API.
    Openai(OpenaiModel),
    /// A predictor behind an HTTP API.
    Http(HttpModel),
    /// A table of rules.
    Rules(RulesModel),
}

/// What models are built with.
#[derive(Clone, Copy)]
pub struct BuildContext<'a> {
    /// The HTTP client that remote models share.
    pub transport: &'a Arc<Transport>,
    /// The keys of providers, as far as they have one.
    pub keys: &'a dyn Fn(&ProviderName) -> Option<Secret>,
    /// Where the library of ONNX Runtime is looked for. It is loaded when the first ONNX model is
    /// built.
    pub onnx: &'a OnnxSearch,
    /// The columns of the system's contract; empty if it has none.
    pub columns: &'a [Column],
    /// How many threads ask models at the same time: an ONNX model gets a session for each.
    pub workers: usize,
}

/// A model that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A part of the release is not there.
    #[error("the model's file {0} is not in the release")]
    FileMissing(Digest),
    /// Its URL is none.
    #[error("the model's url cannot be used")]
    Endpoint(#[from] EndpointError),
    /// The provider's key has characters that no header can have.
    #[error(
        "the provider's key cannot be sent: it holds a line break or another control character"
    )]
    Key,
    /// ONNX Runtime or the model's file cannot be loaded.
    #[error("the onnx model cannot be loaded")]
    Onnx(#[from] OnnxError),
    /// The rules cannot be read.
    #[error("the rules cannot be used: {}", .0.join("; "))]
    Rules(Vec<String>),
    /// The answer cannot be made.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The request template is none.
    #[error("the request template cannot be used")]
    Template(#[source] minijinja::Error),
    /// A JSON Pointer is none.
    #[error(
        "`{0}` is not a json pointer: write it as /outer/inner, or as \"\" for the whole response"
    )]
    Pointer(String),
}

impl BuildError {
    /// What a call to the model that could not be built comes to, with all causes told.
    pub fn model_error(&self) -> ModelError {
        let mut detail = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            detail.push_str(": ");
            detail.push_str(&error.to_string());
            cause = error.source();
        }
        ModelError::new(Code::ModelNotLoaded, detail)
    }
}

impl Model {
    /// Builds the model that `spec` describes: loads its file, compiles its expressions. Connects to
    /// nothing.
    ///
    /// # Errors
    /// If a file, an expression, a URL or a key cannot be used, or ONNX Runtime is needed and
    /// missing. Other models are not concerned: the rest of a system can serve without this one.
    pub fn build(
        spec: &ModelSpec,
        blobs: &dyn Fn(Digest) -> Option<Arc<[u8]>>,
        context: &BuildContext<'_>,
    ) -> Result<Self, BuildError> {
        let file = |digest| blobs(digest).ok_or(BuildError::FileMissing(digest));
        let key = |provider: &ProviderName| (context.keys)(provider);
        let transport = context.transport.clone();
        match spec {
            ModelSpec::Openai(spec) => {
                OpenaiModel::new(spec, key(&spec.provider), transport).map(Self::Openai)
            }
            ModelSpec::Http(spec) => {
                let key = spec.provider.as_ref().and_then(key);
                HttpModel::new(spec, key, transport).map(Self::Http)
            }
            ModelSpec::Rules(spec) => RulesModel::parse(&file(spec.file)?).map(Self::Rules),
            ModelSpec::Onnx(spec) => {
                let bytes = file(spec.file)?;
                let runtime = OnnxRuntime::load(context.onnx)?;
                let columns = context.columns;
                OnnxModel::load(&runtime, &bytes, spec, columns, context.workers).map(Self::Onnx)
            }
        }
    }

    /// Asks a predictor or a table of rules for one row.
    ///
    /// # Errors
    /// As the model's own call; and for a language model, which is asked with messages instead.
    pub async fn predict(&self, inputs: &Value, timers: &Timers) -> Result<Reply, ModelError> {
        let internal = |detail: &str| ModelError::new(Code::Internal, detail);
        let row = || {
            inputs
                .as_object()
                .ok_or_else(|| internal("the inputs are no row"))
        };
        match self {
            Self::Onnx(model) => model.predict(row()?),
            Self::Http(model) => model.predict(row()?, timers).await,
            Self::Rules(model) => model.answer(inputs),
            Self::Openai(_) => Err(internal("a language model was asked with a row")),
        }
    }

    /// Whether asking it leaves the process.
    pub const fn is_remote(&self) -> bool {
        matches!(self, Self::Openai(_) | Self::Http(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::TransportConfig;
    use serde_json::json;

    fn build(spec: Value) -> Result<Model, BuildError> {
        let spec: ModelSpec = serde_json::from_value(spec).unwrap();
        let transport = Arc::new(Transport::new(TransportConfig::default()).unwrap());
        let context = BuildContext {
            transport: &transport,
            keys: &|_| Some(Secret::new("sk-hunter2\n".into())),
            onnx: &OnnxSearch::default(),
            columns: &[],
            workers: 1,
        };
        let rules: Arc<[u8]> = Arc::from(&b"[default]\nanswer = 1"[..]);
        let blobs = |digest| (digest == Digest::of(b"rules")).then(|| rules.clone());
        Model::build(&spec, &blobs, &context)
    }

    #[test]
    fn a_table_of_rules_needs_nothing_but_its_file() {
        let here = Digest::of(b"rules").to_string();
        assert!(build(json!({"type": "rules", "file": here})).is_ok());
        let away = Digest::of(b"away").to_string();
        let error = build(json!({"type": "rules", "file": away})).unwrap_err();
        assert!(matches!(error, BuildError::FileMissing(_)));
        assert_eq!(error.model_error().code, Code::ModelNotLoaded);
    }

    #[test]
    fn a_key_that_no_header_can_hold_is_refused_and_not_told() {
        let error = build(json!({
            "type": "openai", "provider": "openai", "base_url": "https://api.openai.com/v1",
            "model": "m", "parameters": {}, "max_output_tokens": null,
        }))
        .unwrap_err();
        assert!(matches!(error, BuildError::Key));
        assert!(!format!("{error:?}{:?}", error.model_error()).contains("hunter2"));
    }
}
