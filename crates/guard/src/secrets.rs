//! Secrets in texts: tokens, keys and passwords, by how their issuers shape them.
//!
//! The rules are a file ([`language`]): what a token begins with, what is assigned to which name, how
//! random it must look. All their words are searched for in one pass; only where one stands, the
//! rule's own pattern is tried, on a bounded piece of the text. Patterns are compiled when they are
//! first needed, without Unicode classes, so that two hundred rules cost nothing at start-up.
//!
//! The time is linear in the text: pieces are bounded, and if a text is made so that they add up
//! to more than [`WORK_PER_BYTE`] times its length, the detector says that it did not judge it.

mod assignment;
mod checks;
mod command_line;
pub mod language;

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::finding::{Detector, Direction, Finding, NotEvaluated, RuleId};
use language::{Kind, Rule, RuleError};

/// How often a byte of the text may be looked at before the detector gives up.
pub const WORK_PER_BYTE: usize = 512;

/// The most findings told of one text.
pub const FINDINGS_MAX: usize = 1000;

/// The OWASP entry that secrets stand for: sensitive information disclosure.
const OWASP: &str = "LLM02:2026";

/// Rules for secrets, ready for searching. Clones share them.
#[derive(Clone)]
pub struct Secrets {
    parts: Arc<Parts>,
}

struct Parts {
    rules: Vec<Rule>,
    /// Words that are searched for as they are, and which rule each belongs to.
    exact: Words,
    /// Words whose case does not matter.
    caseless: Words,
    command_line: RuleId,
    owasp: Arc<[String]>,
}

struct Words {
    searcher: AhoCorasick,
    rules: Vec<usize>,
}

/// Work that is left for one text.
struct Budget(usize);

impl Budget {
    fn take(&mut self, bytes: usize) -> Result<(), NotEvaluated> {
        self.0 = self.0.checked_sub(bytes).ok_or_else(|| NotEvaluated {
            detector: "secrets".to_owned(),
            reason: "the text is made of beginnings of secrets and would take too long".to_owned(),
        })?;
        Ok(())
    }
}

impl Secrets {
    /// The rules that come with Plimsoll.
    pub fn shipped() -> Self {
        static SHIPPED: LazyLock<Secrets> = LazyLock::new(|| {
            Secrets::parse(Secrets::shipped_rules())
                .expect("the shipped rules are held valid by a test")
        });
        SHIPPED.clone()
    }

    /// The file of these rules.
    pub const fn shipped_rules() -> &'static str {
        include_str!("../rules/secrets.toml")
    }

    /// Reads a file of rules.
    ///
    /// # Errors
    /// If it is not the TOML that is expected, or a rule cannot work.
    pub fn parse(text: &str) -> Result<Self, RuleError> {
        Self::new(language::parse(text)?)
    }

    fn new(rules: Vec<Rule>) -> Result<Self, RuleError> {
        let exact = Words::new(&rules, false)?;
        let caseless = Words::new(&rules, true)?;
        let command_line = RuleId::new("secret/command-line-credential")
            .expect("a name in lower case letters and hyphens");
        let owasp = [OWASP.to_owned()].into();
        let parts = Parts {
            rules,
            exact,
            caseless,
            command_line,
            owasp,
        };
        Ok(Self {
            parts: Arc::new(parts),
        })
    }

    /// Compiles every pattern now rather than when it is first needed: what `check` does.
    ///
    /// # Errors
    /// If a pattern is not one.
    pub fn compile(&self) -> Result<(), RuleError> {
        self.parts.rules.iter().try_for_each(Rule::compile)
    }

    /// The rules, in the order of the file.
    pub fn rules(&self) -> &[Rule] {
        &self.parts.rules
    }

    /// The secrets in `text`, by where they begin. Several rules may hold at one place.
    ///
    /// # Errors
    /// If the text is made so that judging it would take too long.
    pub fn find(&self, text: &str) -> Result<Vec<Finding>, NotEvaluated> {
        let mut found = Found {
            text,
            budget: Budget(WORK_PER_BYTE * text.len() + (1 << 16)),
            spans: Vec::new(),
        };
        for hit in self.parts.exact.searcher.find_overlapping_iter(text) {
            let index = self.parts.exact.rules[hit.pattern().as_usize()];
            let rule = &self.parts.rules[index];
            match rule.kind {
                Kind::Prefix => found.after_prefix(index, rule, hit.range())?,
                Kind::Pattern => found.around(index, rule, hit.range())?,
                Kind::Near => {}
            }
        }
        for hit in self.parts.caseless.searcher.find_overlapping_iter(text) {
            let index = self.parts.caseless.rules[hit.pattern().as_usize()];
            found.assigned(index, &self.parts.rules[index], hit.range())?;
        }
        let mut findings = found.findings(&self.parts);
        for span in command_line::credentials(text) {
            findings.push(self.finding(self.parts.command_line.clone(), span));
        }
        findings.sort_by(|a, b| {
            (a.span.start, a.span.end, &a.rule).cmp(&(b.span.start, b.span.end, &b.rule))
        });
        findings.truncate(FINDINGS_MAX);
        Ok(findings)
    }

    fn finding(&self, rule: RuleId, span: Range<usize>) -> Finding {
        Finding {
            rule,
            span,
            score: 1.0,
            owasp: Arc::clone(&self.parts.owasp),
        }
    }
}

impl Detector for Secrets {
    fn name(&self) -> &'static str {
        "secrets"
    }

    fn detect(&self, text: &str, _: Direction) -> Result<Vec<Finding>, NotEvaluated> {
        self.find(text)
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({} rules)", self.parts.rules.len())
    }
}

impl Words {
    fn new(rules: &[Rule], caseless: bool) -> Result<Self, RuleError> {
        let mut words = Vec::new();
        let mut owners = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            if (rule.kind == Kind::Near) == caseless {
                words.extend(rule.words.iter().map(String::as_str));
                owners.extend(rule.words.iter().map(|_| index));
            }
        }
        let searcher = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .ascii_case_insensitive(caseless)
            .build(&words)
            .map_err(|_| RuleError::TooMany)?;
        Ok(Self {
            searcher,
            rules: owners,
        })
    }
}

/// What was found so far in one text.
struct Found<'t> {
    text: &'t str,
    budget: Budget,
    /// The rule's place in the list, and where it held.
    spans: Vec<(usize, Range<usize>)>,
}

impl Found<'_> {
    /// A token whose prefix stands at `hit`.
    fn after_prefix(
        &mut self,
        index: usize,
        rule: &Rule,
        hit: Range<usize>,
    ) -> Result<(), NotEvaluated> {
        let bytes = self.text.as_bytes();
        let begins = rule.start_anywhere || hit.start == 0 || !is_word(bytes[hit.start - 1]);
        if !begins || self.is_inside(index, hit.start) {
            return Ok(());
        }
        let until = bytes.len().min(hit.end + rule.longest);
        let Some(length) = rule.match_at(&bytes[hit.end..until]) else {
            // A failed match looked at no more than the bytes that could be part of it.
            return self.budget.take(rule.looked_at(&bytes[hit.end..until]));
        };
        self.budget.take(length)?;
        let span = hit.start..hit.end + length;
        if rule.ends(bytes, span.end) {
            self.keep(index, rule, span);
        }
        Ok(())
    }

    /// A pattern around the keyword at `hit`.
    fn around(&mut self, index: usize, rule: &Rule, hit: Range<usize>) -> Result<(), NotEvaluated> {
        if self.is_inside(index, hit.start) {
            return Ok(());
        }
        let bytes = self.text.as_bytes();
        let from = hit.start.saturating_sub(rule.back);
        let until = bytes.len().min(hit.end + rule.longest);
        self.budget.take(until - from)?;
        for span in rule.secrets_in(bytes, from..until) {
            self.keep(index, rule, span);
        }
        Ok(())
    }

    /// A value assigned to the name that the word at `hit` is part of.
    fn assigned(
        &mut self,
        index: usize,
        rule: &Rule,
        hit: Range<usize>,
    ) -> Result<(), NotEvaluated> {
        let bytes = self.text.as_bytes();
        if rule.styled && !assignment::is_one_style(&bytes[hit.clone()]) {
            return Ok(());
        }
        let Some(values) = assignment::values_after(bytes, hit.end) else {
            return Ok(());
        };
        for start in values {
            let until = bytes.len().min(start + rule.longest);
            self.budget.take(64)?;
            let Some(length) = rule.match_at(&bytes[start..until]) else {
                continue;
            };
            self.budget.take(length)?;
            let span = start..start + length;
            let name = assignment::name_around(bytes, &hit);
            let fits = assignment::value_ends(bytes, span.end)
                && checks::name_fits(rule.check, &bytes[name]);
            if fits && self.keep(index, rule, span) {
                break;
            }
        }
        Ok(())
    }

    /// Whether this place is inside what the rule found before.
    fn is_inside(&self, index: usize, at: usize) -> bool {
        let mut latest = self.spans.iter().rev();
        latest.any(|(rule, span)| *rule == index && span.contains(&at))
    }

    /// Keeps a span if what stands there looks like a secret; whether it did.
    fn keep(&mut self, index: usize, rule: &Rule, span: Range<usize>) -> bool {
        if self.spans.len() >= FINDINGS_MAX || !rule.accepts(&self.text.as_bytes()[span.clone()]) {
            return false;
        }
        let known = self
            .spans
            .iter()
            .any(|(kept, at)| *kept == index && *at == span);
        if !known {
            self.spans.push((index, span));
        }
        true
    }

    fn findings(self, parts: &Parts) -> Vec<Finding> {
        let text = self.text;
        let spans = self.spans.into_iter();
        spans
            .map(|(index, span)| Finding {
                rule: parts.rules[index].id.clone(),
                span: text.floor_char_boundary(span.start)..text.ceil_char_boundary(span.end),
                score: 1.0,
                owasp: Arc::clone(&parts.owasp),
            })
            .collect()
    }
}

/// Whether a byte is part of a word: an ASCII letter, digit or underscore.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests;
