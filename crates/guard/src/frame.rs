//! Strict JSON (RFC 8259) in one pass over the bytes.
//!
//! Two parsers that read the same bytes differently are a way around every later check, so whatever
//! the standard leaves open is refused here: duplicate keys, halves of surrogate pairs, numbers that
//! no `f64` holds, a byte order mark. What passes is read alike by every parser behind us.
//!
//! The scan takes linear time (plus the sorting of keys), allocates nothing per value, does not
//! recurse, and is bounded in bytes, depth and number of values. It keeps where the members of a
//! top-level object are, which is all that most requests need; [`Frame::value`] parses the rest.

mod keys;
mod scanner;
mod text;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use plimsoll_core::Code;

/// What a body may be at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameLimits {
    /// The most bytes.
    pub bytes_max: usize,
    /// How deeply arrays and objects may be nested: `[[1]]` is 2 deep. More than
    /// [`FrameLimits::DEPTH_CEILING`] is taken as that.
    pub depth_max: u32,
    /// The most values: numbers, strings, literals, arrays and objects alike, keys not counted.
    pub values_max: u32,
}

impl FrameLimits {
    /// The deepest nesting that [`Frame::value`] can parse.
    pub const DEPTH_CEILING: u32 = 120;
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self {
            bytes_max: 1 << 20,
            depth_max: 64,
            values_max: 100_000,
        }
    }
}

/// Bytes that are strict JSON, and where the members of the top-level object are.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    bytes: &'a [u8],
    kind: ValueKind,
    members: Vec<Member<'a>>,
    end: usize,
}

/// A member of the top-level object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member<'a> {
    /// The key, unescaped.
    pub key: Cow<'a, str>,
    /// Where the key's opening quote is.
    pub key_start: usize,
    /// Where the value is, without the blanks around it.
    pub value: Range<usize>,
    /// What the value is.
    pub kind: ValueKind,
}

/// The kind of a JSON value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// Why bytes are refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrameError {
    /// The code: one of `body_too_large`, `not_utf8` and those that begin with `json_`.
    pub code: Code,
    /// The byte at which it was seen, counted from 0.
    pub offset: usize,
    /// What is wrong there. It quotes none of the caller's text.
    pub detail: String,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, detail, .. } = self;
        write!(f, "json is not valid at byte {offset}: {detail}")
    }
}

impl std::error::Error for FrameError {}

/// Reads `bytes` as one JSON text.
///
/// # Errors
/// If `bytes` are not strict JSON, or are more than `limits` allow; only the first fault is told.
pub fn scan<'a>(bytes: &'a [u8], limits: &FrameLimits) -> Result<Frame<'a>, FrameError> {
    scanner::scan(bytes, limits)
}

impl<'a> Frame<'a> {
    /// The whole body, as it came.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What the top-level value is.
    pub const fn kind(&self) -> ValueKind {
        self.kind
    }

    /// The members of the top-level object in the order in which they came; empty for other kinds.
    pub fn members(&self) -> &[Member<'a>] {
        &self.members
    }

    /// Where the top-level value ends: one past its last byte.
    pub(crate) const fn end(&self) -> usize {
        self.end
    }

    /// The member of the top-level object with this key.
    pub fn member(&self, key: &str) -> Option<&Member<'a>> {
        self.members.iter().find(|member| member.key == key)
    }

    /// The member's value, unescaped, if it is a string.
    pub fn text(&self, member: &Member<'_>) -> Option<Cow<'a, str>> {
        let is_string = member.kind == ValueKind::String;
        is_string.then(|| text::unescape(self.bytes, member.value.start + 1..member.value.end - 1))
    }

    /// The bytes of the member's value, as they came.
    pub fn raw(&self, member: &Member<'_>) -> &'a [u8] {
        &self.bytes[member.value.clone()]
    }

    /// The member's value, parsed.
    pub fn parsed(&self, member: &Member<'_>) -> serde_json::Value {
        serde_json::from_slice(self.raw(member)).expect("the scan accepts only what this parses")
    }

    /// The whole body, parsed.
    pub fn value(&self) -> serde_json::Value {
        serde_json::from_slice(self.bytes).expect("the scan accepts only what this parses")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn code(text: &[u8]) -> Result<ValueKind, Code> {
        let scanned = scan(text, &FrameLimits::default());
        scanned
            .map(|frame| frame.kind())
            .map_err(|error| error.code)
    }

    #[test]
    fn what_the_standard_allows_passes() {
        let good = [
            "0",
            "-0",
            " [ ] ",
            "{}",
            "true",
            "null",
            "\"\"",
            "[1e5,1E-2,0.5,-1.25e+3,-0.0]",
            "[[],{},[[]],{\"a\":{\"b\":[null]}}]",
            r#""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00""#,
            "\"\u{7f}\u{2028}\u{10ffff}\"",
            "{\"a\":1,\"A\":2,\"\":3}",
            "5e-324",
            "1e-400",
            "123456789012345678901234567890",
            "\r\n\t {\"a\":[1 , 2]}\n",
        ];
        for text in good {
            assert!(code(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_a_syntax_error() {
        let bad = [
            "",
            " ",
            "[",
            "]",
            "{",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{a:1}",
            "{'a':1}",
            "[1]]",
            "1 2",
            "tru",
            "True",
            "nul",
            "nulll",
            "01",
            "-01",
            "+1",
            ".5",
            "1.",
            "1.e5",
            "1e",
            "1e+",
            "-",
            "0x1",
            "1_0",
            "[1}",
            "{]",
            "\"a",
            "\"\\",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\u{1}\"",
            "\"\n\"",
            "// c\n1",
            "\u{feff}1",
            "[\u{a0}1]",
            "{\"a\":1 \"b\":2}",
            "{1:2}",
            "{\"a\" 1}",
        ];
        for text in bad {
            assert_eq!(code(text.as_bytes()), Err(Code::JsonSyntax), "{text}");
        }
    }

    #[test]
    fn each_other_fault_has_its_own_code() {
        let cases: [(&[u8], Code); 16] = [
            (b"NaN", Code::JsonNumber),
            (b"[Infinity]", Code::JsonNumber),
            (b"-Infinity", Code::JsonNumber),
            (b"1e309", Code::JsonNumber),
            (b"[-1e400]", Code::JsonNumber),
            (br#"{"a":1,"b":2,"a":3}"#, Code::JsonDuplicateKey),
            (br#"[{"x":{"a":1,"\u0061":2}}]"#, Code::JsonDuplicateKey),
            (br#""\ud800""#, Code::JsonSurrogate),
            (br#""\udc00""#, Code::JsonSurrogate),
            (br#""\ud800\u0041""#, Code::JsonSurrogate),
            (br#"{"\ud800x":1}"#, Code::JsonSurrogate),
            (br#""\ud800\ud800""#, Code::JsonSurrogate),
            (b"\"\xff\"", Code::NotUtf8),
            (b"\"\xed\xa0\x80\"", Code::NotUtf8),
            (b"\"\xc0\xaf\"", Code::NotUtf8),
            (b"\xff\xfe[\0]\0", Code::NotUtf8),
        ];
        for (text, expected) in cases {
            assert_eq!(
                code(text),
                Err(expected),
                "{}",
                String::from_utf8_lossy(text)
            );
        }
        let long = "9".repeat(400);
        assert_eq!(code(long.as_bytes()), Err(Code::JsonNumber));
    }

    #[test]
    fn the_limits_hold_exactly() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(code(nested(64).as_bytes()).is_ok());
        assert_eq!(code(nested(65).as_bytes()), Err(Code::JsonDepth));
        assert_eq!(code("[".repeat(100_000).as_bytes()), Err(Code::JsonDepth));
        let limits = FrameLimits {
            bytes_max: 16,
            depth_max: u32::MAX,
            values_max: 3,
        };
        let refused = |text: &str| scan(text.as_bytes(), &limits).err().map(|error| error.code);
        assert_eq!(refused("[1,2]"), None);
        assert_eq!(refused("[1,2,3]"), Some(Code::JsonCount));
        assert_eq!(refused("[1,            2]"), Some(Code::BodyTooLarge));
        let deep = nested(121);
        let limits = FrameLimits {
            depth_max: 500,
            ..FrameLimits::default()
        };
        assert_eq!(
            scan(deep.as_bytes(), &limits).unwrap_err().code,
            Code::JsonDepth
        );
        let deep = nested(120);
        scan(deep.as_bytes(), &limits).unwrap().value();
    }

    #[test]
    fn an_error_says_where_and_quotes_nothing() {
        let error = scan(br#"{"password": hunter2}"#, &FrameLimits::default()).unwrap_err();
        let told = error.to_string();
        assert_eq!(
            told,
            "json is not valid at byte 13: a value must stand here"
        );
    }

    #[test]
    fn the_members_of_the_object_are_found_with_their_values() {
        let body = br#" {"mod\u0065l" : "g\"pt" , "n":{"model":[1,{"x":2}]}, "s":true } "#;
        let frame = scan(body, &FrameLimits::default()).unwrap();
        let keys: Vec<_> = frame
            .members()
            .iter()
            .map(|member| member.key.as_ref())
            .collect();
        assert_eq!(keys, ["model", "n", "s"]);
        let model = frame.member("model").unwrap();
        assert_eq!(frame.text(model).unwrap(), "g\"pt");
        assert_eq!(frame.raw(model), br#""g\"pt""#);
        let nested = frame.member("n").unwrap();
        assert_eq!(frame.raw(nested), br#"{"model":[1,{"x":2}]}"#);
        assert_eq!((nested.kind, frame.text(nested)), (ValueKind::Object, None));
        assert_eq!(frame.parsed(nested), json!({"model": [1, {"x": 2}]}));
        assert_eq!(frame.member("absent"), None);
    }

    #[test]
    fn a_key_that_stands_twice_is_found_among_very_many() {
        let mut body: String = (0..50_000).map(|n| format!("\"key-{n}\":0,")).collect();
        body = format!("{{{body}\"key-777\":1}}");
        assert_eq!(code(body.as_bytes()), Err(Code::JsonDuplicateKey));
        let fixed = body.replace("\"key-777\":1", "\"key-50000\":1");
        assert_eq!(code(fixed.as_bytes()), Ok(ValueKind::Object));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let number = prop::num::f64::NORMAL.prop_map(Value::from);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            number,
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 20, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(".{0,9}", inner, 0..24)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn every_value_written_as_json_passes_and_reads_back(value in any_json()) {
            let text = value.to_string();
            let frame = scan(text.as_bytes(), &FrameLimits::default()).unwrap();
            let expected: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(frame.value(), expected);
            for member in frame.members() {
                prop_assert_eq!(&frame.parsed(member), &value[member.key.as_ref()]);
                let said = frame.text(member);
                prop_assert_eq!(said.as_deref(), value[member.key.as_ref()].as_str());
            }
        }

        #[test]
        fn nothing_passes_that_serde_json_refuses(
            text in r#"[\[\]{}:,"\\0-9eE.+\-a-u \n]{0,16}"#,
        ) {
            if scan(text.as_bytes(), &FrameLimits::default()).is_ok() {
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
            }
        }
    }
}
