//! SQLite: opening it, and the three ways in which it is used.
//!
//! SQLite in WAL mode has one writer at a time and any number of readers beside it. The projection
//! writes with `synchronous = NORMAL`: what a power cut takes from it is read again from the journal.
//! Control state writes with `FULL`: it has no other copy. Readers never wait for either.

pub(crate) mod decisions;
pub(crate) mod units;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use plimsoll_core::Clock;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::watch;

use crate::database::{Row, SqliteTransaction, Statement, Way};
use crate::error::{Doing as _, StoreError};
use crate::leases::Leases;
use crate::migrations;

/// How long to wait for another writer, or for a free connection, before the database counts as away.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// How long writers are kept waiting for readers while the log is emptied.
const LOG_WAIT_MAX: Duration = Duration::from_millis(100);

/// After how long an unused connection is closed, with its thread and what it keeps.
const IDLE_MAX: Duration = Duration::from_mins(2);

/// Readers at a time; more wait.
const READERS_MAX: u32 = 4;

/// A database file of this node.
#[derive(Debug)]
pub(crate) struct Sqlite {
    readers: SqlitePool,
    projection: SqlitePool,
    control: SqlitePool,
    path: PathBuf,
    is_read_only: bool,
    /// Whether something was erased that may still stand in the log.
    is_unclean: AtomicBool,
    /// Counts what was changed through this handle.
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) leases: Leases,
}

impl Sqlite {
    /// Opens the file, making it and bringing its schema up to `target` if need be.
    pub(crate) async fn open(
        path: PathBuf,
        clock: &dyn Clock,
        target: u32,
    ) -> Result<Self, StoreError> {
        create_private(&path, false)?;
        let options = options(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("journal_size_limit", "67108864")
            // What is deleted is overwritten: an erased input does not linger in a free page.
            .pragma("secure_delete", "ON");
        let durable = options.clone().synchronous(SqliteSynchronous::Full);
        let fast = options
            .synchronous(SqliteSynchronous::Normal)
            .pragma("cache_size", PROJECTION_CACHE)
            .pragma("wal_autocheckpoint", LOG_PAGES);
        let sqlite = Self {
            readers: pool(READERS_MAX, read_only(&path)),
            projection: pool(1, fast),
            control: pool(1, durable),
            path,
            is_read_only: false,
            is_unclean: AtomicBool::new(false),
            changes: watch::Sender::new(0),
            leases: Leases::default(),
        };
        migrations::migrate(&sqlite, clock.now(), target).await?;
        Ok(sqlite)
    }

    /// Opens an existing file for reading only.
    pub(crate) async fn open_read_only(path: PathBuf) -> Result<Self, StoreError> {
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
            path,
            is_read_only: true,
            is_unclean: AtomicBool::new(false),
            changes: watch::Sender::new(0),
            leases: Leases::default(),
        })
    }

    /// The same file with connections of its own. Who waits for changes hears of those of both.
    pub(crate) async fn reopen(&self, clock: &dyn Clock) -> Result<Self, StoreError> {
        let path = self.path.clone();
        let again = if self.is_read_only {
            Self::open_read_only(path).await?
        } else {
            Self::open(path, clock, migrations::SCHEMA).await?
        };
        Ok(Self {
            changes: self.changes.clone(),
            leases: Leases::clone(&self.leases),
            ..again
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a transaction. One that writes holds the write lock from its beginning.
    pub(crate) async fn begin(
        &self,
        way: Way,
        doing: &'static str,
    ) -> Result<SqliteTransaction, StoreError> {
        let begun = match way {
            Way::Read => self.readers.begin().await,
            Way::Project | Way::Maintain => self.projection.begin_with("BEGIN IMMEDIATE").await,
            Way::Control => self.control.begin_with("BEGIN IMMEDIATE").await,
        };
        let inner = begun.doing(doing)?;
        Ok(SqliteTransaction {
            inner,
            doing,
            changes: self.changes.clone(),
            tells: false,
        })
    }

    /// The rows of one statement, without a transaction around it.
    pub(crate) async fn rows(
        &self,
        statement: Statement,
        doing: &'static str,
    ) -> Result<Vec<Row>, StoreError> {
        let rows = statement.sqlite().fetch_all(&self.readers).await;
        Ok(rows.doing(doing)?.into_iter().map(Row::Sqlite).collect())
    }

    /// If something was erased now or before: empties the write-ahead log, where it may still stand. While
    /// somebody reads from the log that cannot be done, and the next call tries again.
    pub(crate) async fn clean_log(&self, was_erased: bool) {
        let is_unclean = self.is_unclean.fetch_or(was_erased, Ordering::Relaxed) || was_erased;
        if !is_unclean {
            return;
        }
        match self.empty_log().await {
            Ok(is_empty) => self.is_unclean.store(!is_empty, Ordering::Relaxed),
            Err(error) => tracing::warn!(error = %error, "the log could not be emptied yet"),
        }
    }

    /// Moves what was written into the database's file and empties the log, unless somebody reads from
    /// it: writers are not kept waiting for readers longer than [`LOG_WAIT_MAX`].
    async fn empty_log(&self) -> Result<bool, StoreError> {
        let doing = "empty its log";
        let options = options(&self.path).busy_timeout(LOG_WAIT_MAX);
        let mut connection = options.connect().await.doing(doing)?;
        let is_busy: i64 = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&mut connection)
            .await
            .doing(doing)?;
        connection.close().await.doing(doing)?;
        Ok(is_busy == 0)
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.projection.close().await;
        self.control.close().await;
    }
}

/// What a connection keeps: prepared statements, and pages (in KiB, below zero).
const STATEMENTS_MAX: usize = 32;
const CACHE: &str = "-1024";
const PROJECTION_CACHE: &str = "-4096";
/// Pages of the log before it is copied into the database: pages that every batch changes are copied once for many.
const LOG_PAGES: &str = "4000";

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(WAIT_MAX)
        .statement_cache_capacity(STATEMENTS_MAX)
        .pragma("cache_size", CACHE)
        .disable_statement_logging()
}

pub(crate) fn read_only(path: &Path) -> SqliteConnectOptions {
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

/// Makes the file, readable by its owner only; SQLite gives the same rights to the files beside it. With
/// `new` it must not be there.
pub(crate) fn create_private(path: &Path, new: bool) -> Result<(), StoreError> {
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
    open.create(true).create_new(new).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(path).map(|_| ()).map_err(file_error)
}
