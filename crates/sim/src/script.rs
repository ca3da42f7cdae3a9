//! The script: which requests meet which fault.
//!
//! Rules are tried in order; the first one that matches a request acts. Each rule counts the requests
//! that meet its own conditions, so "the third request for this model" needs no global order. Chance is
//! drawn from the script's seed and that count: the same requests in the same order meet the same faults.

mod duration;
mod engine;
mod fault;
mod rule;

use serde::{Deserialize, Serialize};

pub(crate) use engine::{Asked, Engine};
pub use fault::{ErrorBody, Fault};
pub use rule::{Match, Rule};

/// The most rules that a script may have.
const RULES_MAX: usize = 256;

/// An ordered list of rules, read from TOML or JSON.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    /// What chance is drawn from, for rules with a `probability`.
    pub seed: u64,
    /// The rules, tried from top to bottom; the first that matches acts.
    #[serde(rename = "rule", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// A script that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It is not TOML, or has keys or values that a script does not have.
    #[error("reading the simulator's script as TOML")]
    Toml(#[source] Box<toml::de::Error>),
    /// It is not JSON, or has keys or values that a script does not have.
    #[error("reading the simulator's script as JSON")]
    Json(#[source] serde_json::Error),
    /// A rule says something that cannot be.
    #[error("rule {number} of the simulator's script: {message}")]
    Rule {
        /// Which rule, counted from 1.
        number: usize,
        /// What is wrong and what to write instead.
        message: String,
    },
    /// There are more rules than a script may have.
    #[error("the simulator's script has {found} rules, at most {RULES_MAX} are allowed")]
    TooManyRules {
        /// How many there are.
        found: usize,
    },
}

impl Script {
    /// A script without rules: every request is answered.
    pub fn new() -> Self {
        Self::default()
    }

    /// A script by which every request meets `fault`.
    pub fn always(fault: Fault) -> Self {
        Self::new().rule(Rule::always(fault))
    }

    /// This script with one more rule at its end.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Reads a script from TOML.
    ///
    /// # Errors
    /// If it is not TOML, has unknown keys, or a rule that cannot be.
    pub fn from_toml(text: &str) -> Result<Self, ScriptError> {
        let script: Self =
            toml::from_str(text).map_err(|error| ScriptError::Toml(Box::new(error)))?;
        script.checked()
    }

    /// Reads a script from JSON.
    ///
    /// # Errors
    /// If it is not JSON, has unknown keys, or a rule that cannot be.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ScriptError> {
        let script: Self = serde_json::from_slice(bytes).map_err(ScriptError::Json)?;
        script.checked()
    }

    /// This script, if every rule in it can be.
    ///
    /// # Errors
    /// Names the first rule that cannot be.
    pub fn checked(self) -> Result<Self, ScriptError> {
        if self.rules.len() > RULES_MAX {
            return Err(ScriptError::TooManyRules {
                found: self.rules.len(),
            });
        }
        for (index, rule) in self.rules.iter().enumerate() {
            rule.check().map_err(|message| ScriptError::Rule {
                number: index + 1,
                message,
            })?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const EXAMPLE: &str = r#"
        seed = 7

        [[rule]]
        name  = "the first two requests for the backup model fail"
        match = { model = "backup", first = 2 }
        do    = { status = { code = 503 } }

        [[rule]]
        match = { text = "refund", stream = true }
        delay = "20ms"
        do    = { stall = { after = 3 } }

        [[rule]]
        probability = 0.25
        do = "reset"
    "#;

    #[test]
    fn a_script_reads_as_it_is_documented() {
        let script = Script::from_toml(EXAMPLE).unwrap();
        assert_eq!(script.seed, 7);
        assert_eq!(script.rules[0].when.first, Some(2));
        assert_eq!(script.rules[1].delay, Some(Duration::from_millis(20)));
        assert_eq!(
            script.rules[1].fault,
            Some(Fault::Stall {
                after: 3,
                keep_alive: false
            })
        );
        assert_eq!(script.rules[2].fault, Some(Fault::Reset));
    }

    #[test]
    fn json_and_toml_say_the_same() {
        let script = Script::from_toml(EXAMPLE).unwrap();
        let json = serde_json::to_vec(&script).unwrap();
        assert_eq!(Script::from_json(&json).unwrap(), script);
    }

    #[test]
    fn unknown_keys_and_impossible_values_are_refused() {
        for text in [
            "[[rule]]\ndo = \"explode\"",
            "[[rule]]\nmatch = { modell = \"x\" }\ndo = \"reset\"",
            "[[rule]]\nprobability = 1.5\ndo = \"reset\"",
            "[[rule]]\ndo = { status = { code = 42 } }",
            "[[rule]]\nmatch = { nth = 0 }\ndo = \"reset\"",
            "[[rule]]\nname = \"does nothing\"",
            "[[rule]]\ndelay = \"5\"\ndo = \"reset\"",
        ] {
            assert!(Script::from_toml(text).is_err(), "{text}");
        }
    }
}
