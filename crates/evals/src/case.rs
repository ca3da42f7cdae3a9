//! Cases and the sets that they make: read from objects, with everything that is wrong told at once.
//!
//! A set is named by its content: the SHA-256 over its cases in canonical form, in the order of their ids,
//! so that neither the file's kind nor the order of its lines changes what it is.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use plimsoll_core::Digest;
use plimsoll_core::manifest::canonical_json;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The most cases of a set.
pub const CASES_MAX: usize = 200_000;
/// The most faults that are told.
const FAULTS_MAX: usize = 50;
/// The longest id, tag or group, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// One thing to ask, and what should come of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Case {
    /// Its name, once in the set.
    pub id: String,
    /// What is asked.
    pub input: Value,
    /// What should come of it: an object of what scorers look at; null if they need nothing.
    pub expect: Value,
    /// What it is an example of; figures are told by tag too.
    pub tags: BTreeSet<String>,
    /// How much it counts: above 0.
    pub weight: f64,
    /// Cases of one group (questions about one document) are not independent of each other.
    pub group: Option<String>,
    /// Where it comes from.
    pub source: Option<Value>,
    /// Its content but for `source`, by digest: what answers are kept under.
    pub digest: Digest,
    /// Where it stands: file and line.
    pub place: String,
}

impl Case {
    /// A case that stands in no file.
    pub fn asked(id: String, input: Value, expect: Value) -> Self {
        let asked = json!({"id": id, "input": input, "expect": expect});
        Self {
            digest: Digest::of(&canonical_json(&asked)),
            place: id.clone(),
            id,
            input,
            expect,
            tags: BTreeSet::new(),
            weight: 1.0,
            group: None,
            source: None,
        }
    }

    /// The case as a line of JSONL.
    pub fn line(&self) -> Value {
        let mut line = json!({"id": self.id, "input": self.input});
        if !self.expect.is_null() {
            line["expect"] = self.expect.clone();
        }
        if !self.tags.is_empty() {
            line["tags"] = json!(self.tags);
        }
        if self.weight != 1.0 {
            line["weight"] = json!(self.weight);
        }
        if let Some(group) = &self.group {
            line["group"] = json!(group);
        }
        if let Some(source) = &self.source {
            line["source"] = source.clone();
        }
        line
    }
}

/// A set of cases: never empty, each id once.
#[derive(Clone, PartialEq, Debug)]
pub struct CaseSet {
    /// What it is called: its file.
    pub name: String,
    /// In the order of the file.
    pub cases: Vec<Case>,
    /// All of it, by digest.
    pub digest: Digest,
}

/// Something that is wrong with a set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Fault {
    /// File and line.
    pub place: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// Everything that is wrong with a set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Faults {
    /// The first of them.
    pub told: Vec<Fault>,
    /// How many more there are.
    pub untold: usize,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the eval set cannot be used")?;
        for Fault { place, message } in &self.told {
            write!(f, "\n  {place}: {message}")?;
        }
        if self.untold > 0 {
            write!(f, "\n  and {} more", self.untold)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl Faults {
    /// Nothing, if there are no faults.
    ///
    /// # Errors
    /// With the faults.
    pub fn none_of(faults: impl IntoIterator<Item = Fault>) -> Result<(), Self> {
        let mut gathering = Gathering::default();
        for Fault { place, message } in faults {
            gathering.fault(&place, message);
        }
        if gathering.faults.is_empty() {
            return Ok(());
        }
        Err(Self {
            told: gathering.faults,
            untold: gathering.untold,
        })
    }
}

/// Cases on their way to becoming a set.
#[derive(Debug, Default)]
pub struct Gathering {
    cases: Vec<Case>,
    places: HashMap<String, String>,
    faults: Vec<Fault>,
    untold: usize,
    is_full: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: Option<Value>,
    input: Option<Value>,
    messages: Option<Value>,
    #[serde(default)]
    expect: Value,
    #[serde(default)]
    tags: Vec<String>,
    weight: Option<f64>,
    group: Option<String>,
    source: Option<Value>,
}

impl Gathering {
    /// Notes that something is wrong.
    pub fn fault(&mut self, place: &str, message: impl Into<String>) {
        if self.faults.len() == FAULTS_MAX {
            self.untold += 1;
            return;
        }
        self.faults.push(Fault {
            place: place.to_owned(),
            message: message.into(),
        });
    }

    /// Takes in what stands at `place`.
    pub fn add(&mut self, place: String, row: Value) {
        if self.cases.len() == CASES_MAX {
            if !std::mem::replace(&mut self.is_full, true) {
                self.fault(&place, format!("there are more than {CASES_MAX} cases"));
            }
            return;
        }
        if !row.is_object() {
            return self.fault(&place, "a case is a JSON object");
        }
        let line: Line = match serde_json::from_value(row) {
            Ok(line) => line,
            Err(error) => return self.fault(&place, format!("this is not a case: {error}")),
        };
        if let Some(case) = self.case(place, line) {
            self.cases.push(case);
        }
    }

    fn case(&mut self, place: String, line: Line) -> Option<Case> {
        let before = self.faults.len() + self.untold;
        let id = match line.id {
            Some(Value::String(id)) if !id.trim().is_empty() => id,
            Some(Value::Number(id)) => id.to_string(),
            Some(_) => {
                self.fault(&place, "`id` is a text that is not empty");
                return None;
            }
            None => {
                self.fault(&place, "the case has no `id`: give each one of its own");
                return None;
            }
        };
        let names = line.tags.iter().chain(&line.group).chain([&id]);
        if let Some(long) = names.into_iter().find(|name| name.len() > NAME_BYTES_MAX) {
            let start: String = long.chars().take(20).collect();
            let message = format!("`{start}…` is longer than {NAME_BYTES_MAX} bytes");
            self.fault(&place, message);
        }
        if let Some(twin) = self.places.insert(id.clone(), place.clone()) {
            self.fault(&place, format!("the id `{id}` stands at {twin} already"));
        }
        let input = match (line.input, line.messages) {
            (Some(input), None) if !input.is_null() => input,
            (None, Some(messages)) if messages.is_array() => {
                Value::Object(Map::from_iter([("messages".to_owned(), messages)]))
            }
            (None, None) => {
                self.fault(&place, format!("case `{id}` has no `input`"));
                return None;
            }
            _ => {
                let message = format!("case `{id}` has either an `input` or a list of `messages`");
                self.fault(&place, message);
                return None;
            }
        };
        if !(line.expect.is_null() || line.expect.is_object()) {
            let message = format!(
                "`expect` of case `{id}` is an object: name what is expected, as in {{\"answer\": …}}"
            );
            self.fault(&place, message);
        }
        let weight = line.weight.unwrap_or(1.0);
        if !(weight.is_finite() && weight > 0.0) {
            self.fault(&place, format!("the weight of case `{id}` must be above 0"));
        }
        if self.faults.len() + self.untold > before {
            return None;
        }
        let tags: BTreeSet<String> = line.tags.into_iter().collect();
        let asked = json!({
            "id": id, "input": input, "expect": line.expect, "tags": tags, "weight": weight,
            "group": line.group,
        });
        Some(Case {
            digest: Digest::of(&canonical_json(&asked)),
            id,
            input,
            expect: line.expect,
            tags,
            weight,
            group: line.group,
            source: line.source,
            place,
        })
    }

    /// The set, unless something is wrong. `name` is its file.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn finish(mut self, name: &str) -> Result<CaseSet, Faults> {
        if self.cases.is_empty() && self.faults.is_empty() {
            self.fault(name, "the set has no cases");
        }
        if !self.faults.is_empty() {
            return Err(Faults {
                told: self.faults,
                untold: self.untold,
            });
        }
        Ok(CaseSet::of(name, self.cases))
    }
}

impl CaseSet {
    /// A set of cases whose ids differ.
    fn of(name: &str, cases: Vec<Case>) -> Self {
        let mut parts: Vec<(&str, Digest, Digest)> = cases
            .iter()
            .map(|case| {
                let source = canonical_json(case.source.as_ref().unwrap_or(&Value::Null));
                (case.id.as_str(), case.digest, Digest::of(&source))
            })
            .collect();
        parts.sort_unstable();
        let text: String = parts
            .iter()
            .map(|(_, case, source)| format!("{case} {source}\n"))
            .collect();
        Self {
            name: name.to_owned(),
            digest: Digest::of(text.as_bytes()),
            cases,
        }
    }

    /// Its first cases.
    #[must_use]
    pub fn first(mut self, count: usize) -> Self {
        self.cases.truncate(count.max(1));
        Self::of(&self.name, self.cases)
    }

    /// The cases that have the tag.
    ///
    /// # Errors
    /// If there are none.
    pub fn tagged(self, tag: &str) -> Result<Self, Faults> {
        let mut gathering = Gathering::default();
        gathering.cases.extend(
            self.cases
                .into_iter()
                .filter(|case| case.tags.contains(tag)),
        );
        if gathering.cases.is_empty() {
            gathering.fault(&self.name, format!("no case has the tag `{tag}`"));
        }
        gathering.finish(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(rows: &[Value]) -> Result<CaseSet, Faults> {
        let mut gathering = Gathering::default();
        for (number, row) in rows.iter().enumerate() {
            gathering.add(format!("golden.jsonl:{}", number + 1), row.clone());
        }
        gathering.finish("golden.jsonl")
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_line() {
        let faults = set(&[
            json!({"id": "a", "input": {"x": 1}}),
            json!({"id": "a", "input": {"x": 2}}),
            json!({"input": {"x": 2}}),
            json!({"id": "b"}),
            json!({"id": "c", "input": 1, "weight": 0}),
            json!({"id": "d", "input": 1, "expect": "yes"}),
            json!([1]),
            json!({"id": "e", "input": 1, "lable": {}}),
        ])
        .unwrap_err();
        let places: Vec<&str> = faults
            .told
            .iter()
            .map(|fault| fault.place.as_str())
            .collect();
        let lines: Vec<String> = (2..=8).map(|n| format!("golden.jsonl:{n}")).collect();
        assert_eq!(places, lines);
        assert!(
            faults.told[0].message.contains("golden.jsonl:1"),
            "{faults}"
        );
        assert!(set(&[]).unwrap_err().told[0].message.contains("no cases"));
    }

    #[test]
    fn a_set_is_named_by_what_it_asks_and_not_by_the_order_of_its_lines() {
        let (one, two) = (
            json!({"id": "a", "input": {"x": 1, "y": 2}}),
            json!({"id": "b", "input": {"x": 2}}),
        );
        let swapped = json!({"input": {"y": 2, "x": 1}, "id": "a"});
        let digest = set(&[one.clone(), two.clone()]).unwrap().digest;
        assert_eq!(set(&[two.clone(), swapped]).unwrap().digest, digest);
        let mut other = one;
        other["input"]["x"] = json!(3);
        assert_ne!(set(&[other, two]).unwrap().digest, digest);
    }

    #[test]
    fn a_case_reads_back_from_the_line_that_it_writes() {
        let line = json!({
            "id": "a", "input": {"x": 1}, "expect": {"y": true}, "tags": ["t"], "weight": 2.0,
            "group": "g", "source": {"decision": "01J9"},
        });
        let first = set(std::slice::from_ref(&line)).unwrap();
        assert_eq!(first.cases[0].line(), line);
        assert_eq!(set(&[first.cases[0].line()]).unwrap(), first);
    }
}
