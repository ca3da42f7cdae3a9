//! How values are assigned to names in the files and languages that people paste: `name = "value"`,
//! `"name": "value"`, `NAME := value`, `name => 'value'`, `name, value`.
//!
//! Everything here looks at a bounded number of bytes around the name.

use std::ops::Range;

/// How far a name may go on behind the word that it holds, blanks included.
const NAME_TAIL_MAX: usize = 40;

/// How far a name may reach back before the word.
const NAME_HEAD_MAX: usize = 50;

/// The places where a value may begin that is assigned to a name ending at or behind `at`.
///
/// There are several because an `=` may be the last of the operator or the first of the value.
pub(super) fn values_after(bytes: &[u8], at: usize) -> Option<impl Iterator<Item = usize>> {
    let is_tail = |byte: u8| {
        matches!(byte, b' ' | b'\t' | b'.' | b'-' | b'_') || byte.is_ascii_alphanumeric()
    };
    let tail = run(bytes, at, NAME_TAIL_MAX, is_tail);
    let quote = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'\'' | b'"' | b'`' | b']');
    let closed = run(bytes, tail, 3, quote);
    let after = operator(bytes, closed)?;
    let opening =
        |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'\'' | b'"' | b'`' | b'=');
    let last = run(bytes, after, 5, opening);
    Some(after..=last)
}

/// Where a run of at most `most` such bytes from `at` on ends.
fn run(bytes: &[u8], at: usize, most: usize, fits: impl Fn(u8) -> bool) -> usize {
    let rest = bytes[at..].iter().take(most);
    at + rest.take_while(|&&byte| fits(byte)).count()
}

/// Past the operator that stands at `at`.
fn operator(bytes: &[u8], at: usize) -> Option<usize> {
    const OPERATORS: [&[u8]; 10] = [
        b":::=", b"::=", b":=", b"=>", b"?=", b"||", b"=", b":", b">", b",",
    ];
    let rest = &bytes[at..];
    let found = OPERATORS
        .iter()
        .find(|operator| rest.starts_with(operator))?;
    Some(at + found.len())
}

/// Whether a value may end at this byte: nothing follows that would be part of it.
pub(super) fn value_ends(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        None => true,
        Some(b'\\') => matches!(bytes.get(at + 1), Some(b'n' | b'r' | b't' | b'"' | b'\'')),
        Some(byte) => {
            byte.is_ascii_whitespace()
                || matches!(
                    byte,
                    b'\'' | b'"' | b'`' | b';' | b',' | b')' | b'}' | b']' | b'<'
                )
        }
    }
}

/// Whether a word is written in lower case, in upper case, or capitalised.
pub(super) fn is_one_style(word: &[u8]) -> bool {
    let upper = |byte: &u8| byte.is_ascii_uppercase();
    let lower = |byte: &u8| byte.is_ascii_lowercase();
    let rest = word.get(1..).unwrap_or_default();
    !rest.iter().any(upper) || !word.iter().any(lower)
}

/// The name that the word at `hit` is part of, without blanks.
pub(super) fn name_around(bytes: &[u8], hit: &Range<usize>) -> Range<usize> {
    let is_name = |byte: &u8| matches!(byte, b'.' | b'-' | b'_') || byte.is_ascii_alphanumeric();
    let head = bytes[..hit.start].iter().rev().take(NAME_HEAD_MAX);
    let start = hit.start - head.take_while(|byte| is_name(byte)).count();
    let tail = bytes[hit.end..].iter().take(NAME_TAIL_MAX);
    let end = hit.end + tail.take_while(|byte| is_name(byte)).count();
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, word: &str) -> Option<String> {
        let at = text.find(word).unwrap() + word.len();
        let last = values_after(text.as_bytes(), at)?.last()?;
        Some(text[last..].trim_end_matches(['"', '\'', ';']).to_owned())
    }

    #[test]
    fn values_are_found_behind_every_operator() {
        for text in [
            "acme_key = \"v4lue\"",
            "\"acme-key\": \"v4lue\"",
            "ACME.acme := v4lue",
            "acme ::= 'v4lue'",
            "'acme' => 'v4lue'",
            "acme: v4lue",
            "env['acme'] = \"v4lue\";",
            "acme,v4lue",
        ] {
            assert_eq!(value(text, "acme").as_deref(), Some("v4lue"), "{text}");
        }
        assert_eq!(value("acme is a company that makes anvils", "acme"), None);
    }

    #[test]
    fn a_word_within_another_word_has_two_styles() {
        for one in ["okta", "OKTA", "Okta"] {
            assert!(is_one_style(one.as_bytes()), "{one}");
        }
        for other in ["okTa", "oKTA", "OktA"] {
            assert!(!is_one_style(other.as_bytes()), "{other}");
        }
    }
}
