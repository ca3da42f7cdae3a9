//! The schema's history in SQLite: numbered, forward only, each step in a transaction of its own.
//!
//! A step that was released is never changed; a later one mends it. A database with a step that this
//! version does not know is refused, since an older binary would write rows that the newer one misreads.

use plimsoll_core::Timestamp;
use sqlx::SqliteConnection;

use crate::database::{Transaction, Way};
use crate::error::{Doing as _, StoreError};
use crate::projector::rollups;
use crate::sqlite::Sqlite;

struct Migration {
    number: u32,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: [Migration; 8] = [
    Migration {
        number: 1,
        name: "projection",
        sql: include_str!("../migrations/0001_projection.sql"),
    },
    Migration {
        number: 2,
        name: "reviews",
        sql: include_str!("../migrations/0002_reviews.sql"),
    },
    Migration {
        number: 3,
        name: "idempotency",
        sql: include_str!("../migrations/0003_idempotency.sql"),
    },
    Migration {
        number: ROLLUPS,
        name: "governance",
        sql: include_str!("../migrations/0004_governance.sql"),
    },
    Migration {
        number: 5,
        name: "nodes",
        sql: include_str!("../migrations/0005_nodes.sql"),
    },
    Migration {
        number: 6,
        name: "labels",
        sql: include_str!("../migrations/0006_labels.sql"),
    },
    Migration {
        number: 7,
        name: "as_of",
        sql: include_str!("../migrations/0007_as_of.sql"),
    },
    Migration {
        number: 8,
        name: "lists",
        sql: include_str!("../migrations/0008_lists.sql"),
    },
];

/// The migration that brought rollups: what was decided before it is counted then.
const ROLLUPS: u32 = 4;

/// The schema that this version reads and writes.
pub const SCHEMA: u32 = MIGRATIONS[MIGRATIONS.len() - 1].number;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS migrations (
    number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT";

/// Brings the database up to schema `target` (for everybody but tests: [`SCHEMA`]).
pub(crate) async fn migrate(
    sqlite: &Sqlite,
    now: Timestamp,
    target: u32,
) -> Result<(), StoreError> {
    let mut transaction = sqlite.begin(Way::Control, "make its schema").await?;
    sqlx::raw_sql(CREATE)
        .execute(&mut *transaction.inner)
        .await
        .doing("make its schema")?;
    Transaction::Sqlite(transaction).commit().await?;
    for migration in MIGRATIONS
        .iter()
        .filter(|migration| migration.number <= target)
    {
        // The version is read inside the write transaction: of two that start at once, one waits.
        let mut transaction = sqlite.begin(Way::Control, "change its schema").await?;
        let found = version(&mut transaction.inner).await?;
        if found > SCHEMA {
            return Err(StoreError::NewerSchema {
                found,
                known: SCHEMA,
            });
        }
        if found >= migration.number {
            continue;
        }
        sqlx::raw_sql(migration.sql)
            .execute(&mut *transaction.inner)
            .await
            .doing("change its schema")?;
        sqlx::query("INSERT INTO migrations (number, name, applied_at) VALUES (?1, ?2, ?3)")
            .bind(migration.number)
            .bind(migration.name)
            .bind(now.as_micros())
            .execute(&mut *transaction.inner)
            .await
            .doing("note a change of its schema")?;
        let mut transaction = Transaction::Sqlite(transaction);
        if migration.number == ROLLUPS {
            rollups::count_all(&mut transaction).await?;
        }
        transaction.commit().await?;
        tracing::info!(
            schema = migration.number,
            name = migration.name,
            "database schema changed"
        );
    }
    Ok(())
}

/// Refuses a database that this version cannot read as it stands.
pub(crate) async fn check(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let found = version(connection).await?;
    match found {
        _ if found > SCHEMA => Err(StoreError::NewerSchema {
            found,
            known: SCHEMA,
        }),
        _ if found < SCHEMA => Err(StoreError::OlderSchema {
            found,
            known: SCHEMA,
        }),
        _ => Ok(()),
    }
}

async fn version(connection: &mut SqliteConnection) -> Result<u32, StoreError> {
    let tables: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'",
    )
    .fetch_one(&mut *connection)
    .await
    .doing("read its schema")?;
    if tables == 0 {
        return Ok(0);
    }
    sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM migrations")
        .fetch_one(&mut *connection)
        .await
        .doing("read its schema")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_without_gaps() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(
                usize::try_from(migration.number).unwrap(),
                index + 1,
                "{}",
                migration.name
            );
        }
    }
}
