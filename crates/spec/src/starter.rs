//! A commented workspace to begin with.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What kind of system the workspace begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StarterKind {
    /// A predictor over rows.
    Predictor,
    /// A language model behind a prompt.
    Llm,
}

/// Why no workspace was written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Something is there already: nothing was written.
    #[error("`{}` is there already, and nothing is overwritten: choose another folder", .0.display())]
    Exists(PathBuf),
    /// A file or folder could not be written.
    #[error("could not write `{}`", .path.display())]
    Write {
        /// What was to be written.
        path: PathBuf,
        /// Why it was not.
        #[source]
        source: std::io::Error,
    },
}

macro_rules! files {
    ($kind:literal, $system:literal: $($name:literal),* ; $($own:literal),*) => {
        &[
            (".gitignore", "/data/\n/.runtime/\n"),
            $(($name, include_str!(concat!("starter/", $kind, "/", $name))),)*
            $((concat!("systems/", $system, "/", $own), include_str!(concat!("starter/", $kind, "/", $own))),)*
        ]
    };
}

const PREDICTOR: &[(&str, &str)] = files!("predictor", "refund-check": "plimsoll.toml";
    "system.toml", "input.schema.json", "output.schema.json", "rules.toml", "cases.jsonl", "runbook.md");

const LLM: &[(&str, &str)] = files!("llm", "support-draft": "plimsoll.toml", "prices.toml";
    "system.toml", "prompt.md", "input.schema.json", "answer.schema.json", "cases.jsonl", "runbook.md");

/// Writes a workspace into `folder`, which may hold other files, and says what was written.
///
/// # Errors
/// If a file is there already (then nothing is written), or one cannot be written.
pub fn init(folder: &Path, kind: StarterKind) -> Result<Vec<PathBuf>, InitError> {
    let files = match kind {
        StarterKind::Predictor => PREDICTOR,
        StarterKind::Llm => LLM,
    };
    let existing = files
        .iter()
        .map(|(name, _)| folder.join(name))
        .find(|path| path.symlink_metadata().is_ok());
    if let Some(path) = existing {
        return Err(InitError::Exists(path));
    }
    files
        .iter()
        .map(|(name, text)| write(&folder.join(name), text))
        .collect()
}

fn write(path: &Path, text: &str) -> Result<PathBuf, InitError> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => InitError::Exists(path.to_owned()),
        _ => InitError::Write {
            path: path.to_owned(),
            source,
        },
    };
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(failed)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_starter_passes_the_check_without_a_warning() {
        for kind in [StarterKind::Predictor, StarterKind::Llm] {
            let folder = tempfile::tempdir().unwrap();
            init(folder.path(), kind).unwrap();
            let workspace = crate::load(folder.path(), &NoEnvironment)
                .unwrap_or_else(|problems| panic!("{problems}"));
            assert_eq!(workspace.systems.len(), 1);
            assert!(workspace.warnings.is_empty(), "{:?}", workspace.warnings);
        }
    }

    #[test]
    fn nothing_is_ever_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("plimsoll.toml"), "mine").unwrap();
        let error = init(folder.path(), StarterKind::Llm).unwrap_err();
        assert!(matches!(error, InitError::Exists(_)), "{error}");
        assert_eq!(
            fs::read_to_string(folder.path().join("plimsoll.toml")).unwrap(),
            "mine"
        );
        assert!(!folder.path().join("systems").exists());
    }

    struct NoEnvironment;

    impl crate::Environment for NoEnvironment {
        fn var(&self, _: &str) -> Option<String> {
            None
        }
    }
}
