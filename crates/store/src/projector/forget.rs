//! Forgetting: what the journal no longer retains, and all of it before it is read again.
//!
//! Rows go, what they counted for stays: figures of the past do not change because the decisions behind
//! them were let go. `minimum_sequence` is where that ends: every row stands at it or behind it and is
//! counted, and what stands before it is counted for good. It never goes back, so that a journal that has
//! more again (it was put back from a backup) adds nothing twice.

use plimsoll_core::NodeName;

use super::{Projector, rollups};
use crate::database::{Scope, Statement, Transaction, Way};
use crate::decisions::{sample, sample_columns};
use crate::error::StoreError;
use crate::rollup::Changes;
use crate::sql::{column, count, signed};

/// Rows that are forgotten in one transaction.
const FORGET_MAX: u32 = 2_000;

const FORGETTING: &str = "forget what the journal no longer retains";
const REBUILDING: &str = "be emptied for a rebuild";

impl Projector {
    /// Forgets what the journal no longer retains: decisions whose records stood before `minimum`, and
    /// which units of work they belonged to; labels that were recorded there too. What they counted for stays in the rollups, but for a
    /// decision that was still open. On PostgreSQL, closed decisions go with their whole day, when no node's
    /// journal retains any of it. Releases, deployments, drills, runbook runs and events of governance
    /// are few and stay. Works in small transactions and may be stopped between any two; returns how many
    /// decisions went.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn forget_before(&self, minimum: u64) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let gone = self.forget_some(minimum).await?;
            forgotten += u64::from(gone);
            if gone < FORGET_MAX {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.forget_the_rest(minimum).await?;
        Ok(forgotten + self.store.drop_days().await?)
    }

    async fn forget_some(&self, minimum: u64) -> Result<u32, StoreError> {
        let mut transaction = self
            .store
            .begin(Way::Project, Scope::Installation, FORGETTING)
            .await?;
        // Where days are dropped whole, closed decisions stay until their day goes.
        let closed_too = !self.store.has_days();
        // One that is still open is counted when it closes.
        let is_taken_back = |is_closed: bool, _| !is_closed;
        let gone = self
            .delete(&mut transaction, minimum, closed_too, is_taken_back)
            .await?;
        transaction.commit().await?;
        Ok(gone)
    }

    /// Sums of requests without a decision are kept by the hour, and units of work that have no decision
    /// any more go. Then, and not before, `minimum` stands.
    async fn forget_the_rest(&self, minimum: u64) -> Result<(), StoreError> {
        let mut transaction = self
            .store
            .begin(Way::Project, Scope::Installation, FORGETTING)
            .await?;
        for sql in [
            "INSERT INTO uncounted_hours (node, system, code, start, count, to_at)
             SELECT node, system, code, to_at - to_at % 3600000000, CAST(SUM(count) AS BIGINT),
                    MAX(to_at)
             FROM uncounted WHERE node = $1 AND sequence < $2 AND system IS NOT NULL
             GROUP BY node, system, code, to_at - to_at % 3600000000
             ON CONFLICT (system, start, code, node) DO UPDATE SET
               count = uncounted_hours.count + excluded.count,
               to_at = CASE WHEN excluded.to_at > uncounted_hours.to_at
                            THEN excluded.to_at ELSE uncounted_hours.to_at END",
            "DELETE FROM uncounted WHERE node = $1 AND sequence < $2",
            "DELETE FROM labels WHERE node = $1 AND sequence < $2",
            "UPDATE positions SET minimum_sequence = $2 WHERE node = $1 AND minimum_sequence < $2",
        ] {
            transaction
                .execute(
                    Statement::new(sql)
                        .bind(self.node.as_str())
                        .bind(signed(minimum)),
                )
                .await?;
        }
        transaction
            .execute(Statement::new(
                "DELETE FROM units WHERE minute < (
               SELECT opened_at - 60000000 FROM decisions ORDER BY opened_at LIMIT 1)",
            ))
            .await?;
        transaction.commit().await
    }

    /// Empties the projection of this node and begins again at `minimum`, the first sequence that the
    /// journal retains. What stood before it in the journal is kept where nothing could bring it back
    /// (releases, deployments, drills, runbook runs, rollups, events of governance, of nodes and of
    /// reviews); decisions go. Reviews are no projection and stay, and so does what was noted of erasures
    /// that are carried out.
    ///
    /// # Errors
    /// If the database is away; then all is as it was.
    pub async fn rebuild(&self, minimum: u64) -> Result<(), StoreError> {
        let mut transaction = self
            .store
            .begin(Way::Maintain, Scope::Installation, REBUILDING)
            .await?;
        let before = place(&mut transaction, &self.node).await?;
        let stays = before.minimum.max(minimum);
        let is_taken_back = |is_closed: bool, sequence| !is_closed || sequence >= stays;
        while self
            .delete(&mut transaction, u64::MAX, true, is_taken_back)
            .await?
            == FORGET_MAX
        {}
        for sql in [
            "DELETE FROM uncounted WHERE node = $1 AND sequence >= $2",
            "DELETE FROM labels WHERE node = $1 AND sequence >= $2",
            "DELETE FROM releases WHERE node = $1 AND sequence >= $2",
            "DELETE FROM deployments WHERE node = $1 AND sequence >= $2",
            "DELETE FROM drills WHERE node = $1 AND sequence >= $2",
            "DELETE FROM runbook_runs WHERE node = $1 AND sequence >= $2",
            "DELETE FROM review_events WHERE node = $1 AND sequence >= $2",
            "DELETE FROM node_events WHERE node = $1 AND sequence >= $2",
            "DELETE FROM erased WHERE erasure IN (SELECT id FROM governance_events
               WHERE node = $1 AND sequence >= $2 AND kind = 'erasure')",
            "DELETE FROM governance_events WHERE node = $1 AND sequence >= $2",
            "INSERT INTO positions (node, next_sequence, minimum_sequence) VALUES ($1, $2, $2)
             ON CONFLICT (node) DO UPDATE SET next_sequence = $2,
               minimum_sequence = CASE WHEN positions.minimum_sequence > $2
                 THEN positions.minimum_sequence ELSE $2 END",
        ] {
            transaction
                .execute(
                    Statement::new(sql)
                        .bind(self.node.as_str())
                        .bind(signed(minimum)),
                )
                .await?;
        }
        transaction.commit().await?;
        self.applied
            .store(minimum, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    /// Deletes up to [`FORGET_MAX`] decisions whose records stood before `before`, and takes back what
    /// those counted for of which that is wanted.
    async fn delete(
        &self,
        transaction: &mut Transaction,
        before: u64,
        closed_too: bool,
        is_taken_back: impl Fn(bool, u64) -> bool,
    ) -> Result<u32, StoreError> {
        let rows = transaction
            .rows(
                Statement::new(concat!(
                    "DELETE FROM decisions WHERE id IN (
               SELECT id FROM decisions WHERE node = $1 AND sequence < $2
                 AND (outcome IS NULL OR $4) LIMIT $3)
             RETURNING outcome IS NOT NULL, sequence, ",
                    sample_columns!()
                ))
                .bind(self.node.as_str())
                .bind(signed(before))
                .bind(FORGET_MAX)
                .bind(closed_too),
            )
            .await?;
        let mut changes = Changes::default();
        for row in &rows {
            if is_taken_back(column(row, 0)?, count(row, 1)?)
                && let Some(sample) = sample(row, 2)?
            {
                changes.take_back(&sample);
            }
        }
        rollups::write(transaction, &self.node, changes).await?;
        Ok(u32::try_from(rows.len()).unwrap_or(FORGET_MAX))
    }
}

/// How far a node's journal was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Place {
    /// The sequence of the next record.
    pub(super) next: u64,
    /// The first sequence whose decision may have a row.
    pub(super) minimum: u64,
}

pub(super) async fn place(
    transaction: &mut Transaction,
    node: &NodeName,
) -> Result<Place, StoreError> {
    let sql = "SELECT next_sequence, minimum_sequence FROM positions WHERE node = $1";
    let row = transaction
        .row(Statement::new(sql).bind(node.as_str()))
        .await?;
    row.map_or(Ok(Place::default()), |row| {
        Ok(Place {
            next: count(&row, 0)?,
            minimum: count(&row, 1)?,
        })
    })
}
