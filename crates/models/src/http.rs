//! Predictors behind any HTTP API that speaks JSON.
//!
//! The request is the row itself or a template over `inputs`; from the response a label and
//! probabilities are taken by JSON Pointer (RFC 6901). In the template every value is written as
//! JSON, quotes included, so that no text of a caller can become structure.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use minijinja::value::{Serde, Value as Jinja};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use plimsoll_core::manifest::HttpSpec;
use plimsoll_core::{Code, Secret};
use serde_json::{Map, Value};

use crate::error::ModelError;
use crate::model::BuildError;
use crate::openai::{json_headers, protocol};
use crate::reply::{AnswerForm, Prediction, Reply, class_key};
use crate::status;
use crate::timers::Timers;
use crate::transport::{Endpoint, Transport};

/// The name under which the one template stands in its environment.
const TEMPLATE: &str = "request.json";

/// A predictor behind an HTTP API.
#[derive(Debug)]
pub struct HttpModel {
    transport: Arc<Transport>,
    endpoint: Endpoint,
    headers: HeaderMap,
    template: Option<Box<Environment<'static>>>,
    reading: Reading,
}

/// How a response is read.
#[derive(Debug)]
struct Reading {
    label: Option<String>,
    probabilities: Option<String>,
    answer: AnswerForm,
}

impl HttpModel {
    /// The predictor at `spec.url`, asked with `key` as a bearer token if there is one. Does not
    /// connect.
    ///
    /// # Errors
    /// If the URL, the template, a pointer or an expression cannot be used.
    pub fn new(
        spec: &HttpSpec,
        key: Option<Secret>,
        transport: Arc<Transport>,
    ) -> Result<Self, BuildError> {
        let endpoint = Endpoint::parse(&spec.url)?;
        let headers = json_headers(&endpoint, key.as_ref())?;
        let template = spec.request.clone().map(environment).transpose()?;
        Ok(Self {
            transport,
            endpoint,
            headers,
            template,
            reading: Reading {
                label: pointer(spec.label.as_ref())?,
                probabilities: pointer(spec.probabilities.as_ref())?,
                answer: AnswerForm::compile(&spec.answer, true)?,
            },
        })
    }

    /// Asks for one row. The answer must be here within `first_token` and `total`.
    ///
    /// # Errors
    /// With the code that the server's answer, or the lack of one, maps to.
    pub async fn predict(
        &self,
        row: &Map<String, Value>,
        timers: &Timers,
    ) -> Result<Reply, ModelError> {
        let body = self.body(row)?;
        let running = timers.start();
        let by = running.total.earlier(running.first_token);
        let asking = self
            .transport
            .post(&self.endpoint, &self.headers, body, &running, by);
        let mut answer = asking.await?;
        let http_status = answer.status;
        if !answer.is_success() {
            let code = status::code(http_status);
            let detail = format!("status {http_status}");
            let mut error = ModelError::new(code, detail).with_status(http_status);
            error.retry_after = status::retry_after(&answer.headers);
            // Read to its end, as far as it is here in time, so that the connection can be kept.
            drop(by.hold(answer.collect()).await);
            return Err(error);
        }
        let bytes = by.hold(answer.collect()).await??;
        let read = serde_json::from_slice(&bytes).map_err(|_| protocol("the answer is not json"));
        let reply = read.and_then(|response| self.reading.reply(response, row));
        reply.map_err(|error| error.with_status(http_status))
    }

    fn body(&self, row: &Map<String, Value>) -> Result<Bytes, ModelError> {
        let Some(environment) = &self.template else {
            let bytes = serde_json::to_vec(row).expect("a map of json values is json");
            return Ok(bytes.into());
        };
        let failed = |why: &str| {
            let detail = format!("the request template gives no request: {why}");
            ModelError::new(Code::Internal, detail)
        };
        let context = minijinja::context! { inputs => Jinja::from(Serde(row)) };
        let rendered = environment
            .get_template(TEMPLATE)
            .and_then(|template| template.render(context))
            .map_err(|error| failed(&error.kind().to_string()))?;
        serde_json::from_str::<serde::de::IgnoredAny>(&rendered)
            .map_err(|_| failed("what it renders is not json"))?;
        Ok(rendered.into())
    }
}

fn environment(template: String) -> Result<Box<Environment<'static>>, BuildError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Json);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let added = environment.add_template_owned(TEMPLATE, template);
    added.map_err(BuildError::Template)?;
    Ok(Box::new(environment))
}

fn pointer(text: Option<&String>) -> Result<Option<String>, BuildError> {
    match text {
        Some(text) if !text.is_empty() && !text.starts_with('/') => {
            Err(BuildError::Pointer(text.clone()))
        }
        _ => Ok(text.cloned()),
    }
}

impl Reading {
    fn reply(&self, response: Value, inputs: &Map<String, Value>) -> Result<Reply, ModelError> {
        if self.label.is_none() && self.probabilities.is_none() && self.answer.is_empty() {
            // Nothing is said about its form, so that it is the answer as it stands.
            return Ok(Reply {
                value: response,
                confidence: None,
                usage: None,
                reported_model: None,
                note: None,
            });
        }
        let said = self.prediction(&response)?;
        self.answer.reply(said, inputs, Some(&response))
    }

    fn prediction(&self, response: &Value) -> Result<Prediction, ModelError> {
        let mut said = Prediction::default();
        if let Some(pointer) = &self.label {
            let label = at(response, pointer)?;
            if label.is_null() || label.is_array() || label.is_object() {
                return Err(protocol(format!(
                    "the label at `{pointer}` is no single value"
                )));
            }
            said.label = label.clone();
        }
        let Some(pointer) = &self.probabilities else {
            return Ok(said);
        };
        match at(response, pointer)? {
            Value::Object(map) => {
                for (class, value) in map {
                    said.probabilities
                        .insert(class.clone(), probability(value)?.into());
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    let class = index.to_string();
                    said.probabilities.insert(class, probability(value)?.into());
                }
            }
            single => {
                let value = probability(single)?;
                said.confidence = Some(value);
                if self.label.is_some() {
                    let class = class_key(&said.label);
                    said.probabilities.insert(class, value.into());
                }
                return Ok(said);
            }
        }
        let most = said
            .probabilities
            .iter()
            .filter_map(|(k, v)| Some((k, v.as_f64()?)));
        let (class, highest) = most
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .ok_or_else(|| protocol("the response has no probabilities"))?;
        if self.label.is_none() {
            said.confidence = Some(highest);
            said.label = class.clone().into();
        } else {
            let own = said.probabilities.get(&class_key(&said.label));
            said.confidence = own.and_then(Value::as_f64).or(Some(highest));
        }
        Ok(said)
    }
}

fn at<'a>(response: &'a Value, pointer: &str) -> Result<&'a Value, ModelError> {
    let missing = || protocol(format!("the response has nothing at `{pointer}`"));
    response.pointer(pointer).ok_or_else(missing)
}

fn probability(value: &Value) -> Result<f64, ModelError> {
    let number = value.as_f64().filter(|p| (0.0..=1.0 + 1e-6).contains(p));
    let number = number.map(|p| p.min(1.0));
    number.ok_or_else(|| protocol("a probability in the response is not a number from 0 to 1"))
}
