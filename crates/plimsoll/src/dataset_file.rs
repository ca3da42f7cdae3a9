//! A dataset as a file that evals and training scripts read: JSONL, or a table with the columns of
//! [`eval_set`].
//!
//! What was written is read back as an eval reads it, and must be the same cases: a form that cannot hold them
//! (a list in a cell, a text that reads as a number) is refused, never bent to fit.

mod columns;
mod parquet_columns;

use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use plimsoll_core::Digest;
use plimsoll_core::dataset::DatasetExport;
use plimsoll_evals::case::{Case, Gathering};
use plimsoll_evals::member::same;
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::cli::DatasetFormat;
use crate::eval_set;
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::rows::ColumnTypes;

/// A set that is on disk and has no name yet.
#[derive(Debug)]
pub(crate) struct Written {
    /// Its content, by digest.
    pub(crate) set: Digest,
    /// Its bytes, by digest.
    pub(crate) file: Digest,
    /// The file; gone if it is dropped.
    pub(crate) draft: NamedTempFile,
}

/// What a file's name ends with.
pub(crate) const fn extension(format: DatasetFormat) -> &'static str {
    match format {
        DatasetFormat::Jsonl => "jsonl",
        DatasetFormat::Csv => "csv",
        DatasetFormat::Parquet => "parquet",
    }
}

/// Writes lines of an eval set into a file without a name in `folder`, for its owner only.
pub(crate) fn write(
    folder: &Path,
    format: DatasetFormat,
    lines: Vec<Value>,
    types: &ColumnTypes,
) -> Outcome<Written> {
    let failed = || format!("the set cannot be written into `{}`", folder.display());
    let ending = format!(".{}", extension(format));
    let mut draft = tempfile::Builder::new()
        .prefix(".plimsoll-dataset-")
        .suffix(&ending)
        .tempfile_in(folder)
        .with_context(failed)
        .or_exit(Exit::Usage)?;
    match format {
        DatasetFormat::Jsonl => jsonl(&mut draft, &lines)
            .with_context(failed)
            .or_exit(Exit::Usage),
        DatasetFormat::Csv => columns::csv(&mut draft, &lines),
        DatasetFormat::Parquet => parquet_columns::write(draft.as_file_mut(), &lines),
    }?;
    draft
        .as_file()
        .sync_all()
        .with_context(failed)
        .or_exit(Exit::Usage)?;
    let mut gathering = Gathering::default();
    for (index, line) in lines.into_iter().enumerate() {
        gathering.add(format!("case {}", index + 1), line);
    }
    let meant = gathering.finish("the dataset").or_exit(Exit::Internal)?;
    let read = eval_set::read(draft.path(), "the dataset", types)?;
    let is_same = meant.cases.len() == read.set.cases.len()
        && meant.cases.iter().zip(&read.set.cases).all(are_same);
    if !is_same {
        let form = extension(format);
        let message = format!(
            "{form} cannot hold these cases as they are (a text that reads as a number, a list in a cell): \
             write them as .jsonl"
        );
        return Err(Failure::says(Exit::Usage, message));
    }
    Ok(Written {
        set: read.set.digest,
        file: read.file,
        draft,
    })
}

/// Whether a case was read back as it was meant. Numbers count by value: 1 is 1.0.
fn are_same((meant, read): (&Case, &Case)) -> bool {
    same(&meant.line(), &read.line())
}

fn jsonl(file: &mut NamedTempFile, lines: &[Value]) -> std::io::Result<()> {
    let mut out = BufWriter::new(file);
    for line in lines {
        serde_json::to_writer(&mut out, line)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Gives a recorded set its name, and says beside it where it comes from. The same bytes may be there already.
pub(crate) fn name(draft: NamedTempFile, path: &Path, export: &DatasetExport) -> Outcome<()> {
    let failed = || format!("the set cannot be written to `{}`", path.display());
    if let Err(taken) = draft.persist_noclobber(path) {
        let there = std::fs::File::open(path).and_then(|mut file| Digest::of_reader(&mut file));
        if there.ok() != Some(export.file) {
            return Err(taken.error).with_context(failed).or_exit(Exit::Usage);
        }
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".provenance.json");
    let text = serde_json::to_vec_pretty(export).or_exit(Exit::Internal)?;
    std::fs::write(beside, text)
        .with_context(failed)
        .or_exit(Exit::Usage)
}

#[cfg(test)]
mod tests;
