//! Hearing that something changed: LISTEN on one connection of its own.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::postgres::{Postgres, pool};
use crate::wakeups::wake;

/// The channel on which every change is told.
const CHANNEL: &str = "plimsoll_changes";

/// How long to wait before a lost connection is made anew.
const RETRY: Duration = Duration::from_secs(1);

impl Postgres {
    /// Counts `woken` up whenever something changed, until the task is aborted.
    pub(crate) fn listen(&self, woken: watch::Sender<u64>) -> JoinHandle<()> {
        let pool = pool(1, self.node.clone());
        tokio::spawn(async move {
            loop {
                if let Err(error) = hear(&pool, &woken).await {
                    tracing::debug!(error = %error, "not listening for changes; they are polled");
                }
                tokio::time::sleep(RETRY).await;
            }
        })
    }
}

/// Listens until the connection is lost. What was told before it was there, or while it is made anew,
/// nobody heard: so it begins and ends with a wake-up.
async fn hear(pool: &PgPool, woken: &watch::Sender<u64>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    wake(woken);
    while listener.try_recv().await?.is_some() {
        wake(woken);
    }
    wake(woken);
    Ok(())
}
