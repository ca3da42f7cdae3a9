//! A table of rules that answers like a model: the first rule that holds gives the answer.
//!
//! ```toml
//! [[rule]]
//! name = "small loan"
//! when = "inputs.loan_amount < 2000 && inputs.income > 30000"
//! answer = { decision = "approve" }
//! confidence = 0.9
//!
//! [default]
//! answer = { decision = "refer" }
//! ```

use serde::Deserialize;
use serde_json::Value;

use crate::expr::{Expr, ExprError, Scope};

/// The most rules in a table.
pub const RULES_MAX: usize = 1000;

/// A table of rules, checked.
#[derive(Clone, Debug)]
pub struct RuleTable {
    rules: Vec<Rule>,
    default: Option<Answer>,
}

#[derive(Clone, Debug)]
struct Rule {
    name: String,
    when: Expr,
    answer: Answer,
}

#[derive(Clone, Debug)]
struct Answer {
    value: Value,
    confidence: f64,
}

/// What a table says of some inputs.
#[derive(Clone, PartialEq, Debug)]
pub struct RuleAnswer {
    /// The rule that held; `default` if none did.
    pub rule: String,
    /// Its answer.
    pub answer: Value,
    /// How sure it is of it, from 0 to 1.
    pub confidence: f64,
}

/// Why a table gives no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RuleError {
    /// No rule held, and there is no default.
    #[error("no rule of the table holds, and it has no default")]
    NoneHolds,
    /// A rule could not be evaluated, so that it is not known whether it holds.
    #[error("the rule `{rule}` cannot be applied")]
    Unfit {
        /// The rule's name.
        rule: String,
        /// Why.
        #[source]
        source: ExprError,
    },
}

/// The name that the default answer goes by.
const DEFAULT: &str = "default";

/// `rules.toml` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<RuleEntry>,
    default: Option<DefaultEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleEntry {
    name: String,
    when: String,
    answer: toml::Value,
    confidence: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DefaultEntry {
    answer: toml::Value,
    confidence: Option<f64>,
}

impl RuleTable {
    /// Reads a `rules.toml`.
    ///
    /// # Errors
    /// With everything that is wrong with it; each says where in the file it is.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let file: File = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
        let mut problems = Vec::new();
        if file.rule.is_empty() && file.default.is_none() {
            problems.push("the table has neither rules nor a default".to_owned());
        }
        if file.rule.len() > RULES_MAX {
            let count = file.rule.len();
            problems.push(format!(
                "the table has {count} rules: the limit is {RULES_MAX}"
            ));
        }
        let mut rules: Vec<Rule> = Vec::new();
        for entry in file.rule.into_iter().take(RULES_MAX) {
            if entry.name == DEFAULT || rules.iter().any(|rule| rule.name == entry.name) {
                problems.push(format!("rule `{}`: the name is taken", entry.name));
            }
            let at = format!("rule `{}`", entry.name);
            let confidence = checked_confidence(&at, entry.confidence, &mut problems);
            let value = checked_answer(&at, entry.answer, &mut problems);
            match Expr::compile(&entry.when, &["inputs"]) {
                Ok(when) => rules.push(Rule {
                    name: entry.name,
                    when,
                    answer: Answer { value, confidence },
                }),
                Err(error) => problems.push(format!("{at}, when: {error}")),
            }
        }
        let default = file.default.map(|entry| Answer {
            confidence: checked_confidence(DEFAULT, entry.confidence, &mut problems),
            value: checked_answer(DEFAULT, entry.answer, &mut problems),
        });
        if problems.is_empty() {
            Ok(Self { rules, default })
        } else {
            Err(problems)
        }
    }

    /// The answers that the table can give, with the rules that give them: for checking them
    /// against an output schema.
    pub fn answers(&self) -> impl Iterator<Item = (&str, &Value)> {
        let rules = self
            .rules
            .iter()
            .map(|rule| (rule.name.as_str(), &rule.answer.value));
        rules.chain(self.default.iter().map(|default| (DEFAULT, &default.value)))
    }

    /// The members of `inputs` that the rules name, sorted: for checking them against a contract.
    pub fn members(&self) -> Vec<String> {
        let mut members: Vec<_> = self
            .rules
            .iter()
            .flat_map(|rule| rule.when.members_of("inputs"))
            .collect();
        members.sort();
        members.dedup();
        members
    }

    /// What the table says of `inputs`.
    ///
    /// # Errors
    /// If a rule cannot be evaluated before one holds, or none holds and there is no default.
    pub fn answer(&self, inputs: &Value) -> Result<RuleAnswer, RuleError> {
        let scope = Scope::new().with("inputs", inputs);
        for rule in &self.rules {
            let holds = rule.when.holds(&scope).map_err(|source| RuleError::Unfit {
                rule: rule.name.clone(),
                source,
            })?;
            if holds {
                return Ok(rule.answer.under(&rule.name));
            }
        }
        let default = self.default.as_ref().ok_or(RuleError::NoneHolds)?;
        Ok(default.under(DEFAULT))
    }
}

impl Answer {
    fn under(&self, rule: &str) -> RuleAnswer {
        RuleAnswer {
            rule: rule.to_owned(),
            answer: self.value.clone(),
            confidence: self.confidence,
        }
    }
}

fn checked_confidence(at: &str, confidence: Option<f64>, problems: &mut Vec<String>) -> f64 {
    let confidence = confidence.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&confidence) {
        problems.push(format!("{at}: confidence must be from 0 to 1"));
    }
    confidence
}

/// The answer as JSON; a date becomes a text.
fn checked_answer(at: &str, answer: toml::Value, problems: &mut Vec<String>) -> Value {
    match answer {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Boolean(truth) => Value::Bool(truth),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Float(number) => {
            if !number.is_finite() {
                problems.push(format!("{at}, answer: JSON has no `{number}`"));
            }
            Value::from(number)
        }
        toml::Value::Array(items) => items
            .into_iter()
            .map(|item| checked_answer(at, item, problems))
            .collect(),
        toml::Value::Table(members) => {
            let member = |(key, value)| (key, checked_answer(at, value, problems));
            Value::Object(members.into_iter().map(member).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: &str = r#"
        [[rule]]
        name = "small"
        when = "inputs.amount < 2000"
        answer = { decision = "approve", limit = 2000 }
        confidence = 0.9

        [[rule]]
        name = "known"
        when = "has(inputs.customer) && inputs.customer in ['gold', 'silver']"
        answer = { decision = "approve" }

        [default]
        answer = { decision = "refer" }
        confidence = 0.5
    "#;

    #[test]
    fn the_first_rule_that_holds_answers() {
        let table = RuleTable::parse(TABLE).unwrap();
        let answer = table
            .answer(&json!({"amount": 100, "customer": "gold"}))
            .unwrap();
        assert_eq!((answer.rule.as_str(), answer.confidence), ("small", 0.9));
        assert_eq!(answer.answer, json!({"decision": "approve", "limit": 2000}));
        let answer = table
            .answer(&json!({"amount": 9000, "customer": "gold"}))
            .unwrap();
        assert_eq!((answer.rule.as_str(), answer.confidence), ("known", 1.0));
    }

    #[test]
    fn the_default_answers_when_no_rule_holds() {
        let table = RuleTable::parse(TABLE).unwrap();
        let answer = table
            .answer(&json!({"amount": 9000, "customer": null}))
            .unwrap();
        assert_eq!((answer.rule.as_str(), answer.confidence), ("default", 0.5));
    }

    #[test]
    fn without_a_default_nothing_answers() {
        let text = "[[rule]]\nname='a'\nwhen='inputs.x > 1'\nanswer=1";
        let table = RuleTable::parse(text).unwrap();
        assert_eq!(table.answer(&json!({"x": 1})), Err(RuleError::NoneHolds));
        assert_eq!(table.members(), ["x"]);
        assert_eq!(table.answers().count(), 1);
    }

    #[test]
    fn a_rule_that_cannot_be_evaluated_does_not_fall_through() {
        let table = RuleTable::parse(TABLE).unwrap();
        let error = table.answer(&json!({})).unwrap_err();
        assert!(matches!(error, RuleError::Unfit { rule, .. } if rule == "small"));
    }

    #[test]
    fn an_answer_is_what_json_can_say() {
        let table =
            RuleTable::parse("[default]\nanswer={ on = 2026-03-01, p = [0.5, 1] }").unwrap();
        let answer = table.answer(&json!({})).unwrap().answer;
        assert_eq!(answer, json!({"on": "2026-03-01", "p": [0.5, 1]}));
        assert!(RuleTable::parse("[default]\nanswer=nan").is_err());
        assert!(RuleTable::parse("").is_err());
    }

    #[test]
    fn every_problem_of_a_table_is_told_at_once() {
        let text = "[[rule]]\nname='a'\nwhen='input.x > 1'\nanswer=1\nconfidence=2.0\n\
                    [[rule]]\nname='default'\nwhen='1 >'\nanswer=1";
        let problems = RuleTable::parse(text).unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:#?}");
        assert!(
            problems[1].contains("did you mean `inputs`?"),
            "{problems:#?}"
        );
        let unknown = RuleTable::parse("[[rule]]\nname='a'\nwhn='x'\nanswer=1").unwrap_err();
        assert!(
            unknown[0].contains("whn") && unknown[0].contains("line 3"),
            "{unknown:#?}"
        );
    }
}
