//! Follows the journal and keeps the tables as it says.
//!
//! - A batch of records and the place in the journal change in one transaction.
//! - Every write can be repeated: of two records about the same thing, which one stands depends on the
//!   records and not on when they were read. So a replay from anywhere gives the same tables.
//! - Rollups change with the rows that they count, by what the rows change. Rows go when the journal lets
//!   their records go; what they counted for stays.
//! - The journal is never waited for by those who answer requests, and neither is this.

pub(crate) mod decisions;
mod deployments;
mod events;
mod feed;
mod follow;
mod forget;
mod governance;
mod labels;
pub(crate) mod rollups;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plimsoll_core::{NodeName, Record};

use crate::database::{Scope, Statement, Transaction, Way};
use crate::error::StoreError;
use crate::sql::signed;
use crate::store::Store;

pub use feed::{Feed, RecordSource};
pub use follow::Pace;

/// Records in one transaction. Each transaction writes the last page of every index anew, so small ones cost
/// twice as much for each record; larger ones gain little, take memory and keep other writers waiting.
pub const BATCH_MAX: usize = 1_024;

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
        let next: Option<i64> = self
            .store
            .number(
                Scope::Installation,
                Statement::new("SELECT next_sequence FROM positions WHERE node = $1")
                    .bind(self.node.as_str()),
                "say how far the journal was read",
            )
            .await?;
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
        self.store.make_days(decisions::ids(batch)).await?;
        let written = Box::pin(self.write(batch, last + 1)).await;
        if written.is_err() {
            // A day that was known may have been dropped by another node.
            self.store.forget_days();
        }
        written?;
        self.applied.fetch_max(last + 1, Ordering::Relaxed);
        let is_erasure = |(_, record): &(u64, Record)| matches!(record, Record::Erasure(_));
        self.store.clean_log(batch.iter().any(is_erasure)).await;
        Ok(())
    }

    async fn write(&self, batch: &[(u64, Record)], next: u64) -> Result<(), StoreError> {
        let doing = "project the journal";
        let mut transaction = self
            .store
            .begin(Way::Project, Scope::Installation, doing)
            .await?;
        let node = &self.node;
        let place = forget::place(&mut transaction, node).await?;
        if place.next < self.applied() {
            // Some of what was committed is gone: the server was replaced by one that had not all of it.
            self.applied.store(place.next, Ordering::Relaxed);
            return Err(StoreError::Behind { next: place.next });
        }
        let let_go = batch.partition_point(|(sequence, _)| *sequence < place.minimum);
        let changes = decisions::write(&mut transaction, node, &batch[let_go..]).await?;
        rollups::write(&mut transaction, node, changes).await?;
        labels::join(&mut transaction, decisions::ids(&batch[let_go..])).await?;
        for (sequence, record) in batch {
            let sequence = *sequence;
            if sequence >= place.minimum || !matches!(record, Record::Uncounted(_)) {
                events::write(&mut transaction, events::Place { node, sequence }, record).await?;
            }
        }
        if batch.iter().any(|(_, record)| is_told(record)) {
            transaction.tell().await?;
        }
        self.advance(&mut transaction, next).await?;
        transaction.commit().await
    }

    async fn advance(&self, transaction: &mut Transaction, next: u64) -> Result<(), StoreError> {
        let statement = Statement::new(
            "INSERT INTO positions (node, next_sequence) VALUES ($1, $2)
             ON CONFLICT (node) DO UPDATE SET next_sequence = excluded.next_sequence
             WHERE excluded.next_sequence > positions.next_sequence",
        );
        transaction
            .execute(statement.bind(self.node.as_str()).bind(signed(next)))
            .await?;
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
        let rows = store
            .rows(
                Scope::Installation,
                Statement::new("SELECT node, next_sequence FROM positions ORDER BY node"),
                "say how far the journal was read",
            )
            .await?;
        rows.iter()
            .map(|row| Ok((crate::sql::column(row, 0)?, crate::sql::count(row, 1)?)))
            .collect()
    }
}

/// Whether other nodes are told of such a record: of all but those that are many.
const fn is_told(record: &Record) -> bool {
    !matches!(
        record,
        Record::Opened(_)
            | Record::Closed(_)
            | Record::Access(_)
            | Record::Refusal(_)
            | Record::Account(_)
            | Record::Label(_)
            | Record::Uncounted(_)
    )
}
