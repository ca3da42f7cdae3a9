//! Hearing that something changed: a deployment, a review, a hold, by this node or another.
//!
//! A wake-up is a hint to look, and carries nothing. One that was missed is made up for: whoever waits
//! looks once a second at the latest.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::database::Engine;
use crate::store::Store;

/// How long a change may go unnoticed if nobody tells of it.
const POLL: Duration = Duration::from_secs(1);

/// Wake-ups for what changes, for as long as it lives.
#[derive(Debug)]
pub struct Wakeups {
    woken: watch::Receiver<u64>,
    listener: Option<JoinHandle<()>>,
}

impl Wakeups {
    /// Returns when something changed, and after a second in any case. What happened between two calls
    /// is noticed by the second.
    pub async fn next(&mut self) {
        let woken = tokio::time::timeout(POLL, self.woken.changed()).await;
        if let Ok(Err(_)) = woken {
            // Nobody tells any more: only the polling is left.
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for Wakeups {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

/// Counts one change more.
pub(crate) fn wake(woken: &watch::Sender<u64>) {
    woken.send_modify(|count| *count = count.wrapping_add(1));
}

impl Store {
    /// Wake-ups for what changes from now on. Needs a Tokio runtime around it.
    pub fn changes(&self) -> Wakeups {
        match &*self.engine {
            Engine::Sqlite(sqlite) => Wakeups {
                woken: sqlite.changes.subscribe(),
                listener: None,
            },
            Engine::Postgres(postgres) => {
                let (waker, woken) = watch::channel(0);
                Wakeups {
                    woken,
                    listener: Some(postgres.listen(waker)),
                }
            }
        }
    }
}
