//! CSV: a header, then a row on each line.
//!
//! A column is of numbers if every cell is one or missing; else it is of texts, as they stand. Which it is
//! shows only on the way, so a text met late means a second reading for that column.

use std::fs::File;
use std::path::Path;

use csv::{ByteRecord, Reader, ReaderBuilder};
use parking_lot::Mutex;
use plimsoll_control::drift::{Cells, Texts};
use plimsoll_stats::drift::Sample;

use super::{Source, Table, is_missing, once, unreadable};
use crate::exit::Outcome;

/// Within so many rows, meeting a text means to begin again rather than to read twice.
const EARLY_ROWS: u64 = 1_000;

const BUFFER_BYTES: usize = 1 << 20;

/// What is gathered of a column.
enum Column {
    Numbers(Vec<f64>),
    Texts(Texts),
    /// It turned out to be of texts; it is gathered in the next reading.
    Later,
    /// It is complete.
    Done,
}

/// Reads a whole file.
pub(super) fn read(path: &Path, delimiter: u8) -> Outcome<Table> {
    let failed = |error: csv::Error| unreadable(path, error);
    let mut header = reader(path, delimiter).map_err(failed)?;
    let names = header.byte_headers().map_err(failed)?;
    let names: Vec<String> = names
        .iter()
        .map(|name| String::from_utf8_lossy(name).trim().to_owned())
        .collect();
    let (single, twice) = once(&names);
    let mut columns: Vec<Column> = names.iter().map(|_| Column::Numbers(Vec::new())).collect();
    let mut finished: Vec<Option<Cells>> = names.iter().map(|_| None).collect();
    loop {
        let (rows, ragged) = gather(path, delimiter, &mut columns).map_err(failed)?;
        let mut is_complete = true;
        for (column, finished) in columns.iter_mut().zip(&mut finished) {
            match std::mem::replace(column, Column::Done) {
                Column::Numbers(values) => *finished = Some(Cells::Numbers(Sample::new(values))),
                Column::Texts(texts) => *finished = Some(Cells::Texts(texts)),
                Column::Later => {
                    *column = Column::Texts(Texts::default());
                    is_complete = false;
                }
                Column::Done => {}
            }
        }
        if is_complete {
            let kept = single
                .iter()
                .map(|(place, _)| Mutex::new(finished[*place].take()));
            let kept = kept.collect();
            return Ok(Table {
                columns: single.into_iter().map(|(_, name)| name).collect(),
                twice,
                rows,
                problems: problems(path, ragged),
                source: Source::Kept(kept),
            });
        }
    }
}

fn problems(path: &Path, ragged: u64) -> Vec<String> {
    if ragged == 0 {
        return Vec::new();
    }
    let path = path.display();
    vec![format!(
        "{ragged} rows of {path} have more or fewer cells than its header: cells that lack count as missing"
    )]
}

fn reader(path: &Path, delimiter: u8) -> csv::Result<Reader<File>> {
    ReaderBuilder::new()
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(BUFFER_BYTES)
        .from_path(path)
}

/// One reading: how many rows there were, and how many of them did not fit the header.
fn gather(path: &Path, delimiter: u8, columns: &mut [Column]) -> csv::Result<(u64, u64)> {
    'again: loop {
        let mut reader = reader(path, delimiter)?;
        let mut record = ByteRecord::new();
        let (mut rows, mut ragged) = (0, 0);
        while reader.read_byte_record(&mut record)? {
            rows += 1;
            ragged += u64::from(record.len() != columns.len());
            for (place, column) in columns.iter_mut().enumerate() {
                let is_text = column.add(record.get(place).unwrap_or_default());
                if is_text && rows <= EARLY_ROWS {
                    *column = Column::Texts(Texts::default());
                    restart(columns);
                    continue 'again;
                }
            }
        }
        return Ok((rows, ragged));
    }
}

/// Empties what was gathered.
fn restart(columns: &mut [Column]) {
    for column in columns {
        match column {
            Column::Numbers(values) => values.clear(),
            Column::Texts(texts) => *texts = Texts::default(),
            Column::Later | Column::Done => {}
        }
    }
}

impl Column {
    /// Adds a cell; whether that showed the column to be of texts.
    fn add(&mut self, cell: &[u8]) -> bool {
        match self {
            Self::Numbers(values) => {
                if let Some(number) = number(cell) {
                    values.push(number);
                    return false;
                }
                *self = Self::Later;
                return true;
            }
            Self::Texts(texts) => {
                let text = String::from_utf8_lossy(cell);
                if is_missing(text.trim()) {
                    texts.add_missing(1);
                } else {
                    texts.add(&text);
                }
            }
            Self::Later | Self::Done => {}
        }
        false
    }
}

/// A number, NaN for a missing one; none for a text.
fn number(cell: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(cell).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) if is_missing(text.trim()) => Some(f64::NAN),
        Err(_) => text.trim().parse().ok(),
    }
}
