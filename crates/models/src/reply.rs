//! What a predictor answers, and how an answer is made of a prediction.

use plimsoll_core::Code;
use plimsoll_core::decision::Usage;
use plimsoll_core::manifest::AnswerSpec;
use plimsoll_guard::expr::{Expr, ExprError, Scope};
use serde_json::{Map, Value};

use crate::error::ModelError;

/// An answer of a predictor or a table of rules.
#[derive(Clone, PartialEq, Debug)]
pub struct Reply {
    /// The answer.
    pub value: Value,
    /// How sure the model is of it, from 0 to 1, if it says so.
    pub confidence: Option<f64>,
    /// The tokens, of a model that has them.
    pub usage: Option<Usage>,
    /// The model that the server says has answered.
    pub reported_model: Option<String>,
    /// What an operator may want to know of how it came about: the rule that held.
    pub note: Option<String>,
}

/// What a predictor said, before it becomes an answer.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Prediction {
    /// The predicted class, or the predicted number.
    pub(crate) label: Value,
    /// Class → probability; empty if the model gives none.
    pub(crate) probabilities: Map<String, Value>,
    /// The probability of the label, if there is one.
    pub(crate) confidence: Option<f64>,
    /// See [`Reply::note`].
    pub(crate) note: Option<String>,
}

/// The key under which a class stands in `probabilities`: texts as they are, numbers in digits.
pub(crate) fn class_key(label: &Value) -> String {
    match label {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// How an answer is made of a prediction: an [`AnswerSpec`], compiled.
#[derive(Debug)]
pub(crate) struct AnswerForm(Vec<(String, Expr)>);

/// An expression of `answer` that is not one.
#[derive(Debug, thiserror::Error)]
#[error("the expression of `answer.{member}` cannot be used")]
pub struct AnswerError {
    /// Which member of the answer.
    pub member: String,
    /// Why.
    #[source]
    pub source: ExprError,
}

impl AnswerForm {
    /// Compiles the expressions. They may use `label`, `probabilities`, `confidence`, `inputs` and,
    /// if there is one, `response`.
    pub(crate) fn compile(spec: &AnswerSpec, has_response: bool) -> Result<Self, AnswerError> {
        let known = ["label", "probabilities", "confidence", "inputs", "response"];
        let known = &known[..if has_response { 5 } else { 4 }];
        let compile = |(member, text): (&String, &String)| {
            let member = member.clone();
            match Expr::compile(text, known) {
                Ok(expression) => Ok((member, expression)),
                Err(source) => Err(AnswerError { member, source }),
            }
        };
        let members: Result<_, _> = spec.iter().map(compile).collect();
        members.map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The reply that `said` makes.
    pub(crate) fn reply(
        &self,
        said: Prediction,
        inputs: &Map<String, Value>,
        response: Option<&Value>,
    ) -> Result<Reply, ModelError> {
        let confidence = said.confidence;
        let note = said.note.clone();
        let value = if self.0.is_empty() {
            plain(said)
        } else {
            self.evaluate(&said, inputs, response)?
        };
        Ok(Reply {
            value,
            confidence,
            usage: None,
            reported_model: None,
            note,
        })
    }

    fn evaluate(
        &self,
        said: &Prediction,
        inputs: &Map<String, Value>,
        response: Option<&Value>,
    ) -> Result<Value, ModelError> {
        let mut scope = Scope::new()
            .with("label", &said.label)
            .with_object("probabilities", &said.probabilities)
            .with_object("inputs", inputs);
        scope = match said.confidence {
            Some(confidence) => scope.with_number("confidence", confidence),
            None => scope.with("confidence", &Value::Null),
        };
        if let Some(response) = response {
            scope = scope.with("response", response);
        }
        let mut answer = Map::with_capacity(self.0.len());
        for (member, expression) in &self.0 {
            // What the expression meets comes from the model: it is the prediction that does not fit.
            let value = expression.value(&scope).map_err(|_| {
                let detail = format!("`answer.{member}` cannot be made of what the model said");
                ModelError::new(Code::ModelProtocol, detail)
            })?;
            answer.insert(member.clone(), value);
        }
        Ok(answer.into())
    }
}

/// The prediction as it is, without what it does not have.
fn plain(said: Prediction) -> Value {
    let mut answer = Map::with_capacity(3);
    answer.insert("label".into(), said.label);
    if !said.probabilities.is_empty() {
        answer.insert("probabilities".into(), said.probabilities.into());
    }
    if let Some(confidence) = said.confidence {
        answer.insert("confidence".into(), confidence.into());
    }
    answer.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said() -> Prediction {
        Prediction {
            label: 1.into(),
            probabilities: json!({"0": 0.25, "1": 0.75}).as_object().unwrap().clone(),
            confidence: Some(0.75),
            note: None,
        }
    }

    fn form(spec: &Value) -> Result<AnswerForm, AnswerError> {
        AnswerForm::compile(&serde_json::from_value(spec.clone()).unwrap(), false)
    }

    #[test]
    fn without_expressions_the_prediction_is_the_answer() {
        let reply = form(&json!({}))
            .unwrap()
            .reply(said(), &Map::new(), None)
            .unwrap();
        let expected =
            json!({"label": 1, "probabilities": {"0": 0.25, "1": 0.75}, "confidence": 0.75});
        assert_eq!(reply.value, expected);
        assert_eq!(reply.confidence, Some(0.75));
        let number = Prediction {
            label: json!(3.5),
            ..Prediction::default()
        };
        let reply = form(&json!({}))
            .unwrap()
            .reply(number, &Map::new(), None)
            .unwrap();
        assert_eq!(reply.value, json!({"label": 3.5}));
    }

    #[test]
    fn expressions_make_the_answer() {
        let spec = json!({
            "decision": "label == 1 ? 'approve' : 'decline'",
            "p": "probabilities['1']",
            "large": "inputs.amount > 10",
            "sure": "confidence >= 0.75",
        });
        let inputs = json!({"amount": 11}).as_object().unwrap().clone();
        let reply = form(&spec).unwrap().reply(said(), &inputs, None).unwrap();
        let expected = json!({"decision": "approve", "p": 0.75, "large": true, "sure": true});
        assert_eq!(reply.value, expected);
    }

    #[test]
    fn an_expression_that_does_not_compile_is_named() {
        let error = form(&json!({"p": "response.x"})).unwrap_err();
        assert_eq!(error.member, "p");
        assert!(error.to_string().contains("`answer.p`"));
    }

    #[test]
    fn a_prediction_that_does_not_fit_is_the_models_fault() {
        let form = form(&json!({"p": "probabilities['yes']"})).unwrap();
        let error = form.reply(said(), &Map::new(), None).unwrap_err();
        assert_eq!(error.code, Code::ModelProtocol);
    }
}
