//! Leases by advisory lock: held by a connection of its own, gone with it.

use std::time::Duration;

use plimsoll_core::Digest;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::{Doing as _, StoreError};
use crate::leases::{Keeper, Lease};
use crate::postgres::{CONNECT_MAX, Postgres, bounded};

/// How often it is looked whether the connection still lives, and how long it may take to say so.
const LOOK: Duration = Duration::from_secs(1);
const ANSWER_MAX: Duration = Duration::from_secs(1);

impl Postgres {
    /// Takes the lock of `job`, unless another connection has it.
    pub(crate) async fn lead(&self, job: &str) -> Result<Option<Lease>, StoreError> {
        let doing = "take the lease of a job";
        let taking = async {
            self.check().await?;
            let mut connection = self.node.connect().await.doing(doing)?;
            let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
                .bind(lock_of(job))
                .fetch_one(&mut connection)
                .await
                .doing(doing)?;
            Ok(taken.then_some(connection))
        };
        let Some(connection) = bounded(Instant::now() + CONNECT_MAX, doing, taking).await?? else {
            return Ok(None);
        };
        let (keeper, held) = watch::channel(true);
        let task = tokio::spawn(keep(connection, keeper));
        Ok(Some(Lease::new(held, Keeper::Connection(task))))
    }
}

/// Looks after the connection until it is lost.
async fn keep(mut connection: PgConnection, held: watch::Sender<bool>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let answer = tokio::time::timeout(ANSWER_MAX, connection.ping()).await;
        if !matches!(answer, Ok(Ok(()))) {
            // Whoever holds the lease may have been told already that it is over.
            held.send_replace(false);
            return;
        }
    }
}

/// The lock's number: eight bytes of the SHA-256 of the job's name.
fn lock_of(job: &str) -> i64 {
    let digest = Digest::of(format!("plimsoll job {job}").as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest.as_bytes()[..8]);
    i64::from_be_bytes(bytes)
}
