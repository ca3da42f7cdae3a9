//! How a log begins, or goes on where it was. It goes on only if key, checkpoint, tiles and journal agree:
//! else to sign would be to sign something else than before.

use plimsoll_core::{Clock, Digest};

use super::checkpoint::Checkpoint;
use super::edge::Edge;
use super::error::AuditError;
use super::folder::{self, Folder};
use super::note::SignerKey;
use super::tiles::{TileNodes, WIDTH};
use super::tree;
use super::writing;
use crate::disk::Disk;
use crate::error::JournalError;
use crate::reader::Reader;

/// A log that may go on.
#[derive(Debug)]
pub(crate) struct Begun {
    pub key: SignerKey,
    pub checkpoint: Checkpoint,
    pub edge: Edge,
}

/// What a log is begun with.
pub(crate) struct Beginning<'a> {
    pub folder: &'a Folder,
    pub origin: &'a str,
    pub disk: &'a dyn Disk,
    pub clock: &'a dyn Clock,
    /// How many records the journal has on disk.
    pub committed: u64,
}

fn stopped(why: String) -> AuditError {
    AuditError::Stopped(why)
}

impl Beginning<'_> {
    /// Goes on with the log in the folder, or begins one. `read` gives the journal's records from a
    /// sequence on.
    ///
    /// # Errors
    /// [`AuditError::Io`] and [`AuditError::Journal`] if files cannot be read or written: to be tried
    /// again. Anything else: the log must not go on.
    pub(crate) fn begin(&self, read: impl Fn(u64) -> Reader) -> Result<Begun, AuditError> {
        writing::create_folder(&self.folder.history())?;
        let checkpoint = folder::read_text(&self.folder.checkpoint())?;
        let has_tiles = self.folder.tiles().exists();
        let key = self.key(checkpoint.is_some() || has_tiles)?;
        let checkpoint = match checkpoint {
            Some(note) => Checkpoint::verify(&note, &key.verifier())?,
            None if has_tiles => {
                return Err(stopped("`audit/checkpoint` is gone".to_owned()));
            }
            None => self.first_checkpoint(&key)?,
        };
        let size = checkpoint.size();
        if size > self.committed {
            return Err(stopped(format!(
                "{size} records are signed, and the journal has only {}: it was set back",
                self.committed
            )));
        }
        let edge = Edge::read(self.folder, size)?;
        if Digest::from_bytes(edge.root()) != checkpoint.root() {
            return Err(stopped(
                "the tiles do not have the root that is signed: one of them was changed".to_owned(),
            ));
        }
        self.compare_end(size, read)?;
        Ok(Begun {
            key,
            checkpoint,
            edge,
        })
    }

    /// The log's key, made if there is no log yet.
    fn key(&self, is_there: bool) -> Result<SignerKey, AuditError> {
        let path = self.folder.key();
        let key = match folder::read_text(&path)? {
            Some(text) => SignerKey::parse(text.trim_end_matches('\n'))
                .map_err(|error| stopped(format!("`audit/key` cannot be used: {error}")))?,
            None if is_there => return Err(stopped("`audit/key` is gone".to_owned())),
            None => {
                let key = SignerKey::generate(self.origin)?;
                self.keep(&path, &key.to_text())?;
                key
            }
        };
        let verifier = key.verifier();
        if verifier.origin() != self.origin {
            return Err(stopped(format!(
                "it was begun as `{}` and cannot go on as `{}`: set `[audit] origin` back",
                verifier.origin(),
                self.origin
            )));
        }
        let text = verifier.to_string();
        let path = self.folder.verifier_key();
        match folder::read_text(&path)? {
            Some(kept) if kept.trim_end_matches('\n') != text => {
                return Err(stopped(
                    "`audit/log.vkey` is not the public key of `audit/key`".to_owned(),
                ));
            }
            Some(_) => {}
            None => self.keep(&path, &text)?,
        }
        Ok(key)
    }

    fn keep(&self, path: &std::path::Path, line: &str) -> Result<(), AuditError> {
        self.disk
            .replace(path, format!("{line}\n").as_bytes())
            .map_err(AuditError::io("write", path))
    }

    /// The checkpoint of the empty tree: once it is there, tiles without a checkpoint are no young log.
    fn first_checkpoint(&self, key: &SignerKey) -> Result<Checkpoint, AuditError> {
        let root = Digest::from_bytes(tree::root_over(&[]));
        let checkpoint = Checkpoint::sign(key, 0, root, self.clock.now());
        let path = self.folder.checkpoint();
        self.disk
            .replace(&path, checkpoint.note().as_bytes())
            .map_err(AuditError::io("write", &path))?;
        let above = self.folder.path().parent().unwrap_or(self.folder.path());
        self.disk
            .sync_folder(above)
            .map_err(AuditError::io("sync", above))?;
        Ok(checkpoint)
    }

    /// Holds the newest signed leaves against the journal's records. A journal that was set back and then
    /// grew again has others there.
    fn compare_end(&self, size: u64, read: impl Fn(u64) -> Reader) -> Result<(), AuditError> {
        let Some(last) = size.checked_sub(1) else {
            return Ok(());
        };
        let mut nodes = TileNodes::new(self.folder, size);
        let mut reader = read(last - last % WIDTH as u64);
        loop {
            let (sequence, body) = match reader.next_body() {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(()),
                Err(JournalError::Damaged(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            if sequence > last {
                return Ok(());
            }
            let leaf = nodes.leaf(sequence)?;
            if leaf != tree::leaf_hash(body) && leaf != tree::EMPTY_LEAF {
                return Err(stopped(format!(
                    "record {sequence} is not the one that was signed: the journal was set back or changed"
                )));
            }
        }
    }
}
