//! Follows the journal and keeps the tables as it says.
//!
//! - A batch of records and the place in the journal change in one transaction.
//! - Every write can be repeated: of two records about the same thing, which one stands depends on the
//!   records and not on when they were read. So a replay from anywhere gives the same tables.
//! - The journal is never waited for by those who answer requests, and neither is this.

mod decisions;
mod events;
mod feed;
mod follow;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plimsoll_core::{NodeName, Record};
use sqlx::SqliteConnection;

use crate::error::{Doing as _, StoreError};
use crate::sql::signed;
use crate::store::Store;

pub use feed::{Feed, RecordSource};
pub use follow::Pace;

/// Records in one transaction. Larger ones gain little, take memory and keep other writers waiting.
pub const BATCH_MAX: usize = 256;

/// Rows that are forgotten in one transaction.
const FORGET_MAX: u32 = 2_000;

/// Projects the journal of one node. There must be one at a time per node.
#[derive(Clone, Debug)]
pub struct Projector {
    store: Store,
    node: NodeName,
    applied: Arc<AtomicU64>,
}

impl Projector {
    /// A projector of the journal that `node` writes.
    pub fn new(store: &Store, node: NodeName) -> Self {
        Self {
            store: store.clone(),
            node,
            applied: Arc::default(),
        }
    }

    /// The sequence of the next record to be applied: all before it are in the tables.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn position(&self) -> Result<u64, StoreError> {
        let next: Option<i64> =
            sqlx::query_scalar("SELECT next_sequence FROM positions WHERE node = ?1")
                .bind(self.node.as_str())
                .fetch_optional(&self.store.projection)
                .await
                .doing("say how far the journal was read")?;
        let position = next.and_then(|next| u64::try_from(next).ok()).unwrap_or(0);
        self.applied.store(position, Ordering::Relaxed);
        Ok(position)
    }

    /// The position as this projector and its clones last knew it, without asking the database; 0 before
    /// they have asked. For metrics, and for what the journal may let go.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Relaxed)
    }

    /// Applies records, given in the order of their sequences, and moves the position behind the last.
    /// Records that were applied before change nothing.
    ///
    /// # Errors
    /// If the database is away; then nothing of the failing batch is in the tables.
    pub async fn apply(&self, records: &[(u64, Record)]) -> Result<(), StoreError> {
        for batch in records.chunks(BATCH_MAX) {
            self.apply_batch(batch).await?;
        }
        Ok(())
    }

    async fn apply_batch(&self, batch: &[(u64, Record)]) -> Result<(), StoreError> {
        let Some((last, _)) = batch.last() else {
            return Ok(());
        };
        let mut transaction = self
            .store
            .projection
            .begin_with("BEGIN IMMEDIATE")
            .await
            .doing("begin to project the journal")?;
        decisions::write(&mut transaction, &self.node, batch).await?;
        for (sequence, record) in batch {
            events::write(&mut transaction, &self.node, *sequence, record).await?;
        }
        self.advance(&mut transaction, last + 1).await?;
        transaction
            .commit()
            .await
            .doing("commit a batch of the journal")?;
        self.applied.fetch_max(last + 1, Ordering::Relaxed);
        Ok(())
    }

    async fn advance(
        &self,
        connection: &mut SqliteConnection,
        next: u64,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO positions (node, next_sequence) VALUES (?1, ?2)
             ON CONFLICT (node) DO UPDATE SET next_sequence = MAX(next_sequence, excluded.next_sequence)",
        )
        .bind(self.node.as_str())
        .bind(signed(next))
        .execute(connection)
        .await
        .doing("note how far the journal was read")?;
        Ok(())
    }

    /// Forgets what the journal no longer retains: decisions and counts whose records stood before
    /// `minimum`. Releases, deployments, drills and runbook runs are few and stay. Works in small
    /// transactions and may be stopped between any two; returns how many decisions went.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn forget_before(&self, minimum: u64) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let gone = sqlx::query(
                "DELETE FROM decisions WHERE number IN (
                   SELECT number FROM decisions WHERE node = ?1 AND sequence < ?2 LIMIT ?3)",
            )
            .bind(self.node.as_str())
            .bind(signed(minimum))
            .bind(FORGET_MAX)
            .execute(&self.store.projection)
            .await
            .doing("forget what the journal no longer retains")?
            .rows_affected();
            forgotten += gone;
            if gone < u64::from(FORGET_MAX) {
                break;
            }
            tokio::task::yield_now().await;
        }
        sqlx::query("DELETE FROM uncounted WHERE node = ?1 AND sequence < ?2")
            .bind(self.node.as_str())
            .bind(signed(minimum))
            .execute(&self.store.projection)
            .await
            .doing("forget what the journal no longer retains")?;
        sqlx::query(
            "UPDATE positions SET minimum_sequence = MAX(minimum_sequence, ?2) WHERE node = ?1",
        )
        .bind(self.node.as_str())
        .bind(signed(minimum))
        .execute(&self.store.projection)
        .await
        .doing("note what the journal retains")?;
        Ok(forgotten)
    }

    /// Empties the projection of this node and begins again at `minimum`, the first sequence that the
    /// journal retains. What stood before it in the journal is kept where nothing could bring it back
    /// (releases, deployments, drills, runbook runs, events of nodes and reviews); decisions go. Reviews
    /// are no projection and stay.
    ///
    /// # Errors
    /// If the database is away; then all is as it was.
    pub async fn rebuild(&self, minimum: u64) -> Result<(), StoreError> {
        let doing = "be emptied for a rebuild";
        let mut transaction = self
            .store
            .projection
            .begin_with("BEGIN IMMEDIATE")
            .await
            .doing(doing)?;
        for sql in [
            "DELETE FROM decisions WHERE node = ?1",
            "DELETE FROM uncounted WHERE node = ?1",
        ] {
            sqlx::query(sql)
                .bind(self.node.as_str())
                .execute(&mut *transaction)
                .await
                .doing(doing)?;
        }
        for sql in [
            "DELETE FROM releases WHERE node = ?1 AND sequence >= ?2",
            "DELETE FROM deployments WHERE node = ?1 AND sequence >= ?2",
            "DELETE FROM drills WHERE node = ?1 AND sequence >= ?2",
            "DELETE FROM runbook_runs WHERE node = ?1 AND sequence >= ?2",
            "DELETE FROM review_events WHERE node = ?1 AND sequence >= ?2",
            "DELETE FROM node_events WHERE node = ?1 AND sequence >= ?2",
            "INSERT INTO positions (node, next_sequence, minimum_sequence) VALUES (?1, ?2, ?2)
             ON CONFLICT (node) DO UPDATE SET next_sequence = ?2, minimum_sequence = ?2",
        ] {
            sqlx::query(sql)
                .bind(self.node.as_str())
                .bind(signed(minimum))
                .execute(&mut *transaction)
                .await
                .doing(doing)?;
        }
        transaction.commit().await.doing(doing)?;
        self.applied.store(minimum, Ordering::Relaxed);
        Ok(())
    }

    /// Applies what `feed` has until the record with `sequence` is in the tables (for who must see what
    /// was just written), or there is no more. Returns the position that was reached.
    ///
    /// # Errors
    /// If the journal cannot be read or the database is away.
    pub async fn project_until(&self, feed: &dyn Feed, sequence: u64) -> Result<u64, StoreError> {
        let mut source = self.source(feed).await?;
        while self.applied() <= sequence {
            let (reader, batch) = tokio::task::spawn_blocking(move || {
                let batch = source.next_batch(BATCH_MAX);
                (source, batch)
            })
            .await
            .map_err(|error| StoreError::Journal(Box::new(error)))?;
            source = reader;
            let batch = batch.map_err(StoreError::Journal)?;
            if batch.is_empty() {
                break;
            }
            self.apply(&batch).await?;
        }
        Ok(self.applied())
    }

    /// A source that gives what is not in the tables yet. If they are ahead of the journal, it is not
    /// the one that they were made from (a folder was put back from a backup): they are made again.
    async fn source(&self, feed: &dyn Feed) -> Result<Box<dyn RecordSource>, StoreError> {
        let position = self.position().await?;
        let committed = feed.committed();
        if position <= committed {
            return Ok(feed.source(position));
        }
        tracing::warn!(
            position,
            committed,
            "projection ahead of the journal; it is made again"
        );
        self.rebuild(feed.minimum()).await?;
        Ok(feed.source(feed.minimum()))
    }

    /// How far every node's journal was read: node and next sequence.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn positions(store: &Store) -> Result<Vec<(String, u64)>, StoreError> {
        let rows = sqlx::query("SELECT node, next_sequence FROM positions ORDER BY node")
            .fetch_all(&store.readers)
            .await
            .doing("say how far the journal was read")?;
        rows.iter()
            .map(|row| Ok((crate::sql::column(row, 0)?, crate::sql::count(row, 1)?)))
            .collect()
    }
}
