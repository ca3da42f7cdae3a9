//! Rows counted into the bins of the release's reference, by several threads at a time.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use parking_lot::Mutex;
use plimsoll_stats::stream::{Reference, ReferenceColumn, Value as Counted, Window};
use serde_json::Value;

/// Columns of a reference that begin like this are of the answer, the others of the input.
const OF_ANSWER: &str = "answer.";

/// Windows that are filled side by side, so that threads seldom meet.
const SHARDS: usize = 8;

/// A window, in several parts.
pub(crate) struct Windows {
    names: Vec<String>,
    reference: Arc<Reference>,
    shards: [Mutex<Window>; SHARDS],
}

/// The windows of inputs and of answers that a reference asks for.
///
/// # Errors
/// If the file is no reference.
pub(crate) fn reference_windows(
    bytes: &[u8],
) -> Result<(Option<Windows>, Option<Windows>), String> {
    let reference: Reference = serde_json::from_slice(bytes).map_err(|error| {
        format!("the reference is none that `plimsoll monitor reference` wrote: {error}")
    })?;
    let inputs = reference.part(|name| !name.starts_with(OF_ANSWER));
    let answers = reference.part(|name| name.starts_with(OF_ANSWER));
    Ok((Windows::of(inputs, ""), Windows::of(answers, OF_ANSWER)))
}

impl Windows {
    fn of(reference: Reference, prefix: &str) -> Option<Self> {
        if reference.columns().is_empty() {
            return None;
        }
        let bare = |(name, _): &(String, ReferenceColumn)| {
            name.strip_prefix(prefix).unwrap_or(name).to_owned()
        };
        let names = reference.columns().iter().map(bare).collect();
        let reference = Arc::new(reference);
        let shards = std::array::from_fn(|_| Mutex::new(Window::new(Arc::clone(&reference))));
        Some(Self {
            names,
            reference,
            shards,
        })
    }

    /// Counts a row.
    pub(crate) fn count(&self, row: &serde_json::Map<String, Value>) {
        let columns = self.reference.columns().iter().zip(&self.names);
        let values = columns.map(|((_, column), name)| counted(row.get(name), column));
        self.shards[shard()].lock().add(values);
    }

    /// The window, if it has at least so many rows; it begins anew then.
    pub(crate) fn take(&self, rows: u64) -> Option<Window> {
        let counted: u64 = self.shards.iter().map(|shard| shard.lock().rows()).sum();
        if counted < rows.max(1) {
            return None;
        }
        let mut whole = Window::new(Arc::clone(&self.reference));
        for shard in &self.shards {
            let empty = Window::new(Arc::clone(&self.reference));
            whole.merge(&std::mem::replace(&mut *shard.lock(), empty));
        }
        Some(whole)
    }
}

/// The part of this thread.
fn shard() -> usize {
    thread_local! {
        static SHARD: usize = {
            let mut hasher = DefaultHasher::new();
            std::thread::current().id().hash(&mut hasher);
            usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or(0)
        };
    }
    SHARD.with(|shard| *shard)
}

/// A value as it is counted. What is nested is of no column's type.
fn counted<'v>(value: Option<&'v Value>, column: &ReferenceColumn) -> Counted<'v> {
    match value {
        None | Some(Value::Null) => Counted::Missing,
        Some(Value::Number(number)) => number.as_f64().map_or(Counted::Missing, Counted::Number),
        Some(Value::String(text)) => Counted::Category(text),
        Some(Value::Bool(true)) => Counted::Category("true"),
        Some(Value::Bool(false)) => Counted::Category("false"),
        Some(Value::Array(_) | Value::Object(_)) => match column {
            ReferenceColumn::Number(_) => Counted::Category(""),
            ReferenceColumn::Category(_) => Counted::Number(f64::NAN),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use plimsoll_stats::drift::{Sample, TolerantPsi};
    use serde_json::json;

    use super::*;

    fn reference() -> Vec<u8> {
        let mut reference = Reference::default();
        let amounts = Sample::new((0..1_000).map(f64::from).collect());
        reference.add_numbers("amount", &amounts, 1_000).unwrap();
        let cities = BTreeMap::from([("Bonn".to_owned(), 500), ("Ulm".to_owned(), 500)]);
        reference.add_categories("city", &cities, 0).unwrap();
        let said = BTreeMap::from([("approve".to_owned(), 900), ("refer".to_owned(), 100)]);
        reference
            .add_categories("answer.decision", &said, 0)
            .unwrap();
        serde_json::to_vec(&reference).unwrap()
    }

    #[test]
    fn inputs_and_answers_have_a_window_each_and_begin_anew_when_taken() {
        let (inputs, answers) = reference_windows(&reference()).unwrap();
        let (inputs, answers) = (inputs.unwrap(), answers.unwrap());
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let inputs = &inputs;
                scope.spawn(move || {
                    for number in 0..250 {
                        let row = json!({"amount": number * 4 + thread, "city": "Ulm"});
                        inputs.count(row.as_object().unwrap());
                    }
                });
            }
        });
        assert!(inputs.take(1_001).is_none());
        let window = inputs.take(1_000).unwrap();
        assert_eq!(window.rows(), 1_000);
        let told = window.judge(&TolerantPsi::default());
        assert!(!told[0].psi.unwrap().is_drift() && told[1].psi.unwrap().is_drift());
        assert!(inputs.take(1).is_none());
        answers.count(json!({"decision": "approve"}).as_object().unwrap());
        assert_eq!(answers.take(1).unwrap().rows(), 1);
    }

    #[test]
    fn what_is_no_reference_is_named() {
        let error = reference_windows(b"{}").err().unwrap();
        assert!(error.contains("monitor reference"), "{error}");
    }

    #[test]
    fn what_has_another_type_is_counted_as_that() {
        let (inputs, _) = reference_windows(&reference()).unwrap();
        let inputs = inputs.unwrap();
        for row in [
            json!({"amount": "much", "city": 7}),
            json!({"amount": [1], "city": {"a": 1}}),
            json!({"amount": null}),
        ] {
            inputs.count(row.as_object().unwrap());
        }
        let told = inputs.take(3).unwrap().judge(&TolerantPsi::default());
        assert_eq!((told[0].mistyped, told[1].mistyped), (2, 2));
        assert_eq!(told[0].missing.unwrap().current, 1.0 / 3.0);
    }
}
