//! A table of rules, asked like a model.

use plimsoll_core::Code;
use plimsoll_guard::rules::{RuleError, RuleTable};
use serde_json::Value;

use crate::error::ModelError;
use crate::model::BuildError;
use crate::reply::Reply;

/// A table of rules.
#[derive(Debug)]
pub struct RulesModel {
    table: RuleTable,
}

impl RulesModel {
    /// Reads a `rules.toml`.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, BuildError> {
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|_| BuildError::Rules(vec!["the file is not utf-8".into()]))?;
        let table = RuleTable::parse(text).map_err(BuildError::Rules)?;
        Ok(Self { table })
    }

    /// What the table says of `inputs`, an object.
    ///
    /// # Errors
    /// If no rule holds and there is no default, or a rule cannot be evaluated.
    pub fn answer(&self, inputs: &Value) -> Result<Reply, ModelError> {
        let said = self.table.answer(inputs).map_err(|error| {
            let code = match error {
                RuleError::NoneHolds => Code::NoRuleMatched,
                RuleError::Unfit { .. } => Code::ControlFailed,
            };
            ModelError::new(code, error.to_string())
        })?;
        Ok(Reply {
            value: said.answer,
            confidence: Some(said.confidence),
            usage: None,
            reported_model: None,
            note: Some(format!("rule `{}`", said.rule)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TABLE: &[u8] = b"
        [[rule]]
        name = 'small'
        when = 'inputs.amount < 2000'
        answer = { decision = 'approve' }
        confidence = 0.9
    ";

    #[test]
    fn the_rule_that_held_is_noted() {
        let model = RulesModel::parse(TABLE).unwrap();
        let reply = model.answer(&json!({"amount": 100})).unwrap();
        assert_eq!(reply.value, json!({"decision": "approve"}));
        assert_eq!(reply.confidence, Some(0.9));
        assert_eq!(reply.note.as_deref(), Some("rule `small`"));
    }

    #[test]
    fn no_rule_is_unsure_and_a_rule_that_fails_is_a_failed_control() {
        let model = RulesModel::parse(TABLE).unwrap();
        let code = |inputs: Value| model.answer(&inputs).unwrap_err().code;
        assert_eq!(code(json!({"amount": 5000})), Code::NoRuleMatched);
        assert_eq!(code(json!({})), Code::ControlFailed);
    }

    #[test]
    fn a_table_that_is_none_is_a_typed_error() {
        assert!(matches!(
            RulesModel::parse(b"[[rule]"),
            Err(BuildError::Rules(_))
        ));
        assert!(matches!(
            RulesModel::parse(b"\xff"),
            Err(BuildError::Rules(_))
        ));
    }
}
