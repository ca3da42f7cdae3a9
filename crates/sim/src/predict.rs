//! `/predict`: a JSON predictor such as a team has behind a small web server of its own.
//!
//! It takes one row (an object, bare or under `inputs`) or several (`rows`), and answers
//! `{"label": "1", "probability": 0.83, "probabilities": {"0": 0.17, "1": 0.83}}` for one, or
//! `{"predictions": [..]}` for several.

use serde_json::{Value, json};

use crate::answer;

/// The most rows of one request.
const ROWS_MAX: usize = 10_000;

/// The response's body.
///
/// # Errors
/// The message for the caller, if the body holds no row.
pub(crate) fn answer(body: &[u8]) -> Result<Vec<u8>, String> {
    let body: Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    let answer = match body.get("rows") {
        Some(Value::Array(rows)) if rows.len() <= ROWS_MAX => {
            json!({"predictions": rows.iter().map(prediction).collect::<Vec<_>>()})
        }
        Some(_) => return Err(format!("`rows` must be a list of at most {ROWS_MAX} rows")),
        None if body.is_object() => prediction(body.get("inputs").unwrap_or(&body)),
        None => return Err("the body must be an object".to_owned()),
    };
    Ok(answer.to_string().into_bytes())
}

fn prediction(row: &Value) -> Value {
    let probability = answer::share(answer::hash(0, row.to_string().as_bytes()));
    let label = if probability >= 0.5 { "1" } else { "0" };
    json!({
        "label": label,
        "probability": probability,
        "probabilities": {"0": 1.0 - probability, "1": probability},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_same_answer_alone_and_among_others() {
        let alone: Value =
            serde_json::from_slice(&answer(br#"{"inputs":{"x":1}}"#).unwrap()).unwrap();
        let bare: Value = serde_json::from_slice(&answer(br#"{"x":1}"#).unwrap()).unwrap();
        let rows: Value =
            serde_json::from_slice(&answer(br#"{"rows":[{"y":0},{"x":1}]}"#).unwrap()).unwrap();
        assert_eq!(alone, bare);
        assert_eq!(rows["predictions"][1], alone);
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for body in [&b"["[..], b"[1]", b"{\"rows\":3}"] {
            assert!(answer(body).is_err());
        }
    }
}
