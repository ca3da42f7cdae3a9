//! The store: what is kept beside the journal, in SQLite or in PostgreSQL.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_core::{Clock, Timestamp};

use crate::database::{Engine, Scope, Statement};
use crate::decisions::{DecisionFilter, Page};
use crate::error::StoreError;
use crate::migrations;
use crate::postgres::{Postgres, PostgresConfig};
use crate::sqlite::Sqlite;

/// A database. Cheap to clone; all clones share their connections.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Store {
    fn new(engine: Engine, clock: Arc<dyn Clock>) -> Self {
        Self {
            engine: Arc::new(engine),
            clock,
        }
    }

    /// Opens the database file at `path` (`data/plimsoll.db`), making it and bringing its schema up if
    /// need be. The file is readable by its owner only: reviews hold inputs.
    ///
    /// # Errors
    /// If the file cannot be made or used, or a newer version wrote it.
    pub async fn open(path: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::open_at_schema(path.into(), clock, migrations::SCHEMA).await
    }

    /// For tests of migrations: a database as the version with schema `target` had it.
    #[doc(hidden)]
    pub async fn open_at_schema(
        path: PathBuf,
        clock: Arc<dyn Clock>,
        target: u32,
    ) -> Result<Self, StoreError> {
        let sqlite = Sqlite::open(path, &*clock, target).await?;
        Ok(Self::new(Engine::Sqlite(sqlite), clock))
    }

    /// Opens an existing database file for reading only, also while a server has it open.
    ///
    /// # Errors
    /// If there is none, or its schema is not the one of this version.
    pub async fn open_read_only(
        path: impl Into<PathBuf>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let sqlite = Sqlite::open_read_only(path.into()).await?;
        Ok(Self::new(Engine::Sqlite(sqlite), clock))
    }

    /// Connects to a PostgreSQL, which several nodes may share, and brings its schema up if `config` says
    /// as whom. One that is away is no error: each later call looks anew.
    ///
    /// # Errors
    /// If a URL is none, the node's role is not bound by row-level security, or the schema is not the one
    /// of this version.
    pub async fn connect(
        config: &PostgresConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let postgres = Postgres::connect(config, Arc::clone(&clock)).await?;
        Ok(Self::new(Engine::Postgres(Box::new(postgres)), clock))
    }

    /// For tests of migrations: brings the schema of a PostgreSQL up to `target` and no further.
    #[doc(hidden)]
    pub async fn migrate_to(
        config: &PostgresConfig,
        now: Timestamp,
        target: u32,
    ) -> Result<(), StoreError> {
        Postgres::migrate_to(config, now, target).await
    }

    /// For tests: how PostgreSQL would read the decisions that `filter` lets through.
    #[doc(hidden)]
    pub async fn plan_of_decisions(&self, filter: &DecisionFilter) -> Result<String, StoreError> {
        let mut query = Statement::new("EXPLAIN SELECT record FROM decisions");
        filter.push_where(&mut query, Page::All, true);
        let plan = self
            .texts(Scope::Installation, query, "explain itself")
            .await?;
        Ok(plan.join("\n"))
    }

    /// The same database with connections of its own, for another runtime: connections belong to the
    /// runtime that made them.
    ///
    /// # Errors
    /// As when it was opened.
    pub async fn reopen(&self) -> Result<Self, StoreError> {
        let clock = Arc::clone(&self.clock);
        match &*self.engine {
            Engine::Sqlite(sqlite) => {
                let again = sqlite.reopen(&*clock).await?;
                Ok(Self::new(Engine::Sqlite(again), clock))
            }
            Engine::Postgres(postgres) => Self::connect(postgres.config(), clock).await,
        }
    }

    /// Where the database's file is, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match &*self.engine {
            Engine::Sqlite(sqlite) => Some(sqlite.path()),
            Engine::Postgres(_) => None,
        }
    }

    /// Whether the database answers: for `/readyz`.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let statement = Statement::new("SELECT 1");
        self.rows(Scope::Installation, statement, "answer").await?;
        Ok(())
    }

    /// Closes all connections, in order; a later use is an error.
    pub async fn close(&self) {
        match &*self.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close().await,
        }
    }
}
