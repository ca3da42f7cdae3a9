//! Redaction that can be undone: what was found is replaced by stable, numbered placeholders, and put
//! back where the answer uses them.
//!
//! Overlapping findings are merged on the original text before anything is replaced, so that offsets
//! cannot shift and no remnant stays. The same value always gets the same placeholder, within and
//! across the texts of one vault. A placeholder that a text brings along itself is never
//! given out. What is put back is not looked at again, so a value cannot smuggle in another.
//!
//! ```text
//! mail a@example.com, or b@example.com   →   mail [EMAIL_1], or [EMAIL_2]
//! ```

mod restore;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;

use crate::finding::Finding;

pub use restore::Restorer;

/// The most values that one vault keeps.
pub const VALUES_MAX: usize = 10_000;

/// The longest name in a placeholder; longer ones are cut.
const NAME_BYTES_MAX: usize = 40;

/// Values and their placeholders, for as long as one exchange lasts. It prints no value.
#[derive(Clone, Default)]
pub struct Vault {
    /// Placeholder → value.
    values: HashMap<String, String>,
    /// Name and value → placeholder.
    placeholders: HashMap<(String, String), String>,
    /// How many of a name were given out.
    counts: HashMap<String, u32>,
    /// Placeholders that texts brought along.
    foreign: BTreeSet<String>,
    /// Whether what is taken out from now on stays out.
    is_one_way: bool,
}

/// Why a text could not be redacted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VaultError {
    /// A span is none of this text.
    #[error("a finding's span is none of this text")]
    Span,
    /// There are more than [`VALUES_MAX`] values.
    #[error("there are more values than a vault keeps: the limit is {VALUES_MAX}")]
    Full,
}

impl Vault {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many values it keeps.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it keeps none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// From now on values that are new to the vault get a placeholder and are never put back: those of an
    /// answer, which its reader is not to see.
    pub const fn keep_out(&mut self) {
        self.is_one_way = true;
    }

    /// `text` with what was found in it replaced by placeholders.
    ///
    /// # Errors
    /// If a span is none of this text, or there are too many values. Nothing is redacted then: the text
    /// must not go on.
    pub fn redact(&mut self, text: &str, findings: &[Finding]) -> Result<String, VaultError> {
        for foreign in restore::placeholders(text) {
            if !self.values.contains_key(&text[foreign.clone()]) {
                self.foreign.insert(text[foreign].to_owned());
            }
        }
        let mut redacted = String::with_capacity(text.len());
        let mut done = 0;
        for (span, name) in merged(text, findings)? {
            redacted.push_str(&text[done..span.start]);
            redacted.push_str(&self.placeholder(name, &text[span.clone()])?);
            done = span.end;
        }
        redacted.push_str(&text[done..]);
        Ok(redacted)
    }

    /// The placeholder of a value.
    fn placeholder(&mut self, name: String, value: &str) -> Result<String, VaultError> {
        let key = (name, value.to_owned());
        if let Some(placeholder) = self.placeholders.get(&key) {
            return Ok(placeholder.clone());
        }
        if self.placeholders.len() >= VALUES_MAX {
            return Err(VaultError::Full);
        }
        let count = self.counts.entry(key.0.clone()).or_default();
        let placeholder = loop {
            *count += 1;
            let next = format!("[{}_{count}]", key.0);
            if !self.foreign.contains(&next) {
                break next;
            }
        };
        if !self.is_one_way {
            self.values.insert(placeholder.clone(), key.1.clone());
        }
        self.placeholders.insert(key, placeholder.clone());
        Ok(placeholder)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({} values)", self.values.len())
    }
}

/// The findings' spans, merged where they overlap, each with the name of the surest finding in it.
fn merged(text: &str, findings: &[Finding]) -> Result<Vec<(Range<usize>, String)>, VaultError> {
    let mut sorted: Vec<&Finding> = findings.iter().filter(|one| !one.span.is_empty()).collect();
    sorted.sort_by_key(|one| (one.span.start, one.span.end));
    let mut merged: Vec<(Range<usize>, &Finding)> = Vec::new();
    for one in sorted {
        if text.get(one.span.clone()).is_none() {
            return Err(VaultError::Span);
        }
        match merged.last_mut() {
            Some((span, best)) if one.span.start < span.end => {
                span.end = span.end.max(one.span.end);
                let rank = |finding: &Finding| (finding.score, finding.span.len());
                if rank(one) > rank(best) {
                    *best = one;
                }
            }
            _ => merged.push((one.span.clone(), one)),
        }
    }
    let named = merged.into_iter().map(|(span, best)| {
        let rule = best.rule.as_str();
        let name = rule.split_once('/').map_or(rule, |(_, name)| name);
        let name = name.to_ascii_uppercase().replace('-', "_");
        (span, name[..name.len().min(NAME_BYTES_MAX)].to_owned())
    });
    Ok(named.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::finding::RuleId;

    fn finding(rule: &str, span: Range<usize>, score: f64) -> Finding {
        Finding {
            rule: RuleId::new(rule).unwrap(),
            span,
            score,
            owasp: [].into(),
        }
    }

    #[test]
    fn a_value_keeps_its_placeholder_across_texts() {
        let mut vault = Vault::new();
        let text = "a@x.org, b@x.org, a@x.org";
        let found = [0..7, 9..16, 18..25].map(|span| finding("pii/email", span, 0.9));
        let redacted = vault.redact(text, &found).unwrap();
        assert_eq!(redacted, "[EMAIL_1], [EMAIL_2], [EMAIL_1]");
        let again = vault
            .redact("b@x.org", &[finding("pii/email", 0..7, 0.9)])
            .unwrap();
        assert_eq!((again.as_str(), vault.len()), ("[EMAIL_2]", 2));
        assert_eq!(vault.restore(&redacted), text);
        assert_eq!(format!("{vault:?}"), "Vault(2 values)");
    }

    #[test]
    fn what_is_kept_out_gets_a_number_and_is_not_put_back() {
        let mut vault = Vault::new();
        let email = [finding("pii/email", 0..7, 0.9)];
        assert_eq!(vault.redact("a@x.org", &email).unwrap(), "[EMAIL_1]");
        vault.keep_out();
        for _ in 0..2 {
            assert_eq!(vault.redact("b@x.org", &email).unwrap(), "[EMAIL_2]");
        }
        assert_eq!(vault.restore("[EMAIL_1] [EMAIL_2]"), "a@x.org [EMAIL_2]");
    }

    #[test]
    fn overlapping_findings_leave_no_remnant() {
        let mut vault = Vault::new();
        let text = "call +1 415 555 0132 now";
        let found = [
            finding("pii/phone", 5..20, 0.6),
            finding("pii/us-npi", 8..20, 0.3),
            finding("pii/date", 5..7, 0.1),
        ];
        assert_eq!(vault.redact(text, &found).unwrap(), "call [PHONE_1] now");
    }

    #[test]
    fn a_placeholder_that_the_text_brings_along_stays_what_it_is() {
        let mut vault = Vault::new();
        let text = "[EMAIL_1] is not a@x.org";
        let redacted = vault
            .redact(text, &[finding("pii/email", 17..24, 0.9)])
            .unwrap();
        assert_eq!(redacted, "[EMAIL_1] is not [EMAIL_2]");
        assert_eq!(vault.restore(&redacted), text);
    }

    #[test]
    fn placeholders_are_restored_in_the_arguments_of_tool_calls() {
        let mut vault = Vault::new();
        let value = "x\"y\\z";
        let placeholder = vault
            .redact(value, &[finding("pii/email", 0..5, 0.9)])
            .unwrap();
        let arguments = json!({"to": [&placeholder], "note": format!("for {placeholder}")});
        let restored = vault.restore_value(&arguments);
        assert_eq!(
            restored,
            json!({"to": [value], "note": format!("for {value}")})
        );
        let text = vault.restore_json(&arguments.to_string());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            restored
        );
    }

    #[test]
    fn spans_of_another_text_are_refused() {
        let mut vault = Vault::new();
        let error = vault
            .redact("é", &[finding("pii/email", 0..1, 0.9)])
            .unwrap_err();
        assert_eq!(error, VaultError::Span);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn what_was_redacted_is_restored_however_the_answer_is_cut(
            text in "[a-cé\\[\\]_E1 ]{0,40}",
            spans in prop::collection::vec((0..40_usize, 1..6_usize), 0..6),
            cuts in prop::collection::vec(1..7_usize, 0..40),
        ) {
            let whole = |at: usize| text.floor_char_boundary(at.min(text.len()));
            let found: Vec<_> = spans
                .iter()
                .map(|(start, length)| finding("pii/e", whole(*start)..whole(start + length), 1.0))
                .collect();
            let mut vault = Vault::new();
            let redacted = vault.redact(&text, &found).unwrap();
            prop_assert_eq!(vault.restore(&redacted), &*text);
            let mut restorer = Restorer::new(&vault);
            let (mut told, mut at) = (String::new(), 0);
            for cut in cuts {
                let end = redacted.ceil_char_boundary((at + cut).min(redacted.len()));
                told.push_str(&restorer.push(&redacted[at..end]));
                at = end;
            }
            told.push_str(&restorer.push(&redacted[at..]));
            told.push_str(&restorer.finish());
            prop_assert_eq!(told, text);
        }
    }
}
