//! Rows that a model did not learn from, with how sure it was of each and whether it was right: what its confidence is
//! worth is learnt from them.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, bail};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use plimsoll_stats::estimate::Confidence;
use serde_json::{Map, Value};

use crate::exit::{Exit, Exits as _, Failure, Outcome};

/// The columns that such a file has.
const CONFIDENCE: &str = "confidence";
const RIGHT: &str = "right";

/// What is read of a file.
#[derive(Default)]
struct HeldOut {
    confidences: Vec<f64>,
    right: Vec<bool>,
}

/// Learns from the rows of a file (`.csv`, `.tsv`, `.jsonl`, `.parquet`). A row that says nothing is named, and the
/// file refused: what is left out of a calibration makes it another one.
pub(super) fn confidence(path: &Path) -> Outcome<Confidence> {
    let rows = read(path)
        .with_context(|| {
            format!(
                "`{}` says of no model what its confidence is worth",
                path.display()
            )
        })
        .or_exit(Exit::Usage)?;
    Confidence::fit(&rows.confidences, &rows.right).map_err(|why| {
        let message = format!("nothing can be learnt from `{}`: {why}", path.display());
        Failure::says(Exit::Usage, message)
    })
}

fn read(path: &Path) -> anyhow::Result<HeldOut> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let file = File::open(path)?;
    let mut rows = HeldOut::default();
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => separated(file, b',', &mut rows)?,
        Some("tsv") => separated(file, b'\t', &mut rows)?,
        Some("jsonl" | "ndjson") => {
            for (index, line) in BufReader::new(file).lines().enumerate() {
                let line = line?;
                if line.trim().is_empty() {
                    continue;
                }
                let row: Result<Map<String, Value>, _> = serde_json::from_str(&line);
                let row = row.with_context(|| format!("line {} is no JSON object", index + 1))?;
                rows.add(index + 1, |name| row.get(name).map(text))?;
            }
        }
        Some("parquet") => {
            let reader = SerializedFileReader::new(file)?;
            for (index, row) in reader.get_row_iter(None)?.enumerate() {
                let row = row?;
                let cell = |name: &str| {
                    let mut cells = row.get_column_iter();
                    let (_, field) = cells.find(|(known, _)| *known == name)?;
                    Some(match field {
                        Field::Str(text) => text.clone(),
                        other => other.to_string(),
                    })
                };
                rows.add(index + 1, cell)?;
            }
        }
        _ => bail!("it is neither .csv, .tsv, .jsonl nor .parquet"),
    }
    Ok(rows)
}

fn separated(file: File, delimiter: u8, rows: &mut HeldOut) -> anyhow::Result<()> {
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.delimiter(delimiter).from_reader(file);
    let header = reader.headers()?.clone();
    for (index, record) in reader.records().enumerate() {
        let record = record?;
        let cell = |name: &str| {
            let place = header.iter().position(|known| known == name)?;
            record.get(place).map(str::to_owned)
        };
        rows.add(index + 1, cell)?;
    }
    Ok(())
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl HeldOut {
    fn add(&mut self, row: usize, cell: impl Fn(&str) -> Option<String>) -> anyhow::Result<()> {
        let Some(confidence) = cell(CONFIDENCE) else {
            bail!("row {row} has no column `{CONFIDENCE}`: how sure the model was, from 0 to 1");
        };
        let Some(right) = cell(RIGHT) else {
            bail!("row {row} has no column `{RIGHT}`: whether the model was right, true or false");
        };
        let number: Option<f64> = confidence.trim().parse().ok();
        let Some(number) = number.filter(|number| (0.0..=1.0).contains(number)) else {
            bail!("row {row}: `{CONFIDENCE}` is no number from 0 to 1");
        };
        self.right
            .push(match right.trim().to_ascii_lowercase().as_str() {
                "true" | "1" => true,
                "false" | "0" => false,
                _ => bail!("row {row}: `{RIGHT}` is neither true nor false"),
            });
        self.confidences.push(number);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(name: &str, text: &str) -> Result<Confidence, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        confidence(&path).map_err(|failure| format!("{:#}", failure.error))
    }

    #[test]
    fn tables_and_lines_say_the_same() {
        let rows = || (0..200).map(|i| (if i % 2 == 0 { 0.9 } else { 0.6 }, i % 5 != 0));
        let csv: String = rows().map(|(c, right)| format!("{right},{c}\n")).collect();
        let csv = learnt("a.csv", &format!("right,confidence\n{csv}")).unwrap();
        let lines: String = rows()
            .map(|(c, right)| format!("{{\"confidence\": {c}, \"right\": {right}}}\n\n"))
            .collect();
        assert_eq!(learnt("a.jsonl", &lines).unwrap(), csv);
        assert_eq!(csv.usual().wrong, 40);
    }

    #[test]
    fn a_row_that_says_nothing_is_named() {
        for (text, named) in [
            ("confidence,right\n0.9,perhaps\n", "row 1: `right`"),
            (
                "confidence,right\n0.9,true\n1.9,true\n",
                "row 2: `confidence`",
            ),
            ("confidence,right\nNaN,true\n", "row 1: `confidence`"),
            ("confidence\n0.9\n", "no column `right`"),
            ("confidence,right\n0.9,true\n", "too few"),
            ("confidence,right\n", "no values"),
        ] {
            let told = learnt("a.csv", text).unwrap_err();
            assert!(told.contains(named), "{told}");
        }
        assert!(learnt("a.xlsx", "").unwrap_err().contains("neither"));
    }
}
