//! A transaction on either engine.

use sqlx::sqlite::Sqlite;
use tokio::sync::watch;

use crate::database::Lock;
use crate::database::row::{Row, column};
use crate::database::statement::Statement;
use crate::error::{Doing as _, StoreError};
use crate::postgres::PgTransaction;
use crate::wakeups::wake;

/// A transaction; dropped before its end, it never was.
#[derive(Debug)]
pub(crate) enum Transaction {
    Sqlite(SqliteTransaction),
    Postgres(PgTransaction),
}

/// A transaction of SQLite, and what it is for.
#[derive(Debug)]
pub(crate) struct SqliteTransaction {
    pub(crate) inner: sqlx::Transaction<'static, Sqlite>,
    pub(crate) doing: &'static str,
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) tells: bool,
}

impl SqliteTransaction {
    async fn commit(self) -> Result<(), StoreError> {
        self.inner.commit().await.doing(self.doing)?;
        if self.tells {
            wake(&self.changes);
        }
        Ok(())
    }
}

impl Transaction {
    /// The rows of a statement.
    pub(crate) async fn rows(&mut self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                let asking = statement.sqlite().fetch_all(&mut *transaction.inner);
                let rows = asking.await.doing(transaction.doing)?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(transaction) => {
                let rows = transaction.rows(statement).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// The first row of a statement, if it has any.
    pub(crate) async fn row(&mut self, statement: Statement) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// The first column of each row of a statement, which is text.
    pub(crate) async fn texts(&mut self, statement: Statement) -> Result<Vec<String>, StoreError> {
        let rows = self.rows(statement).await?;
        rows.iter().map(|row| column(row, 0)).collect()
    }

    /// The first column of the first row of a statement, which is text.
    pub(crate) async fn text(
        &mut self,
        statement: Statement,
    ) -> Result<Option<String>, StoreError> {
        let row = self.row(statement).await?;
        row.as_ref().map(|row| column(row, 0)).transpose()
    }

    /// The first column of the first row of a statement, which is a number.
    pub(crate) async fn number(&mut self, statement: Statement) -> Result<Option<i64>, StoreError> {
        let row = self.row(statement).await?;
        row.as_ref().map_or(Ok(None), |row| column(row, 0))
    }

    /// Whether decisions lie in a partition for each day.
    pub(crate) const fn has_days(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Waits for other writers, and keeps them waiting until the end. SQLite has one writer at a time.
    pub(crate) async fn lock(&mut self, lock: Lock) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(transaction) => transaction.lock(lock).await,
        }
    }

    /// Wakes whoever waits for changes, once this is committed.
    pub(crate) async fn tell(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => transaction.tells = true,
            Self::Postgres(transaction) => transaction.tell().await?,
        }
        Ok(())
    }

    /// Runs a statement that writes. Returns how many rows it wrote.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(transaction) => {
                let writing = statement.sqlite().execute(&mut *transaction.inner);
                Ok(writing.await.doing(transaction.doing)?.rows_affected())
            }
            Self::Postgres(transaction) => transaction.execute(statement).await,
        }
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }
}
