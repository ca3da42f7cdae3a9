//! `plimsoll audit prove` and `check`: that a decision is in the log, in one file.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use plimsoll_journal::audit::{Checkpoint, Proof, prove, verifier_key};
use plimsoll_store::Place;
use serde_json::{Value, json};

use super::verify::key;
use crate::cli::Global;
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::Output;
use crate::workspace::{Reading, data_folder};

/// Writes a proof that the decision's last record is in the log.
pub(super) async fn run(
    global: &Global,
    id: &str,
    file: Option<&Path>,
    out: Output,
) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let decision = reading.store.decision_by_prefix(None, id).await?;
    let place = reading.store.place(decision.id).await?;
    let Some(place) = place else {
        let message = format!("it is not known where decision {} is recorded", decision.id);
        return Err(Failure::says(Exit::No, message));
    };
    let proof = proof_of(&reading, &place).await?;
    let text = proof.to_string();
    let Some(file) = file else {
        out.print(&text)?;
        return Ok(Exit::Yes);
    };
    let mut open = OpenOptions::new();
    let cannot = || format!("could not make `{}`", file.display());
    let made = open.write(true).create_new(true).open(file);
    let mut made = made.with_context(cannot).or_exit(Exit::Usage)?;
    made.write_all(text.as_bytes())
        .with_context(cannot)
        .or_exit(Exit::Usage)?;
    let checkpoint = checkpoint_of(&reading, &proof)?;
    let said = json!({
        "decision": decision.id, "leaf": proof.index(), "size": checkpoint.size(), "file": file,
    });
    out.show(&said, || {
        let (leaf, size, file) = (proof.index(), checkpoint.size(), file.display());
        format!(
            "decision {} is leaf {leaf} of {size}; to check {file}: plimsoll audit check {file} --key log.vkey\n",
            decision.id
        )
    })?;
    Ok(Exit::Yes)
}

/// The proof of the record at `place`, under the latest checkpoint.
pub(crate) async fn proof_of(reading: &Reading, place: &Place) -> Outcome<Proof> {
    let node = reading
        .workspace
        .as_ref()
        .map(|workspace| &workspace.server.node);
    if node.is_some_and(|node| *node != place.node) {
        let message = format!(
            "it is in the log of node `{}`: ask where that node's data folder is",
            place.node
        );
        return Err(Failure::says(Exit::No, message));
    }
    let (root, sequence) = (reading.folder.root().to_owned(), place.sequence);
    let proving = tokio::task::spawn_blocking(move || prove(&root, sequence));
    let proof = proving.await.or_exit(Exit::Internal)?;
    proof
        .context("it cannot be proved yet: a running server signs a checkpoint within ten seconds")
        .or_exit(Exit::No)
}

/// The checkpoint that a proof from this data folder stands on.
pub(crate) fn checkpoint_of(reading: &Reading, proof: &Proof) -> Outcome<Checkpoint> {
    let key = verifier_key(reading.folder.root());
    let checkpoint = key.and_then(|key| proof.checkpoint(&key));
    checkpoint
        .context("the log's own checkpoint does not fit its key")
        .or_exit(Exit::Data)
}

/// Checks a proof offline; the answer is no if it proves nothing under this key.
pub(super) fn check(
    global: &Global,
    file: &Path,
    key_file: Option<&Path>,
    out: Output,
) -> Outcome<Exit> {
    let cannot = || format!("the proof `{}` could not be read", file.display());
    let text = std::fs::read_to_string(file)
        .with_context(cannot)
        .or_exit(Exit::Usage)?;
    let key = match key_file {
        Some(_) => {
            let nowhere = crate::data_folder::DataFolder::at(std::path::PathBuf::new());
            key(&nowhere, key_file)?
        }
        None => key(&data_folder(global)?, None)?,
    };
    let checked = text.parse::<Proof>().and_then(|proof| {
        let entry = proof.check(&key)?;
        Ok((proof.index(), proof.checkpoint(&key)?, entry))
    });
    let (leaf, checkpoint, entry) = match checked {
        Ok(checked) => checked,
        Err(error) => {
            let failed = json!({"proved": false, "reason": error.to_string()});
            out.show(&failed, || format!("{} {error}\n", out.paint.mark(false)))?;
            return Ok(Exit::No);
        }
    };
    let entry: Value = serde_json::from_slice(&entry).unwrap_or_default();
    let (origin, size) = (key.origin(), checkpoint.size());
    let said = json!({
        "proved": true, "origin": origin, "leaf": leaf, "size": size, "at": checkpoint.at(), "entry": entry,
    });
    out.show(&said, || {
        let pretty = serde_json::to_string_pretty(&entry).unwrap_or_default();
        let mark = out.paint.mark(true);
        format!("{mark} leaf {leaf} of {size} in the log {origin}:\n{pretty}\n")
    })?;
    Ok(Exit::Yes)
}
