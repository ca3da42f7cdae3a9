//! `people.json`: the accounts of people who sign in to this node, with the hashes of their passwords. It is
//! written under another name first, so that a crash leaves no half of it, and is its owner's only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use parking_lot::Mutex;
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

/// The file of a running node. Whoever wants a list written may go away before it is, and then the next one does
/// not wait for them: so here one writes at a time, and an older list never takes a newer one's place.
#[derive(Debug)]
pub(crate) struct PeopleFile {
    root: PathBuf,
    numbered: AtomicU64,
    /// The number of the list that the file holds.
    written: Mutex<u64>,
}

impl PeopleFile {
    /// The file in the data folder `root`.
    pub(crate) const fn new(root: PathBuf) -> Self {
        Self {
            root,
            numbered: AtomicU64::new(0),
            written: Mutex::new(0),
        }
    }

    /// The number of a list that is to be written: newer lists have higher ones. To be asked for while no
    /// account can change.
    pub(crate) fn number(&self) -> u64 {
        self.numbered.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Keeps the accounts, unless the file holds a newer list already. Blocks.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(&self, number: u64, accounts: &[Account]) -> io::Result<()> {
        let mut written = self.written.lock();
        if number < *written {
            return Ok(());
        }
        write(&self.root, accounts)?;
        *written = number;
        Ok(())
    }
}

/// Puts a file with these accounts in place of the one that is there.
fn write(root: &Path, accounts: &[Account]) -> io::Result<()> {
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

#[cfg(test)]
mod tests {
    use plimsoll_console::PasswordHash;
    use plimsoll_core::account::AccountState;
    use plimsoll_core::{KeyName, Role, Secret, Timestamp};

    use super::*;

    fn account(name: &str) -> Account {
        let at = Timestamp::from_micros(1);
        Account {
            name: KeyName::new(name).unwrap(),
            roles: [Role::Viewer].into(),
            tenant: None,
            password: PasswordHash::of(&Secret::new("correct horse battery".into())),
            state: AccountState::Active,
            created_at: at,
            password_at: at,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let root = tempfile::tempdir().unwrap();
        assert!(read(root.path()).unwrap().is_empty());
        let accounts = [account("ann"), account("bob")];
        let file = PeopleFile::new(root.path().to_owned());
        file.write(file.number(), &accounts).unwrap();
        assert_eq!(read(root.path()).unwrap(), accounts);
        assert!(!root.path().join("people.new").exists());
    }

    #[test]
    fn an_older_list_that_comes_later_does_not_take_a_newer_ones_place() {
        let root = tempfile::tempdir().unwrap();
        let file = PeopleFile::new(root.path().to_owned());
        let (older, newer) = (file.number(), file.number());
        let accounts = [account("ann")];
        file.write(newer, &accounts).unwrap();
        file.write(older, &[]).unwrap();
        assert_eq!(read(root.path()).unwrap(), accounts);
    }

    #[test]
    fn of_many_who_write_at_the_same_time_the_newest_holds() {
        let root = tempfile::tempdir().unwrap();
        let file = PeopleFile::new(root.path().to_owned());
        let one = account("ann");
        std::thread::scope(|scope| {
            for _ in 0..16 {
                let number = file.number();
                let accounts = vec![one.clone(); usize::try_from(number).unwrap()];
                let file = &file;
                scope.spawn(move || file.write(number, &accounts).unwrap());
            }
        });
        assert_eq!(read(root.path()).unwrap().len(), 16);
    }
}
