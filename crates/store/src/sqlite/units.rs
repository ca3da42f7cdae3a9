//! Units of work in SQLite, many to a statement.

use sqlx::{QueryBuilder, Sqlite};

use crate::database::{Row, SqliteTransaction, Statement};
use crate::error::{Doing as _, StoreError};
use crate::rollup::{Unit, UnitTotal};
use crate::sql::write_json;

const DOING: &str = "count decisions";

/// Rows in one statement.
const ROWS_MAX: usize = 64;

/// The rows of these units.
pub(crate) async fn find(
    transaction: &mut SqliteTransaction,
    units: &[&Unit],
) -> Result<Vec<Row>, StoreError> {
    let names = |unit: &&Unit| {
        let (system, environment) = (unit.system.to_string(), unit.environment.to_string());
        [
            system,
            environment,
            unit.tenant.to_string(),
            unit.name.clone(),
        ]
    };
    let asked: Vec<[String; 4]> = units.iter().map(names).collect();
    let statement = Statement::new(
        "SELECT system, environment, tenant, name, decisions, cost, minute, release
         FROM json_each($1) AS asked CROSS JOIN units
         WHERE system = asked.value ->> 0 AND environment = asked.value ->> 1
           AND tenant = asked.value ->> 2 AND name = asked.value ->> 3",
    )
    .bind(write_json("unit of work", &asked)?);
    let rows = statement.sqlite().fetch_all(&mut *transaction.inner).await;
    Ok(rows.doing(DOING)?.into_iter().map(Row::Sqlite).collect())
}

/// Writes what units come to.
pub(crate) async fn write(
    transaction: &mut SqliteTransaction,
    units: &[(&Unit, &UnitTotal)],
) -> Result<(), StoreError> {
    for rows in units.chunks(ROWS_MAX) {
        let mut insert = QueryBuilder::<Sqlite>::new(
            "INSERT INTO units (system, environment, tenant, name, decisions, cost, minute, release) ",
        );
        insert.push_values(rows, |mut values, (unit, total)| {
            let (minute, release) = total.last;
            values
                .push_bind(unit.system.as_str())
                .push_bind(unit.environment.as_str())
                .push_bind(unit.tenant.as_str())
                .push_bind(unit.name.as_str())
                .push_bind(total.decisions)
                .push_bind(total.cost.to_string())
                .push_bind(minute.as_micros())
                .push_bind(release.to_string());
        });
        insert.push(
            " ON CONFLICT (system, environment, tenant, name) DO UPDATE SET \
             decisions = excluded.decisions, cost = excluded.cost, minute = excluded.minute, \
             release = excluded.release",
        );
        insert
            .build()
            .persistent(rows.len() == ROWS_MAX)
            .execute(&mut *transaction.inner)
            .await
            .doing(DOING)?;
    }
    Ok(())
}
