//! The truth about a decision, which arrives later and by the decision's id.
//!
//! A label is a record like any other: it is never changed, a later one about the same decision under the
//! same name corrects it. Its value stands in the record, so it is short and names nobody: a class, a
//! number, a yes or a no.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{DecisionId, EventId};
use crate::manifest::ReleaseId;
use crate::names::{EnvironmentName, LabelName, SystemName, TenantName};

/// The longest text of a label, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;

/// The most labels of one tenant that may wait for decisions that nobody knows.
pub const WAITING_MAX: u64 = 100_000;

/// A label as it is recorded.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Label {
    /// Names the event.
    pub id: EventId,
    /// Which decision it is about; whether there is one is not said.
    pub decision: DecisionId,
    /// Whose: it joins only a decision of this tenant.
    pub tenant: TenantName,
    /// What it is the truth of.
    pub name: LabelName,
    /// The truth.
    pub value: LabelValue,
    /// When the truth came about, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// How it came.
    pub through: LabelSource,
    /// Who said so: the key of a caller, or an operator.
    pub actor: String,
    /// When it was said.
    pub at: Timestamp,
}

/// How a label came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSource {
    /// A caller sent it.
    Caller,
    /// An operator brought it, alone or in a file.
    Operator,
}

impl LabelSource {
    /// The word as it stands in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Operator => "operator",
        }
    }
}

/// The truth itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LabelValue {
    /// Yes or no.
    Flag(bool),
    /// A finite number.
    Number(f64),
    /// A class.
    Text(String),
}

/// A value that can be no label.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LabelUnfit {
    /// A text without anything in it.
    #[error("the value is empty")]
    Empty,
    /// A text that is too long for a class.
    #[error(
        "the value has {0} bytes, {TEXT_BYTES_MAX} are allowed: a label is a class and no story"
    )]
    TooLong(usize),
    /// A text with characters that no class has.
    #[error("the value has control characters")]
    Control,
    /// NaN or infinite.
    #[error("the value is no finite number")]
    NotFinite,
    /// Something that is neither.
    #[error("the value is {0}; a label is a text, a number, true or false")]
    Kind(&'static str),
}

impl LabelValue {
    /// A class.
    ///
    /// # Errors
    /// If the text cannot be one.
    pub fn text(text: &str) -> Result<Self, LabelUnfit> {
        let text = text.trim();
        match text.len() {
            0 => Err(LabelUnfit::Empty),
            bytes if bytes > TEXT_BYTES_MAX => Err(LabelUnfit::TooLong(bytes)),
            _ if text.chars().any(char::is_control) => Err(LabelUnfit::Control),
            _ => Ok(Self::Text(text.to_owned())),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// If it is not finite.
    pub const fn number(number: f64) -> Result<Self, LabelUnfit> {
        if number.is_finite() {
            Ok(Self::Number(number))
        } else {
            Err(LabelUnfit::NotFinite)
        }
    }

    /// The cell of a table: a number where it reads as one, `true` and `false`, a class otherwise. `NaN` and
    /// `inf` are no classes.
    ///
    /// # Errors
    /// If it can be no label.
    pub fn cell(text: &str) -> Result<Self, LabelUnfit> {
        match text.trim() {
            "true" | "True" | "TRUE" => Ok(Self::Flag(true)),
            "false" | "False" | "FALSE" => Ok(Self::Flag(false)),
            text => match text.parse::<f64>() {
                Ok(number) => Self::number(number),
                Err(_) => Self::text(text),
            },
        }
    }

    /// What a caller's JSON says.
    ///
    /// # Errors
    /// If it can be no label.
    pub fn json(value: &serde_json::Value) -> Result<Self, LabelUnfit> {
        match value {
            serde_json::Value::Bool(flag) => Ok(Self::Flag(*flag)),
            serde_json::Value::Number(number) => {
                Self::number(number.as_f64().unwrap_or(f64::INFINITY))
            }
            serde_json::Value::String(text) => Self::text(text),
            serde_json::Value::Null => Err(LabelUnfit::Kind("null")),
            serde_json::Value::Array(_) => Err(LabelUnfit::Kind("a list")),
            serde_json::Value::Object(_) => Err(LabelUnfit::Kind("an object")),
        }
    }

    /// What kind of value it is, in a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Flag(_) => "flag",
            Self::Number(_) => "number",
            Self::Text(_) => "text",
        }
    }
}

impl fmt::Display for LabelValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// A label that somebody wants recorded.
#[derive(Clone, PartialEq, Debug)]
pub struct NewLabel {
    /// Which decision it is about.
    pub decision: DecisionId,
    /// What it is the truth of.
    pub name: LabelName,
    /// The truth.
    pub value: LabelValue,
    /// When the truth came about, if that is known.
    pub observed_at: Option<Timestamp>,
}

/// What became of a label.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelState {
    /// It is recorded, and its decision is known.
    Joined,
    /// It is recorded, and takes the place of another value.
    Corrected,
    /// It is recorded, and waits for a decision that nobody knows.
    Waiting,
    /// The same value stands already: nothing was recorded.
    Repeated,
}

impl LabelState {
    /// The word as it stands in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Corrected => "corrected",
            Self::Waiting => "waiting",
            Self::Repeated => "repeated",
        }
    }
}

/// What is known of a decision that labels are about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownDecision {
    /// Whose it is.
    pub tenant: TenantName,
    /// Of which system.
    pub system: SystemName,
    /// Where it was made.
    pub environment: EnvironmentName,
    /// The release that answered.
    pub release: ReleaseId,
    /// Whether somebody outside was given the answer of the first model, and it said how sure it was: labels of such
    /// decisions say how often the model is right.
    pub is_of_model: bool,
}

/// What is known of the decisions that labels are about.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct KnownLabels {
    /// The decisions that are known.
    pub decisions: std::collections::BTreeMap<DecisionId, KnownDecision>,
    /// The label that stands of each decision, tenant and name.
    pub standing: std::collections::BTreeMap<(DecisionId, TenantName, LabelName), LabelValue>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cell_is_a_number_a_flag_or_a_class_and_never_nan() {
        assert_eq!(LabelValue::cell(" 1.5 "), Ok(LabelValue::Number(1.5)));
        assert_eq!(LabelValue::cell("True"), Ok(LabelValue::Flag(true)));
        assert_eq!(
            LabelValue::cell("repaid"),
            Ok(LabelValue::Text("repaid".into()))
        );
        for bad in ["NaN", "nan", "inf", "-Infinity", "1e999"] {
            assert_eq!(LabelValue::cell(bad), Err(LabelUnfit::NotFinite), "{bad}");
        }
        assert_eq!(LabelValue::cell("  "), Err(LabelUnfit::Empty));
        assert_eq!(
            LabelValue::cell(&"x".repeat(300)),
            Err(LabelUnfit::TooLong(300))
        );
        assert_eq!(LabelValue::text("a\u{1b}b"), Err(LabelUnfit::Control));
    }

    #[test]
    fn what_json_can_say_that_is_no_label_is_named() {
        for (value, kind) in [
            (json!(null), "null"),
            (json!([1]), "a list"),
            (json!({}), "an object"),
        ] {
            assert_eq!(LabelValue::json(&value), Err(LabelUnfit::Kind(kind)));
        }
        assert_eq!(LabelValue::json(&json!(3)), Ok(LabelValue::Number(3.0)));
    }

    #[test]
    fn a_value_reads_back_as_what_it_was() {
        for value in [
            LabelValue::Flag(false),
            LabelValue::Number(3.0),
            LabelValue::Number(-0.25),
            LabelValue::Text("true".into()),
            LabelValue::Text("3".into()),
        ] {
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<LabelValue>(&text).unwrap(), value);
        }
    }
}
