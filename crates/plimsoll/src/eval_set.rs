//! Eval sets in files: JSONL, CSV and Parquet, each case with the place where it stands.
//!
//! In tables, the columns `id`, `tags` (split at `;`), `weight`, `group` and `source` are what they are
//! called, `expect.NAME` is a member of the expectation, and every other column, also as `input.NAME`, a member
//! of the input. An empty cell is a missing member.

mod parquet_rows;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use anyhow::Context as _;
use plimsoll_core::Digest;
use plimsoll_evals::case::{CaseSet, Gathering};
use serde_json::{Map, Value};

use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::rows::ColumnTypes;

/// The longest line, in bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A set and the digest of its file.
pub(crate) struct SetFile {
    pub(crate) set: CaseSet,
    pub(crate) file: Digest,
}

/// Reads the set at `path`, which is called `name`.
pub(crate) fn read(path: &Path, name: &str, types: &ColumnTypes) -> Outcome<SetFile> {
    let opening = || format!("the eval set `{}` could not be read", path.display());
    let extension = path.extension().and_then(|extension| extension.to_str());
    let mut file = File::open(path)
        .with_context(opening)
        .or_exit(Exit::Usage)?;
    let digest = Digest::of_reader(&mut file)
        .with_context(opening)
        .or_exit(Exit::Usage)?;
    let mut gathering = Gathering::default();
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("jsonl" | "ndjson") => jsonl(path, name, &mut gathering).with_context(opening),
        Some("csv") => csv_rows(path, name, types, &mut gathering).with_context(opening),
        Some("parquet") => parquet_rows::read(path, name, &mut gathering).with_context(opening),
        _ => {
            let message = format!("`{}` is neither .jsonl, .csv nor .parquet", path.display());
            return Err(Failure::says(Exit::Usage, message));
        }
    }
    .or_exit(Exit::Usage)?;
    let set = gathering.finish(name).or_exit(Exit::Workspace)?;
    Ok(SetFile { set, file: digest })
}

fn jsonl(path: &Path, name: &str, gathering: &mut Gathering) -> anyhow::Result<()> {
    let mut lines = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = (&mut lines)
            .take(LINE_BYTES_MAX + 1)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        let place = format!("{name}:{number}");
        if read as u64 > LINE_BYTES_MAX {
            anyhow::bail!("line {number} is longer than 16 MiB");
        }
        let text = line.trim_ascii();
        if text.is_empty() || text.starts_with(b"//") {
            continue;
        }
        match serde_json::from_slice(text) {
            Ok(row) => gathering.add(place, row),
            Err(error) => gathering.fault(&place, format!("this is no JSON: {error}")),
        }
    }
    Ok(())
}

fn csv_rows(
    path: &Path,
    name: &str,
    types: &ColumnTypes,
    gathering: &mut Gathering,
) -> anyhow::Result<()> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path)?;
    let header = reader.headers()?.clone();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        let place = format!("{name}:{line}");
        if record.len() != header.len() {
            let message = format!(
                "it has {} cells under {} headings",
                record.len(),
                header.len()
            );
            gathering.fault(&place, message);
            continue;
        }
        let cells = header
            .iter()
            .zip(&record)
            .filter(|(_, text)| !text.is_empty());
        let cells = cells.filter_map(|(column, text)| {
            let value = match place_of(column) {
                Part::Input(member) => types.cell(member, text)?,
                Part::Expect(_) | Part::Own("weight") => scalar(text),
                Part::Own(_) => Value::String(text.to_owned()),
            };
            Some((column.to_owned(), value))
        });
        gathering.add(place, case(cells));
    }
    Ok(())
}

/// What a column is of a case.
enum Part<'c> {
    Own(&'c str),
    Expect(&'c str),
    Input(&'c str),
}

fn place_of(column: &str) -> Part<'_> {
    match column {
        "id" | "tags" | "weight" | "group" | "source" => Part::Own(column),
        _ => match (
            column.strip_prefix("expect."),
            column.strip_prefix("input."),
        ) {
            (Some(member), _) => Part::Expect(member),
            (_, Some(member)) => Part::Input(member),
            _ => Part::Input(column),
        },
    }
}

/// A case out of named cells.
fn case(cells: impl Iterator<Item = (String, Value)>) -> Value {
    let (mut case, mut input, mut expect) = (Map::new(), Map::new(), Map::new());
    for (column, value) in cells {
        match place_of(&column) {
            Part::Own("tags") => {
                let tags = value.as_str().unwrap_or_default().split(';').map(str::trim);
                let tags: Vec<&str> = tags.filter(|tag| !tag.is_empty()).collect();
                case.insert(column, tags.into());
            }
            // Where an export says where a case comes from, it says so as an object.
            Part::Own("source") => {
                let read = value
                    .as_str()
                    .and_then(|text| serde_json::from_str(text).ok());
                case.insert(column, read.filter(Value::is_object).unwrap_or(value));
            }
            Part::Own(_) => {
                case.insert(column, value);
            }
            Part::Expect(member) => {
                expect.insert(member.to_owned(), value);
            }
            Part::Input(member) => {
                input.insert(member.to_owned(), value);
            }
        }
    }
    case.insert("input".to_owned(), input.into());
    if !expect.is_empty() {
        case.insert("expect".to_owned(), expect.into());
    }
    Value::Object(case)
}

/// A cell as a number or a truth, if it reads as one, else as text.
fn scalar(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(name: &str, text: &str) -> Outcome<SetFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read(&path, name, &ColumnTypes::default())
    }

    #[test]
    fn tables_and_lines_make_the_same_set() {
        let lines = set(
            "a.jsonl",
            "// a comment\n{\"id\": \"a\", \"input\": {\"q\": \"x\"}, \"expect\": {\"y\": 1}, \"tags\": [\"t\", \"u\"]}\n",
        );
        let table = set("a.csv", "id,q,expect.y,tags\na,x,1,t; u\n")
            .unwrap()
            .set;
        let lines = lines.unwrap().set;
        assert_eq!(lines.digest, table.digest);
        assert_eq!(
            (lines.cases[0].place.as_str(), table.cases[0].place.as_str()),
            ("a.jsonl:2", "a.csv:2")
        );
        assert_eq!(table.cases[0].expect, json!({"y": 1}));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let text = |outcome: Outcome<SetFile>| format!("{:#}", outcome.err().unwrap().error);
        let torn = text(set("a.jsonl", "{\"id\": \"a\", \"input\": 1}\n{\"id\": \n"));
        assert!(torn.contains("a.jsonl:2: this is no JSON"), "{torn}");
        let uneven = text(set("a.csv", "id,q\na,x,y\n"));
        assert!(uneven.contains("a.csv:2: it has 3 cells"), "{uneven}");
        let weight = text(set("a.csv", "id,q,weight\na,x,NaN\n"));
        assert!(weight.contains("a.csv:2"), "{weight}");
        assert!(text(set("a.jsonl", "\n")).contains("no cases"));
        assert_eq!(set("a.xlsx", "").err().unwrap().exit, Exit::Usage);
    }
}
