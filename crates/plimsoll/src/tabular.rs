//! Tables in files (CSV, JSONL, Parquet), read column by column for comparing.
//!
//! CSV and JSONL are read once and kept as columns; a Parquet column is read when it is its turn, so that
//! memory holds only those that are being compared. Nothing is guessed away: a column that cannot be read
//! says so in its [`Cells`].

mod csv_file;
mod jsonl_file;
mod parquet_file;

use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use plimsoll_control::drift::Cells;

use crate::exit::{Exit, Failure, Outcome};

/// The most columns of a table.
const COLUMNS_MAX: usize = 10_000;

/// A table.
pub(crate) struct Table {
    /// The names of its columns, each once, in order.
    pub(crate) columns: Vec<String>,
    /// Names that stand over more than one column; those are in no other list.
    pub(crate) twice: Vec<String>,
    /// How many rows there are.
    pub(crate) rows: u64,
    /// What is wrong with the file as a whole.
    pub(crate) problems: Vec<String>,
    source: Source,
}

enum Source {
    /// Columns in the order of the names, until they are taken.
    Kept(Vec<Mutex<Option<Cells>>>),
    /// A file, and at which place each of the names stands in it.
    Parquet(PathBuf, Vec<usize>),
}

/// Opens a file by what its name ends with.
pub(crate) fn open(path: &Path) -> Outcome<Table> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let extension = extension.map(str::to_ascii_lowercase).unwrap_or_default();
    let table = match extension.as_str() {
        "csv" => csv_file::read(path, b',')?,
        "tsv" => csv_file::read(path, b'\t')?,
        "jsonl" | "ndjson" => jsonl_file::read(path)?,
        "parquet" => parquet_file::open(path)?,
        _ => {
            let message = format!(
                "`{}` is neither .csv, .tsv, .jsonl nor .parquet",
                path.display()
            );
            return Err(Failure::says(Exit::Usage, message));
        }
    };
    if table.columns.len() > COLUMNS_MAX {
        let count = table.columns.len();
        let message = format!(
            "`{}` has {count} columns: {COLUMNS_MAX} at the most",
            path.display()
        );
        return Err(Failure::says(Exit::Usage, message));
    }
    Ok(table)
}

impl Table {
    /// The cells of a column, by its place among the names. What was kept is given away.
    pub(crate) fn take(&self, index: usize) -> Cells {
        let gone = || Cells::Unreadable("it was read before".to_owned());
        match &self.source {
            Source::Kept(columns) => columns[index].lock().take().unwrap_or_else(gone),
            Source::Parquet(path, places) => parquet_file::column(path, places[index]),
        }
    }
}

/// The names that stand once, with their places, and those that stand more than once.
fn once(names: &[String]) -> (Vec<(usize, String)>, Vec<String>) {
    let mut counts = std::collections::BTreeMap::new();
    for name in names {
        *counts.entry(name).or_insert(0_u32) += 1;
    }
    let single = names
        .iter()
        .enumerate()
        .filter(|(_, name)| counts[name] == 1);
    let single = single.map(|(place, name)| (place, name.clone())).collect();
    let twice = counts.iter().filter(|(_, count)| **count > 1);
    (single, twice.map(|(name, _)| (*name).clone()).collect())
}

/// Whether a text says that there is no value.
fn is_missing(text: &str) -> bool {
    matches!(text, "" | "NA" | "N/A" | "NaN" | "nan" | "null" | "NULL")
}

fn unreadable(path: &Path, error: impl Into<anyhow::Error>) -> Failure {
    let context = format!("`{}` could not be read", path.display());
    Failure::new(Exit::Usage, error.into().context(context))
}
