//! Rows counted into the bins of the release's reference, by several threads at a time.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use parking_lot::Mutex;
use plimsoll_stats::estimate::Confidence;
use plimsoll_stats::stream::{Reference, ReferenceColumn, Value as Counted, Window};
use plimsoll_stats::text::{Measured, Part, measured};
use serde_json::Value;

/// Columns of a reference that begin like this are of the answer, the others of the input.
const OF_ANSWER: &str = "answer.";

/// Windows that are filled side by side, so that threads seldom meet.
const SHARDS: usize = 8;

/// Where the value of a column comes from.
struct Source {
    /// The member of the row.
    name: String,
    /// What is counted of it, if it is a text that is no category.
    part: Option<Part>,
}

/// What a row has of a name.
#[derive(Clone, Copy)]
pub(crate) enum Field<'v> {
    /// A member of a JSON object.
    Json(&'v Value),
    /// A text.
    Text(&'v str),
    /// A number.
    Number(f64),
}

/// A window, in several parts.
pub(crate) struct Windows {
    sources: Vec<Source>,
    reference: Arc<Reference>,
    shards: [Mutex<Window>; SHARDS],
}

/// What a release's reference is for.
#[derive(Default)]
pub(crate) struct Referenced {
    /// Inputs are counted here.
    pub(crate) inputs: Option<Windows>,
    /// Answers are counted here.
    pub(crate) answers: Option<Windows>,
    /// What the model's confidence is worth.
    pub(crate) confidence: Option<Arc<Confidence>>,
}

impl Referenced {
    /// Reads a reference.
    ///
    /// # Errors
    /// If the file is none.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        let reference: Reference = serde_json::from_slice(bytes).map_err(|error| {
            format!("the reference is none that `plimsoll monitor reference` wrote: {error}")
        })?;
        let inputs = reference.part(|name| !name.starts_with(OF_ANSWER));
        let answers = reference.part(|name| name.starts_with(OF_ANSWER));
        Ok(Self {
            inputs: Windows::of(inputs, ""),
            answers: Windows::of(answers, OF_ANSWER),
            confidence: reference.confidence().cloned().map(Arc::new),
        })
    }
}

impl Windows {
    fn of(reference: Reference, prefix: &str) -> Option<Self> {
        if reference.columns().is_empty() {
            return None;
        }
        let source = |(name, _): &(String, ReferenceColumn)| {
            let bare = name.strip_prefix(prefix).unwrap_or(name);
            let (bare, part) = match Part::of_column(bare) {
                Some((text, part)) => (text, Some(part)),
                None => (bare, None),
            };
            Source {
                name: bare.to_owned(),
                part,
            }
        };
        let sources = reference.columns().iter().map(source).collect();
        let reference = Arc::new(reference);
        let shards = std::array::from_fn(|_| Mutex::new(Window::new(Arc::clone(&reference))));
        Some(Self {
            sources,
            reference,
            shards,
        })
    }

    /// Whether any column is of the member of this name.
    pub(crate) fn has_source(&self, name: &str) -> bool {
        self.sources.iter().any(|source| source.name == name)
    }

    /// Counts a row.
    pub(crate) fn count(&self, row: &serde_json::Map<String, Value>) {
        self.count_from(|name| row.get(name).map(Field::Json));
    }

    /// Counts a row that has these fields. Texts are measured and not kept; each once, as its columns follow each other.
    pub(crate) fn count_from<'v>(&self, find: impl Fn(&str) -> Option<Field<'v>>) {
        let mut latest: Option<(&str, Measured)> = None;
        let columns = self.reference.columns().iter().zip(&self.sources);
        let values = columns.map(|((_, column), source)| {
            let Some(part) = source.part else {
                return counted(find(&source.name), column);
            };
            let text = match find(&source.name) {
                Some(Field::Text(text)) => text,
                Some(Field::Json(Value::String(text))) => text,
                None | Some(Field::Json(Value::Null)) => return Counted::Missing,
                Some(_) => return mistyped(column),
            };
            let measured = match latest {
                Some((name, measured)) if name == source.name => measured,
                _ => measured(text),
            };
            latest = Some((&source.name, measured));
            measured.value(part)
        });
        // A long text is measured before others have to wait.
        let values: Vec<Counted<'_>> = values.collect();
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
fn counted<'v>(field: Option<Field<'v>>, column: &ReferenceColumn) -> Counted<'v> {
    match field {
        None | Some(Field::Json(Value::Null)) => Counted::Missing,
        Some(Field::Number(number)) => Counted::Number(number),
        Some(Field::Text(text)) => Counted::Category(text),
        Some(Field::Json(value)) => match value {
            Value::Number(number) => number.as_f64().map_or(Counted::Missing, Counted::Number),
            Value::String(text) => Counted::Category(text),
            Value::Bool(true) => Counted::Category("true"),
            Value::Bool(false) => Counted::Category("false"),
            Value::Null | Value::Array(_) | Value::Object(_) => mistyped(column),
        },
    }
}

/// A value of another type than the column's.
const fn mistyped(column: &ReferenceColumn) -> Counted<'static> {
    match column {
        ReferenceColumn::Number(_) => Counted::Category(""),
        ReferenceColumn::Category(_) => Counted::Number(f64::NAN),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use plimsoll_stats::drift::{Sample, TolerantPsi};
    use plimsoll_stats::text::Gathered;
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
        let read = Referenced::read(&reference()).unwrap();
        let (inputs, answers) = (read.inputs.unwrap(), read.answers.unwrap());
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
        let error = Referenced::read(b"{}").err().unwrap();
        assert!(error.contains("monitor reference"), "{error}");
    }

    #[test]
    fn what_has_another_type_is_counted_as_that() {
        let inputs = Referenced::read(&reference()).unwrap().inputs.unwrap();
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

    #[test]
    fn texts_are_measured_and_one_in_another_language_moves() {
        let mut texts = Gathered::default();
        for number in 0..2_000 {
            let more = "please ".repeat(number % 20);
            texts.add(&format!("what is the status of my order {more}"), 1);
        }
        let mut reference = Reference::default();
        reference.add_texts("user", &texts, (0, 1_000)).unwrap();
        reference
            .add_texts("answer.text", &texts, (0, 1_000))
            .unwrap();
        let read = Referenced::read(&serde_json::to_vec(&reference).unwrap()).unwrap();
        let (inputs, answers) = (read.inputs.unwrap(), read.answers.unwrap());
        assert!(answers.reads_text() && !inputs.reads_text());
        let asked = "wie kann ich das Paket zurückgeben und ist das nicht zu spät";
        for _ in 0..500 {
            inputs.count_from(|name| (name == "user").then_some(Field::Text(asked)));
            answers.count(json!({"text": 7}).as_object().unwrap());
        }
        let told = inputs.take(500).unwrap().judge(&TolerantPsi::default());
        let moved = |column: &str| {
            let one = told.iter().find(|one| one.column == column).unwrap();
            one.psi.unwrap().is_drift()
        };
        assert!(moved("user (language)") && !moved("user (script)") && !moved("user (declines)"));
        let told = answers.take(500).unwrap().judge(&TolerantPsi::default());
        assert!(told.iter().all(|one| one.mistyped == 500));
    }
}
