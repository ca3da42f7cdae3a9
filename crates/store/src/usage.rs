//! What decisions used, for limits that count on after a start.

use plimsoll_core::Timestamp;
use plimsoll_core::limits::Amounts;
use plimsoll_core::money::Money;
use plimsoll_core::ports::{UsageQuery, Used};

use crate::database::{Row, Scope, Statement, column, count, time};
use crate::error::StoreError;
use crate::postgres::push_days;
use crate::sql::parse;
use crate::store::Store;

/// A decision that was opened so long before is looked at too, since it may have been closed in time.
const OPEN_MAX: std::time::Duration = std::time::Duration::from_hours(1);
/// Sums of money are made in two parts, so that no engine's integers overflow.
const PART: i128 = 1_000_000_000;
/// The most places of the tree that are read back at a time; those that used most come first.
const ROWS_MAX: i64 = 1_000_000;

impl Store {
    /// What decisions used that were closed since, or are open still, apart by tenant, key and system.
    /// What a limit refused was let in by none, and counts on none.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn usage(&self, query: &UsageQuery) -> Result<Vec<Used>, StoreError> {
        let apart = [
            ("subject", query.by_subject),
            ("session", query.by_session),
            ("node", query.by_node),
        ];
        let columns = apart.map(|(column, is_apart)| if is_apart { column } else { "NULL" });
        let apart = apart.iter().filter(|(_, is_apart)| *is_apart);
        let mut statement = Statement::new(
            "SELECT tenant, key, system, CAST(COUNT(*) AS bigint),
                    CAST(COALESCE(SUM(input_tokens), 0) AS bigint),
                    CAST(COALESCE(SUM(output_tokens), 0) AS bigint),
                    CAST(COALESCE(SUM(cost_pico / 1000000000), 0) AS bigint),
                    CAST(COALESCE(SUM(cost_pico % 1000000000), 0) AS bigint),
                    MIN(opened_at)",
        );
        for column in columns {
            statement.push(", ").push(column);
        }
        statement
            .push(" FROM decisions WHERE environment = ")
            .push_bind(query.environment.as_str())
            .push(" AND opened_at < ")
            .push_bind(query.until.as_micros());
        let opened = query.since.minus(OPEN_MAX);
        statement
            .push(" AND opened_at >= ")
            .push_bind(opened.as_micros());
        if self.has_days() {
            push_days(&mut statement, Some(opened), Some(query.until));
        }
        statement
            .push(" AND (closed_at IS NULL OR closed_at >= ")
            .push_bind(query.since.as_micros())
            .push(") AND NOT (attempts = 0 AND code IS NOT NULL AND code IN ('rate_limited', 'session_spent', 'limit_unnamed', 'limits_unavailable'))")
            .push(" GROUP BY tenant, key, system");
        for (column, _) in apart {
            statement.push(", ").push(column);
        }
        statement
            .push(" ORDER BY 7 DESC, 4 DESC LIMIT ")
            .push_bind(ROWS_MAX);
        let doing = "read back what limits count";
        let rows = self.rows(Scope::Installation, statement, doing).await?;
        rows.iter().map(used).collect()
    }
}

fn used(row: &Row) -> Result<Used, StoreError> {
    let text = |index: usize| column::<Option<String>>(row, index);
    let key = text(1)?.map(|key| parse("key", &key)).transpose()?;
    let subject = text(9)?
        .map(|digest| parse("subject", &digest))
        .transpose()?;
    let (whole, rest): (i64, i64) = (column(row, 6)?, column(row, 7)?);
    Ok(Used {
        tenant: parse("tenant", &column::<String>(row, 0)?)?,
        key,
        system: parse("system", &column::<String>(row, 2)?)?,
        subject,
        session: text(10)?,
        amounts: Amounts {
            requests: count(row, 3)?,
            tokens_in: count(row, 4)?,
            tokens_out: count(row, 5)?,
            money: Money::from_pico(i128::from(whole) * PART + i128::from(rest)),
        },
        first_at: time(row, 8)?.unwrap_or(Timestamp::from_micros(0)),
        node: text(11)?.map(|node| parse("node", &node)).transpose()?,
    })
}
