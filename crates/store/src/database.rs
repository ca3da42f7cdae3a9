//! The database behind the store: SQLite for one node, PostgreSQL for several.
//!
//! A call is a transaction that says what it is for ([`Way`]) and for whom it works ([`Scope`]), and
//! statements that both engines understand. What the two do differently (batches of decisions, days, who
//! may see what) lies in their own files.

mod row;
mod statement;
mod transaction;

use plimsoll_core::{DecisionId, TenantName};

use crate::error::StoreError;
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::store::Store;

pub(crate) use row::{Row, column, count, time};
pub(crate) use statement::{Statement, storable};
pub(crate) use transaction::{SqliteTransaction, Transaction};

/// Which database.
#[derive(Debug)]
pub(crate) enum Engine {
    Sqlite(Sqlite),
    Postgres(Box<Postgres>),
}

/// What a transaction is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// Reading; nobody waits for it.
    Read,
    /// Writing what the journal says: what a power cut takes is read again from there.
    Project,
    /// Writing what has no other copy.
    Control,
    /// Going over much; it may take minutes.
    Maintain,
}

/// For whom a transaction works. PostgreSQL shows it the rows of this scope and no others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    /// The installation: its own records, and those of all tenants.
    Installation,
    /// One tenant.
    Tenant(&'a TenantName),
}

impl<'a> Scope<'a> {
    /// Of this tenant, or of all.
    pub(crate) fn of(tenant: Option<&'a TenantName>) -> Self {
        tenant.map_or(Self::Installation, Self::Tenant)
    }
}

/// What writers wait for each other over, where there may be several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lock {
    /// The order in which deployments come to be known.
    Deployments,
    /// Held while contents are erased: nobody may bring any that are.
    Erasing,
    /// Held while contents are brought.
    NotErasing,
}

impl Store {
    /// Begins a transaction. What is dropped before its end never was.
    pub(crate) async fn begin(
        &self,
        way: Way,
        scope: Scope<'_>,
        doing: &'static str,
    ) -> Result<Transaction, StoreError> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.begin(way, doing).await.map(Transaction::Sqlite),
            Engine::Postgres(postgres) => {
                // What is awaited here is large, and would be part of whatever awaits it.
                let transaction = Box::pin(postgres.begin(way, scope, doing)).await?;
                Ok(Transaction::Postgres(transaction))
            }
        }
    }

    /// The rows of one statement.
    pub(crate) async fn rows(
        &self,
        scope: Scope<'_>,
        statement: Statement,
        doing: &'static str,
    ) -> Result<Vec<Row>, StoreError> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.rows(statement, doing).await,
            Engine::Postgres(_) => {
                let mut transaction = self.begin(Way::Read, scope, doing).await?;
                let rows = transaction.rows(statement).await?;
                transaction.commit().await?;
                Ok(rows)
            }
        }
    }

    /// The first row of one statement, if it has any.
    pub(crate) async fn row(
        &self,
        scope: Scope<'_>,
        statement: Statement,
        doing: &'static str,
    ) -> Result<Option<Row>, StoreError> {
        let rows = self.rows(scope, statement, doing).await?;
        Ok(rows.into_iter().next())
    }

    /// The first column of each row, which is text.
    pub(crate) async fn texts(
        &self,
        scope: Scope<'_>,
        statement: Statement,
        doing: &'static str,
    ) -> Result<Vec<String>, StoreError> {
        let rows = self.rows(scope, statement, doing).await?;
        rows.iter().map(|row| column(row, 0)).collect()
    }

    /// The first column of the first row, which is text.
    pub(crate) async fn text(
        &self,
        scope: Scope<'_>,
        statement: Statement,
        doing: &'static str,
    ) -> Result<Option<String>, StoreError> {
        let row = self.row(scope, statement, doing).await?;
        row.as_ref().map(|row| column(row, 0)).transpose()
    }

    /// The first column of the first row, which is a number.
    pub(crate) async fn number(
        &self,
        scope: Scope<'_>,
        statement: Statement,
        doing: &'static str,
    ) -> Result<Option<i64>, StoreError> {
        let row = self.row(scope, statement, doing).await?;
        row.as_ref().map_or(Ok(None), |row| column(row, 0))
    }

    /// Runs one statement that writes. Returns how many rows it wrote.
    pub(crate) async fn write(
        &self,
        way: Way,
        scope: Scope<'_>,
        statement: Statement,
        doing: &'static str,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.begin(way, scope, doing).await?;
        let rows = transaction.execute(statement).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    /// Makes the partitions of the days in which these ids were made, where there are such.
    pub(crate) async fn make_days(
        &self,
        ids: impl Iterator<Item = DecisionId>,
    ) -> Result<(), StoreError> {
        match &*self.engine {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(postgres) => postgres.make_days(ids).await,
        }
    }

    /// Forgets which days are known to be there.
    pub(crate) fn forget_days(&self) {
        if let Engine::Postgres(postgres) = &*self.engine {
            postgres.forget_days();
        }
    }

    /// Drops the days of which no journal retains anything. Returns how many decisions went.
    pub(crate) async fn drop_days(&self) -> Result<u64, StoreError> {
        match &*self.engine {
            Engine::Sqlite(_) => Ok(0),
            Engine::Postgres(postgres) => postgres.drop_days().await,
        }
    }

    /// Empties what the database keeps beside its tables, if something was erased that may still stand
    /// there.
    pub(crate) async fn clean_log(&self, was_erased: bool) {
        if let Engine::Sqlite(sqlite) = &*self.engine {
            sqlite.clean_log(was_erased).await;
        }
    }
}
