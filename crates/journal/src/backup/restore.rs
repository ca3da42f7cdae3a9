//! Makes a data folder of a backup.

use std::fs::{self, File};
use std::io;
use std::io::Read as _;
use std::path::Path;

use plimsoll_core::{Digest, NodeName};
use sha2::{Digest as _, Sha256};

use crate::disk::{Disk as _, RealDisk};
use crate::error::JournalError;
use crate::segment::{FileHeader, FileKind, HeaderFound, Layout};

use super::Backup;
use super::folder::{self, Target};
use super::manifest::{Manifest, NAME};

/// Where the files are while they are being restored.
const DRAFT: &str = ".restoring";
const PIECE: usize = 1 << 20;

/// Reads every file of the backup in `from` and makes sure that it is what was written. `progress` is
/// told how many bytes were read, and of how many.
///
/// # Errors
/// [`JournalError::Backup`] if it is none or was changed; if files cannot be read.
pub fn check(from: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Backup, JournalError> {
    let manifest = Manifest::read(from)?;
    check_files(from, &manifest, |done| progress(done, manifest.about.bytes))?;
    Ok(manifest.about)
}

/// Makes the folder `into`, which is empty or not there, what the data folder was from which the backup
/// in `from` was taken. All of it is checked before anything is written. The database is not in it, but
/// for what the caller had added: it is made again by the next start. `progress` is told how many bytes
/// were checked or copied, and of how many.
///
/// If the node went on after the backup was taken, its log has checkpoints that the restored one would
/// contradict. Then `node` names another one that takes over the records: they get its name, and a log of
/// its own over all of them; the old log is kept beside it, in `audit-of-<old node>/`, to prove what it
/// proves.
///
/// # Errors
/// As [`check`]; [`JournalError::NotEmpty`].
pub fn restore(
    from: &Path,
    into: &Path,
    node: Option<&NodeName>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Backup, JournalError> {
    let mut manifest = Manifest::read(from)?;
    let bytes = manifest.about.bytes;
    folder::make_empty(into)?;
    check_files(from, &manifest, |done| progress(done, 2 * bytes))?;

    let draft = into.join(DRAFT);
    let mut copied = |done, _| progress(bytes + done, 2 * bytes);
    let mut target = Target::begin(&draft, bytes, &mut copied)?;
    for name in manifest.digests.keys() {
        if !target.copy(name, &from.join(name))? {
            return Err(JournalError::backup(from, format!("has no `{name}`")));
        }
    }
    if target.finish()? != manifest.digests {
        let what = "was changed while it was restored";
        return Err(JournalError::backup(from, what));
    }
    if let Some(node) = node {
        hand_over(&draft, manifest.about.node.as_deref(), node)?;
        manifest.about.node = Some(node.to_string());
    }
    put_in_place(&draft, into)?;
    Ok(manifest.about)
}

/// Makes `node` the one that wrote the data folder `root`.
fn hand_over(root: &Path, old: Option<&str>, node: &NodeName) -> Result<(), JournalError> {
    let Some(old) = old.filter(|old| *old != node.as_str()) else {
        return Ok(());
    };
    let layout = Layout::new(root);
    for first in layout.segments()? {
        rename_in(FileKind::Segment, &layout.segment(first), node)?;
    }
    for first in layout.payload_files()? {
        rename_in(FileKind::Payloads, &layout.payload(first), node)?;
    }
    let log = root.join("audit");
    if log.exists() {
        let path = root.join(format!("audit-of-{old}"));
        fs::rename(&log, &path).map_err(JournalError::io("move", &path))?;
    }
    Ok(())
}

/// Writes another node's name into a file's header; one that is not whole stays as it is.
fn rename_in(kind: FileKind, path: &Path, node: &NodeName) -> Result<(), JournalError> {
    let HeaderFound::Whole(header) = FileHeader::read(kind, path)? else {
        return Ok(());
    };
    let header = FileHeader {
        node: node.to_string(),
        ..header
    };
    let mut file = RealDisk
        .open(path)
        .map_err(JournalError::io("open", path))?;
    file.write_at(&header.to_bytes(kind), 0)
        .and_then(|()| file.sync())
        .map_err(JournalError::io("write", path))
}

/// Moves what is in `draft` to where it belongs: the journal last, as a node that finds none begins one.
fn put_in_place(draft: &Path, into: &Path) -> Result<(), JournalError> {
    let entries = fs::read_dir(draft).map_err(JournalError::io("list", draft))?;
    let names: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.file_name())).collect();
    let mut names = names.map_err(JournalError::io("list", draft))?;
    names.sort_by_key(|name| name == "journal");
    for name in names {
        let path = into.join(&name);
        fs::rename(draft.join(&name), &path).map_err(JournalError::io("move", &path))?;
    }
    fs::remove_dir(draft).map_err(JournalError::io("remove", draft))?;
    RealDisk
        .sync_folder(into)
        .map_err(JournalError::io("sync", into))
}

fn check_files(
    from: &Path,
    manifest: &Manifest,
    mut progress: impl FnMut(u64),
) -> Result<(), JournalError> {
    let mut done = 0;
    for (name, expected) in &manifest.digests {
        let path = from.join(name);
        let found = digest(&path, |bytes| {
            done += bytes;
            progress(done);
        });
        match found {
            Ok(found) if found == *expected => {}
            Ok(_) => {
                let what = format!("is damaged: `{name}` is not what was written to it");
                return Err(JournalError::backup(from, what));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let what = format!("is damaged: `{name}` is missing, which `{NAME}` names");
                return Err(JournalError::backup(from, what));
            }
            Err(error) => return Err(JournalError::io("read", &path)(error)),
        }
    }
    Ok(())
}

fn digest(path: &Path, mut progress: impl FnMut(u64)) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(Digest::from_bytes(hash.finalize().into())),
            Ok(count) => {
                hash.update(&piece[..count]);
                progress(count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
