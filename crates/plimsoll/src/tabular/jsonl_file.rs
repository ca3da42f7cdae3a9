//! JSONL: an object on each line. A member that a line lacks is missing there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use parking_lot::Mutex;
use plimsoll_control::drift::{Cells, Texts};
use plimsoll_stats::drift::Sample;
use serde_json::{Map, Value};

use super::{COLUMNS_MAX, Source, Table, unreadable};
use crate::exit::Outcome;

/// The longest line, in bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What is gathered of a member.
#[derive(Default)]
struct Column {
    numbers: Vec<f64>,
    texts: Texts,
    nested: u64,
    present: u64,
}

/// Reads a whole file.
pub(super) fn read(path: &Path) -> Outcome<Table> {
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    let mut lines = BufReader::with_capacity(1 << 20, file);
    let mut names: Vec<String> = Vec::new();
    let mut columns: BTreeMap<String, Column> = BTreeMap::new();
    let (mut rows, mut number) = (0, 0_u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limited =
            std::io::Read::take(&mut lines, LINE_BYTES_MAX + 1).read_until(b'\n', &mut line);
        let read = limited.map_err(|error| unreadable(path, error))?;
        if read == 0 {
            break;
        }
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        if read as u64 > LINE_BYTES_MAX {
            return Err(unreadable(
                path,
                anyhow::anyhow!("line {number} is longer than 16 MiB"),
            ));
        }
        let row: Map<String, Value> = serde_json::from_slice(&line).map_err(|error| {
            unreadable(
                path,
                anyhow::anyhow!("line {number} is no JSON object: {error}"),
            )
        })?;
        rows += 1;
        for (name, value) in row {
            if !columns.contains_key(&name) {
                if names.len() == COLUMNS_MAX {
                    let many = anyhow::anyhow!("more than {COLUMNS_MAX} different members");
                    return Err(unreadable(path, many));
                }
                names.push(name.clone());
            }
            columns.entry(name).or_default().add(&value);
        }
    }
    let kept = names.iter().filter_map(|name| columns.remove(name));
    let kept = kept
        .map(|column| Mutex::new(Some(column.cells(rows))))
        .collect();
    Ok(Table {
        columns: names,
        twice: Vec::new(),
        rows,
        problems: Vec::new(),
        source: Source::Kept(kept),
    })
}

impl Column {
    fn add(&mut self, value: &Value) {
        self.present += u64::from(!value.is_null());
        match value {
            Value::Null => {}
            Value::Bool(true) => self.texts.add("true"),
            Value::Bool(false) => self.texts.add("false"),
            Value::Number(number) => self.numbers.push(number.as_f64().unwrap_or(f64::INFINITY)),
            Value::String(text) => self.texts.add(text),
            Value::Array(_) | Value::Object(_) => self.nested += 1,
        }
    }

    fn cells(mut self, rows: u64) -> Cells {
        let missing = rows - self.present;
        if self.nested > 0 {
            return Cells::Unreadable("it holds lists or objects".to_owned());
        }
        if self.texts.present() == 0 {
            return Cells::Numbers(Sample::new(self.numbers).with_missing(missing));
        }
        for number in self.numbers {
            self.texts.add(&number.to_string());
        }
        self.texts.add_missing(missing);
        Cells::Texts(self.texts)
    }
}
