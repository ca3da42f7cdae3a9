//! A copy of a data folder, taken while a node may be writing it, and the way back.
//!
//! A backup is a data folder: it lies as the folder did, can be read and verified where it is, and has one
//! file more, `backup.sha256`, with the digest of every other. That file is written last: a backup without
//! it was not finished.
//!
//! What is copied fits together whatever happens meanwhile, because of the order. The checkpoint of the
//! audit log comes first and the journal later, so that every record that is signed is there. Of each
//! round of the journal the payloads come last, so that none is missed that a record refers to; and there
//! is another round as long as the last one saw something overwritten or let go, so that the record of
//! that is there too. Blobs come after the records that name them.
//!
//! The database is not copied: it is made again from the journal. What only the database knows the caller
//! hands over as a file.

mod folder;
mod log;
mod manifest;
mod records;
mod restore;

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use plimsoll_core::Timestamp;

use crate::blobs::Blobs;
use crate::error::JournalError;
use crate::segment::Layout;

use folder::Target;
use manifest::Manifest;

pub use restore::{check, restore};

/// What a backup is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackupOptions {
    /// When it is taken.
    pub at: Timestamp,
    /// Whether the tenants' payload keys are in it. With them it holds payloads that can be read, also
    /// those that are erased later; without them it holds none.
    pub keys: bool,
    /// Whether the node's own secrets are in it: the audit log's signing key, `pepper`, `operator.token`, and
    /// `people.json`, which holds the hashes of passwords.
    pub secrets: bool,
    /// Further files: by which name within the data folder, and where they lie.
    pub extra: Vec<(String, PathBuf)>,
}

/// What a backup holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backup {
    /// The node whose data folder it is; none if it had recorded nothing.
    pub node: Option<String>,
    /// When it was taken.
    pub at: Timestamp,
    /// The records that it holds, by sequence.
    pub records: Range<u64>,
    /// How many of them are under the checkpoint that it holds; none without an audit log.
    pub signed: Option<u64>,
    /// Whether the tenants' payload keys are in it.
    pub keys: bool,
    /// Whether the node's own secrets are in it.
    pub secrets: bool,
    /// How many files it has.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// What the audit log should have and has not, the checkpoint or tiles: the folder was damaged before.
    /// Empty in a backup that was read again.
    pub missing: Vec<String>,
}

/// The secrets of a node that lie at the top of its data folder, as far as it has them.
const SECRETS: [&str; 3] = ["pepper", "operator.token", "people.json"];

/// Copies the data folder `root` into the folder `into`, which is empty or not there, also while a node
/// writes it. `progress` is told how many bytes were copied, and of how many. Blocks for as long as
/// copying takes.
///
/// # Errors
/// [`JournalError::NotEmpty`]; if files cannot be read or written.
pub fn backup(
    root: &Path,
    into: &Path,
    options: &BackupOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Backup, JournalError> {
    let layout = Layout::new(root);
    layout.segments()?;
    let mut target = Target::begin(into, size(root, options)?, progress)?;
    let log = log::copy(root, options.secrets, &mut target)?;
    let records = records::copy(&layout, &mut target)?;
    copy_folder(&Blobs::folder_in(root), "blobs", &mut target)?;
    if options.keys {
        copy_folder(&layout.keys(), "payloads/keys", &mut target)?;
    }
    if options.secrets {
        for name in SECRETS {
            target.copy(name, &root.join(name))?;
        }
    }
    for (name, path) in &options.extra {
        manifest::check_name(name).map_err(|what| JournalError::backup(path, what))?;
        if target.has(name) || !target.copy(name, path)? {
            let what =
                "cannot be added: it is not there, or another file of the backup has its name";
            return Err(JournalError::backup(path, what));
        }
    }
    let (files, bytes) = (target.files(), target.bytes());
    let manifest = Manifest {
        about: Backup {
            node: records.node,
            at: options.at,
            records: records.range,
            signed: log.signed,
            keys: options.keys,
            secrets: options.secrets,
            files,
            bytes,
            missing: log.missing,
        },
        digests: target.finish()?,
    };
    manifest.write(into)?;
    Ok(manifest.about)
}

/// Copies all files of a folder that bear a name for good.
fn copy_folder(from: &Path, name: &str, target: &mut Target<'_>) -> Result<(), JournalError> {
    for (below, path) in files_below(from)? {
        target.copy(&format!("{name}/{below}"), &path)?;
    }
    Ok(())
}

/// The files below a folder, with their paths from there, in order; without those that are being made.
fn files_below(folder: &Path) -> Result<Vec<(String, PathBuf)>, JournalError> {
    let mut found = Vec::new();
    let mut folders = vec![(String::new(), folder.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(JournalError::io("list", &folder))?,
        };
        for entry in entries {
            let entry = entry.map_err(JournalError::io("list", &folder))?;
            let kind = entry
                .file_type()
                .map_err(JournalError::io("read", &entry.path()))?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let below = format!("{prefix}{name}");
            if kind.is_dir() {
                folders.push((format!("{below}/"), entry.path()));
            } else if kind.is_file() && !name.ends_with(".tmp") {
                found.push((below, entry.path()));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// About how many bytes there are to copy.
fn size(root: &Path, options: &BackupOptions) -> Result<u64, JournalError> {
    let mut files = Vec::new();
    for folder in ["journal", "payloads", "audit", "blobs"] {
        files.extend(files_below(&root.join(folder))?);
    }
    let extra = options.extra.iter().map(|(_, path)| path);
    let paths = files.iter().map(|(_, path)| path).chain(extra);
    // What is gone meanwhile needs no room.
    Ok(paths
        .filter_map(|path| Some(fs::metadata(path).ok()?.len()))
        .sum())
}
