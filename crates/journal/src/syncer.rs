//! A second thread that syncs the payload file while the writer writes and syncs the segment: a commit
//! waits for the slower of two syncs instead of for their sum.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::output::Output;

/// Syncs one file at a time. Its thread ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Syncer {
    asked: SyncSender<Output>,
    done: Receiver<(Output, io::Result<()>)>,
}

const ALIVE: &str = "the thread ends only when it is no longer asked";

impl Syncer {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (asked, outputs) = sync_channel::<Output>(1);
        let (done_by, done) = sync_channel(1);
        std::thread::Builder::new()
            .name("journal-sync".into())
            .spawn(move || {
                for mut output in outputs {
                    let result = output.sync();
                    if done_by.send((output, result)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { asked, done })
    }

    /// Begins to sync `output`, which [`Syncer::finish`] gives back.
    pub(crate) fn begin(&self, output: Output) {
        self.asked.send(output).expect(ALIVE);
    }

    /// Waits for the sync that was begun.
    pub(crate) fn finish(&self) -> (Output, io::Result<()>) {
        self.done.recv().expect(ALIVE)
    }
}
