//! What a detector says: which rule held, where in the original text, how sure it is.
//!
//! A finding never holds the text that was matched, so that records and logs made of findings hold
//! no payload. Spans are bytes of the text as it came, whatever view of it the rule was tried on.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Which way a text goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From a caller to a model: trusted to ask, not to command.
    Input,
    /// From a model to a caller.
    Output,
    /// From a tool, a document or a search to a model: data, trusted with nothing.
    Tool,
}

impl Direction {
    /// Its name in files and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Tool => "tool",
        }
    }
}

/// What is done about a finding, from the mildest to the strictest.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing.
    #[default]
    Allow,
    /// It is noted.
    Flag,
    /// The span is replaced by a placeholder.
    Redact,
    /// The value is mended.
    Repair,
    /// The model is asked once more.
    AskAgain,
    /// A person decides.
    Review,
    /// The text goes no further.
    Block,
}

impl Action {
    /// Its name in files and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Flag => "flag",
            Self::Redact => "redact",
            Self::Repair => "repair",
            Self::AskAgain => "ask_again",
            Self::Review => "review",
            Self::Block => "block",
        }
    }
}

/// The name of a rule, as `family/name`: `structure/tag-payload`. Clones share it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RuleId(Arc<str>);

/// Why a text is no name of a rule.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "`{0}` is no rule's name: write family/name in lower case letters, digits and hyphens, at most \
     80 bytes"
)]
pub struct RuleIdError(String);

impl RuleId {
    /// Reads a rule's name.
    ///
    /// # Errors
    /// If it is not `family/name` in lower case letters, digits and hyphens.
    pub fn new(text: &str) -> Result<Self, RuleIdError> {
        let is_word = |word: &str| {
            let fits =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            !word.is_empty() && word.bytes().all(fits)
        };
        let parts = text.split_once('/');
        let fits = text.len() <= 80 && parts.is_some_and(|(a, b)| is_word(a) && is_word(b));
        let quoted = || text.chars().take(80).collect();
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(RuleIdError(quoted()))
        }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the slash: what the rule is about.
    pub fn family(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

impl fmt::Debug for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One rule that held.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// Where it held: bytes of the original text.
    #[serde(serialize_with = "as_pair")]
    pub span: Range<usize>,
    /// How sure the rule is, from 0 to 1.
    pub score: f64,
    /// The entries of the OWASP lists (LLM Top 10 2026, agentic top 10 2026) that it stands for.
    pub owasp: Arc<[String]>,
}

/// A range as `[start, end]`, which every language reads alike.
fn as_pair<S: serde::Serializer>(span: &Range<usize>, to: S) -> Result<S::Ok, S::Error> {
    [span.start, span.end].serialize(to)
}

/// Why a detector has no opinion. It is recorded, never taken for "nothing was found".
#[derive(Clone, PartialEq, Eq, Debug, Serialize, thiserror::Error)]
#[error("{detector} did not judge the text: {reason}")]
pub struct NotEvaluated {
    /// Which detector.
    pub detector: String,
    /// Why, without any of the text.
    pub reason: String,
}

/// Something that finds things in texts: rules, a classifier, a recogniser of personal data.
///
/// It must take time linear in the text, keep no state between texts, and give spans on character
/// boundaries of the text that it was given.
pub trait Detector: Send + Sync {
    /// Its name, in records when it did not run: `classifier`, `pii`.
    fn name(&self) -> &str;

    /// What is found in `text`.
    ///
    /// # Errors
    /// If it cannot judge this text.
    fn detect(&self, text: &str, direction: Direction) -> Result<Vec<Finding>, NotEvaluated>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_named_by_family_and_name() {
        let rule = RuleId::new("structure/tag-payload").unwrap();
        assert_eq!(rule.family(), "structure");
        for bad in ["", "a", "a/", "/a", "A/b", "a/b/c", "a b/c", "a/ü"] {
            assert!(RuleId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_stricter_action_is_the_greater() {
        assert!(Action::Block > Action::Review && Action::Review > Action::Flag);
    }
}
