//! `plimsoll batch`: the rows of a file answered into another, in process, for systems that are not
//! online. Each row is a decision like any other: recorded, explained, counted.
//!
//! The output has a line for each row, in the order of the input. A run that was cut off goes on where
//! it stopped: what stands in the output, whole lines only, is not asked again.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use plimsoll_control::figures::count;
use plimsoll_core::{Clock as _, Outcome as Ended, SystemClock, SystemName, TenantName};
use plimsoll_gateway::{Aim, Asked, Node, Question};
use serde_json::{Value, json};

use crate::assembly::assemble;
use crate::cli::{BatchArgs, Global};
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::{Output, progress};
use crate::rows::{ColumnTypes, Rows};
use crate::workspace;

/// After how many rows the output is brought to disk.
const SYNC_ROWS: u64 = 1_000;

/// Answers what is not answered yet.
pub(crate) async fn run(global: &Global, args: &BatchArgs, out: Output) -> Outcome<Exit> {
    let workspace = workspace::load(global)?;
    workspace::warn(&workspace);
    let system = workspace::system(&workspace, args.system.as_ref())?;
    let (name, types) = (system.name.clone(), ColumnTypes::of(&workspace, system));
    let total = Rows::count(&args.input)?;
    let mut answers = Answers::open(&args.output)?;
    let skipped = answers.rows;
    if skipped > total {
        let message = format!(
            "`{}` has {skipped} rows and `{}` only {total}: it is the output of another file",
            args.output.display(),
            args.input.display()
        );
        return Err(Failure::says(Exit::Usage, message));
    }
    let mut rows = Rows::open(&args.input, types)?;
    for _ in 0..skipped {
        rows.next_row()?;
    }
    let assembly = assemble(workspace).await?;
    let clock = SystemClock::new();
    let asker = Asker {
        node: Arc::clone(&assembly.node),
        system: name.clone(),
        tenant: args.tenant.clone(),
    };
    let answered = answer_all(&asker, rows, &mut answers, (total, args.concurrency)).await;
    let closed = assembly.close().await;
    answered?;
    closed?;
    let seconds = clock.elapsed().as_secs_f64();
    let done = answers.rows - skipped;
    let summary = json!({"rows": total, "answered": done, "skipped": skipped, "seconds": seconds});
    out.show(&summary, || {
        let before = if skipped > 0 {
            format!(", {} were there", count(skipped))
        } else {
            String::new()
        };
        format!(
            "{} rows answered by {name} in {seconds:.1} s{before}\n",
            count(done)
        )
    })?;
    Ok(Exit::Yes)
}

async fn answer_all(
    asker: &Asker,
    mut rows: Rows,
    answers: &mut Answers,
    (total, concurrency): (u64, u32),
) -> Outcome<()> {
    let bar = progress(Some(total), "rows");
    bar.set_position(answers.rows);
    bar.reset_eta();
    let first = answers.rows;
    let source = std::iter::from_fn(|| rows.next_row().transpose());
    let asked = stream::iter((first..).zip(source)).map(|(number, row)| asker.ask(number, row));
    let mut asked = asked.buffered(concurrency as usize);
    let interrupted = tokio::signal::ctrl_c();
    let mut interrupted = std::pin::pin!(interrupted);
    loop {
        let next = tokio::select! {
            next = asked.next() => next,
            _ = &mut interrupted => {
                answers.sync()?;
                let message = "interrupted: the same command goes on where this one stopped";
                return Err(Failure::says(Exit::No, message));
            }
        };
        let Some(line) = next else { break };
        answers.write(&line?)?;
        bar.inc(1);
    }
    answers.sync()?;
    bar.finish_and_clear();
    Ok(())
}

struct Asker {
    node: Arc<Node>,
    system: SystemName,
    tenant: TenantName,
}

impl Asker {
    /// One row's line of the output.
    async fn ask(&self, number: u64, row: Outcome<String>) -> Outcome<Value> {
        let row = row?;
        let Ok(input) = serde_json::from_str::<Value>(&row) else {
            let error = json!({"code": "json_syntax", "message": "the line is not JSON"});
            return Ok(
                json!({"row": number, "decision": null, "outcome": "refused", "error": error}),
            );
        };
        let question = Question {
            system: self.system.clone(),
            tenant: self.tenant.clone(),
            input,
            given: std::collections::BTreeMap::new(),
            unit: None,
            aim: Aim::Assigned,
        };
        let asked = self.node.ask(question).await.or_exit(Exit::Workspace)?;
        Ok(line(number, &asked))
    }
}

fn line(number: u64, asked: &Asked) -> Value {
    let decision = &asked.decision;
    let mut line = json!({
        "row": number,
        "decision": decision.id,
        "outcome": decision.outcome.map_or("pending", Ended::as_str),
        "kind": decision.kind,
        "answer": asked.answer,
        "confidence": decision.confidence,
        "release": decision.release,
    });
    if let Some(refusal) = &asked.refusal {
        let details = json!(refusal.details);
        line["error"] =
            json!({"code": refusal.code, "message": refusal.message, "details": details});
    }
    line
}

/// The output file: whole lines, the first so many rows of the input.
struct Answers {
    file: BufWriter<File>,
    rows: u64,
    unsynced: u64,
}

impl Answers {
    /// Opens or makes the file. A last line that is not whole is cut off: its row is asked again.
    fn open(path: &Path) -> Outcome<Self> {
        let opening = || format!("the output `{}` cannot be written", path.display());
        let mut open = OpenOptions::new();
        open.read(true).write(true).create(true).truncate(false);
        let mut file = open.open(path).with_context(opening).or_exit(Exit::Data)?;
        let (rows, bytes) = whole_lines(&file, path)?;
        file.set_len(bytes)
            .with_context(opening)
            .or_exit(Exit::Data)?;
        file.seek(SeekFrom::End(0))
            .with_context(opening)
            .or_exit(Exit::Data)?;
        Ok(Self {
            file: BufWriter::new(file),
            rows,
            unsynced: 0,
        })
    }

    fn write(&mut self, line: &Value) -> Outcome<()> {
        let failed = "the output cannot be written";
        writeln!(self.file, "{line}")
            .context(failed)
            .or_exit(Exit::Data)?;
        self.rows += 1;
        self.unsynced += 1;
        if self.unsynced >= SYNC_ROWS {
            self.sync()
        } else {
            Ok(())
        }
    }

    fn sync(&mut self) -> Outcome<()> {
        self.unsynced = 0;
        let flushed = self
            .file
            .flush()
            .and_then(|()| self.file.get_ref().sync_data());
        flushed
            .context("the output cannot be written")
            .or_exit(Exit::Data)
    }
}

/// How many whole lines the file has, and in how many bytes.
fn whole_lines(file: &File, path: &Path) -> Outcome<(u64, u64)> {
    let mut reader = BufReader::new(file);
    let (mut rows, mut bytes) = (0, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).or_exit(Exit::Data)?;
        if read == 0 || line.last() != Some(&b'\n') {
            return Ok((rows, bytes));
        }
        let number = serde_json::from_slice::<Value>(&line)
            .ok()
            .and_then(|line| line["row"].as_u64());
        if number != Some(rows) {
            let message = format!(
                "line {} of `{}` is not row {rows} of a batch: name another file for the output",
                rows + 1,
                path.display()
            );
            return Err(Failure::says(Exit::Usage, message));
        }
        rows += 1;
        bytes += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_cut_and_its_row_asked_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        std::fs::write(&path, "{\"row\":0}\n{\"row\":1}\n{\"row\":2,\"ans").unwrap();
        let mut answers = Answers::open(&path).unwrap();
        assert_eq!(answers.rows, 2);
        answers.write(&json!({"row": 2})).unwrap();
        answers.sync().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\"row\":0}\n{\"row\":1}\n{\"row\":2}\n");
    }

    #[test]
    fn a_file_that_is_no_output_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        for text in ["hello\n", "{\"row\":1}\n"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(Answers::open(&path).err().unwrap().exit, Exit::Usage);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
