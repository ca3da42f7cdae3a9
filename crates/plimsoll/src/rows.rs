//! Rows of a file, as the JSON that a system is asked: from JSONL as they stand, from CSV by the types
//! of the system's input schema.
//!
//! Nothing is mended on the way. A cell that should be a number and is none goes as text, a line
//! that is no JSON goes as it is: the contract refuses it, and that is what is to be seen.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use plimsoll_core::System;
use plimsoll_spec::Workspace;
use serde_json::{Map, Number, Value};

use crate::exit::{Exit, Exits as _, Failure, Outcome};

/// The longest line, in bytes.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Which columns hold what, by the input schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct ColumnTypes(Map<String, Value>);

impl ColumnTypes {
    /// The columns of the system's input schema.
    pub(crate) fn of(workspace: &Workspace, system: &System) -> Self {
        let schema = system
            .manifest
            .input
            .schema
            .and_then(|digest| workspace.blob(digest));
        let schema: Value = schema
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        match schema.get("properties") {
            Some(Value::Object(properties)) => Self(properties.clone()),
            _ => Self::default(),
        }
    }

    /// The columns with these schemas.
    #[cfg(test)]
    pub(crate) fn from_properties(properties: &Value) -> Self {
        Self(properties.as_object().cloned().unwrap_or_default())
    }

    /// A cell as JSON; none if it is empty, which is a missing value.
    pub(crate) fn cell(&self, column: &str, text: &str) -> Option<Value> {
        if text.is_empty() {
            return None;
        }
        let is = |wanted: &str| match self.0.get(column).and_then(|schema| schema.get("type")) {
            Some(Value::String(kind)) => kind == wanted,
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == wanted),
            _ => false,
        };
        let text_value = || Value::String(text.to_owned());
        let value = match text {
            "true" | "false" if is("boolean") => Value::Bool(text == "true"),
            _ if is("integer") || is("number") => text
                .parse::<Number>()
                .map_or_else(|_| text_value(), Value::Number),
            _ => text_value(),
        };
        Some(value)
    }
}

/// The rows of a file, each as the text of a JSON value, or of what stood there instead.
pub(crate) struct Rows {
    path: PathBuf,
    source: Source,
}

enum Source {
    Lines(BufReader<File>),
    Csv {
        reader: csv::Reader<File>,
        header: csv::StringRecord,
        types: ColumnTypes,
    },
}

impl Rows {
    /// Opens a `.jsonl` or `.csv` file.
    pub(crate) fn open(path: &Path, types: ColumnTypes) -> Outcome<Self> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let extension = extension.map(str::to_ascii_lowercase).unwrap_or_default();
        if !matches!(extension.as_str(), "csv" | "jsonl" | "ndjson") {
            let message = format!("`{}` is neither .jsonl nor .csv", path.display());
            return Err(Failure::says(Exit::Usage, message));
        }
        let opening = || format!("the rows could not be read from `{}`", path.display());
        let file = File::open(path)
            .with_context(opening)
            .or_exit(Exit::Usage)?;
        let source = if extension == "csv" {
            let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
            let header = reader
                .headers()
                .with_context(opening)
                .or_exit(Exit::Usage)?
                .clone();
            Source::Csv {
                reader,
                header,
                types,
            }
        } else {
            Source::Lines(BufReader::new(file))
        };
        Ok(Self {
            path: path.to_owned(),
            source,
        })
    }

    /// The next row; none at the end. Empty lines are none.
    pub(crate) fn next_row(&mut self) -> Outcome<Option<String>> {
        let reading = || format!("`{}` could not be read to its end", self.path.display());
        match &mut self.source {
            Source::Lines(lines) => loop {
                let mut line = Vec::new();
                let read = std::io::Read::take(&mut *lines, LINE_BYTES_MAX as u64 + 1)
                    .read_until(b'\n', &mut line);
                if read.with_context(reading).or_exit(Exit::Usage)? == 0 {
                    return Ok(None);
                }
                if line.len() > LINE_BYTES_MAX {
                    let message =
                        format!("a line of `{}` is longer than 16 MiB", self.path.display());
                    return Err(Failure::says(Exit::Usage, message));
                }
                let text = String::from_utf8_lossy(&line);
                if !text.trim().is_empty() {
                    return Ok(Some(text.trim().to_owned()));
                }
            },
            Source::Csv {
                reader,
                header,
                types,
            } => {
                let mut record = csv::StringRecord::new();
                if !reader
                    .read_record(&mut record)
                    .with_context(reading)
                    .or_exit(Exit::Usage)?
                {
                    return Ok(None);
                }
                Ok(Some(
                    Value::Object(object(header, &record, types)).to_string(),
                ))
            }
        }
    }

    /// How many rows there are: reads the file once from its beginning.
    pub(crate) fn count(path: &Path) -> Outcome<u64> {
        let mut rows = Self::open(path, ColumnTypes::default())?;
        let mut count = 0;
        while rows.next_row()?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

/// A record as an object; cells beyond the header keep a name that no contract has.
fn object(
    header: &csv::StringRecord,
    record: &csv::StringRecord,
    types: &ColumnTypes,
) -> Map<String, Value> {
    let named = record.iter().enumerate().filter_map(|(index, text)| {
        let name = header
            .get(index)
            .map_or_else(|| format!("column {}", index + 1), str::to_owned);
        let value = types.cell(&name, text)?;
        Some((name, value))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use serde_json::json;

    use super::*;

    fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        File::create(&path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        (folder, path)
    }

    fn all(path: &Path, types: ColumnTypes) -> Vec<String> {
        let mut rows = Rows::open(path, types).unwrap();
        std::iter::from_fn(|| rows.next_row().unwrap()).collect()
    }

    fn types() -> ColumnTypes {
        let Value::Object(map) = json!({
            "age": {"type": "integer"}, "rate": {"type": ["number", "null"]},
            "repaid": {"type": "boolean"}, "car": {"type": "string"},
        }) else {
            unreachable!()
        };
        ColumnTypes(map)
    }

    #[test]
    fn cells_become_what_the_schema_says_and_nothing_is_mended() {
        let (_folder, path) = file(
            "rows.csv",
            "age,rate,repaid,car\n31,0.5,true,10\nthirty,,maybe,\"a,b\"\n1,2,3,4,5\n",
        );
        let rows: Vec<Value> = all(&path, types())
            .iter()
            .map(|row| serde_json::from_str(row).unwrap())
            .collect();
        assert_eq!(
            rows[0],
            json!({"age": 31, "rate": 0.5, "repaid": true, "car": "10"})
        );
        assert_eq!(
            rows[1],
            json!({"age": "thirty", "repaid": "maybe", "car": "a,b"})
        );
        assert_eq!(rows[2]["column 5"], json!("5"));
        assert_eq!(Rows::count(&path).unwrap(), 3);
    }

    #[test]
    fn lines_go_as_they_stand() {
        let (_folder, path) = file("rows.jsonl", "{\"a\": 1.0}\n\n  {broken\n{\"a\":2}");
        assert_eq!(
            all(&path, types()),
            [r#"{"a": 1.0}"#, "{broken", r#"{"a":2}"#]
        );
    }

    #[test]
    fn other_files_are_a_usage_error() {
        let (_folder, path) = file("rows.xlsx", "");
        assert_eq!(Rows::open(&path, types()).err().unwrap().exit, Exit::Usage);
        assert_eq!(
            Rows::open(Path::new("gone.csv"), types())
                .err()
                .unwrap()
                .exit,
            Exit::Usage
        );
    }
}
