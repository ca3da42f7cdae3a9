//! What units of work have cost, for budgets that count on after a start.

use plimsoll_core::ports::UnitSpent;
use plimsoll_core::{EnvironmentName, Money, SystemName, Tenancy, Timestamp};

use crate::database::{Row, Scope, Statement, column, time};
use crate::error::StoreError;
use crate::postgres::push_days;
use crate::sql::parse;
use crate::store::Store;

/// Sums of money are made in two parts, so that no engine's integers overflow.
const PART: i128 = 1_000_000_000;
/// The most units; those that were worked on last come first.
const UNITS_MAX: i64 = 100_000;

impl Store {
    /// What the named units have cost on which `system` worked since `since` in `environment`, the latest
    /// first, at most a hundred thousand.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn spent_on_units(
        &self,
        tenancy: &Tenancy,
        (system, environment): (&SystemName, &EnvironmentName),
        since: Timestamp,
    ) -> Result<Vec<UnitSpent>, StoreError> {
        let mut statement = Statement::new(
            "SELECT tenant, unit, CAST(COALESCE(SUM(cost_pico / 1000000000), 0) AS bigint),
                    CAST(COALESCE(SUM(cost_pico % 1000000000), 0) AS bigint), MAX(opened_at)
             FROM decisions WHERE unit IS NOT NULL AND system = ",
        );
        statement
            .push_bind(system.as_str())
            .push(" AND environment = ")
            .push_bind(environment.as_str())
            .push(" AND opened_at >= ")
            .push_bind(since.as_micros());
        if let Some(tenant) = tenancy.tenant() {
            statement.push(" AND tenant = ").push_bind(tenant.as_str());
        }
        if self.has_days() {
            push_days(&mut statement, Some(since), None);
        }
        statement
            .push(" GROUP BY tenant, unit ORDER BY 5 DESC LIMIT ")
            .push_bind(UNITS_MAX);
        let scope = Scope::of(tenancy.tenant());
        let doing = "read back what units cost";
        let rows = self.rows(scope, statement, doing).await?;
        rows.iter().map(unit).collect()
    }
}

fn unit(row: &Row) -> Result<UnitSpent, StoreError> {
    let (whole, rest): (i64, i64) = (column(row, 2)?, column(row, 3)?);
    Ok(UnitSpent {
        tenant: parse("tenant", &column::<String>(row, 0)?)?,
        unit: column(row, 1)?,
        spent: Money::from_pico(i128::from(whole) * PART + i128::from(rest)),
        last_at: time(row, 4)?.unwrap_or(Timestamp::from_micros(0)),
    })
}
