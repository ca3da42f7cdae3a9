//! `backup.sha256`: what a backup holds, with the digest of every file. It can be checked without us:
//! `sha256sum --check backup.sha256`, to which lines that begin with `#` are comments.
//!
//! ```text
//! # plimsoll-backup 1
//! # {"node":"node-1","at":…,"records":[0,70000],"signed":69990,"keys":false,"secrets":false}
//! <64 hexadecimal digits>  journal/00000000000000000000.seg
//! …
//! # <64 hexadecimal digits: the digest of all bytes before this line>
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use plimsoll_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::disk::replace_file;
use crate::error::JournalError;

use super::Backup;

/// The file's name.
pub(super) const NAME: &str = "backup.sha256";
const TITLE: &str = "# plimsoll-backup 1\n";

/// What a backup says about itself.
#[derive(Debug)]
pub(super) struct Manifest {
    pub about: Backup,
    /// The digest of every file, by its path within the backup.
    pub digests: BTreeMap<String, Digest>,
}

#[derive(Serialize, Deserialize)]
struct About {
    node: Option<String>,
    at: Timestamp,
    records: (u64, u64),
    signed: Option<u64>,
    keys: bool,
    secrets: bool,
    bytes: u64,
}

impl Manifest {
    /// Writes it into the backup `folder`: after this it is finished.
    pub(super) fn write(&self, folder: &Path) -> Result<(), JournalError> {
        let path = folder.join(NAME);
        replace_file(&path, self.to_text().as_bytes(), 0o600)
            .map_err(JournalError::io("write", &path))
    }

    /// Reads that of the backup `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self, JournalError> {
        let path = folder.join(NAME);
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let what = "has no `backup.sha256`: it is none, or was not finished";
                return Err(JournalError::backup(folder, what));
            }
            Err(error) => return Err(JournalError::io("read", &path)(error)),
        };
        if !text.starts_with(TITLE) && text.starts_with("# plimsoll-backup ") {
            let what = "was taken by another version: restore it with the version that took it";
            return Err(JournalError::backup(folder, what));
        }
        Self::parse(&text)
            .ok_or_else(|| JournalError::backup(folder, "has a `backup.sha256` that was changed"))
    }

    fn to_text(&self) -> String {
        let about = About {
            node: self.about.node.clone(),
            at: self.about.at,
            records: (self.about.records.start, self.about.records.end),
            signed: self.about.signed,
            keys: self.about.keys,
            secrets: self.about.secrets,
            bytes: self.about.bytes,
        };
        let about = serde_json::to_string(&about).expect("numbers and a name always are JSON");
        let mut text = format!("{TITLE}# {about}\n");
        for (name, digest) in &self.digests {
            text.push_str(&format!("{digest}  {name}\n"));
        }
        let digest = Digest::of(text.as_bytes());
        text.push_str(&format!("# {digest}\n"));
        text
    }

    /// Reads [`Manifest::to_text`]; `None` if anything is not as it was written.
    fn parse(text: &str) -> Option<Self> {
        let (above, last) = text.strip_suffix('\n')?.rsplit_once('\n')?;
        let above = &text[..=above.len()];
        if last.strip_prefix("# ")?.parse::<Digest>().ok()? != Digest::of(above.as_bytes()) {
            return None;
        }
        let mut lines = above.strip_prefix(TITLE)?.lines();
        let about: About = serde_json::from_str(lines.next()?.strip_prefix("# ")?).ok()?;
        let mut digests = BTreeMap::new();
        for line in lines {
            let (digest, name) = line.split_once("  ")?;
            check_name(name).ok()?;
            digests.insert(name.to_owned(), digest.parse().ok()?);
        }
        Some(Self {
            about: Backup {
                node: about.node,
                at: about.at,
                records: about.records.0..about.records.1,
                signed: about.signed,
                keys: about.keys,
                secrets: about.secrets,
                files: digests.len() as u64,
                bytes: about.bytes,
                missing: Vec::new(),
            },
            digests,
        })
    }
}

/// Makes sure that `name` is a path that stays within a folder and needs no escapes.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    let stays = |part: &str| !matches!(part, "" | "." | "..");
    if name.bytes().all(plain) && name.split('/').all(stays) && name != NAME {
        Ok(())
    } else {
        Err("has a name that no file of a backup can have")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let digests = [("blobs/ab/cd", &b"one"[..]), ("journal/00.seg", b"two")];
        let digests = digests.map(|(name, bytes)| (name.to_owned(), Digest::of(bytes)));
        Manifest {
            about: Backup {
                node: Some("node-1".to_owned()),
                at: Timestamp::from_micros(7),
                records: 3..9,
                signed: Some(8),
                keys: true,
                secrets: false,
                files: 2,
                bytes: 6,
                missing: Vec::new(),
            },
            digests: digests.into(),
        }
    }

    #[test]
    fn a_manifest_reads_back_and_any_change_of_it_is_found() {
        let text = manifest().to_text();
        let read = Manifest::parse(&text).unwrap();
        assert_eq!(read.about, manifest().about);
        assert_eq!(read.digests, manifest().digests);
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            let changed = String::from_utf8(changed).unwrap_or_default();
            assert!(Manifest::parse(&changed).is_none(), "byte {at}");
            assert!(Manifest::parse(&text[..at]).is_none(), "{at} bytes");
        }
    }

    #[test]
    fn a_name_stays_within_the_backup() {
        for name in [
            "",
            "/etc/passwd",
            "a/../b",
            "a//b",
            "./a",
            "a\nb",
            "a b",
            NAME,
        ] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert!(check_name("payloads/keys/acme/2026-03.key").is_ok());
    }
}
