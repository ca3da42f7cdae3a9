//! The data folder: what lies where, and the two secrets that a node makes for itself.
//!
//! ```text
//! data/
//!   journal/  payloads/  blobs/     the journal's
//!   plimsoll.db                     the database
//!   operator.token                  who has it may do what operators do
//!   people.json                     who signs in, with their passwords' hashes
//!   pepper                          under which subjects become pseudonyms
//! ```

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use plimsoll_core::Secret;

use crate::exit::{Exit, Failure, Outcome};

/// The bytes of randomness in a secret.
const SECRET_BYTES: usize = 32;

/// A data folder that may or may not exist.
#[derive(Clone, Debug)]
pub(crate) struct DataFolder {
    root: PathBuf,
}

impl DataFolder {
    /// The folder at `root`; nothing is made.
    pub(crate) const fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder at `root`, made if it is not there, for its owner only.
    pub(crate) fn create(root: PathBuf) -> Outcome<Self> {
        let folder = Self { root };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&folder.root)
            .map_err(|e| folder.failed("make", &folder.root, e))?;
        Ok(folder)
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The database's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("plimsoll.db")
    }

    /// The file with the operator's token.
    pub(crate) fn token_file(&self) -> PathBuf {
        self.root.join("operator.token")
    }

    /// The operator's token, made at the first start.
    pub(crate) fn operator_token(&self) -> Outcome<Secret> {
        self.secret(&self.token_file())
    }

    /// The pepper, made at the first start.
    pub(crate) fn pepper(&self) -> Outcome<Secret> {
        self.secret(&self.root.join("pepper"))
    }

    /// The secret in `path`, made if the file is not there. It is written under another name first, so
    /// that a crash leaves no half of one.
    fn secret(&self, path: &Path) -> Outcome<Secret> {
        match read_secret(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            read => return read.map_err(|error| self.failed("read", path, error)),
        }
        let draft = path.with_extension("new");
        let mut bytes = [0_u8; SECRET_BYTES];
        getrandom::fill(&mut bytes).expect("the operating system always has random bytes");
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let write = || -> io::Result<()> {
            let mut open = OpenOptions::new();
            open.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
            let mut file = open.open(&draft)?;
            writeln!(file, "{text}")?;
            file.sync_all()?;
            fs::rename(&draft, path)?;
            fs::File::open(&self.root)?.sync_all()
        };
        write().map_err(|error| self.failed("write", path, error))?;
        Ok(Secret::new(text))
    }

    fn failed(&self, doing: &str, path: &Path, error: io::Error) -> Failure {
        let message = format!(
            "the data folder cannot be used: could not {doing} `{}`",
            path.display()
        );
        Failure::new(Exit::Data, anyhow::Error::new(error).context(message))
    }
}

/// The secret in a file, without the line's end.
pub(crate) fn read_secret(path: &Path) -> io::Result<Secret> {
    let text = fs::read_to_string(path)?;
    let text = text.trim();
    if text.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the file is empty",
        ));
    }
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_is_its_owners_only() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = DataFolder::create(temporary.path().join("a/data")).unwrap();
        let first = folder.operator_token().unwrap();
        assert_eq!(first.expose().len(), SECRET_BYTES * 2);
        assert_eq!(folder.operator_token().unwrap().expose(), first.expose());
        assert_ne!(folder.pepper().unwrap().expose(), first.expose());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&folder.token_file()), 0o600);
            assert_eq!(mode(folder.root()), 0o700);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_says_so_with_its_exit_code() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let failure = DataFolder::create(file.path().join("data")).unwrap_err();
        assert_eq!(failure.exit, Exit::Data);
        assert!(
            format!("{:#}", failure.error).contains("data folder"),
            "{:#}",
            failure.error
        );
    }
}
