//! The partitions of decisions: a day each.
//!
//! An id begins with its time, so a day of decisions is a range of ids. A day is made before its first
//! decision comes (the day after the latest one is always there), or on demand; it is dropped whole, when
//! no journal retains anything of it.

use std::collections::BTreeSet;
use std::time::Duration;

use plimsoll_core::{DecisionId, Timestamp};

use crate::database::{Scope, Statement, Way};
use crate::error::StoreError;
use crate::postgres::Postgres;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The day of a time, counted from 1970.
pub(super) fn day_of(at: Timestamp) -> i32 {
    i32::try_from(at.as_micros().div_euclid(MICROS_PER_DAY)).unwrap_or(i32::MAX)
}

/// How far the time in a decision's id may lie from its opening. A node makes both from one reading of
/// its clock, so that this is more than enough.
const SLACK: Duration = Duration::from_hours(24);

/// Adds to the conditions of `statement` that the ids of decisions are those of `since` to `until`: then
/// days that cannot hold any are not looked at.
pub(crate) fn push_days(
    statement: &mut Statement,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) {
    if let Some(since) = since {
        let least = least_id(since.minus(SLACK));
        statement.push(" AND id >= ").push_bind(least.to_string());
    }
    if let Some(until) = until {
        let end = least_id(until.plus(SLACK));
        statement.push(" AND id < ").push_bind(end.to_string());
    }
}

/// The least id that can be made at a time.
fn least_id(at: Timestamp) -> DecisionId {
    const MILLIS_MAX: u128 = (1 << 48) - 1;
    let millis = u128::try_from(at.as_millis()).unwrap_or(0).min(MILLIS_MAX);
    DecisionId::from_bytes((millis << 80).to_be_bytes())
}

impl Postgres {
    /// Makes the days of `ids` that are not known to be there, and the day after the latest.
    pub(crate) async fn make_days(
        &self,
        ids: impl Iterator<Item = DecisionId>,
    ) -> Result<(), StoreError> {
        let mut days: BTreeSet<i32> = ids.map(|id| day_of(id.made_at())).collect();
        days.extend(days.last().map(|day| day.saturating_add(1)));
        days.retain(|day| !self.days.lock().contains(day));
        for day in days {
            let sql = "SELECT make_day(CAST($1 AS integer))";
            let statement = Statement::new(sql).bind(i64::from(day));
            let doing = "make a day of decisions";
            let mut transaction = self.begin(Way::Project, Scope::Installation, doing).await?;
            transaction.execute(statement).await?;
            transaction.commit().await?;
            self.days.lock().insert(day);
        }
        Ok(())
    }

    /// Forgets which days are there: one that was known may have been dropped.
    pub(crate) fn forget_days(&self) {
        self.days.lock().clear();
    }

    /// Drops the days before today of which no journal retains anything. Returns how many decisions went.
    pub(crate) async fn drop_days(&self) -> Result<u64, StoreError> {
        let doing = "forget what the journals no longer retain";
        let mut transaction = self
            .begin(Way::Maintain, Scope::Installation, doing)
            .await?;
        let today = day_of(self.clock.now());
        let statement = Statement::new(
            "SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
             WHERE inhparent = 'plimsoll.decisions'::regclass
               AND relname < 'decisions_' || to_char(date '1970-01-01' + CAST($1 AS integer), 'YYYY_MM_DD')
             ORDER BY relname",
        )
        .bind(i64::from(today));
        let partitions = transaction.rows(statement).await?;
        transaction.commit().await?;
        let mut gone = 0;
        for row in partitions {
            let partition: String = sqlx::Row::get(&row, 0);
            let statement = Statement::new("SELECT drop_day(CAST($1 AS name))").bind(partition);
            let mut transaction = self
                .begin(Way::Maintain, Scope::Installation, doing)
                .await?;
            let rows = transaction.rows(statement).await?;
            transaction.commit().await?;
            let dropped: Option<i64> = rows.first().and_then(|row| sqlx::Row::get(row, 0));
            gone += dropped.map_or(0, i64::unsigned_abs);
        }
        self.forget_days();
        Ok(gone)
    }
}
