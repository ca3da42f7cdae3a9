//! PostgreSQL: several nodes share one database.
//!
//! - **Two roles.** One owns the tables and migrates; a node connects as another that owns nothing, and
//!   a role that row-level security does not bind is refused.
//! - **One transaction per call**, which says for whom it works: see [`Scope`]. A setting made for one
//!   transaction also holds behind a pooler that shares connections.
//! - **Bounded.** A call that is not answered within [`WAIT_MAX`] counts as unavailable, and its
//!   connection is thrown away: the next one makes a new one. Nothing here has to be restarted when the
//!   database comes back, also if it was away when the node started.

mod days;
pub(crate) mod decisions;
mod leading;
mod listening;
mod schema;
pub(crate) mod units;

use std::collections::BTreeSet;
use std::future::Future;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::{Clock, Secret, TenantName, Timestamp};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::database::{Lock, Scope, Statement, Way};
use crate::error::{Doing as _, StoreError};

pub(crate) use days::push_days;
pub use schema::POSTGRES_SCHEMA;

/// How long a call may take before the database counts as away.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// The same for work that goes over much: a rebuild, a migration, dropping days.
const MAINTENANCE_MAX: Duration = Duration::from_mins(10);

/// How long to wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// After how long an unused connection is closed.
const IDLE_MAX: Duration = Duration::from_mins(2);

/// Connections for reading, for projecting, and for control state.
const READERS_MAX: u32 = 6;
const PROJECTIONS_MAX: u32 = 2;
const CONTROLS_MAX: u32 = 2;

/// How a node reaches its PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresConfig {
    /// The node's own connection: `postgres://plimsoll_node@host/database`. Its role owns no table.
    pub url: Secret,
    /// The owner's connection, to bring the schema up at start. Without it the schema has to be there.
    pub migrate_url: Option<Secret>,
}

/// The connections to one database.
#[derive(Debug)]
pub(crate) struct Postgres {
    config: PostgresConfig,
    node: PgConnectOptions,
    owner: Option<PgConnectOptions>,
    readers: PgPool,
    projection: PgPool,
    control: PgPool,
    /// Set once schema and role were found as they have to be.
    checked: OnceCell<()>,
    /// Days whose partitions are known to be there.
    days: parking_lot::Mutex<BTreeSet<i32>>,
    clock: Arc<dyn Clock>,
}

impl Postgres {
    /// Connects, and brings the schema up if `config` has the owner's URL. A database that is away is
    /// no error here: every later call looks anew.
    pub(crate) async fn connect(
        config: &PostgresConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let node = options(&config.url)?;
        let owner = config.migrate_url.as_ref().map(options).transpose()?;
        let postgres = Self {
            config: config.clone(),
            readers: pool(READERS_MAX, node.clone()),
            projection: pool(PROJECTIONS_MAX, node.clone()),
            control: pool(CONTROLS_MAX, node.clone()),
            node,
            owner,
            checked: OnceCell::new(),
            days: parking_lot::Mutex::default(),
            clock,
        };
        match Box::pin(postgres.check()).await {
            Err(error) if error.is_retryable() => {
                tracing::warn!(error = %error, "database away; serving goes on without it");
            }
            checked => checked?,
        }
        Ok(postgres)
    }

    /// Brings the schema up to `target` as the owner.
    pub(crate) async fn migrate_to(
        config: &PostgresConfig,
        now: Timestamp,
        target: u32,
    ) -> Result<(), StoreError> {
        let node = options(&config.url)?;
        let owner = options(config.migrate_url.as_ref().unwrap_or(&config.url))?;
        schema::migrate(&owner, node.get_username(), now, target).await
    }

    /// Makes sure, once, that the schema is the one of this version and that the node's role is bound
    /// by row-level security.
    async fn check(&self) -> Result<(), StoreError> {
        let checking = async {
            if let Some(owner) = &self.owner {
                let migrating = schema::migrate(
                    owner,
                    self.node.get_username(),
                    self.clock.now(),
                    POSTGRES_SCHEMA,
                );
                bounded(
                    Instant::now() + MAINTENANCE_MAX,
                    "change its schema",
                    migrating,
                )
                .await??;
            }
            let mut connection = self.readers.acquire().await.doing("be reached")?;
            schema::check(&mut connection).await
        };
        self.checked.get_or_try_init(|| checking).await?;
        Ok(())
    }

    /// Begins a transaction for `scope`, to be ended within [`WAIT_MAX`].
    pub(crate) async fn begin(
        &self,
        way: Way,
        scope: Scope<'_>,
        doing: &'static str,
    ) -> Result<PgTransaction, StoreError> {
        let (pool, most) = match way {
            Way::Read => (&self.readers, WAIT_MAX),
            Way::Project => (&self.projection, WAIT_MAX),
            Way::Control => (&self.control, WAIT_MAX),
            Way::Maintain => (&self.projection, MAINTENANCE_MAX),
        };
        let deadline = Instant::now() + most;
        let beginning = async {
            self.check().await?;
            let connection = pool.acquire().await.doing(doing)?;
            let mut transaction = PgTransaction {
                connection,
                deadline,
                doing,
                ended: false,
            };
            let sql = AssertSqlSafe(begin_sql(way, scope, most));
            let connection = &mut *transaction.connection;
            sqlx::raw_sql(sql).execute(connection).await.doing(doing)?;
            Ok(transaction)
        };
        bounded(deadline, doing, beginning).await?
    }

    pub(crate) const fn config(&self) -> &PostgresConfig {
        &self.config
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.projection.close().await;
        self.control.close().await;
    }
}

/// Begins a transaction and says for whom. Names of tenants have no quotes in them.
fn begin_sql(way: Way, scope: Scope<'_>, most: Duration) -> String {
    let begin = match way {
        Way::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        Way::Project | Way::Control | Way::Maintain => "BEGIN",
    };
    let tenant = match scope {
        Scope::Installation => "*",
        Scope::Tenant(tenant) => TenantName::as_str(tenant),
    };
    format!(
        "{begin}; SET LOCAL plimsoll.tenant = '{tenant}'; SET LOCAL statement_timeout = {}",
        most.as_millis()
    )
}

/// A transaction. One that is dropped before its end takes its connection with it, so that no half-read
/// answer and no lock stays behind.
#[derive(Debug)]
pub(crate) struct PgTransaction {
    connection: PoolConnection<sqlx::Postgres>,
    deadline: Instant,
    doing: &'static str,
    ended: bool,
}

impl PgTransaction {
    pub(crate) async fn rows(&mut self, statement: Statement) -> Result<Vec<PgRow>, StoreError> {
        let asking = Box::pin(statement.postgres().fetch_all(&mut *self.connection));
        bounded(self.deadline, self.doing, asking)
            .await?
            .doing(self.doing)
    }

    /// Returns how many rows were written.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, StoreError> {
        let writing = Box::pin(statement.postgres().execute(&mut *self.connection));
        let done = bounded(self.deadline, self.doing, writing).await?;
        Ok(done.doing(self.doing)?.rows_affected())
    }

    /// Runs what has more values than a [`Statement`]: batches.
    pub(crate) async fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut sqlx::PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        let working = Box::pin(work(&mut self.connection));
        bounded(self.deadline, self.doing, working)
            .await?
            .doing(self.doing)
    }

    /// Waits for other writers, and keeps them waiting until the end.
    pub(crate) async fn lock(&mut self, lock: Lock) -> Result<(), StoreError> {
        let sql = match lock {
            Lock::Deployments => "SELECT pg_advisory_xact_lock(7003, 1)",
            Lock::Erasing => "SELECT pg_advisory_xact_lock(7003, 2)",
            Lock::NotErasing => "SELECT pg_advisory_xact_lock_shared(7003, 2)",
        };
        self.execute(Statement::new(sql)).await?;
        Ok(())
    }

    /// Tells of a change on the channel that every node listens to, once this is committed.
    pub(crate) async fn tell(&mut self) -> Result<(), StoreError> {
        self.execute(Statement::new("SELECT pg_notify('plimsoll_changes', '')"))
            .await?;
        Ok(())
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.end("COMMIT").await
    }

    async fn end(mut self, sql: &'static str) -> Result<(), StoreError> {
        let ending = Box::pin(sqlx::raw_sql(sql).execute(&mut *self.connection));
        bounded(self.deadline, self.doing, ending)
            .await?
            .doing(self.doing)?;
        self.ended = true;
        Ok(())
    }
}

impl Drop for PgTransaction {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.close_on_drop();
        }
    }
}

/// What `work` gives, unless it takes until `deadline`.
async fn bounded<T>(
    deadline: Instant,
    doing: &'static str,
    work: impl Future<Output = T>,
) -> Result<T, StoreError> {
    let late = |_| StoreError::Unavailable {
        doing,
        source: sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
    };
    tokio::time::timeout_at(deadline, work).await.map_err(late)
}

fn options(url: &Secret) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url.expose());
    let options = options.map_err(|error| StoreError::Url(Box::new(error)))?;
    let settings = [
        ("search_path", "plimsoll"),
        ("idle_in_transaction_session_timeout", "15min"),
        // A node whose machine went away holds its leases no longer than this.
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
        ("tcp_keepalives_count", "3"),
    ];
    Ok(options
        .application_name("plimsoll")
        .options(settings)
        .disable_statement_logging())
}

fn pool(connections: u32, options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_MAX)
        .idle_timeout(IDLE_MAX)
        .connect_lazy_with(options)
}
