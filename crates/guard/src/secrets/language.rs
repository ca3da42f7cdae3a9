//! The language of rules for secrets: TOML, in the manner of gitleaks, but shorter.
//!
//! A rule is one of three kinds, by what it names: `prefix` and `rest`, `near` and `value`, or
//! `keywords` and `pattern`; `rules/secrets.toml` says what each means. Two rules may not share an
//! id. A pattern is compiled when it is first needed; `Rule::compile` is how `check` refuses a bad
//! one before anything is served.

use std::ops::Range;
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::checks::{self, Check};
use super::is_word;
use crate::finding::{RuleId, RuleIdError};

/// The most memory that one compiled pattern may take, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// The most rules in one file.
pub const RULES_MAX: usize = 2000;

/// Why rules cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RuleError {
    /// It is not the TOML that is expected.
    #[error("the rules cannot be read: {0}")]
    Syntax(String),
    /// There are more than [`RULES_MAX`] rules, or their words take too much memory.
    #[error("there are too many rules: the limit is {RULES_MAX}")]
    TooMany,
    /// Two rules have the same id.
    #[error("two rules have the id `{0}`: rename one")]
    Twice(String),
    /// The id is no name.
    #[error(transparent)]
    Id(#[from] RuleIdError),
    /// The rule is of no kind, or of two.
    #[error(
        "rule `{0}`: give it either prefix and rest, or near and value, or keywords and pattern"
    )]
    Kind(String),
    /// A word to search for is empty.
    #[error("rule `{0}`: an empty word would be found everywhere: take it out")]
    EmptyWord(String),
    /// A pattern cannot be compiled.
    #[error("rule `{rule}`: the pattern cannot be used: {reason}")]
    Pattern {
        /// The rule's id.
        rule: String,
        /// What the compiler says.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(
        dead_code,
        reason = "read so that a file says which version it is written for"
    )]
    version: u32,
    rules: Vec<Written>,
}

/// A rule as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    #[serde(default)]
    prefix: Vec<String>,
    rest: Option<String>,
    #[serde(default)]
    near: Vec<String>,
    value: Option<String>,
    #[serde(default)]
    keywords: Vec<String>,
    pattern: Option<String>,
    back: Option<usize>,
    #[serde(default)]
    entropy: f64,
    longest: Option<usize>,
    #[serde(default)]
    allow: Vec<String>,
    #[serde(default)]
    check: Check,
    #[serde(default)]
    start: Edge,
    #[serde(default)]
    end: Edge,
    #[serde(default)]
    styled: bool,
    #[serde(default)]
    cased: bool,
    #[serde(default)]
    quoted: bool,
    #[serde(default)]
    finds: Vec<String>,
    #[serde(default)]
    passes: Vec<String>,
}

/// What may stand beside a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Edge {
    /// Nothing that would go on with the word.
    #[default]
    Word,
    /// Anything.
    Any,
}

/// Of which kind a rule is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A token that says what it is.
    Prefix,
    /// A value assigned to a name.
    Near,
    /// A pattern around a keyword.
    Pattern,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name, in the family `secret`.
    pub id: RuleId,
    /// Of which kind it is.
    pub kind: Kind,
    /// Texts in which it must find something.
    pub finds: Vec<String>,
    /// Texts in which it must find nothing.
    pub passes: Vec<String>,
    pub(super) words: Vec<String>,
    pub(super) back: usize,
    pub(super) longest: usize,
    pub(super) styled: bool,
    pub(super) start_anywhere: bool,
    pub(super) check: Check,
    end: Edge,
    quoted: bool,
    entropy: f64,
    source: String,
    compiled: OnceLock<Option<Regex>>,
    allow_source: Vec<String>,
    allow: OnceLock<Vec<Regex>>,
}

/// Reads a file of rules; patterns are not compiled yet.
pub(super) fn parse(text: &str) -> Result<Vec<Rule>, RuleError> {
    let file: File = toml::from_str(text).map_err(|error| RuleError::Syntax(error.to_string()))?;
    if file.rules.len() > RULES_MAX {
        return Err(RuleError::TooMany);
    }
    let mut rules: Vec<Rule> = Vec::with_capacity(file.rules.len());
    for written in file.rules {
        let rule = Rule::new(written)?;
        if rules.iter().any(|other| other.id == rule.id) {
            return Err(RuleError::Twice(rule.id.to_string()));
        }
        rules.push(rule);
    }
    Ok(rules)
}

impl Rule {
    fn new(written: Written) -> Result<Self, RuleError> {
        let id = RuleId::new(&format!("secret/{}", written.id))?;
        let caseless = if written.cased { "" } else { "(?i)" };
        let (kind, words, source) = match (
            (written.prefix, written.rest),
            (written.near, written.value),
            (written.keywords, written.pattern),
        ) {
            ((words, Some(rest)), (near, None), (keywords, None))
                if near.is_empty() && keywords.is_empty() =>
            {
                (Kind::Prefix, words, format!("\\A(?:{rest})"))
            }
            ((prefix, None), (words, Some(value)), (keywords, None))
                if prefix.is_empty() && keywords.is_empty() =>
            {
                (Kind::Near, words, format!("{caseless}\\A(?:{value})"))
            }
            ((prefix, None), (near, None), (words, Some(pattern)))
                if prefix.is_empty() && near.is_empty() =>
            {
                (Kind::Pattern, words, pattern)
            }
            _ => return Err(RuleError::Kind(id.to_string())),
        };
        if words.is_empty() {
            return Err(RuleError::Kind(id.to_string()));
        }
        if words.iter().any(String::is_empty) {
            return Err(RuleError::EmptyWord(id.to_string()));
        }
        Ok(Self {
            id,
            kind,
            finds: written.finds,
            passes: written.passes,
            words,
            back: written.back.unwrap_or(0),
            longest: written.longest.unwrap_or(512),
            styled: written.styled,
            start_anywhere: written.start == Edge::Any,
            check: written.check,
            end: written.end,
            quoted: written.quoted,
            entropy: written.entropy,
            source,
            compiled: OnceLock::new(),
            allow_source: written.allow,
            allow: OnceLock::new(),
        })
    }

    pub(super) fn compile(&self) -> Result<(), RuleError> {
        let all = std::iter::once(&self.source).chain(&self.allow_source);
        for source in all {
            build(source).map_err(|error| RuleError::Pattern {
                rule: self.id.to_string(),
                reason: error.to_string(),
            })?;
        }
        Ok(())
    }

    fn regex(&self) -> Option<&Regex> {
        self.compiled
            .get_or_init(|| build(&self.source).ok())
            .as_ref()
    }

    /// How long the match is that begins where `bytes` begin.
    pub(super) fn match_at(&self, bytes: &[u8]) -> Option<usize> {
        let found = self.regex()?.find(bytes)?;
        Some(found.end())
    }

    /// How many bytes a failed match may have looked at: the run of bytes that tokens are made of.
    pub(super) fn looked_at(&self, bytes: &[u8]) -> usize {
        if self.start_anywhere {
            return bytes.len();
        }
        let is_end = |byte: &u8| byte.is_ascii_whitespace();
        bytes.iter().position(is_end).unwrap_or(bytes.len()) + 1
    }

    /// Where secrets stand in this piece of the text.
    pub(super) fn secrets_in(&self, bytes: &[u8], piece: Range<usize>) -> Vec<Range<usize>> {
        let Some(regex) = self.regex() else {
            return Vec::new();
        };
        let mut spans = Vec::new();
        let mut at = piece.start;
        while at <= piece.end {
            // The piece's beginning is not the text's: edges look at the bytes before it.
            let Some(found) = regex.captures_at(&bytes[..piece.end], at) else {
                break;
            };
            let whole = found.get_match();
            let secret = found.get(1).unwrap_or(whole);
            spans.push(secret.range());
            at = whole.end().max(at + 1);
        }
        spans
    }

    /// Whether a token may end at this byte.
    pub(super) fn ends(&self, bytes: &[u8], at: usize) -> bool {
        let next = bytes.get(at).copied();
        match self.end {
            Edge::Any => true,
            Edge::Word => next.is_none_or(|byte| !is_word(byte) && byte != b'-'),
        }
    }

    /// Whether what was matched looks like a secret and is no published example.
    pub(super) fn accepts(&self, secret: &[u8]) -> bool {
        let bare = if self.quoted {
            secret.trim_ascii().strip_prefix(b"\"").unwrap_or(secret)
        } else {
            secret
        };
        let allow = self.allow.get_or_init(|| {
            let sources = self.allow_source.iter();
            sources.filter_map(|source| build(source).ok()).collect()
        });
        self.regex().is_some()
            && checks::entropy(bare) >= self.entropy
            && checks::fits(self.check, bare)
            && !allow.iter().any(|published| published.is_match(bare))
    }
}

fn build(source: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(source)
        .unicode(false)
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX)
        .build()
}
