//! Rows of either engine, read column by column.

use plimsoll_core::Timestamp;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::error::StoreError;

/// A row of either engine.
#[derive(Debug)]
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What a column of either engine can be read as.
pub(crate) trait Readable<'r>:
    sqlx::Decode<'r, sqlx::Sqlite>
    + sqlx::Type<sqlx::Sqlite>
    + sqlx::Decode<'r, sqlx::Postgres>
    + sqlx::Type<sqlx::Postgres>
{
}

impl<'r, T> Readable<'r> for T where
    T: sqlx::Decode<'r, sqlx::Sqlite>
        + sqlx::Type<sqlx::Sqlite>
        + sqlx::Decode<'r, sqlx::Postgres>
        + sqlx::Type<sqlx::Postgres>
{
}

/// A column of a row.
pub(crate) fn column<'r, T: Readable<'r>>(row: &'r Row, index: usize) -> Result<T, StoreError> {
    let value = match row {
        Row::Sqlite(row) => row.try_get(index),
        Row::Postgres(row) => row.try_get(index),
    };
    value.map_err(|source| StoreError::Unreadable {
        what: "row",
        source: Box::new(source),
    })
}

/// A count, which is never negative.
pub(crate) fn count(row: &Row, index: usize) -> Result<u64, StoreError> {
    let value: Option<i64> = column(row, index)?;
    Ok(u64::try_from(value.unwrap_or(0)).unwrap_or(0))
}

/// A time.
pub(crate) fn time(row: &Row, index: usize) -> Result<Option<Timestamp>, StoreError> {
    let micros: Option<i64> = column(row, index)?;
    Ok(micros.map(Timestamp::from_micros))
}
