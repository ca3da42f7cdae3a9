//! What is done about findings: an action per rule and direction, thresholds, shadow mode, and what
//! happens where a detector could not judge.
//!
//! ```toml
//! shadow = false                       # true: say what would be done, do nothing
//! [thresholds.input]
//! review = 0.5                         # of the text's score; the defaults come with the weights
//! block = 0.9
//! [rules."structure/tag-payload"]
//! action = "block"
//! [rules."pii/*"]
//! action = "redact"
//! directions = ["output"]
//! ```
//!
//! The most exact entry holds: a rule's own name, else its family (`pii/*`), else the rule's default.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::finding::{Action, Direction, Finding, RuleId};

/// What happens where a detector did not judge a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The text goes on, and it is recorded that the detector did not judge it.
    Open,
    /// The text is blocked.
    #[default]
    Closed,
}

/// Where a score begins to mean something, from 0 to 1.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// From here on a person should decide.
    pub review: f64,
    /// From here on the text is blocked.
    pub block: f64,
}

/// What an operator wants done.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Say what would be done, and do nothing.
    pub shadow: bool,
    /// What happens where a deterministic detector did not judge.
    pub on_error: OnError,
    /// The thresholds per direction; those that came with the weights where none is given.
    pub thresholds: BTreeMap<DirectionName, Thresholds>,
    /// What is done per rule or family.
    pub rules: BTreeMap<String, RulePolicy>,
    /// Rule packs of the operator's own: files beside the policy.
    pub packs: Vec<String>,
    /// The hosts that outputs may link to; none: links are not looked at unless a row names its own.
    pub hosts: Option<Vec<String>>,
}

/// A direction as a key of a table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectionName {
    /// [`Direction::Input`]
    Input,
    /// [`Direction::Output`]
    Output,
    /// [`Direction::Tool`]
    Tool,
}

impl From<Direction> for DirectionName {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Input => Self::Input,
            Direction::Output => Self::Output,
            Direction::Tool => Self::Tool,
        }
    }
}

/// What is done about a rule or a family.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulePolicy {
    /// What is done.
    pub action: Action,
    /// In which directions; in all if none is named. In others the rule is allowed.
    #[serde(default)]
    pub directions: Vec<Direction>,
    /// Only say what would be done.
    #[serde(default)]
    pub shadow: bool,
}

/// Why a policy cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is not the TOML that is expected.
    #[error("the policy cannot be read: {0}")]
    Syntax(String),
    /// Thresholds that are in the wrong order or no probabilities.
    #[error("thresholds.{0}: review and block must be from 0 to 1, and review not above block")]
    Thresholds(&'static str),
    /// A key of `rules` that can name no rule.
    #[error("rules.\"{0}\": write a rule as family/name, or a family as family/*")]
    Rule(String),
}

/// What is done about one finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ruling {
    /// The action.
    pub action: Action,
    /// Whether it is only said.
    pub shadow: bool,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// If it is no policy, or names thresholds or rules that cannot be.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let policy: Self =
            toml::from_str(text).map_err(|error| PolicyError::Syntax(error.to_string()))?;
        for (direction, at) in &policy.thresholds {
            let fits = 0.0 <= at.review && at.review <= at.block && at.block <= 1.0;
            if !fits {
                return Err(PolicyError::Thresholds(match direction {
                    DirectionName::Input => "input",
                    DirectionName::Output => "output",
                    DirectionName::Tool => "tool",
                }));
            }
        }
        for name in policy.rules.keys() {
            let as_rule = name.replace("/*", "/all");
            if RuleId::new(&as_rule).is_err() {
                return Err(PolicyError::Rule(name.clone()));
            }
        }
        Ok(policy)
    }

    /// What is done about `finding`, whose rule would have `default` done.
    pub fn ruling(&self, finding: &Finding, direction: Direction, default: Action) -> Ruling {
        let rule = finding.rule.as_str();
        let family = || self.rules.get(&format!("{}/*", finding.rule.family()));
        let Some(found) = self.rules.get(rule).or_else(family) else {
            return Ruling {
                action: default,
                shadow: self.shadow,
            };
        };
        let applies = found.directions.is_empty() || found.directions.contains(&direction);
        Ruling {
            action: if applies { found.action } else { Action::Allow },
            shadow: self.shadow || found.shadow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rule: &str) -> Finding {
        Finding {
            rule: RuleId::new(rule).unwrap(),
            span: 0..1,
            score: 1.0,
            owasp: [].into(),
        }
    }

    #[test]
    fn a_rules_own_entry_holds_before_its_familys() {
        let policy = Policy::parse(
            "[rules.\"pii/*\"]\naction = \"redact\"\ndirections = [\"output\"]\n\
             [rules.\"pii/iban\"]\naction = \"block\"\nshadow = true\n",
        )
        .unwrap();
        let ruling = |rule, direction| policy.ruling(&finding(rule), direction, Action::Flag);
        assert_eq!(
            ruling("pii/email", Direction::Output).action,
            Action::Redact
        );
        assert_eq!(ruling("pii/email", Direction::Input).action, Action::Allow);
        let iban = ruling("pii/iban", Direction::Input);
        assert_eq!((iban.action, iban.shadow), (Action::Block, true));
        assert_eq!(ruling("url/scheme", Direction::Input).action, Action::Flag);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for bad in [
            "shadows = true",
            "[thresholds.input]\nreview = 0.9\nblock = 0.5",
            "[thresholds.input]\nreview = 0.9\nblock = 1.5",
            "[thresholds.upwards]\nreview = 0.1\nblock = 0.5",
            "[rules.\"Pii\"]\naction = \"block\"",
            "[rules.\"pii/iban\"]\naction = \"explode\"",
        ] {
            assert!(Policy::parse(bad).is_err(), "{bad}");
        }
    }
}
