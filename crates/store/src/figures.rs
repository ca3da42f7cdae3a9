//! Figures over a span of time that ends now, read from rollups: whole hours, before them whole minutes,
//! and before those the rows of the minute in which the span begins.

use std::collections::BTreeMap;

use plimsoll_core::{EnvironmentName, ReleaseId, SystemName, Timestamp};

use crate::database::{Scope, Statement, Transaction, Way};
use crate::decisions::{sample, sample_columns};
use crate::error::StoreError;
use crate::postgres::push_days;
use crate::projector::rollups;
use crate::rollup::{Changes, Rollup, Width};
use crate::sql::{column, count, parse};
use crate::store::Store;

const DOING: &str = "read the figures of a system";

/// Rows that are read of the minute in which a span begins. If it has more, the span begins with the
/// minute.
const ROWS_MAX: u64 = 10_000;

impl Store {
    /// What the decisions of `system` in `environment` count for that were opened at `since` or later.
    /// Costs the same however many there are; in a minute with more than ten thousand, `since` is where
    /// that minute begins.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn figures(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
        since: Timestamp,
    ) -> Result<Rollup, StoreError> {
        let mut snapshot = self.begin(Way::Read, Scope::Installation, DOING).await?;
        let window = Window::since(&mut snapshot, system, environment, since).await?;
        let rollups = window.by_release(&mut snapshot).await?;
        snapshot.commit().await?;
        Ok(merged(rollups.values()))
    }

    /// Forgets what was counted by the minute before `before`, to the hour. What was counted by the hour
    /// stays: figures since a time before that begin at a full hour. Returns how many rollups went.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn forget_minutes(&self, before: Timestamp) -> Result<u64, StoreError> {
        let gone = self
            .write(
                Way::Control,
                Scope::Installation,
                Statement::new("DELETE FROM rollups WHERE width = $1 AND start < $2")
                    .bind(Width::Minute.seconds())
                    .bind(Width::Hour.start(before).as_micros()),
                "forget what was counted by the minute",
            )
            .await?;
        Ok(gone)
    }
}

/// All of them together.
pub(crate) fn merged<'a>(rollups: impl IntoIterator<Item = &'a Rollup>) -> Rollup {
    let mut merged = Rollup::default();
    for rollup in rollups {
        merged.merge(rollup);
    }
    merged
}

/// One system in one environment, since one moment.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    pub(crate) system: &'a SystemName,
    pub(crate) environment: &'a EnvironmentName,
    /// From when, exactly.
    pub(crate) since: Timestamp,
}

impl<'a> Window<'a> {
    /// The window that begins at `since`, or with its minute if that holds too much.
    pub(crate) async fn since(
        transaction: &mut Transaction,
        system: &'a SystemName,
        environment: &'a EnvironmentName,
        since: Timestamp,
    ) -> Result<Self, StoreError> {
        let row = transaction
            .row(
                Statement::new(
                    "SELECT CAST(SUM(decisions) AS BIGINT) FROM rollups
             WHERE system = $1 AND environment = $2 AND width = $3 AND start = $4",
                )
                .bind(system.as_str())
                .bind(environment.as_str())
                .bind(Width::Minute.seconds())
                .bind(Width::Minute.start(since).as_micros()),
            )
            .await?;
        let decisions = row.map_or(Ok(0), |row| count(&row, 0))?;
        let since = if decisions > ROWS_MAX {
            Width::Minute.start(since)
        } else {
            since
        };
        Ok(Self {
            system,
            environment,
            since,
        })
    }

    /// What the decisions of each release count for.
    pub(crate) async fn by_release(
        self,
        transaction: &mut Transaction,
    ) -> Result<BTreeMap<ReleaseId, Rollup>, StoreError> {
        let mut rollups = self.first_minute(transaction).await?;
        let rows = transaction
            .rows(
                Statement::new(
                    "SELECT release, counts, latency, cost FROM rollups
             WHERE system = $1 AND environment = $2 AND width = $3 AND start >= $4 AND start < $6
             UNION ALL
             SELECT release, counts, latency, cost FROM rollups
             WHERE system = $1 AND environment = $2 AND width = $5 AND start >= $6",
                )
                .bind(self.system.as_str())
                .bind(self.environment.as_str())
                .bind(Width::Minute.seconds())
                .bind(Width::Minute.next(self.since).as_micros())
                .bind(Width::Hour.seconds())
                .bind(Width::Hour.next(self.since).as_micros()),
            )
            .await?;
        for row in &rows {
            let release = parse("release", column(row, 0)?)?;
            let rollup = rollups::rollup(row, 1)?;
            rollups.entry(release).or_default().merge(&rollup);
        }
        Ok(rollups)
    }

    /// What the rows count for that lie before the first whole minute. A unit of work with a name is
    /// among them if its last decision is.
    async fn first_minute(
        self,
        transaction: &mut Transaction,
    ) -> Result<BTreeMap<ReleaseId, Rollup>, StoreError> {
        let end = Width::Minute.next(self.since);
        if end == self.since {
            return Ok(BTreeMap::new());
        }
        let mut statement = Statement::new(concat!(
            "SELECT ",
            sample_columns!(),
            " FROM decisions WHERE system = $1 AND environment = $2
                AND opened_at >= $3 AND opened_at < $4"
        ))
        .bind(self.system.as_str())
        .bind(self.environment.as_str())
        .bind(self.since.as_micros())
        .bind(end.as_micros());
        if transaction.has_days() {
            push_days(&mut statement, Some(self.since), Some(end));
        }
        let rows = transaction.rows(statement).await?;
        let mut counted = Changes::default();
        for row in &rows {
            if let Some(sample) = sample(row, 0)? {
                counted.add(&sample);
            }
        }
        let mut rollups: BTreeMap<ReleaseId, Rollup> = BTreeMap::new();
        for (span, rollup) in counted.spans(Width::Minute) {
            rollups.entry(span.release).or_default().merge(&rollup);
        }
        for total in rollups::units(transaction, counted.units())
            .await?
            .into_values()
        {
            let (minute, release) = total.last;
            if minute == Width::Minute.start(self.since) {
                rollups.entry(release).or_default().add_unit(total, 1);
            }
        }
        Ok(rollups)
    }
}
