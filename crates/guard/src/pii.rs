//! Personal data in texts, as far as its form gives it away: a pattern, a checksum, words beside it.
//!
//! Nearly everything recognised here holds a digit or an `@`, so only the surroundings of those are
//! looked at: a text without any costs one pass. Which recognisers may hold there is found by all
//! their patterns at once; only those are tried one by one, and each match must pass the
//! recogniser's own checksum.
//!
//! A score says how sure a finding is: some forms are unmistakable (an IBAN), others are mere
//! numbers unless a word beside them says what they are (nine digits behind "routing number"), or the
//! text is nothing else. Findings below [`SCORE_MIN`] are left out of [`Detector::detect`].
//!
//! Names of people, addresses and organisations have no form: they need a model, and are not found.

mod checksums;
mod dates;
mod numbers;
mod recognisers;

use std::ops::Range;
use std::sync::{Arc, LazyLock, OnceLock};

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use crate::finding::{Detector, Direction, Finding, NotEvaluated, RuleId};
use recognisers::{RECOGNISERS, Recogniser};

/// Findings that are less sure are left to those who ask for them.
pub const SCORE_MIN: f64 = 0.5;

/// The most findings told of one text.
pub const FINDINGS_MAX: usize = 1000;

/// How far around a digit or an `@` a value may reach.
const REACH: usize = 64;

/// How far before and behind a value a word may stand that says what it is.
const CONTEXT_BEFORE: usize = 60;
const CONTEXT_BEHIND: usize = 30;

/// What a word beside the value adds to the score.
const CONTEXT_SCORE: f64 = 0.5;

/// What it adds if the text is nothing but the value, so that nothing speaks against it.
const ALONE_SCORE: f64 = 0.2;

/// The OWASP entry that personal data stands for: sensitive information disclosure.
const OWASP: &str = "LLM02:2026";

/// Recognisers of personal data. Clones share them.
#[derive(Clone)]
pub struct Pii {
    parts: Arc<Parts>,
}

struct Parts {
    set: RegexSet,
    rules: Vec<RuleId>,
    compiled: Vec<OnceLock<Regex>>,
    owasp: Arc<[String]>,
}

impl Pii {
    /// All recognisers.
    pub fn new() -> Self {
        static SHARED: LazyLock<Pii> = LazyLock::new(Pii::build);
        SHARED.clone()
    }

    fn build() -> Self {
        let set = RegexSetBuilder::new(RECOGNISERS.iter().map(|one| one.pattern))
            .unicode(false)
            .size_limit(8 << 20)
            .dfa_size_limit(4 << 20)
            .build()
            .expect("the patterns are held valid by a test");
        let rules = RECOGNISERS.iter().map(|one| {
            RuleId::new(&format!("pii/{}", one.name)).expect("names are lower case with hyphens")
        });
        let parts = Parts {
            set,
            rules: rules.collect(),
            compiled: RECOGNISERS.iter().map(|_| OnceLock::new()).collect(),
            owasp: [OWASP.to_owned()].into(),
        };
        Self {
            parts: Arc::new(parts),
        }
    }

    /// Names these recognisers: another edition may find other things.
    pub fn edition() -> String {
        let mut text = String::new();
        for one in RECOGNISERS {
            text.push_str(&format!(
                "{} {} {} {:?}\n",
                one.name, one.pattern, one.score, one.context
            ));
        }
        plimsoll_core::Digest::of(text.as_bytes()).short()
    }

    /// Everything that is recognised in `text`, however unsure, by where it begins.
    pub fn find(&self, text: &str) -> Vec<Finding> {
        let bytes = text.as_bytes();
        // A value that is all of this stands alone.
        let said = text.trim();
        let start = said.as_ptr().addr() - text.as_ptr().addr();
        let all = start..start + said.len();
        let mut findings = Vec::new();
        let mut windows = Windows { bytes, at: 0 };
        while let Some(window) = windows.next() {
            for index in &self.parts.set.matches(&bytes[window.clone()]) {
                let place = Place {
                    text,
                    all: &all,
                    window: window.clone(),
                };
                self.find_one(index, &place, &mut findings);
            }
        }
        findings.sort_by(|a, b| {
            (a.span.start, a.span.end, &a.rule).cmp(&(b.span.start, b.span.end, &b.rule))
        });
        findings.truncate(FINDINGS_MAX);
        findings
    }

    fn find_one(&self, index: usize, place: &Place<'_>, findings: &mut Vec<Finding>) {
        let (text, window) = (place.text, &place.window);
        let bytes = text.as_bytes();
        let recogniser = &RECOGNISERS[index];
        let regex = self.parts.compiled[index].get_or_init(|| {
            let built = RegexBuilder::new(recogniser.pattern).unicode(false).build();
            built.expect("the same pattern is part of the set")
        });
        let mut at = window.start;
        while at <= window.end && findings.len() < FINDINGS_MAX {
            let Some(found) = regex
                .find_at(bytes, at)
                .filter(|found| found.start() < window.end)
            else {
                return;
            };
            let span = (recogniser.judge)(bytes, found.range());
            at = match &span {
                Some(span) => span.end.max(found.start() + 1),
                // Digits that fail a checksum are not tried again from their middle.
                None => found.end().max(found.start() + 1),
            };
            if let Some(span) = span {
                findings.push(Finding {
                    score: score(recogniser, place, &span),
                    rule: self.parts.rules[index].clone(),
                    span: text.floor_char_boundary(span.start)..text.ceil_char_boundary(span.end),
                    owasp: Arc::clone(&self.parts.owasp),
                });
            }
        }
    }
}

impl Default for Pii {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for Pii {
    fn name(&self) -> &'static str {
        "pii"
    }

    fn detect(&self, text: &str, _: Direction) -> Result<Vec<Finding>, NotEvaluated> {
        let mut found = self.find(text);
        found.retain(|one| one.score >= SCORE_MIN);
        Ok(found)
    }
}

impl std::fmt::Debug for Pii {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pii({} recognisers)", RECOGNISERS.len())
    }
}

/// Where a value is looked for.
struct Place<'t> {
    text: &'t str,
    /// The text but for the blanks around it.
    all: &'t Range<usize>,
    window: Range<usize>,
}

/// How sure a match is, given what stands around it.
fn score(recogniser: &Recogniser, place: &Place<'_>, span: &Range<usize>) -> f64 {
    let text = place.text;
    let mut score = recogniser.score;
    if span.start <= place.all.start && span.end >= place.all.end {
        score += ALONE_SCORE;
    }
    let from = text.floor_char_boundary(span.start.saturating_sub(CONTEXT_BEFORE));
    let until = text.ceil_char_boundary((span.end + CONTEXT_BEHIND).min(text.len()));
    let around = text[from..until].to_lowercase();
    if recogniser
        .context
        .iter()
        .any(|word| has_word(&around, word))
    {
        score += CONTEXT_SCORE;
    }
    score.min(1.0)
}

/// Whether a word stands in `text` as a word of its own: "lic" is not in "public".
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let behind = text[at + word.len()..].chars().next();
        let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
        !is_letter(before) && !is_letter(behind)
    })
}

/// The surroundings of digits and of `@`, joined where they touch.
struct Windows<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Windows<'_> {
    fn next(&mut self) -> Option<Range<usize>> {
        let is_mark = |at: usize| match self.bytes[at] {
            b'0'..=b'9' | b'@' => true,
            b':' | b'-' => is_in_hardware_address(self.bytes, at),
            _ => false,
        };
        let first = (self.at..self.bytes.len()).find(|&at| is_mark(at))?;
        let mut last = first;
        let near = |last: usize| last + 1..(last + 1 + REACH).min(self.bytes.len());
        while let Some(next) = near(last).find(|&at| is_mark(at)) {
            last = next;
        }
        self.at = last + 1;
        Some(first.saturating_sub(REACH)..(last + 1 + REACH).min(self.bytes.len()))
    }
}

/// Whether a `:` or `-` stands between two pairs of hexadecimal digits: hardware addresses may have no
/// decimal digit.
fn is_in_hardware_address(bytes: &[u8], at: usize) -> bool {
    at >= 2
        && bytes
            .get(at + 1..at + 3)
            .is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
        && bytes[at - 2..at].iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sure(text: &str) -> Vec<(String, &str)> {
        let found = Pii::new().detect(text, Direction::Input).unwrap();
        found
            .into_iter()
            .map(|one| (one.rule.to_string(), &text[one.span]))
            .collect()
    }

    #[test]
    fn what_is_unmistakable_is_found_where_it_stands() {
        let text = "Grüße an zoe.mueller@example.com, Konto DE89 3704 0044 0532 0130 00, Karte 4012-8888-8888-1881.";
        let found = sure(text);
        for expected in [
            ("pii/email", "zoe.mueller@example.com"),
            ("pii/iban", "DE89 3704 0044 0532 0130 00"),
            ("pii/credit-card", "4012-8888-8888-1881"),
        ] {
            assert!(
                found.contains(&(expected.0.to_owned(), expected.1)),
                "{expected:?} in {found:?}"
            );
        }
    }

    #[test]
    fn a_mere_number_needs_a_word_beside_it() {
        assert_eq!(
            sure("It took 121000358 steps to the north of the town."),
            []
        );
        let found = sure("The routing number is 121000358, as you know.");
        assert!(found.contains(&("pii/aba-routing".to_owned(), "121000358")));
    }

    #[test]
    fn checksums_are_held_against_the_value() {
        assert_eq!(sure("Konto DE89 3704 0044 0532 0130 01 ist falsch."), []);
        assert_eq!(sure("at 1700000000000 ms, order 4012888888881882"), []);
    }

    #[test]
    fn a_text_without_digits_has_no_windows() {
        assert!(
            Windows {
                bytes: b"no digit here",
                at: 0
            }
            .next()
            .is_none()
        );
        let mut windows = Windows {
            bytes: b"a 1 b 2",
            at: 0,
        };
        assert_eq!((windows.next(), windows.next()), (Some(0..7), None));
    }

    #[test]
    fn context_is_a_whole_word() {
        assert!(has_word("your pin is", "pin"));
        assert!(!has_word("spinning", "pin"));
    }
}
