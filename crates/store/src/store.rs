//! The database: opening it, and the three ways in which it is used.
//!
//! SQLite in WAL mode has one writer at a time and any number of readers beside it. The projection
//! writes with `synchronous = NORMAL`: what a power cut takes from it is read again from the journal.
//! Control state writes with `FULL`: it has no other copy. Readers never wait for either.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::Clock;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::error::{Doing as _, StoreError};
use crate::migrations;

/// How long to wait for another writer, or for a free connection, before the database counts as away.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// After how long an unused connection is closed, with its thread and what it keeps.
const IDLE_MAX: Duration = Duration::from_mins(2);

/// Readers at a time; more wait.
const READERS_MAX: u32 = 4;

/// A database of this node. Cheap to clone; all clones share their connections.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) readers: SqlitePool,
    pub(crate) projection: SqlitePool,
    pub(crate) control: SqlitePool,
    pub(crate) clock: Arc<dyn Clock>,
    path: Arc<Path>,
}

impl Store {
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
        create_private(&path)?;
        let options = options(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("journal_size_limit", "67108864");
        let durable = options.clone().synchronous(SqliteSynchronous::Full);
        let fast = options
            .synchronous(SqliteSynchronous::Normal)
            .pragma("cache_size", PROJECTION_CACHE);
        let mut connection = durable.connect().await.doing("be opened")?;
        migrations::migrate(&mut connection, clock.now(), target).await?;
        connection.close().await.doing("be opened")?;
        Ok(Self {
            readers: pool(READERS_MAX, read_only(&path)),
            projection: pool(1, fast),
            control: pool(1, durable),
            clock,
            path: path.into(),
        })
    }

    /// Opens an existing database for reading only, also while a server has it open.
    ///
    /// # Errors
    /// If there is none, or its schema is not the one of this version.
    pub async fn open_read_only(
        path: impl Into<PathBuf>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let path = path.into();
        if !path.is_file() {
            return Err(StoreError::Missing(path));
        }
        let readers = pool(READERS_MAX, read_only(&path));
        let mut connection = readers.acquire().await.doing("be opened for reading")?;
        migrations::check(&mut connection).await?;
        drop(connection);
        Ok(Self {
            projection: readers.clone(),
            control: readers.clone(),
            readers,
            clock,
            path: path.into(),
        })
    }

    /// Where the database's file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the database answers: for `/readyz`.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let answer = sqlx::query("SELECT 1").execute(&self.readers).await;
        answer.map(|_| ()).doing("answer")
    }

    /// Closes all connections, in order; a later use is an error.
    pub async fn close(&self) {
        self.readers.close().await;
        self.projection.close().await;
        self.control.close().await;
    }
}

/// What a connection keeps: prepared statements, and pages (in KiB, below zero).
const STATEMENTS_MAX: usize = 32;
const CACHE: &str = "-1024";
const PROJECTION_CACHE: &str = "-2048";

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(WAIT_MAX)
        .statement_cache_capacity(STATEMENTS_MAX)
        .pragma("cache_size", CACHE)
        .disable_statement_logging()
}

fn read_only(path: &Path) -> SqliteConnectOptions {
    options(path).read_only(true)
}

fn pool(connections: u32, options: SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WAIT_MAX)
        .test_before_acquire(false)
        .idle_timeout(IDLE_MAX)
        // After a full disk a transaction may be neither committed nor rolled back as far as the
        // driver knows: such a connection is thrown away, or nothing could ever be begun on it again.
        .before_acquire(|connection, _| {
            let usable = !connection.is_in_transaction();
            Box::pin(async move { Ok(usable) })
        })
        .connect_lazy_with(options)
}

/// Makes the file, readable by its owner only; SQLite gives the same rights to the files beside it.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let file_error = |source| StoreError::File {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(file_error)?;
    }
    let mut open = OpenOptions::new();
    open.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(path).map(|_| ()).map_err(file_error)
}
