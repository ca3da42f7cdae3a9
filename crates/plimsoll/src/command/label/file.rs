//! Labels in files: CSV, TSV, JSONL and Parquet, row by row. A row that is no label says why; none is passed
//! over.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::RowIter;
use plimsoll_console::LabelRequest;
use plimsoll_core::label::LabelValue;
use plimsoll_core::{DecisionId, Timestamp};
use serde_json::Value;

use crate::exit::{Exit, Exits as _, Failure, Outcome};

/// The longest line, in bytes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Where what stands.
pub(super) struct Columns {
    pub(super) decision: String,
    pub(super) value: String,
    pub(super) observed_at: Option<String>,
}

/// The rows of a file.
pub(super) struct Rows<'a> {
    path: PathBuf,
    columns: &'a Columns,
    source: Source,
}

enum Source {
    Lines(BufReader<File>),
    Csv {
        reader: Box<csv::Reader<File>>,
        places: HashMap<String, usize>,
    },
    Parquet(Box<RowIter<'static>>, u64),
}

/// A cell: what a file of texts holds, or what one of values does.
enum Cell {
    Text(String),
    Value(Value),
}

impl<'a> Rows<'a> {
    /// Opens a file by what its name ends with.
    pub(super) fn open(path: &Path, columns: &'a Columns) -> Outcome<Self> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let extension = extension.map(str::to_ascii_lowercase).unwrap_or_default();
        let opening = || format!("the labels could not be read from `{}`", path.display());
        let file = || File::open(path).with_context(opening).or_exit(Exit::Usage);
        let source = match extension.as_str() {
            "csv" => with_header(file()?, b',', path, columns)?,
            "tsv" => with_header(file()?, b'\t', path, columns)?,
            "jsonl" | "ndjson" => Source::Lines(BufReader::new(file()?)),
            "parquet" => {
                let reader = SerializedFileReader::new(file()?);
                let reader = reader.with_context(opening).or_exit(Exit::Usage)?;
                let meta = reader.metadata().file_metadata();
                let leaves = meta.schema_descr().columns();
                let names: Vec<String> = leaves.iter().map(|leaf| leaf.path().string()).collect();
                must_have(path, columns, |name| {
                    names.iter().any(|known| known == name)
                })?;
                let rows = u64::try_from(meta.num_rows()).unwrap_or(0);
                Source::Parquet(Box::new(RowIter::from_file_into(Box::new(reader))), rows)
            }
            _ => {
                let message = format!(
                    "`{}` is neither .csv, .tsv, .jsonl nor .parquet",
                    path.display()
                );
                return Err(Failure::says(Exit::Usage, message));
            }
        };
        Ok(Self {
            path: path.to_owned(),
            columns,
            source,
        })
    }

    /// How many rows there are, if the file says so.
    pub(super) const fn count(&self) -> Option<u64> {
        match self.source {
            Source::Parquet(_, rows) => Some(rows),
            Source::Lines(_) | Source::Csv { .. } => None,
        }
    }

    /// The next row: a label, or why it is none. None at the end.
    pub(super) fn next_row(&mut self) -> Outcome<Option<Result<LabelRequest, String>>> {
        let reading = || format!("`{}` could not be read to its end", self.path.display());
        let columns = self.columns;
        let row = match &mut self.source {
            Source::Lines(lines) => loop {
                let mut line = Vec::new();
                let read = std::io::Read::take(&mut *lines, LINE_BYTES_MAX + 1)
                    .read_until(b'\n', &mut line);
                if read.with_context(reading).or_exit(Exit::Usage)? == 0 {
                    return Ok(None);
                }
                if line.len() as u64 > LINE_BYTES_MAX {
                    let message =
                        format!("a line of `{}` is longer than 1 MiB", self.path.display());
                    return Err(Failure::says(Exit::Usage, message));
                }
                if !line.trim_ascii().is_empty() {
                    break of_line(columns, &line);
                }
            },
            Source::Csv { reader, places } => {
                let mut record = csv::StringRecord::new();
                let read = reader.read_record(&mut record);
                if !read.with_context(reading).or_exit(Exit::Usage)? {
                    return Ok(None);
                }
                let cell = |name: &str| {
                    let text = record.get(*places.get(name)?)?;
                    (!text.trim().is_empty()).then(|| Cell::Text(text.to_owned()))
                };
                label(columns, cell)
            }
            Source::Parquet(rows, _) => {
                let Some(row) = rows.next() else {
                    return Ok(None);
                };
                let row = row.with_context(reading).or_exit(Exit::Usage)?;
                let cell = |name: &str| {
                    let mut cells = row.get_column_iter();
                    let (_, field) = cells.find(|(known, _)| *known == name)?;
                    of_field(field)
                };
                label(columns, cell)
            }
        };
        Ok(Some(row))
    }
}

fn with_header(file: File, delimiter: u8, path: &Path, columns: &Columns) -> Outcome<Source> {
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.flexible(true).delimiter(delimiter).from_reader(file);
    let header = reader.headers().context("the header could not be read");
    let header = header.or_exit(Exit::Usage)?.clone();
    let places: HashMap<String, usize> = header
        .iter()
        .enumerate()
        .map(|(place, name)| (name.to_owned(), place))
        .collect();
    must_have(path, columns, |name| places.contains_key(name))?;
    Ok(Source::Csv {
        reader: Box::new(reader),
        places,
    })
}

/// A file without the columns is a mistake of whoever names it, not of each row.
fn must_have(path: &Path, columns: &Columns, has: impl Fn(&str) -> bool) -> Outcome<()> {
    let wanted = [&columns.decision, &columns.value].into_iter();
    for name in wanted.chain(&columns.observed_at) {
        if !has(name) {
            let message = format!(
                "`{}` has no column `{name}`: name it with --decision, --value or --observed-at",
                path.display()
            );
            return Err(Failure::says(Exit::Usage, message));
        }
    }
    Ok(())
}

fn of_line(columns: &Columns, line: &[u8]) -> Result<LabelRequest, String> {
    let row: serde_json::Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| format!("it is no JSON object: {error}"))?;
    label(columns, |name| {
        let value = row.get(name)?;
        (!value.is_null()).then(|| Cell::Value(value.clone()))
    })
}

fn of_field(field: &Field) -> Option<Cell> {
    match field {
        Field::Null => None,
        Field::Str(text) => Some(Cell::Value(Value::String(text.clone()))),
        Field::Bool(flag) => Some(Cell::Value(Value::Bool(*flag))),
        Field::TimestampMicros(micros) => {
            Some(Cell::Text(Timestamp::from_micros(*micros).to_string()))
        }
        Field::TimestampMillis(millis) => Some(Cell::Text(
            Timestamp::from_micros(millis.saturating_mul(1_000)).to_string(),
        )),
        // Numbers print as numbers; what is nested prints as what no label can be.
        other => Some(Cell::Text(other.to_string())),
    }
}

fn label(columns: &Columns, cell: impl Fn(&str) -> Option<Cell>) -> Result<LabelRequest, String> {
    let text = |name: &str| match cell(name) {
        None => Err(format!("`{name}` is missing")),
        Some(Cell::Text(text)) => Ok(text.trim().to_owned()),
        Some(Cell::Value(Value::String(text))) => Ok(text.trim().to_owned()),
        Some(Cell::Value(_)) => Err(format!("`{name}` is no text")),
    };
    let id = text(&columns.decision)?;
    let decision: DecisionId = id.parse().map_err(|_| {
        format!(
            "`{}` is no decision's id",
            id.chars().take(60).collect::<String>()
        )
    })?;
    let value = match cell(&columns.value) {
        None => return Err(format!("`{}` is missing", columns.value)),
        Some(Cell::Text(text)) => LabelValue::cell(&text),
        Some(Cell::Value(value)) => LabelValue::json(&value),
    };
    let value = value.map_err(|error| error.to_string())?;
    let observed_at = match &columns.observed_at {
        None => None,
        Some(name) if cell(name).is_none() => None,
        Some(name) => {
            let time = Timestamp::parse(&text(name)?);
            Some(time.map_err(|error| format!("`{name}`: {error}"))?)
        }
    };
    Ok(LabelRequest {
        decision,
        value: serde_json::json!(value),
        name: None,
        observed_at,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "01J9ZC6T7R8Y3V5W1X2Q4K0M9N";

    fn columns() -> Columns {
        Columns {
            decision: "decision".into(),
            value: "value".into(),
            observed_at: Some("at".into()),
        }
    }

    fn read(name: &str, text: &str) -> Vec<Result<LabelRequest, String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let columns = columns();
        let mut rows = Rows::open(&path, &columns).unwrap();
        std::iter::from_fn(|| rows.next_row().unwrap()).collect()
    }

    #[test]
    fn each_row_of_a_csv_is_a_label_or_says_why_not() {
        let text = format!(
            "value,decision,at\nrepaid,{ID},2026-03-14\n0.5,{ID},\ntrue,{ID},\nNaN,{ID},\n,{ID},\n1,nope,\n1,{ID},soon\n1\n"
        );
        let rows = read("labels.csv", &text);
        let values: Vec<Value> = rows[..3]
            .iter()
            .map(|row| row.as_ref().unwrap().value.clone())
            .collect();
        assert_eq!(values, [json!("repaid"), json!(0.5), json!(true)]);
        assert!(rows[0].as_ref().unwrap().observed_at.is_some());
        let problems: Vec<&str> = rows[3..]
            .iter()
            .map(|row| row.as_ref().unwrap_err().as_str())
            .collect();
        assert_eq!(problems[0], "the value is no finite number");
        assert_eq!(problems[1], "`value` is missing");
        assert_eq!(problems[2], "`nope` is no decision's id");
        assert!(problems[3].starts_with("`at`:"), "{}", problems[3]);
        assert_eq!(problems[4], "`decision` is missing");
    }

    #[test]
    fn lines_of_json_keep_their_types() {
        let text = format!(
            "{{\"decision\":\"{ID}\",\"value\":\"1\"}}\n\n{{\"decision\":\"{ID}\",\"value\":{{}}}}\n{{\"decision\":7,\"value\":1}}\nnope\n"
        );
        let rows = read("labels.jsonl", &text);
        assert_eq!(rows[0].as_ref().unwrap().value, json!("1"));
        assert!(rows[1].as_ref().unwrap_err().contains("an object"));
        assert_eq!(rows[2].as_ref().unwrap_err(), "`decision` is no text");
        assert!(rows[3].as_ref().unwrap_err().contains("no JSON object"));
    }

    #[test]
    fn a_file_without_the_columns_is_refused_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.csv");
        std::fs::write(&path, "id,value\n").unwrap();
        let columns = columns();
        let refused = Rows::open(&path, &columns).err().unwrap();
        assert_eq!(refused.exit, Exit::Usage);
        let other = Rows::open(Path::new("labels.xlsx"), &columns);
        assert_eq!(other.err().unwrap().exit, Exit::Usage);
    }
}
