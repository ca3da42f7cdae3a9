//! Reads every blob, and looks for what releases are made of.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use plimsoll_core::{Digest, ReleaseId};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::error::AuditError;
use super::Job;
use super::crew::Task;
use super::report::{Fault, Faults};
use super::segment::SegmentRead;

const PIECE: usize = 256 << 10;

fn folder(job: &Job) -> PathBuf {
    job.root.join("blobs")
}

fn path_of(job: &Job, digest: Digest) -> PathBuf {
    let text = digest.to_string();
    let (first, rest) = text.split_at(2);
    folder(job).join(first).join(rest)
}

/// The folders of blobs, a task each.
pub(crate) fn tasks(job: &Job) -> Result<Vec<Task>, AuditError> {
    let path = folder(job);
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(AuditError::io("list", &path)(error)),
    };
    let mut tasks = Vec::new();
    for entry in entries {
        let entry = entry.map_err(AuditError::io("list", &path))?;
        if entry.file_name().len() == 2 {
            tasks.push(Task::Blobs(entry.path()));
        }
    }
    Ok(tasks)
}

/// Reads the blobs of a folder; how many have the bytes that their names say.
pub(crate) fn read(job: &Job, folder: &Path, faults: &mut Faults) -> Result<u64, AuditError> {
    let mut whole = 0;
    let begin = folder.file_name().and_then(|name| name.to_str());
    let entries = fs::read_dir(folder).map_err(AuditError::io("list", folder))?;
    for entry in entries {
        let path = entry.map_err(AuditError::io("list", folder))?.path();
        let rest = path.file_name().and_then(|name| name.to_str());
        let name = begin
            .zip(rest)
            .map(|(begin, rest)| format!("{begin}{rest}"));
        let Some(digest) = name.and_then(|name| name.parse::<Digest>().ok()) else {
            continue;
        };
        if digest_of(job, &path).map_err(AuditError::io("read", &path))? == digest {
            whole += 1;
        } else {
            let what = "has not the bytes that its name says";
            faults.add(Fault::changed(job.name(&path), what));
        }
    }
    Ok(whole)
}

fn digest_of(job: &Job, path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(Digest::from_bytes(hash.finalize().into())),
            Ok(count) => {
                hash.update(&piece[..count]);
                job.done.fetch_add(count as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Looks for the manifest and the parts of every release that was made or deployed; how many have all.
pub(crate) fn releases(
    job: &Job,
    segments: &[SegmentRead],
    faults: &mut Faults,
) -> Result<u64, AuditError> {
    let (mut whole, mut seen) = (0, BTreeSet::new());
    for (release, manifest, sequence) in segments.iter().flat_map(|read| &read.releases) {
        let first_time = seen.insert(release.0);
        let fits = match manifest_of(job, *release)? {
            Some(blob) => blob == *manifest,
            None => {
                faults.add(missing(job, release.0, *sequence));
                continue;
            }
        };
        if !fits {
            let path = path_of(job, release.0);
            let what = "is not the manifest in the release's record";
            faults.add(Fault::changed(job.name(&path), what).of_record(*sequence));
            continue;
        }
        let parts = parts_of(manifest);
        let absent = parts.iter().filter(|part| !path_of(job, **part).exists());
        let absent: Vec<Digest> = absent.copied().collect();
        whole += u64::from(first_time && absent.is_empty());
        for part in absent {
            faults.add(missing(job, part, *sequence));
        }
    }
    for (release, sequence) in segments.iter().flat_map(|read| &read.deployed) {
        if seen.insert(release.0) && !path_of(job, release.0).exists() {
            faults.add(missing(job, release.0, *sequence));
        }
    }
    Ok(whole)
}

fn missing(job: &Job, digest: Digest, sequence: u64) -> Fault {
    let what = format!("is missing; record {sequence} names it");
    Fault::missing(job.name(&path_of(job, digest)), what).of_record(sequence)
}

/// The manifest in the blob of a release; none if there is no blob. A blob that is no JSON is null.
fn manifest_of(job: &Job, release: ReleaseId) -> Result<Option<Value>, AuditError> {
    let path = path_of(job, release.0);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).unwrap_or_default())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(AuditError::io("read", &path)(error)),
    }
}

/// The blobs that a manifest names.
fn parts_of(manifest: &Value) -> BTreeSet<Digest> {
    let artifacts = manifest["artifacts"].as_object();
    let models = manifest["models"].as_object();
    let single = [
        &manifest["prompt"]["template"],
        &manifest["input"]["schema"],
        &manifest["output"]["schema"],
    ];
    let artifacts = artifacts.into_iter().flat_map(|all| all.values());
    let files = models.into_iter().flat_map(|all| all.values());
    let all = artifacts
        .chain(files.map(|model| &model["file"]))
        .chain(single);
    all.filter_map(|part| part.as_str()?.parse().ok()).collect()
}
