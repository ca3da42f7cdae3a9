//! Usage exports of providers, as they come: CSV, or JSON in the form of OpenAI's usage and cost APIs.
//!
//! Columns have other names with each provider; those that are known are listed here. What is not given is
//! not compared. Amounts are read exactly, whatever the notation.

use std::collections::BTreeMap;

use plimsoll_core::{Money, Timestamp};
use serde_json::{Map, Value};

/// The most rows of an export.
const ROWS_MAX: usize = 1_000_000;

const DATES: [&str; 6] = [
    "date",
    "day",
    "usage_date",
    "start_time",
    "start_time_iso",
    "timestamp",
];
const MODELS: [&str; 4] = ["model", "model_id", "snapshot_id", "line_item"];
const INPUTS: [&str; 3] = ["input_tokens", "prompt_tokens", "n_context_tokens_total"];
const OUTPUTS: [&str; 3] = [
    "output_tokens",
    "completion_tokens",
    "n_generated_tokens_total",
];
const REQUESTS: [&str; 4] = [
    "num_model_requests",
    "requests",
    "n_requests",
    "request_count",
];
const COSTS: [&str; 5] = ["cost", "amount", "amount_value", "cost_usd", "total_cost"];

/// What a provider counted for a model on a day; what it does not say is none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Line {
    /// The day (UTC), as in `2026-03-14`.
    pub day: String,
    /// The model, as the provider calls it.
    pub model: String,
    /// Requests.
    pub requests: Option<u64>,
    /// Tokens read.
    pub input: Option<u64>,
    /// Tokens written.
    pub output: Option<u64>,
    /// What it wants for it.
    pub cost: Option<Money>,
}

/// An export that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It is no JSON.
    #[error("the export is not JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// It is no CSV.
    #[error("the export is not CSV: {0}")]
    Csv(#[source] csv::Error),
    /// A row has no day or no model.
    #[error("row {row} has no {what}: known names are {}", names.join(", "))]
    Missing {
        /// Which row, from 1.
        row: usize,
        /// What is missing.
        what: &'static str,
        /// What it may be called.
        names: &'static [&'static str],
    },
    /// A value is none.
    #[error("row {row}: `{key}` is {what}")]
    Value {
        /// Which row, from 1.
        row: usize,
        /// Its key.
        key: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// It is empty.
    #[error("the export has no rows")]
    Empty,
    /// It is too long.
    #[error("the export has more than {ROWS_MAX} rows: split it by days")]
    TooLong,
}

/// Reads an export; JSON if it begins like JSON, else CSV.
///
/// # Errors
/// If it is neither, or a row says no day or model, or a value is no number.
pub fn read(text: &str) -> Result<Vec<Line>, ImportError> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let rows = if text.starts_with(['{', '[']) {
        json_rows(text)?
    } else {
        csv_rows(text)?
    };
    if rows.is_empty() {
        return Err(ImportError::Empty);
    }
    if rows.len() > ROWS_MAX {
        return Err(ImportError::TooLong);
    }
    let numbered = rows.iter().enumerate();
    numbered
        .map(|(number, row)| line(number + 1, row))
        .collect()
}

type Fields = BTreeMap<String, Value>;

fn fields(object: &Map<String, Value>) -> Fields {
    let lowered = object.iter();
    lowered
        .map(|(key, value)| (key.trim().to_ascii_lowercase(), value.clone()))
        .collect()
}

/// Rows of a list, of `data`, or of the `results` in buckets of time, which have the bucket's time.
fn json_rows(text: &str) -> Result<Vec<Fields>, ImportError> {
    let value: Value = serde_json::from_str(text).map_err(ImportError::Json)?;
    let items = match value {
        Value::Array(items) => items,
        Value::Object(mut object) => match object.remove("data") {
            Some(Value::Array(items)) => items,
            _ => vec![Value::Object(object)],
        },
        _ => Vec::new(),
    };
    let mut rows = Vec::new();
    for item in items.iter().filter_map(Value::as_object) {
        let mut bucket = fields(item);
        match bucket.remove("results") {
            Some(Value::Array(results)) => {
                rows.extend(results.iter().filter_map(Value::as_object).map(|result| {
                    let mut row = bucket.clone();
                    row.extend(fields(result));
                    row
                }));
            }
            _ => rows.push(bucket),
        }
    }
    Ok(rows)
}

fn csv_rows(text: &str) -> Result<Vec<Fields>, ImportError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let names: Vec<String> = reader
        .headers()
        .map_err(ImportError::Csv)?
        .iter()
        .map(str::to_ascii_lowercase)
        .collect();
    let mut rows = Vec::new();
    for record in reader.records().take(ROWS_MAX + 1) {
        let record = record.map_err(ImportError::Csv)?;
        let values = record.iter().map(|cell| Value::String(cell.to_owned()));
        rows.push(names.iter().cloned().zip(values).collect());
    }
    Ok(rows)
}

fn line(row: usize, fields: &Fields) -> Result<Line, ImportError> {
    let (key, date) = found(fields, &DATES).ok_or(ImportError::Missing {
        row,
        what: "day",
        names: &DATES,
    })?;
    let what = "no day: write it as 2026-03-14, or in seconds since 1970";
    let day = day(date).ok_or(ImportError::Value { row, key, what })?;
    let model = found(fields, &MODELS).and_then(|(_, model)| model.as_str());
    let model = model.ok_or(ImportError::Missing {
        row,
        what: "model",
        names: &MODELS,
    })?;
    // A line of OpenAI's costs is called "MODEL, input".
    let model = model.split(',').next().unwrap_or(model).trim().to_owned();
    Ok(Line {
        day,
        model,
        requests: whole(row, fields, &REQUESTS)?,
        input: whole(row, fields, &INPUTS)?,
        output: whole(row, fields, &OUTPUTS)?,
        cost: money(row, fields)?,
    })
}

/// The first of the keys that says something.
fn found<'f>(fields: &'f Fields, keys: &[&'static str]) -> Option<(&'static str, &'f Value)> {
    let mut named = keys
        .iter()
        .filter_map(|key| Some((*key, fields.get(*key)?)));
    named.find(|(_, value)| !value.is_null() && value.as_str() != Some(""))
}

fn day(value: &Value) -> Option<String> {
    if let Some(seconds) = value.as_i64() {
        let micros = seconds.checked_mul(1_000_000)?;
        return Some(Timestamp::from_micros(micros).to_string()[..10].to_owned());
    }
    let text = value.as_str()?;
    if let Ok(seconds) = text.parse::<i64>() {
        return day(&Value::from(seconds));
    }
    let day = text.get(..10)?;
    Timestamp::parse(day).ok()?;
    Some(day.to_owned())
}

fn whole(row: usize, fields: &Fields, keys: &[&'static str]) -> Result<Option<u64>, ImportError> {
    let Some((key, value)) = found(fields, keys) else {
        return Ok(None);
    };
    let number = match value {
        Value::String(text) => text.replace(',', "").parse().ok(),
        value => value.as_u64(),
    };
    let what = "no whole number";
    number
        .map(Some)
        .ok_or(ImportError::Value { row, key, what })
}

fn money(row: usize, fields: &Fields) -> Result<Option<Money>, ImportError> {
    let Some((key, value)) = found(fields, &COSTS) else {
        return Ok(None);
    };
    let value = match value {
        Value::Object(object) => object.get("value").unwrap_or(&Value::Null),
        value => value,
    };
    let amount = match value {
        Value::String(text) => decimal(text),
        Value::Number(number) => decimal(&number.to_string()),
        _ => None,
    };
    let what = "no amount";
    amount
        .map(Some)
        .ok_or(ImportError::Value { row, key, what })
}

/// An amount in any decimal notation, rounded half away from zero to the nearest 10⁻¹².
fn decimal(text: &str) -> Option<Money> {
    let text = text.trim().trim_start_matches('$').replace(',', "");
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text.as_str(), 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{part}");
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain || digits.len() > 30 {
        return None;
    }
    let number: i128 = digits.parse().ok()?;
    let decimals = i32::try_from(part.len()).ok()?;
    let shift = 12_i32.checked_add(exponent)?.checked_sub(decimals)?;
    let power = 10_i128.checked_pow(shift.unsigned_abs());
    let pico = match (shift >= 0, power) {
        (true, Some(power)) => number.checked_mul(power)?,
        (false, Some(power)) => (number + power / 2) / power,
        (true, None) => (number == 0).then_some(0)?,
        (false, None) => 0,
    };
    Some(Money::from_pico(if negative { -pico } else { pico }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(amount: &str) -> Option<String> {
        decimal(amount).map(|amount| amount.to_string())
    }

    #[test]
    fn amounts_are_read_exactly_in_any_notation() {
        for (written, meant) in [
            ("0.06", "0.06"),
            ("1e-7", "0.0000001"),
            ("1.25E+2", "125"),
            ("$1,234.50", "1234.5"),
            ("-3", "-3"),
            ("0.0000000000005", "0.000000000001"),
            ("0e999", "0"),
            ("1e-999", "0"),
        ] {
            assert_eq!(text(written).as_deref(), Some(meant), "{written}");
        }
        for bad in ["", ".", "e5", "1e", "NaN", "1e999", "0x1", "--1", "1.2.3"] {
            assert_eq!(text(bad), None, "{bad}");
        }
    }

    #[test]
    fn openais_buckets_are_read() {
        let usage = r#"{"object": "page", "data": [{"object": "bucket", "start_time": 1773446400, "end_time": 1773532800,
            "results": [{"input_tokens": 1000, "output_tokens": 500, "num_model_requests": 5, "model": "gpt-5.4-mini"}]}]}"#;
        let lines = read(usage).unwrap();
        let expected = Line {
            day: "2026-03-14".into(),
            model: "gpt-5.4-mini".into(),
            requests: Some(5),
            input: Some(1000),
            output: Some(500),
            cost: None,
        };
        assert_eq!(lines, [expected]);
        let costs = r#"{"data": [{"start_time": 1773446400, "results": [
            {"amount": {"value": 0.06, "currency": "usd"}, "line_item": "gpt-5.4-mini, input"}]}]}"#;
        let lines = read(costs).unwrap();
        assert_eq!(lines[0].model, "gpt-5.4-mini");
        assert_eq!(lines[0].cost.unwrap().to_string(), "0.06");
    }

    #[test]
    fn a_table_is_read_whatever_its_columns_are_called() {
        let csv = "\u{feff}Date,Model,Requests,prompt_tokens,completion_tokens,Cost_USD\n2026-03-14 00:00:00,m,\"1,000\",7,8,$0.5\n2026-03-15,m,,,,\n";
        let lines = read(csv).unwrap();
        assert_eq!((lines[0].requests, lines[0].input), (Some(1000), Some(7)));
        assert_eq!(lines[0].cost.unwrap().to_string(), "0.5");
        assert_eq!((lines[1].requests, lines[1].cost), (None, None));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_row() {
        for (text, told) in [
            ("date,model\n", "no rows"),
            ("[]", "no rows"),
            ("model,cost\nm,1\n", "row 1 has no day"),
            ("date,cost\n2026-03-14,1\n", "row 1 has no model"),
            ("date,model,cost\n2026-13-14,m,1\n", "`date` is no day"),
            (
                "date,model,cost\n2026-03-14,m,much\n",
                "`cost` is no amount",
            ),
            ("{\"data\": [", "not JSON"),
            ("a,b\n1\n", "not CSV"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            prop_assert!(read(&text).is_err() || !text.is_empty());
            prop_assert!(decimal(&text).is_none() || !text.is_empty());
        }
    }
}
