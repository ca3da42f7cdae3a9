//! Whether the right tools were called with the right arguments.

use serde_json::Value;

use super::Scored;
use crate::member::holds;

/// The most calls that are compared.
const CALLS_MAX: usize = 200;

/// A call: which tool, and with what.
struct Call {
    name: String,
    arguments: Value,
}

/// Compares lists of calls. An expected call is met by one with the same name and at least its arguments;
/// each is met once. The score is the harmonic mean of how many of either were met.
pub(super) fn calls(found: &Value, expected: &Value, ordered: bool) -> Scored {
    let wanted = match read(expected) {
        Ok(calls) => calls,
        Err(fault) => return Scored::unscored(format!("what is expected {fault}")),
    };
    let made = match read(found) {
        Ok(calls) => calls,
        Err(fault) => return Scored::noted(0.0, format!("the answer {fault}")),
    };
    if wanted.len().max(made.len()) > CALLS_MAX {
        return Scored::unscored(format!("there are more than {CALLS_MAX} calls"));
    }
    let mut left: Vec<&Call> = made.iter().collect();
    let mut met = 0;
    for want in &wanted {
        let fits = |call: &&Call| call.name == want.name && holds(&call.arguments, &want.arguments);
        if let Some(place) = left.iter().position(fits) {
            met += 1;
            if ordered {
                left.drain(..=place);
            } else {
                left.remove(place);
            }
        }
    }
    let all = wanted.len() + made.len();
    if 2 * met == all {
        return Scored::plain(1.0);
    }
    let names: Vec<&str> = made.iter().map(|call| call.name.as_str()).collect();
    Scored::noted(
        2.0 * met as f64 / all as f64,
        format!(
            "{met} of {} expected calls, made: {}",
            wanted.len(),
            names.join(", ")
        ),
    )
}

/// Calls as OpenAI writes them (`function.name`, arguments as a text), or plainly with `name` and
/// `arguments`. Null is none at all.
fn read(value: &Value) -> Result<Vec<Call>, String> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) => items,
        _ => return Err("is no list of calls".to_owned()),
    };
    let call = |item: &Value| {
        let function = item.get("function").unwrap_or(item);
        let name = function.get("name").and_then(Value::as_str);
        let name = name.ok_or("has a call without a name")?.to_owned();
        let arguments = match function.get("arguments") {
            None | Some(Value::Null) => Value::Object(serde_json::Map::new()),
            Some(Value::String(text)) => serde_json::from_str(text)
                .map_err(|_| format!("calls `{name}` with arguments that are no JSON"))?,
            Some(value) => value.clone(),
        };
        Ok(Call { name, arguments })
    };
    items.iter().map(call).collect()
}
