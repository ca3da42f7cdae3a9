//! Units of work in PostgreSQL, where several nodes may count decisions of one unit at once.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use crate::database::Row;
use crate::error::StoreError;
use crate::postgres::PgTransaction;
use crate::rollup::{Unit, UnitTotal};

/// Makes a row for every unit that has none. Of two nodes that do so for the same unit, the second waits
/// for the first; as both go by the units' order, neither waits for the other in turn.
const TOUCH: &str = "INSERT INTO units (system, environment, tenant, name, decisions, cost, minute, release) \
    SELECT *, 0, '0', 0, '' FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) \
    ON CONFLICT (system, environment, tenant, name) DO NOTHING";

const FIND: &str = "SELECT units.system, units.environment, units.tenant, units.name, decisions, cost, minute, release \
    FROM units JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) \
      AS asked (system, environment, tenant, name) \
      ON units.system = asked.system AND units.environment = asked.environment \
      AND units.tenant = asked.tenant AND units.name = asked.name \
    WHERE units.decisions > 0";

/// Takes the rows so that no other node changes them before this transaction ends.
const LOCK: &str = "SELECT 1 FROM units JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) \
      AS asked (system, environment, tenant, name) \
      ON units.system = asked.system AND units.environment = asked.environment \
      AND units.tenant = asked.tenant AND units.name = asked.name \
    ORDER BY units.system, units.environment, units.tenant, units.name FOR UPDATE OF units";

const WRITE: &str = "INSERT INTO units (system, environment, tenant, name, decisions, cost, minute, release) \
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], \
      $7::bigint[], $8::text[]) \
    ON CONFLICT (system, environment, tenant, name) DO UPDATE SET decisions = excluded.decisions, \
      cost = excluded.cost, minute = excluded.minute, release = excluded.release";

/// The rows of these units.
pub(crate) async fn find(
    transaction: &mut PgTransaction,
    units: &[&Unit],
) -> Result<Vec<Row>, StoreError> {
    let query = named(FIND, units);
    let rows = transaction
        .run(async move |connection| query.fetch_all(connection).await)
        .await?;
    Ok(rows.into_iter().map(Row::Postgres).collect())
}

/// The rows of these units, which come in their order, held until the transaction ends.
pub(crate) async fn take(
    transaction: &mut PgTransaction,
    units: &[&Unit],
) -> Result<Vec<Row>, StoreError> {
    let (touch, lock) = (named(TOUCH, units), named(LOCK, units));
    transaction
        .run(async move |connection| {
            touch.execute(&mut *connection).await?;
            lock.execute(connection).await
        })
        .await?;
    find(transaction, units).await
}

/// Writes what units come to that were taken.
pub(crate) async fn write(
    transaction: &mut PgTransaction,
    units: &[(&Unit, &UnitTotal)],
) -> Result<(), StoreError> {
    let names: Vec<&Unit> = units.iter().map(|(unit, _)| *unit).collect();
    let totals = || units.iter().map(|(_, total)| *total);
    let query = named(WRITE, &names)
        .bind(totals().map(|total| total.decisions).collect::<Vec<_>>())
        .bind(
            totals()
                .map(|total| total.cost.to_string())
                .collect::<Vec<_>>(),
        )
        .bind(
            totals()
                .map(|total| total.last.0.as_micros())
                .collect::<Vec<_>>(),
        )
        .bind(
            totals()
                .map(|total| total.last.1.to_string())
                .collect::<Vec<_>>(),
        );
    transaction
        .run(async move |connection| query.execute(connection).await)
        .await?;
    Ok(())
}

/// A statement whose first four values are the names of units.
fn named(sql: &'static str, units: &[&Unit]) -> Query<'static, sqlx::Postgres, PgArguments> {
    let each = |of: fn(&Unit) -> &str| -> Vec<String> {
        units.iter().map(|unit| of(unit).to_owned()).collect()
    };
    sqlx::query(sql)
        .bind(each(|unit| unit.system.as_str()))
        .bind(each(|unit| unit.environment.as_str()))
        .bind(each(|unit| unit.tenant.as_str()))
        .bind(each(|unit| unit.name.as_str()))
}
