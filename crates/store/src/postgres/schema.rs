//! The schema's history on PostgreSQL, and what has to be true before a node works with it.
//!
//! The owner's role migrates: forward only, each step in a transaction of its own. Of nodes that start
//! at once, one migrates and the others wait.

use plimsoll_core::Timestamp;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Row as _};

use crate::error::{Doing as _, StoreError};

struct Migration {
    number: i32,
    name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($number:literal $name:literal,)*) => {
        [$(Migration {
            number: $number,
            name: $name,
            sql: include_str!(concat!("../../migrations/postgres/000", $number, "_", $name, ".sql")),
        }),*]
    };
}

const MIGRATIONS: [Migration; 7] = migrations! {
    1 "security",
    2 "projection",
    3 "reviews",
    4 "governance",
    5 "nodes",
    6 "labels",
    7 "as_of",
};

/// The schema of PostgreSQL that this version reads and writes.
pub const POSTGRES_SCHEMA: u32 = MIGRATIONS[MIGRATIONS.len() - 1].number.unsigned_abs();

const CREATE: &str = "CREATE SCHEMA IF NOT EXISTS plimsoll;
    CREATE TABLE IF NOT EXISTS plimsoll.migrations (
        number integer PRIMARY KEY, name text NOT NULL, applied_at bigint NOT NULL)";

/// Keeps two that migrate apart; any number does.
const LOCK: &str = "SELECT pg_advisory_lock(8317987319222330741)";

/// Brings the schema up to `target` (for everybody but tests: [`POSTGRES_SCHEMA`]) as the owner, and lets
/// the role `node` in.
pub(super) async fn migrate(
    owner: &PgConnectOptions,
    node: &str,
    now: Timestamp,
    target: u32,
) -> Result<(), StoreError> {
    let doing = "change its schema";
    let mut connection = owner.connect().await.doing("be reached by its owner")?;
    sqlx::raw_sql(LOCK)
        .execute(&mut connection)
        .await
        .doing(doing)?;
    sqlx::raw_sql(CREATE)
        .execute(&mut connection)
        .await
        .doing(doing)?;
    sqlx::raw_sql("SET plimsoll.tenant = '*'")
        .execute(&mut connection)
        .await
        .doing(doing)?;
    let found = version(&mut connection).await?;
    if found > POSTGRES_SCHEMA {
        return Err(newer(found));
    }
    let wanted = |number: u32| number > found && number <= target;
    for migration in MIGRATIONS
        .iter()
        .filter(|one| wanted(one.number.unsigned_abs()))
    {
        apply(&mut connection, migration, now).await?;
    }
    sqlx::query("SELECT plimsoll.admit($1)")
        .bind(node)
        .execute(&mut connection)
        .await
        .doing(doing)?;
    connection.close().await.doing(doing)
}

async fn apply(
    connection: &mut PgConnection,
    migration: &Migration,
    now: Timestamp,
) -> Result<(), StoreError> {
    let doing = "change its schema";
    let mut transaction = connection.begin().await.doing(doing)?;
    sqlx::raw_sql(migration.sql)
        .execute(&mut *transaction)
        .await
        .doing(doing)?;
    sqlx::query("INSERT INTO migrations (number, name, applied_at) VALUES ($1, $2, $3)")
        .bind(migration.number)
        .bind(migration.name)
        .bind(now.as_micros())
        .execute(&mut *transaction)
        .await
        .doing(doing)?;
    transaction.commit().await.doing(doing)?;
    tracing::info!(
        schema = migration.number,
        name = migration.name,
        "database schema changed"
    );
    Ok(())
}

/// Refuses a role that row-level security does not bind, and a schema of another version.
pub(super) async fn check(connection: &mut PgConnection) -> Result<(), StoreError> {
    let doing = "say what the node's role may do";
    let row = sqlx::query(
        "SELECT current_user::text, rolsuper OR rolbypassrls, EXISTS (
             SELECT FROM pg_class WHERE relnamespace = to_regnamespace('plimsoll')
             AND pg_has_role(current_user, relowner, 'MEMBER'))
         FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(&mut *connection)
    .await
    .doing(doing)?;
    let (role, exempt, owns): (String, bool, bool) = (row.get(0), row.get(1), row.get(2));
    if exempt || owns {
        return Err(StoreError::Role { role });
    }
    let mut transaction = connection.begin().await.doing("read its schema")?;
    sqlx::raw_sql("SET LOCAL plimsoll.tenant = '*'")
        .execute(&mut *transaction)
        .await
        .doing("read its schema")?;
    let found = version(&mut transaction).await?;
    match found {
        _ if found > POSTGRES_SCHEMA => Err(newer(found)),
        _ if found < POSTGRES_SCHEMA => Err(StoreError::OlderSchema {
            found,
            known: POSTGRES_SCHEMA,
        }),
        _ => Ok(()),
    }
}

const fn newer(found: u32) -> StoreError {
    StoreError::NewerSchema {
        found,
        known: POSTGRES_SCHEMA,
    }
}

/// The schema's number; 0 where there is none, or none that this role may see.
async fn version(connection: &mut PgConnection) -> Result<u32, StoreError> {
    let is_there: bool = sqlx::query_scalar(
        "SELECT coalesce(has_table_privilege(to_regclass('plimsoll.migrations'), 'SELECT'), false)
            AND has_schema_privilege(to_regnamespace('plimsoll'), 'USAGE')",
    )
    .fetch_one(&mut *connection)
    .await
    .doing("read its schema")?;
    if !is_there {
        return Ok(0);
    }
    let number: i32 =
        sqlx::query_scalar("SELECT coalesce(max(number), 0) FROM plimsoll.migrations")
            .fetch_one(connection)
            .await
            .doing("read its schema")?;
    Ok(number.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_without_gaps() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            let number = usize::try_from(migration.number).unwrap();
            assert_eq!(number, index + 1, "{}", migration.name);
        }
    }
}
