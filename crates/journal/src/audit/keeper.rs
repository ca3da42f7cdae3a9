//! The log's thread: it adds the leaves of committed records to the tree, keeps the tiles, and signs.
//!
//! When the disk refuses, everything since the last checkpoint is done again, from the journal, until the
//! disk takes it: a tile that was written before a failed sync is not mistaken for one that is on disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::{Clock, Digest, Timestamp};

use super::begin::{Beginning, Begun};
use super::board::Board;
use super::checkpoint::Checkpoint;
use super::copy::Copier;
use super::edge::Edge;
use super::error::AuditError;
use super::feed::{Feed, Run};
use super::folder::{self, Folder};
use super::hashing::Gathered;
use super::note::SignerKey;
use super::tiles::{self, Tile};
use super::tree::{self, EMPTY_LEAF, Hash};
use super::writing::TileWriter;
use crate::disk::Disk;
use crate::error::JournalError;
use crate::queue::Queue;
use crate::reader::Reader;
use crate::segment::Layout;

const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// So many leaves are read from the journal before the thread looks up.
const READ_MAX: u64 = 1 << 14;
/// So many records are hashed at a time.
const HASHED_TOGETHER: usize = 256;
/// A journal that is closed waits this long for a log that is far behind: the next start goes on.
const CLOSING_PATIENCE: Duration = Duration::from_secs(2);
/// How often a closing log still tries a disk that refuses.
const CLOSING_TRIES: u32 = 3;

/// What the thread is made from.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub disk: Arc<dyn Disk>,
    pub clock: Arc<dyn Clock>,
    pub layout: Layout,
    pub folder: Folder,
    pub queue: Arc<Queue>,
    pub feed: Arc<Feed>,
    pub board: Arc<Board>,
    pub origin: String,
    pub every: Duration,
    pub copy_to: Option<PathBuf>,
}

/// Whether a failure may pass, so that a repetition helps.
const fn may_pass(error: &AuditError) -> bool {
    matches!(error, AuditError::Io { .. } | AuditError::Journal(_))
}

impl Setup {
    fn reader(&self, from: u64) -> Reader {
        Reader::new(self.layout.clone(), Some(Arc::clone(&self.queue)), from)
    }

    /// Runs the log until the journal is closed, or until it must stop.
    pub(crate) fn run(self) {
        let _guard = EndGuard(Arc::clone(&self.feed), Arc::clone(&self.board));
        let Some(begun) = self.begin() else {
            return;
        };
        let board = Arc::clone(&self.board);
        let copier = self.copy_to.as_ref().map(|to| {
            let place = to.join(super::copy::place_of(&self.origin));
            Copier::start(place, begun.key.verifier(), self.folder.clone(), &board)
        });
        board.signed(begun.checkpoint.clone());
        if let Some(copier) = &copier {
            copier.compare(begun.checkpoint.clone());
        }
        Keeper::new(self, begun, copier).run();
    }

    /// Goes on where the log was, as soon as the disk lets it; none if it must not.
    fn begin(&self) -> Option<Begun> {
        let beginning = Beginning {
            folder: &self.folder,
            origin: &self.origin,
            disk: &*self.disk,
            clock: &*self.clock,
            committed: self.queue.committed(),
        };
        let mut delay = RETRY_FIRST;
        loop {
            match beginning.begin(|from| self.reader(from)) {
                Ok(begun) => return Some(begun),
                Err(error) if may_pass(&error) => self.board.failed(in_words(&error)),
                Err(AuditError::Stopped(why)) => return self.stop(why),
                Err(error) => return self.stop(error.to_string()),
            }
            self.feed.pause(delay);
            delay = (delay * 2).min(RETRY_MAX);
            if self.feed.is_closing() {
                return None;
            }
        }
    }

    fn stop(&self, why: String) -> Option<Begun> {
        self.feed.stop();
        self.board.stopped(why);
        None
    }
}

/// An error and what caused it.
fn in_words(error: &AuditError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[derive(Debug)]
struct Keeper {
    setup: Setup,
    key: SignerKey,
    edge: Edge,
    tiles: TileWriter,
    signed: Checkpoint,
    /// The tree at the last checkpoint.
    signed_edge: Edge,
    /// When it was last seen to that everything is signed.
    signed_after: Duration,
    /// Reads the journal while the log is behind.
    reader: Option<Reader>,
    copier: Option<Copier>,
    closing_since: Option<Duration>,
}

/// Whether the thread goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    On,
    End,
}

impl Keeper {
    fn new(setup: Setup, begun: Begun, copier: Option<Copier>) -> Self {
        let tiles = TileWriter::new(Arc::clone(&setup.disk), setup.folder.clone());
        Self {
            key: begun.key,
            signed_edge: begun.edge.clone(),
            edge: begun.edge,
            tiles,
            signed: begun.checkpoint,
            signed_after: setup.clock.elapsed(),
            reader: None,
            copier,
            closing_since: None,
            setup,
        }
    }

    fn run(mut self) {
        let mut delay = RETRY_FIRST;
        let mut tries_closing = 0;
        let mut spare = Run::default();
        while !self.setup.board.is_stopped() {
            match self.round(&mut spare) {
                Ok(Next::On) => delay = RETRY_FIRST,
                Ok(Next::End) => break,
                Err(error) if may_pass(&error) => {
                    self.start_over();
                    self.setup.board.failed(in_words(&error));
                    tries_closing += u32::from(self.setup.feed.is_closing());
                    if tries_closing == CLOSING_TRIES {
                        break;
                    }
                    self.setup.feed.pause(delay);
                    delay = (delay * 2).min(RETRY_MAX);
                }
                Err(AuditError::Stopped(why)) => self.setup.board.stopped(why),
                Err(error) => self.setup.board.stopped(error.to_string()),
            }
        }
        if let Some(copier) = self.copier.take() {
            copier.close();
        }
    }

    /// Goes back to the last checkpoint.
    fn start_over(&mut self) {
        self.edge = self.signed_edge.clone();
        self.tiles = TileWriter::new(Arc::clone(&self.setup.disk), self.setup.folder.clone());
        self.reader = None;
    }

    /// Adds what there is to add, and signs if it is time to.
    fn round(&mut self, spare: &mut Run) -> Result<Next, AuditError> {
        let feed = Arc::clone(&self.setup.feed);
        let begins = self.in_memory_from();
        if self.edge.size() < begins {
            self.read_journal(begins)?;
        } else {
            let patience = self.until_due();
            let run = feed.wait(self.signed.size(), patience, std::mem::take(spare));
            self.add(&run)?;
            *spare = run.recycle();
        }
        let is_behind = self.edge.size() < self.in_memory_from();
        if feed.is_closing() && (!is_behind || self.closes_for_long()) {
            self.sign()?;
            return Ok(Next::End);
        }
        let wanted = feed.wanted();
        let is_asked = self.signed.size() < wanted && wanted <= self.edge.size();
        if is_asked || self.until_due().is_zero() {
            self.sign()?;
        }
        Ok(Next::On)
    }

    /// The sequence from which on leaves wait in memory: what is before it is read from the journal.
    fn in_memory_from(&self) -> u64 {
        let begins = self.setup.feed.begins();
        begins.unwrap_or_else(|| self.setup.queue.committed())
    }

    fn until_due(&self) -> Duration {
        let due = self.signed_after + self.setup.every;
        due.saturating_sub(self.setup.clock.elapsed())
    }

    fn closes_for_long(&mut self) -> bool {
        let now = self.setup.clock.elapsed();
        let since = *self.closing_since.get_or_insert(now);
        now.saturating_sub(since) >= CLOSING_PATIENCE
    }

    /// Adds the records that came from the writer. If some before them were dropped meanwhile, these are
    /// read from the journal too.
    fn add(&mut self, run: &Run) -> Result<(), AuditError> {
        let from = self.edge.size();
        if from < run.first {
            return Ok(());
        }
        let bodies: Vec<&[u8]> = run.bodies(from).collect();
        for some in bodies.chunks(HASHED_TOGETHER) {
            for leaf in tree::leaf_hashes(some) {
                self.push(leaf)?;
            }
        }
        Ok(())
    }

    fn push(&mut self, leaf: Hash) -> Result<(), AuditError> {
        let tiles = &mut self.tiles;
        self.edge
            .push(leaf, &mut |tile, hashes| tiles.write(tile, hashes))
    }

    /// Adds leaves from the journal, at most up to `until`. What cannot be read is an empty leaf.
    fn read_journal(&mut self, until: u64) -> Result<(), AuditError> {
        let from = self.edge.size();
        let reader = self.reader.take();
        let mut reader = reader
            .filter(|reader| reader.position() == from)
            .unwrap_or_else(|| self.setup.reader(from));
        let until = until.min(from + READ_MAX);
        let mut gathered = Gathered::default();
        let mut sequences = Vec::new();
        while reader.position() < until {
            match reader.next_body() {
                Ok(Some((sequence, body))) => {
                    gathered.push(body);
                    sequences.push(sequence);
                    if gathered.are_many() {
                        self.add_gathered(&mut gathered, &mut sequences)?;
                    }
                }
                Ok(None) => break,
                Err(JournalError::Damaged(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.add_gathered(&mut gathered, &mut sequences)?;
        self.fill(reader.position())?;
        if self.edge.size() == from {
            let unreadable = std::io::Error::other("records that are on disk cannot be read");
            return Err(AuditError::io("read", &self.setup.layout.journal)(
                unreadable,
            ));
        }
        self.reader = Some(reader);
        Ok(())
    }

    /// Adds records that were read, and empty leaves for those between them that were not.
    fn add_gathered(
        &mut self,
        gathered: &mut Gathered,
        sequences: &mut Vec<u64>,
    ) -> Result<(), AuditError> {
        let leaves = tree::leaf_hashes(&gathered.texts());
        for (leaf, sequence) in leaves.into_iter().zip(sequences.drain(..)) {
            self.fill(sequence)?;
            self.push(leaf)?;
        }
        gathered.clear();
        Ok(())
    }

    /// Adds empty leaves up to `sequence`.
    fn fill(&mut self, sequence: u64) -> Result<(), AuditError> {
        while self.edge.size() < sequence {
            self.push(EMPTY_LEAF)?;
        }
        Ok(())
    }

    /// Signs the tree as it is, unless that is done.
    fn sign(&mut self) -> Result<(), AuditError> {
        self.signed_after = self.setup.clock.elapsed();
        if self.edge.size() == self.signed.size() {
            return Ok(());
        }
        let old: Vec<Tile> = tiles::partial_tiles(self.signed.size()).collect();
        for (tile, hashes) in self.edge.partial_tiles() {
            if !old.contains(&tile) {
                self.tiles.write(tile, hashes)?;
            }
        }
        self.tiles.sync()?;
        let now = self.setup.clock.now();
        self.keep_history(now)?;
        let root = Digest::from_bytes(self.edge.root());
        let checkpoint = Checkpoint::sign(&self.key, self.edge.size(), root, now);
        self.replace_checkpoint(&checkpoint)?;
        self.signed = checkpoint.clone();
        self.signed_edge = self.edge.clone();
        self.remove_superseded(&old);
        if let Some(copier) = &self.copier {
            copier.copy(checkpoint.clone());
        }
        self.setup.board.signed(checkpoint);
        Ok(())
    }

    /// Keeps the checkpoint in place if it is the last one of an hour.
    fn keep_history(&self, now: Timestamp) -> Result<(), AuditError> {
        let Some(at) = self.signed.at().filter(|_| self.signed.size() > 0) else {
            return Ok(());
        };
        let path = self.setup.folder.history_of(at);
        if path == self.setup.folder.history_of(now) {
            return Ok(());
        }
        self.setup
            .disk
            .replace(&path, self.signed.note().as_bytes())
            .map_err(AuditError::io("write", &path))
    }

    /// Puts a checkpoint in place of the one that is there, which must be the last one that was signed.
    fn replace_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), AuditError> {
        let path = self.setup.folder.checkpoint();
        if folder::read_text(&path)?.as_deref() != Some(self.signed.note()) {
            let why = "`audit/checkpoint` was changed or removed while the node was running";
            return Err(AuditError::Stopped(why.to_owned()));
        }
        self.setup
            .disk
            .replace(&path, checkpoint.note().as_bytes())
            .map_err(AuditError::io("write", &path))
    }

    /// Removes the partial tiles that the checkpoint has no use for. One that stays does no harm.
    fn remove_superseded(&self, old: &[Tile]) {
        let size = self.signed.size();
        let used: Vec<Tile> = tiles::partial_tiles(size).collect();
        for tile in old.iter().filter(|tile| !used.contains(tile)) {
            let path = self.setup.folder.tile(*tile);
            let removed = self.setup.disk.remove(&path);
            if let (Ok(()), Some(holder)) = (removed, path.parent()) {
                std::fs::remove_dir(holder).ok();
            }
        }
    }
}

/// Tells everybody who waits when the thread ends, even if it panics.
struct EndGuard(Arc<Feed>, Arc<Board>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.stop();
        self.1.ended();
    }
}
