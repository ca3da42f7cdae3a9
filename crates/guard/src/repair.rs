//! Mending JSON as models write it, to the one value that it can only mean.
//!
//! Text that is strict JSON is returned as it says. Else the value is looked for behind prose and in
//! fenced blocks, and read by a parser that understands the faults of models: comments, trailing
//! and missing commas, quotes of every kind, keys without quotes, Python's literals, brackets that
//! are never closed. What could mean two things is refused, as are the faults that no parser may
//! guess about: a key that stands twice, a number that is none, nesting beyond the limit.
//!
//! The time is linear in the text: [`STARTS_MAX`] places are tried, and each look ahead is bounded.

mod parser;

use plimsoll_core::Code;
use serde::Serialize;
use serde_json::Value;

use crate::frame::{self, FrameError, FrameLimits, ValueKind};

/// At how many places of a text a value is looked for.
pub const STARTS_MAX: usize = 16;

/// What was mended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mend {
    /// Text before or behind the value was left out: prose, a fence, a byte order mark.
    TextAround,
    /// Blanks that are not JSON's were taken for blanks.
    Blank,
    /// A comment was left out.
    Comment,
    /// A comma was one too many, or was missing.
    Comma,
    /// Quotes other than `"` were taken for it, or a quote within a text was not escaped.
    Quote,
    /// A key had no quotes.
    Key,
    /// A literal of another language: `True`, `None`.
    Literal,
    /// A number in another form: `.5`, `+1`.
    Number,
    /// A control character or an escape that JSON does not know stood in a text.
    Escape,
    /// What was open was closed.
    Close,
}

/// A value, and what had to be mended to read it.
#[derive(Clone, PartialEq, Debug)]
pub struct Repaired {
    /// The value.
    pub value: Value,
    /// What was mended, each once, in order; empty if the text was strict JSON.
    pub mends: Vec<Mend>,
}

/// Reads `text` as strict JSON, or mends it.
///
/// # Errors
/// If the text is too large, or is no JSON that could be mended; the error is the one that strict
/// reading gives, unless mending found a fault that no parser may guess about.
pub fn repair(text: &[u8], limits: &FrameLimits) -> Result<Repaired, FrameError> {
    let strict = match frame::scan(text, limits) {
        Ok(frame) => {
            return Ok(Repaired {
                value: frame.value(),
                mends: Vec::new(),
            });
        }
        Err(error) => error,
    };
    let is_beyond_repair = matches!(
        strict.code,
        Code::BodyTooLarge
            | Code::NotUtf8
            | Code::JsonDepth
            | Code::JsonCount
            | Code::JsonDuplicateKey
    );
    let Some(text) = std::str::from_utf8(text).ok().filter(|_| !is_beyond_repair) else {
        return Err(strict);
    };
    let mut refused = None;
    for start in starts(text) {
        match parser::parse(text, start, limits) {
            Ok(repaired) if !is_scalar(&repaired.value) => {
                return Ok(with_text_around(repaired, text, start));
            }
            Ok(_) => {}
            Err(error) if error.code == Code::JsonSyntax => {}
            Err(error) => {
                refused.get_or_insert(error);
            }
        }
    }
    // A value that is no array or object has no beginning to look for: it must be all there is.
    let whole = text.trim_start_matches(is_padding);
    let start = text.len() - whole.len();
    if refused.is_none()
        && let Ok(repaired) = parser::parse(text, start, limits)
        && is_scalar(&repaired.value)
        && text[repaired.end..].trim_matches(is_padding).is_empty()
    {
        return Ok(with_text_around(repaired, text, start));
    }
    Err(refused.unwrap_or(strict))
}

/// What kind of value a strict text holds.
///
/// # Errors
/// If it is not strict JSON within the limits.
pub fn check(text: &[u8], limits: &FrameLimits) -> Result<ValueKind, FrameError> {
    frame::scan(text, limits).map(|frame| frame.kind())
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}

/// Blanks of any script, and marks without width.
fn is_padding(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{feff}' | '\u{200b}' | '\u{2060}')
}

/// The places at which a value may begin: where arrays and objects do, those in a fence first.
fn starts(text: &str) -> impl Iterator<Item = usize> {
    let fenced = text.find("```").and_then(|fence| {
        let line = text[fence..]
            .find('\n')
            .map_or(fence + 3, |end| fence + end);
        text[line..].find(['{', '[']).map(|at| line + at)
    });
    let all = text.match_indices(['{', '[']).map(|(at, _)| at);
    fenced
        .into_iter()
        .chain(all.filter(move |at| Some(*at) != fenced))
        .take(STARTS_MAX)
}

fn with_text_around(parsed: parser::Parsed, text: &str, start: usize) -> Repaired {
    let mut mends = parsed.mends;
    let is_json_blank = |byte: &u8| b" \t\r\n".contains(byte);
    let before = text.as_bytes()[..start].iter().all(is_json_blank);
    let behind = text.as_bytes()[parsed.end..].iter().all(is_json_blank);
    if !(before && behind) {
        mends.insert(Mend::TextAround);
    }
    Repaired {
        value: parsed.value,
        mends: mends.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn mended(text: &str) -> Value {
        let repaired = repair(text.as_bytes(), &FrameLimits::default());
        repaired
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .value
    }

    fn refused(text: &str) -> Code {
        let repaired = repair(text.as_bytes(), &FrameLimits::default());
        repaired.map(|repaired| repaired.value).unwrap_err().code
    }

    #[test]
    fn strict_json_is_not_touched() {
        let repaired = repair(b" {\"a\": [1, \"x\"]} ", &FrameLimits::default()).unwrap();
        assert_eq!(repaired.value, json!({"a": [1, "x"]}));
        assert!(repaired.mends.is_empty());
    }

    #[test]
    fn each_fault_of_models_is_mended_to_the_value_that_was_meant() {
        let cases = [
            ("{\"a\": 1, \"b\": [1, 2,],}", json!({"a": 1, "b": [1, 2]})),
            (
                "{\"a\": True, \"b\": None, 'c': FALSE}",
                json!({"a": true, "b": null, "c": false}),
            ),
            (
                "Sure! Here it is:\n{\"a\": 1}\nHope {this} helps.",
                json!({"a": 1}),
            ),
            (
                "Use {braces} like so: {\"a\": {\"b\": 2}}",
                json!({"a": {"b": 2}}),
            ),
            ("```json\n{\n \"a\": 1\n}\n```\nDone [1].", json!({"a": 1})),
            ("{\"a\": [1, {\"b\": \"c", json!({"a": [1, {"b": "c"}]})),
            ("{\"a\": [1, 2}", json!({"a": [1, 2]})),
            (
                "{\"a\": \"C\" \"b\": 1 \"c\": [1 2 \"x\" \"y\"] d: 4}",
                json!({"a": "C", "b": 1, "c": [1, 2, "x", "y"], "d": 4}),
            ),
            (
                "{a: 1, b-c: 2, $d: [x, y z]}",
                json!({"a": 1, "b-c": 2, "$d": ["x", "y z"]}),
            ),
            (
                "{'a': 'it''s', 'b': 'O'Brien'}",
                json!({"a": "it''s", "b": "O'Brien"}),
            ),
            (
                "{“a”: “b”, „c“: «d», ‘e’: ’f’}",
                json!({"a": "b", "c": "d", "e": "f"}),
            ),
            (
                "\u{feff}{\"a\":\u{a0}3,\u{3000}\"b\": 4}",
                json!({"a": 3, "b": 4}),
            ),
            (
                "{ // one\n\"a\": 1, /* two */ \"b\": 2 # three\n}",
                json!({"a": 1, "b": 2}),
            ),
            (
                "{\"a\": .5, \"b\": +1, \"c\": 2., \"d\": -.5e3}",
                json!({"a": 0.5, "b": 1, "c": 2.0, "d": -500.0}),
            ),
            (
                "{\"a\": \"line\nbreak\", \"b\": \"\\x\"}",
                json!({"a": "line\nbreak", "b": "\\x"}),
            ),
            (
                "{\"a\": \"he said \"no\" to me\", \"b\": 1}",
                json!({"a": "he said \"no\" to me", "b": 1}),
            ),
            ("[\"http://x/y\", 'z']", json!(["http://x/y", "z"])),
            ("True", json!(true)),
            ("'text'", json!("text")),
        ];
        for (text, value) in cases {
            assert_eq!(mended(text), value, "{text}");
        }
    }

    #[test]
    fn what_was_mended_is_told() {
        let repaired = repair(b"```\n{a: 1, /* x */}\n```", &FrameLimits::default()).unwrap();
        assert_eq!(
            repaired.mends,
            [Mend::TextAround, Mend::Comment, Mend::Comma, Mend::Key]
        );
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        assert_eq!(refused("{'a': 1, \"a\": 2}"), Code::JsonDuplicateKey);
        assert_eq!(refused("{\"a\": NaN}"), Code::JsonNumber);
        assert_eq!(refused("{a: 1e999}"), Code::JsonNumber);
        assert_eq!(refused("{\"a\": \"\\ud800\"}"), Code::JsonSurrogate);
        assert_eq!(refused("Sorry, that is not possible."), Code::JsonSyntax);
        assert_eq!(refused("{\"a\":"), Code::JsonSyntax);
        assert_eq!(refused(""), Code::JsonSyntax);
        assert_eq!(
            refused(&format!("{{a:{}", "[".repeat(100))),
            Code::JsonDepth
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-zé :,{}\\[\\]\"'/#\\\\\n]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map("[a-z' \"]{0,6}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_value_within_prose_or_cut_at_its_end_is_read_back(value in any_json()) {
            let value = json!({"v": value});
            let text = value.to_string();
            prop_assert_eq!(mended(&format!("Here:\n{text}\nBye.")), value.clone());
            prop_assert_eq!(mended(text.trim_end_matches('}').trim_end_matches(']')), value);
        }

        #[test]
        fn any_text_is_mended_or_refused_and_never_more(text in "[\\[\\]{}:,\"'a1 \n/*#\\\\“”-]{0,40}") {
            if let Ok(repaired) = repair(text.as_bytes(), &FrameLimits::default()) {
                let again = repaired.value.to_string();
                prop_assert_eq!(mended(&again), repaired.value);
            }
        }
    }
}
