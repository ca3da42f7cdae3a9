//! Scorers: what is looked at in an answer, and how it is held against what was expected.
//!
//! A [`ScorerSpec`] is what the workspace says; a [`Scorer`] is one that is ready to score. Most give a
//! score from 0 to 1; those for predictors give what was true and what was said, from which figures over
//! all cases are made. Judges and commands need IO: the scorer says what to ask, and reads what came back.

mod graded;
mod text;
mod tools;

use std::collections::BTreeSet;
use std::time::Duration;

use plimsoll_core::{Money, Outcome, SystemName};
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answer::Answer;
use crate::case::Case;
use crate::judge::Judge;
use crate::member::{holds, member, number, readable, same};

/// The longest text that a note or a reason keeps, in characters.
const NOTE_CHARS_MAX: usize = 300;

/// A scorer as the workspace describes it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ScorerSpec {
    /// Its name, which is that of its metric.
    pub name: String,
    /// The member of the answer that it looks at; `.` is the whole.
    pub at: String,
    /// The member of the expectation that it is held against.
    pub expect: String,
    /// From which score on a case passes; none: the score itself counts.
    pub pass: Option<f64>,
    /// The tag of the cases that it looks at; none: at all.
    pub tag: Option<String>,
    /// What it does.
    pub check: Check,
}

/// What a scorer does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The two are the same.
    Exact {
        /// Letters count the same in either case.
        ignore_case: bool,
    },
    /// All that the expectation has is in the answer.
    Matches,
    /// The text contains what is expected: a text, or each of a list.
    Contains {
        /// One of the list is enough.
        any: bool,
        /// Letters count the same in either case.
        ignore_case: bool,
    },
    /// The text matches.
    Regex {
        /// The expression; none: it stands in the expectation.
        pattern: Option<String>,
    },
    /// The number is as near as this.
    Numeric {
        /// The distance that is allowed.
        tolerance: f64,
        /// It is a share of the expected number.
        relative: bool,
    },
    /// It fits this JSON Schema.
    JsonSchema {
        /// The schema.
        schema: Value,
    },
    /// The share of leaves that are the same.
    JsonDiff,
    /// How much two lists have in common.
    Overlap {
        /// Order counts.
        ordered: bool,
    },
    /// One minus the edits that turn one text into the other, as a share of the longer.
    EditDistance,
    /// The tools that are called, with these arguments.
    ToolCalls {
        /// Order counts.
        ordered: bool,
    },
    /// It came within this time.
    Latency {
        /// At most.
        most: Duration,
    },
    /// It cost no more than this.
    Cost {
        /// At most.
        most: Money,
    },
    /// It was refused when it should be, and only then.
    Refusal,
    /// A class was predicted: accuracy, precision, recall and what follows from probabilities.
    Classification {
        /// The class that is called positive; none: several classes.
        positive: Option<Value>,
        /// The member of the answer with its probability.
        probability: Option<String>,
        /// What the answer says when it predicts the positive class; none: the class itself.
        predicted: Option<Value>,
        /// From which probability on it counts as predicted, if the answer does not say.
        threshold: f64,
    },
    /// A number was predicted.
    Regression,
    /// Another model says.
    Judge(Judge),
    /// A program says.
    Command {
        /// The program and its arguments.
        command: Vec<String>,
        /// For which it may run.
        timeout: Duration,
    },
}

impl ScorerSpec {
    /// Whether it looks at cases with these tags.
    pub fn looks_at(&self, tags: &BTreeSet<String>) -> bool {
        self.tag.as_ref().is_none_or(|tag| tags.contains(tag))
    }

    /// Whether it needs an expectation.
    pub fn needs_expectation(&self) -> bool {
        match &self.check {
            Check::Exact { .. }
            | Check::Matches
            | Check::Contains { .. }
            | Check::Numeric { .. }
            | Check::JsonDiff
            | Check::Overlap { .. }
            | Check::EditDistance
            | Check::ToolCalls { .. }
            | Check::Refusal
            | Check::Classification { .. }
            | Check::Regression => true,
            Check::Regex { pattern } => pattern.is_none(),
            Check::Judge(judge) => judge.needs_expectation(),
            Check::JsonSchema { .. }
            | Check::Latency { .. }
            | Check::Cost { .. }
            | Check::Command { .. } => false,
        }
    }

    /// The metrics that it gives.
    pub fn metrics(&self) -> Vec<String> {
        let names: &[&str] = match &self.check {
            Check::Classification { positive: None, .. } => {
                &["accuracy", "precision", "recall", "f1"]
            }
            Check::Classification {
                probability: None, ..
            } => &["accuracy", "precision", "recall", "f1"],
            Check::Classification { .. } => &[
                "accuracy",
                "precision",
                "recall",
                "f1",
                "auc",
                "log_loss",
                "brier",
                "ece",
            ],
            Check::Regression => &["mae", "rmse", "r2"],
            _ => return vec![self.name.clone()],
        };
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// The system that is asked as a judge.
    pub const fn judge(&self) -> Option<&SystemName> {
        match &self.check {
            Check::Judge(judge) => Some(&judge.system),
            _ => None,
        }
    }

    /// Whether it can look at all at a case: what is wrong, if not.
    pub fn fault(&self, case: &Case) -> Option<String> {
        let needs = self.needs_expectation() && self.looks_at(&case.tags);
        if !needs || self.expected(case).is_some() {
            return None;
        }
        let what = match self.expect.as_str() {
            "." => "`expect`".to_owned(),
            name => format!("`expect.{name}`"),
        };
        Some(format!(
            "case `{}` has no {what}, which scorer `{}` needs",
            case.id, self.name
        ))
    }

    fn expected<'c>(&self, case: &'c Case) -> Option<&'c Value> {
        member(&case.expect, &self.expect).filter(|expected| !expected.is_null())
    }
}

/// What a scorer says of one answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scored {
    /// How good it is, from 0 to 1.
    Score {
        /// The score.
        score: f64,
        /// Why, if it is not 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A class out of two.
    Class {
        /// Whether it is the positive one.
        truth: bool,
        /// Whether that was said; none if the answer says nothing of it.
        predicted: bool,
        /// The probability that was given to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probability: Option<f64>,
    },
    /// A class out of several.
    Label {
        /// What it is.
        truth: String,
        /// What was said.
        predicted: String,
    },
    /// A number.
    Number {
        /// What it is.
        truth: f64,
        /// What was said.
        predicted: f64,
    },
    /// There was no answer to predict anything or to be judged: it counts in no figure but `answered`.
    Unanswered,
    /// It could not be scored, and why.
    Unscored {
        /// Why.
        reason: String,
    },
}

impl Scored {
    /// A score with nothing to say.
    pub fn plain(score: f64) -> Self {
        Self::Score { score, note: None }
    }

    /// A score and why. A score that is no number between 0 and 1 is none.
    pub fn noted(score: f64, note: impl Into<String>) -> Self {
        if !(0.0..=1.0).contains(&score) {
            return Self::unscored(format!("the score {score} does not lie between 0 and 1"));
        }
        Self::Score {
            score,
            note: Some(short(&note.into())),
        }
    }

    /// That it could not be scored.
    pub fn unscored(reason: impl Into<String>) -> Self {
        Self::Unscored {
            reason: short(&reason.into()),
        }
    }

    fn when(holds: bool, note: impl FnOnce() -> String) -> Self {
        if holds {
            Self::plain(1.0)
        } else {
            Self::noted(0.0, note())
        }
    }
}

/// A text that fits into a note.
pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(NOTE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A scorer that is ready.
pub struct Scorer {
    /// What it is.
    pub spec: ScorerSpec,
    compiled: Compiled,
}

enum Compiled {
    Nothing,
    Regex(Regex),
    Schema(jsonschema::Validator),
}

impl Scorer {
    /// Makes it ready.
    ///
    /// # Errors
    /// If its expression or schema is none.
    pub fn new(spec: ScorerSpec) -> Result<Self, String> {
        let compiled = match &spec.check {
            Check::Regex {
                pattern: Some(pattern),
            } => Compiled::Regex(text::regex(pattern)?),
            Check::JsonSchema { schema } => {
                let validator = jsonschema::validator_for(schema);
                Compiled::Schema(validator.map_err(|error| format!("no JSON Schema: {error}"))?)
            }
            _ => Compiled::Nothing,
        };
        Ok(Self { spec, compiled })
    }

    /// Scores an answer; none if something must be asked first: a judge, a command.
    pub fn score(&self, case: &Case, answer: &Answer) -> Option<Scored> {
        match &self.spec.check {
            Check::Latency { most } => {
                let took = Duration::from_micros(answer.micros);
                return Some(Scored::when(took <= *most, || format!("it took {took:?}")));
            }
            Check::Cost { most } => {
                let cost = answer.amount();
                if answer.cost.basis == plimsoll_core::decision::CostBasis::Unknown {
                    return Some(Scored::unscored("nobody knows what it cost"));
                }
                return Some(Scored::when(cost <= *most, || format!("it cost {cost}")));
            }
            Check::Refusal => return Some(self.refusal(case, answer)),
            _ => {}
        }
        let Some(given) = answer.given() else {
            return Some(match &self.spec.check {
                Check::Classification { .. } | Check::Regression | Check::Judge(_) => {
                    Scored::Unanswered
                }
                _ => Scored::noted(0.0, answer.instead()),
            });
        };
        if matches!(self.spec.check, Check::Judge(_) | Check::Command { .. }) {
            return None;
        }
        let Some(found) = member(given, &self.spec.at) else {
            let missing = format!("the answer has no `{}`", self.spec.at);
            return Some(match &self.spec.check {
                Check::Classification { .. } | Check::Regression if !self.says_otherwise() => {
                    Scored::unscored(missing)
                }
                Check::Classification { .. } => self.class(case, given, None),
                Check::ToolCalls { .. } => self.held(case, &Value::Null),
                _ => Scored::noted(0.0, missing),
            });
        };
        Some(match &self.spec.check {
            Check::Classification { .. } => self.class(case, given, Some(found)),
            _ => self.held(case, found),
        })
    }

    /// Whether a probability can stand in for a class that the answer does not name.
    const fn says_otherwise(&self) -> bool {
        matches!(
            self.spec.check,
            Check::Classification {
                probability: Some(_),
                ..
            }
        )
    }

    fn held(&self, case: &Case, found: &Value) -> Scored {
        if let Compiled::Schema(validator) = &self.compiled {
            return match validator.validate(found) {
                Ok(()) => Scored::plain(1.0),
                Err(error) => Scored::noted(0.0, format!("{error} at `{}`", error.instance_path())),
            };
        }
        if let Compiled::Regex(pattern) = &self.compiled {
            return text::matches(pattern, found);
        }
        let Some(expected) = self.spec.expected(case) else {
            return Scored::unscored(self.spec.fault(case).unwrap_or_default());
        };
        let differs = || format!("expected {expected}, found {found}");
        match &self.spec.check {
            Check::Exact { ignore_case: true } => {
                let (one, other) = (readable(found), readable(expected));
                Scored::when(one.to_lowercase() == other.to_lowercase(), differs)
            }
            Check::Exact { ignore_case: false } => Scored::when(same(found, expected), differs),
            Check::Matches => Scored::when(holds(found, expected), differs),
            Check::Contains { any, ignore_case } => {
                text::contains(found, expected, *any, *ignore_case)
            }
            Check::Regex { .. } => match text::regex(&readable(expected)) {
                Ok(pattern) => text::matches(&pattern, found),
                Err(fault) => Scored::unscored(fault),
            },
            Check::Numeric {
                tolerance,
                relative,
            } => graded::near(found, expected, *tolerance, *relative),
            Check::JsonDiff => graded::json_diff(found, expected),
            Check::Overlap { ordered } => graded::overlap(found, expected, *ordered),
            Check::EditDistance => text::edit_distance(found, expected),
            Check::ToolCalls { ordered } => tools::calls(found, expected, *ordered),
            Check::Regression => match (number(expected), number(found)) {
                (Some(truth), Some(predicted)) => Scored::Number { truth, predicted },
                (None, _) => Scored::unscored(format!("expected {expected} is no number")),
                (_, None) => Scored::unscored(format!("the answer {found} is no number")),
            },
            Check::JsonSchema { .. }
            | Check::Latency { .. }
            | Check::Cost { .. }
            | Check::Refusal
            | Check::Classification { .. }
            | Check::Judge(_)
            | Check::Command { .. } => Scored::unscored("it is not scored by comparing"),
        }
    }

    fn class(&self, case: &Case, given: &Value, found: Option<&Value>) -> Scored {
        let Check::Classification {
            positive,
            probability,
            predicted,
            threshold,
        } = &self.spec.check
        else {
            return Scored::unscored("it predicts no class");
        };
        let Some(expected) = self.spec.expected(case) else {
            return Scored::unscored(self.spec.fault(case).unwrap_or_default());
        };
        let Some(positive) = positive else {
            return match found {
                Some(found) => Scored::Label {
                    truth: readable(expected),
                    predicted: readable(found),
                },
                None => Scored::unscored(format!("the answer has no `{}`", self.spec.at)),
            };
        };
        let probability = match probability {
            None => None,
            Some(path) => match member(given, path).and_then(number) {
                Some(p) if (0.0..=1.0).contains(&p) => Some(p),
                Some(p) => return Scored::unscored(format!("`{path}` is {p}, no probability")),
                None => return Scored::unscored(format!("the answer has no number `{path}`")),
            },
        };
        let said = match (found, predicted, probability) {
            (Some(found), Some(predicted), _) => same(found, predicted),
            (_, None, Some(p)) => p >= *threshold,
            (Some(found), None, None) => same(found, positive),
            (None, _, Some(p)) => p >= *threshold,
            (None, _, None) => {
                return Scored::unscored(format!("the answer has no `{}`", self.spec.at));
            }
        };
        Scored::Class {
            truth: same(expected, positive),
            predicted: said,
            probability,
        }
    }

    /// Whether it was refused as it should be.
    fn refusal(&self, case: &Case, answer: &Answer) -> Scored {
        let Some(Value::Bool(should)) = self.spec.expected(case) else {
            let name = &self.spec.expect;
            return Scored::unscored(format!("`expect.{name}` is true or false"));
        };
        let refused = match answer.outcome {
            Some(Outcome::Shed | Outcome::Cancelled | Outcome::Failed) => {
                return Scored::unscored(answer.instead());
            }
            _ => answer
                .given()
                .is_none_or(|given| text::refuses(given, &self.spec.at)),
        };
        Scored::when(refused == *should, || {
            if refused {
                format!("it was refused: {}", answer.instead())
            } else {
                "it was answered, and should have been refused".to_owned()
            }
        })
    }
}

#[cfg(test)]
mod tests;
