//! Keeps a copy of every checkpoint in a second place, from a thread of its own: a place that does not
//! answer holds up neither the log nor the journal.
//!
//! What was copied before is a witness: before the first copy of a run the newest one is read back, and if
//! the tree does not begin with it, this folder was set back, and the log stops.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::board::Board;
use super::checkpoint::Checkpoint;
use super::error::AuditError;
use super::folder::{self, Folder};
use super::note::VerifierKey;
use super::prove;
use super::tiles::TileNodes;
use crate::disk::replace_file;

/// A second place that failed is tried again after this time at the latest.
const RETRY: Duration = Duration::from_secs(10);
/// How long a log that begins waits for what the second place has; without an answer it goes on.
const COMPARING_PATIENCE: Duration = Duration::from_secs(5);
/// How long a journal that is closed waits for the last copy.
const CLOSING_PATIENCE: Duration = Duration::from_secs(2);
/// Anybody may read what is meant to be shown.
const MODE: u32 = 0o644;

/// The name of a log's folder in the second place.
pub(crate) fn place_of(origin: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let name = origin
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte) } else { '_' });
    name.collect()
}

#[derive(Debug, Default)]
struct State {
    due: Option<Checkpoint>,
    /// Whether what is there was held against the tree.
    is_compared: bool,
    is_busy: bool,
    is_closing: bool,
}

#[derive(Debug, Default)]
struct Mailbox {
    state: Mutex<State>,
    changed: Condvar,
}

/// Copies checkpoints.
#[derive(Debug)]
pub(crate) struct Copier(Arc<Mailbox>);

impl Copier {
    /// Starts the thread that copies what is signed with the private part of `key` to the folder `place`.
    pub(crate) fn start(
        place: PathBuf,
        key: VerifierKey,
        from: Folder,
        board: &Arc<Board>,
    ) -> Self {
        let mailbox = Arc::new(Mailbox::default());
        let work = Work {
            mailbox: Arc::clone(&mailbox),
            board: Arc::clone(board),
            place,
            key,
            from,
        };
        let started = std::thread::Builder::new()
            .name("audit-copy".into())
            .spawn(move || work.run());
        if let Err(error) = started {
            board.copied(Some(format!("a thread could not be started: {error}")));
        }
        Self(mailbox)
    }

    /// Holds what is in the second place against the tree of `newest`, and waits for the answer, but not
    /// for long.
    pub(crate) fn compare(&self, newest: Checkpoint) {
        self.copy(newest);
        let mut state = self.0.state.lock();
        if !state.is_compared {
            self.0.changed.wait_for(&mut state, COMPARING_PATIENCE);
        }
    }

    /// Has a checkpoint copied, in place of an older one that waits.
    pub(crate) fn copy(&self, newest: Checkpoint) {
        self.0.state.lock().due = Some(newest);
        self.0.changed.notify_all();
    }

    /// Waits for the last copy, but not for long.
    pub(crate) fn close(self) {
        let mut state = self.0.state.lock();
        state.is_closing = true;
        self.0.changed.notify_all();
        let is_working = |state: &mut State| state.due.is_some() || state.is_busy;
        self.0
            .changed
            .wait_while_for(&mut state, is_working, CLOSING_PATIENCE);
    }
}

struct Work {
    mailbox: Arc<Mailbox>,
    board: Arc<Board>,
    place: PathBuf,
    key: VerifierKey,
    from: Folder,
}

impl Work {
    fn run(self) {
        while let Some((newest, is_compared)) = self.next() {
            let compared = if is_compared {
                Ok(())
            } else {
                self.compare(&newest)
            };
            let result = compared.and_then(|()| self.copy(&newest));
            if let Err(AuditError::Stopped(why)) = &result {
                self.board.stopped(why.clone());
            }
            let failed = result.is_err();
            self.board
                .copied(result.err().map(|error| error.to_string()));
            self.done(newest, failed);
        }
    }

    /// The next checkpoint to copy; none when the journal is closed.
    fn next(&self) -> Option<(Checkpoint, bool)> {
        let mut state = self.mailbox.state.lock();
        loop {
            if let Some(newest) = state.due.take() {
                state.is_busy = true;
                return Some((newest, state.is_compared));
            }
            if state.is_closing {
                return None;
            }
            self.mailbox.changed.wait(&mut state);
        }
    }

    /// Notes how it went. What failed is due again after a while, unless there is something newer.
    fn done(&self, tried: Checkpoint, failed: bool) {
        let mut state = self.mailbox.state.lock();
        state.is_busy = false;
        state.is_compared |= !failed;
        self.mailbox.changed.notify_all();
        if failed && !state.is_closing {
            let idle = |state: &mut State| !state.is_closing;
            self.mailbox.changed.wait_while_for(&mut state, idle, RETRY);
            state.due.get_or_insert(tried);
        }
    }

    /// Holds the copy that is there against this log's tree.
    fn compare(&self, newest: &Checkpoint) -> Result<(), AuditError> {
        let path = self.place.join("checkpoint");
        let Some(note) = folder::read_text(&path)? else {
            return Ok(());
        };
        let copied = Checkpoint::verify(&note, &self.key).map_err(|_| {
            let what = "in the second place was not signed by this log's key: move it away";
            AuditError::checkpoint(what)
        })?;
        let set_back = |what: String| {
            let path = path.display();
            AuditError::Stopped(format!(
                "`{path}` has {what}: this data folder was set back"
            ))
        };
        let (size, here) = (copied.size(), newest.size());
        if size > here {
            let what = format!("{size} signed records, and here are {here}");
            return Err(set_back(what));
        }
        let mut nodes = TileNodes::new(&self.from, here);
        if !prove::is_consistent(&mut nodes, &copied, newest)? {
            return Err(set_back(format!("another tree of {size} records")));
        }
        Ok(())
    }

    fn copy(&self, newest: &Checkpoint) -> Result<(), AuditError> {
        let history = self.place.join("history");
        std::fs::create_dir_all(&history).map_err(AuditError::io("create", &history))?;
        self.write("log.vkey", &format!("{}\n", self.key))?;
        self.copy_histories(&history)?;
        self.write("checkpoint", newest.note())
    }

    /// Copies the hours that are not there yet.
    fn copy_histories(&self, to: &Path) -> Result<(), AuditError> {
        let own = self.from.history();
        let entries = std::fs::read_dir(&own).map_err(AuditError::io("list", &own))?;
        for entry in entries {
            let name = entry.map_err(AuditError::io("list", &own))?.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(".checkpoint") && !to.join(&*name).exists() {
                let text = folder::read_text(&own.join(&*name))?.unwrap_or_default();
                self.write(&format!("history/{name}"), &text)?;
            }
        }
        Ok(())
    }

    /// Writes a file of the second place, unless it says the same already.
    fn write(&self, name: &str, text: &str) -> Result<(), AuditError> {
        let path = self.place.join(name);
        if folder::read_text(&path)?.as_deref() == Some(text) {
            return Ok(());
        }
        replace_file(&path, text.as_bytes(), MODE).map_err(AuditError::io("write", &path))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_log_has_a_folder_of_its_own_in_the_second_place() {
        assert_eq!(
            super::place_of("plimsoll.invalid/node-1"),
            "plimsoll.invalid_node-1"
        );
        assert_eq!(super::place_of("../x y"), ".._x_y");
    }
}
