//! Holds the tree against what was signed before.

use super::super::checkpoint::Checkpoint;
use super::super::error::AuditError;
use super::super::folder;
use super::super::note::VerifierKey;
use super::super::prove;
use super::Job;
use super::report::{Fault, FaultKind, Faults};

/// Looks at the checkpoint's second line, and at the public key in the folder.
pub(crate) fn own_lines(job: &Job, faults: &mut Faults) -> Result<(), AuditError> {
    if job.checkpoint.at().is_none() {
        let what = "does not say when it was signed: its second signature was changed";
        faults.add(Fault::changed("audit/checkpoint".to_owned(), what));
    }
    let path = job.folder.verifier_key();
    if let Some(text) = folder::read_text(&path)? {
        let own = text.strip_suffix('\n').map(str::parse::<VerifierKey>);
        if !matches!(own, Some(Ok(own)) if own == job.key) {
            let what = "is not the key that the checkpoint is verified with";
            faults.add(Fault::changed(job.name(&path), what));
        }
    }
    Ok(())
}

/// Holds the tree against the checkpoints in `history/`; how many there are.
pub(crate) fn check(job: &Job, faults: &mut Faults) -> Result<u64, AuditError> {
    let path = job.folder.history();
    let entries = match std::fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(AuditError::io("list", &path)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(AuditError::io("list", &path))?.file_name();
        names.extend(name.into_string().ok());
    }
    names.retain(|name| name.ends_with(".checkpoint"));
    names.sort_unstable();
    for name in &names {
        let text = folder::read_text(&path.join(name))?.unwrap_or_default();
        let place = format!("audit/history/{name}");
        match Checkpoint::verify(&text, &job.key) {
            Err(error) => faults.add(Fault::changed(place, format!("cannot be used: {error}"))),
            Ok(old) => {
                if old.at().map(folder::history_name).as_ref() != Some(name) {
                    let what = "was not signed in the hour that its name says";
                    faults.add(Fault::changed(place.clone(), what));
                }
                compare(job, &old, place, faults)?;
            }
        }
    }
    Ok(names.len() as u64)
}

/// Holds the tree against a checkpoint that was kept elsewhere; its size, if the tree begins with it.
pub(crate) fn against(
    job: &Job,
    text: &str,
    faults: &mut Faults,
) -> Result<Option<u64>, AuditError> {
    let place = "the checkpoint that was kept elsewhere".to_owned();
    match Checkpoint::verify(text, &job.key) {
        Ok(old) => {
            let size = old.size();
            let begins = compare(job, &old, place, faults)?;
            Ok(begins.then_some(size))
        }
        Err(error) => {
            faults.add(Fault::changed(place, format!("cannot be used: {error}")));
            Ok(None)
        }
    }
}

/// Whether the tree begins with that of an older checkpoint; a fault if not.
fn compare(
    job: &Job,
    old: &Checkpoint,
    place: String,
    faults: &mut Faults,
) -> Result<bool, AuditError> {
    let (size, now) = (old.size(), job.size());
    let rewritten = |what: String| Fault::new(FaultKind::Rewritten, place.clone(), what);
    if size > now {
        let what = format!("covers {size} records, and the newest checkpoint only {now}");
        faults.add(rewritten(what));
        return Ok(false);
    }
    match prove::is_consistent(&mut job.nodes(), old, &job.checkpoint) {
        Ok(true) => return Ok(true),
        Ok(false) => {
            let what = format!("signs another tree of {size} records than this one begins with");
            faults.add(rewritten(what));
        }
        Err(AuditError::Tile { path, what }) => {
            let tile = job.name(&path);
            faults.add(Fault::missing(
                place,
                format!("cannot be compared: {tile} {what}"),
            ));
        }
        Err(error) => return Err(error),
    }
    Ok(false)
}
