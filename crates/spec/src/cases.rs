//! Cases: inputs with the path and the outcome that they must have, for `plimsoll test`.
//!
//! `cases.jsonl` holds one case per line; empty lines and lines that begin with `//` are passed over.

use std::collections::BTreeMap;
use std::path::Path;

use plimsoll_core::{Code, FailureKind, Manifest, ModelName, Outcome, Step};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::files::Files;
use crate::problem::Problems;
use crate::source::{Report, Source, Span, did_you_mean, listed};

/// The most cases of one system.
pub const CASES_MAX: usize = 10_000;

/// One case.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The line where it stands, from 1.
    pub line: usize,
    /// What is asked: a row, the prompt's variables, or a chat request's body.
    pub input: Value,
    /// What models answer instead of being asked.
    pub models: BTreeMap<ModelName, GivenAnswer>,
    /// What must come of it.
    pub expect: Expectation,
}

/// What a model answers in a case, instead of being asked.
#[derive(Clone, PartialEq, Debug)]
pub enum GivenAnswer {
    /// This.
    Answer {
        /// The answer.
        value: Value,
        /// How sure the model is of it.
        confidence: Option<f64>,
    },
    /// It fails with this code.
    Fail(Code),
}

/// What must come of a case. What is absent may be anything.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Expectation {
    /// How the decision ends; none and `open` true: it stays open, waiting for a person.
    pub outcome: Option<Outcome>,
    /// The decision stays open, waiting for a person (`"outcome": "open"`).
    pub open: bool,
    /// The models that are asked and the other steps that are taken, in order.
    pub path: Option<Vec<Step>>,
    /// The first failure's kind.
    pub kind: Option<FailureKind>,
    /// The code of the refusal.
    pub code: Option<Code>,
    /// Members that the answer must have: a subset of it.
    pub answer: Option<Value>,
}

/// Reads a `cases.jsonl`.
///
/// # Errors
/// With everything that is wrong with it.
pub fn read(path: &Path) -> Result<Vec<Case>, Problems> {
    let mut report = Report::default();
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let source = Files { root: folder }.text(path, &mut report);
    let cases = source
        .map(|source| parse(&source, None, &mut report))
        .unwrap_or_default();
    if report.errors() == 0 {
        Ok(cases)
    } else {
        Err(Problems(report.into_sorted()))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    input: Option<Value>,
    messages: Option<Value>,
    #[serde(default)]
    models: BTreeMap<String, Given>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    answer: Option<Value>,
    confidence: Option<f64>,
    fail: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    outcome: Option<String>,
    path: Option<Vec<String>>,
    kind: Option<FailureKind>,
    code: Option<String>,
    answer: Option<Value>,
}

/// Reads the cases of `source`; with a manifest, also holds the models that they name against it.
pub(crate) fn parse(
    source: &Source,
    manifest: Option<&Manifest>,
    report: &mut Report,
) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut start = 0;
    for (index, line) in source.text.split_inclusive('\n').enumerate() {
        let span = start..start + line.trim_end().len();
        start += line.len();
        if line.trim().is_empty() || line.trim_start().starts_with("//") {
            continue;
        }
        if cases.len() == CASES_MAX {
            report.error(
                source,
                &span,
                format!("there are more than {CASES_MAX} cases"),
            );
            break;
        }
        let parsed: Line = match serde_json::from_str(line.trim_end()) {
            Ok(parsed) => parsed,
            Err(error) => {
                let at = span.start
                    + error
                        .column()
                        .saturating_sub(1)
                        .min(span.len().saturating_sub(1));
                let fault = crate::system::json_fault(&error);
                report.error(
                    source,
                    &(at..at + 1),
                    format!("this is not a case: {fault}"),
                );
                continue;
            }
        };
        let mut reader = Reader {
            source,
            span,
            manifest,
            report,
        };
        let case = reader.case(parsed, index + 1);
        if let Some(twin) = cases.iter().find(|twin| twin.name == case.name) {
            let message = format!(
                "the case `{}` stands on line {} already",
                case.name, twin.line
            );
            reader.error(message, "give it another name");
        }
        cases.push(case);
    }
    cases
}

struct Reader<'a> {
    source: &'a Source,
    span: Span,
    manifest: Option<&'a Manifest>,
    report: &'a mut Report,
}

impl Reader<'_> {
    /// Reports an error of the word `text` on the line, or of the line's beginning.
    fn error_at(&mut self, text: &str, message: String, hint: impl Into<String>) {
        let line = &self.source.text[self.span.clone()];
        let quoted = format!("\"{text}\"");
        let at = line
            .find(&quoted)
            .map_or(self.span.start..self.span.start + 1, |at| {
                self.span.start + at..self.span.start + at + quoted.len()
            });
        self.report.error(self.source, &at, message).help(hint);
    }

    fn error(&mut self, message: String, hint: &str) {
        self.error_at("name", message, hint);
    }

    fn case(&mut self, line: Line, number: usize) -> Case {
        let input = match (line.input, line.messages) {
            (Some(input), None) => input,
            (None, Some(messages)) => {
                Value::Object(Map::from_iter([("messages".to_owned(), messages)]))
            }
            _ => {
                self.error(
                    "a case has either an `input` or `messages`".to_owned(),
                    "keep one of them",
                );
                Value::Null
            }
        };
        let models = line
            .models
            .into_iter()
            .filter_map(|(name, given)| self.given(&name, given))
            .collect();
        let expect = self.expectation(line.expect);
        Case {
            name: line.name,
            line: number,
            input,
            models,
            expect,
        }
    }

    fn given(&mut self, name: &str, given: Given) -> Option<(ModelName, GivenAnswer)> {
        self.known_model(name);
        let answer = match (given.answer, given.fail) {
            (Some(value), None) => GivenAnswer::Answer {
                value,
                confidence: given.confidence,
            },
            (None, Some(text)) => GivenAnswer::Fail(self.failure(&text)?),
            _ => {
                self.error_at(
                    name,
                    format!("model `{name}` either answers or fails"),
                    "give it an `answer`, or `fail` with a code or kind",
                );
                return None;
            }
        };
        Some((ModelName::new(name).ok()?, answer))
    }

    fn known_model(&mut self, name: &str) {
        let Some(manifest) = self.manifest else {
            return;
        };
        if manifest.models.contains_key(name) {
            return;
        }
        let names: Vec<&str> = manifest.models.keys().map(ModelName::as_str).collect();
        let hint = did_you_mean(name, &names, |names| {
            format!("the models are {}", listed(names))
        });
        self.error_at(name, format!("there is no model `{name}`"), hint);
    }

    /// A code, or the first of a failure kind's codes that a model can fail with.
    fn failure(&mut self, text: &str) -> Option<Code> {
        let of_kind = match text.parse() {
            Ok(FailureKind::Unavailable) => Some(Code::ModelUnreachable),
            Ok(FailureKind::Slow) => Some(Code::TotalTimeout),
            Ok(FailureKind::Wrong) => Some(Code::ModelProtocol),
            Ok(FailureKind::OverBudget) => Some(Code::ProviderQuota),
            Ok(FailureKind::Overload) => Some(Code::ProviderRateLimited),
            Ok(FailureKind::Malformed) => Some(Code::ProviderRefusedRequest),
            Ok(FailureKind::Unsure) => Some(Code::NoRuleMatched),
            Ok(FailureKind::Adversarial) | Err(_) => None,
        };
        let code = Code::parse(text)
            .filter(|code| code.kind().is_some())
            .or(of_kind);
        if code.is_none() {
            let codes: Vec<&str> = Code::ALL
                .iter()
                .filter(|code| code.kind().is_some())
                .map(|code| code.as_str())
                .collect();
            let hint = did_you_mean(text, &codes, |_| {
                "write a failure kind, as `unavailable`, or an error code, as `model_unreachable`"
                    .to_owned()
            });
            self.error_at(text, format!("no model fails with `{text}`"), hint);
        }
        code
    }

    fn expectation(&mut self, expect: Expect) -> Expectation {
        let mut outcome = None;
        let open = expect.outcome.as_deref() == Some("open");
        if let Some(text) = expect.outcome.as_deref().filter(|_| !open) {
            outcome = text.parse::<Outcome>().ok();
            if outcome.is_none() {
                let mut names: Vec<&str> = Outcome::ALL
                    .iter()
                    .map(|outcome| outcome.as_str())
                    .collect();
                names.push("open");
                let hint = did_you_mean(text, &names, |names| {
                    format!("write one of {}", listed(names))
                });
                self.error_at(text, format!("`{text}` is not an outcome"), hint);
            }
        }
        let path = expect
            .path
            .map(|steps| steps.iter().filter_map(|text| self.step(text)).collect());
        let code = expect.code.as_deref().and_then(|text| {
            let code = Code::parse(text);
            if code.is_none() {
                let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
                let hint = did_you_mean(text, &codes, |_| {
                    "see the reference of error codes".to_owned()
                });
                self.error_at(text, format!("there is no error code `{text}`"), hint);
            }
            code
        });
        Expectation {
            outcome,
            open,
            path,
            kind: expect.kind,
            code,
            answer: expect.answer,
        }
    }

    fn step(&mut self, text: &str) -> Option<Step> {
        let step = Step::parse(text).ok();
        match &step {
            Some(Step::Model(name)) => self.known_model(name.as_str()),
            Some(_) => {}
            None => self.error_at(
                text,
                format!("there is no step `{text}`"),
                "name a model or a step of a ladder",
            ),
        }
        step
    }
}
