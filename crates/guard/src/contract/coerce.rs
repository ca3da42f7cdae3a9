//! Reading a value of another type as one of the column's, where it can mean one value only and nothing of
//! it is lost: `"12"` as 12, `"5.1e4"` as 51000, `"true"` and 1 as true.
//!
//! A text stands for the number that it would be without its quotes: JSON's own grammar (RFC 8259), so no
//! leading zeros, no blanks, no signs of other scripts, no separators of thousands. A whole number has no
//! fraction and no exponent, and fits 64 bits; another has at most the digits that a double keeps. Nothing
//! becomes a text: a number has lost its leading zeros before it came here.

use serde_json::{Number, Value};

use super::ColumnType;

/// The longest text that is read as a number: longer ones have more digits than are kept.
const NUMBER_BYTES_MAX: usize = 32;

/// Whether values of other types can be read as such a column's.
pub(super) const fn can_coerce(kind: ColumnType) -> bool {
    matches!(
        kind,
        ColumnType::Number | ColumnType::Integer | ColumnType::Boolean
    )
}

/// The value of this type that `value` stands for, if there is exactly one.
pub(super) fn coerced(kind: ColumnType, value: &Value) -> Option<Value> {
    match (kind, value) {
        (ColumnType::Integer, Value::String(text)) => whole(text),
        (ColumnType::Number, Value::String(text)) => whole(text).or_else(|| number(text)),
        (ColumnType::Boolean, Value::String(text)) => match text.as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        (ColumnType::Boolean, Value::Number(number)) => match number.as_u64() {
            Some(0) => Some(Value::Bool(false)),
            Some(1) => Some(Value::Bool(true)),
            _ => None,
        },
        _ => None,
    }
}

/// A whole number as it is written: `-7`, not `-0`, `007`, `7.0` or `7e0`.
fn whole(text: &str) -> Option<Value> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_whole = text.len() <= NUMBER_BYTES_MAX
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" && text == digits
            || digits.bytes().next().is_some_and(|first| first != b'0'));
    if !is_whole {
        return None;
    }
    let number = text.parse::<i64>().map(Number::from);
    let number = number.or_else(|_| text.parse::<u64>().map(Number::from));
    number.ok().map(Value::Number)
}

/// A number in JSON's grammar that a double holds with all its digits.
fn number(text: &str) -> Option<Value> {
    let starts = |byte: u8| byte == b'-' || byte.is_ascii_digit();
    let ends = |byte: u8| byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let is_number = bytes.len() <= NUMBER_BYTES_MAX
        && bytes.first().copied().is_some_and(starts)
        && bytes.last().copied().is_some_and(ends);
    if !is_number {
        return None;
    }
    let number: Number = serde_json::from_str(text).ok()?;
    // A whole number that 64 bits do not hold is a double here, and not what was written.
    let is_fraction = text.contains(['.', 'e', 'E']);
    let is_kept = decimal(text)? == decimal(&number.to_string())?;
    (is_fraction && is_kept).then_some(Value::Number(number))
}

/// A number's digits, from the first to the last that is not 0, and the power of ten of the last: two texts
/// say the same number if these are the same.
fn decimal(text: &str) -> Option<(String, i64)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let sign = if whole.starts_with('-') { "-" } else { "" };
    let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
    let digits = digits.trim_start_matches('0');
    let kept = digits.trim_end_matches('0');
    if kept.is_empty() {
        return Some((sign.to_owned(), 0));
    }
    let cut = i64::try_from(digits.len() - kept.len()).ok()?;
    let behind_point = i64::try_from(fraction.len()).ok()?;
    Some((
        format!("{sign}{kept}"),
        exponent.checked_sub(behind_point)?.checked_add(cut)?,
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_that_is_no_number_without_its_quotes_is_none_with_them() {
        for text in [
            "",
            " 1",
            "1 ",
            "01",
            "-0",
            "+1",
            "1e1",
            "1.0",
            "1_000",
            "1,000",
            "\u{ff11}",
            "\u{2212}1",
            "NaN",
            "inf",
            "0x1",
            "1\u{200b}",
            "99999999999999999999",
            "--1",
            "-",
        ] {
            assert_eq!(coerced(ColumnType::Integer, &json!(text)), None, "{text}");
        }
        for text in [
            "51,000.50",
            "51.000,50",
            "$5",
            "1.",
            ".5",
            "1e999",
            "1e-999",
            "00.5",
            "1.0 ",
            "[1.0]",
            "null",
            "0.1234567890123456789",
            "9007199254740993.0",
            "1234567890123456.7",
            "1.2345678901234567e-310",
            "99999999999999999999",
            "1.0.0",
            "NaN",
            "Infinity",
        ] {
            assert_eq!(coerced(ColumnType::Number, &json!(text)), None, "{text}");
        }
        for other in [
            json!("True"),
            json!("1"),
            json!("yes"),
            json!(2),
            json!(0.5),
            json!(null),
        ] {
            assert_eq!(coerced(ColumnType::Boolean, &other), None, "{other}");
        }
        for other in [json!(1), json!(true)] {
            assert_eq!(coerced(ColumnType::String, &other), None, "{other}");
        }
        for other in [json!(true), json!([1]), json!({})] {
            assert_eq!(coerced(ColumnType::Number, &other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_number_is_read_back_from_its_text(whole in any::<i64>(), fraction in any::<f64>()) {
            let read = coerced(ColumnType::Integer, &json!(whole.to_string()));
            prop_assert_eq!(read, Some(json!(whole)));
            let number = json!(fraction);
            if number.is_number() && fraction != 0.0 {
                let read = coerced(ColumnType::Number, &json!(number.to_string()));
                prop_assert_eq!(read, Some(number));
            }
        }

        #[test]
        fn what_is_read_is_what_the_text_says_without_quotes(text in "-?[0-9.eE+ -]{0,12}") {
            if let Some(read) = coerced(ColumnType::Number, &json!(text)) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(read));
            }
        }
    }
}
