//! `people.json`: the accounts of people who sign in to this node, with the hashes of their passwords. It is
//! written under another name first, so that a crash leaves no half of it, and is its owner's only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use plimsoll_console::Account;
use serde::{Deserialize, Serialize};

/// The version of the file that is written, and the newest that is read.
const VERSION: u32 = 1;

/// The largest file that is read, in bytes: as many accounts as there may be fit several times.
const FILE_BYTES_MAX: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    accounts: Vec<Account>,
}

/// The accounts that the data folder holds; none if there is no such file.
///
/// # Errors
/// If it cannot be read, or a newer version wrote it.
pub(crate) fn read(root: &Path) -> anyhow::Result<Vec<Account>> {
    let file = root.join("people.json");
    let shown = file.display();
    let bytes = match fs::metadata(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => Err(error),
        Ok(found) if found.len() > FILE_BYTES_MAX => Err(io::Error::other("it is too large")),
        Ok(_) => fs::read(&file),
    };
    let unread = || format!("the accounts in `{shown}` cannot be read");
    let bytes = bytes.with_context(unread)?;
    let kept: Kept = serde_json::from_slice(&bytes).with_context(unread)?;
    anyhow::ensure!(
        kept.version <= VERSION,
        "a newer version wrote `{shown}`: run that version"
    );
    Ok(kept.accounts)
}

/// Keeps the accounts in the data folder.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write(root: &Path, accounts: &[Account]) -> io::Result<()> {
    let file = root.join("people.json");
    let draft = file.with_extension("new");
    let kept = Kept {
        version: VERSION,
        accounts: accounts.to_vec(),
    };
    let mut open = OpenOptions::new();
    open.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    let mut writer = open.open(&draft)?;
    writer.write_all(&serde_json::to_vec(&kept)?)?;
    writer.sync_all()?;
    fs::rename(&draft, &file)?;
    fs::File::open(root)?.sync_all()
}
