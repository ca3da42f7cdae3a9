//! A database of its own for each test, on a server that the test command or `scripts/postgres` runs.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use plimsoll_core::{Clock, Secret};
use plimsoll_store::{PostgresConfig, Store};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};

pub(crate) const OWNER: &str = "plimsoll_owner";
pub(crate) const NODE: &str = "plimsoll_node";

/// A database that goes when it is dropped.
pub(crate) struct Database {
    server: String,
    pub(crate) name: String,
}

/// The URL of a superuser of the test server; none, with a word about it, if there is no PostgreSQL.
#[expect(clippy::print_stderr, reason = "whoever runs the tests must see it")]
pub(crate) fn server() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test command says where its server is"
    )]
    if let Ok(url) = std::env::var("PLIMSOLL_TEST_POSTGRES") {
        return Some(url);
    }
    match script(&["shared"]) {
        Ok(url) => Some(url),
        Err(error) => {
            eprintln!(
                "SKIPPED: no PostgreSQL: PLIMSOLL_TEST_POSTGRES is not set, and scripts/postgres says: {error}"
            );
            None
        }
    }
}

/// What `scripts/postgres` prints.
pub(crate) fn script(arguments: &[&str]) -> Result<String, String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres");
    let output = Command::new(path).args(arguments).output();
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

const ROLES: &str = "DO $$
    BEGIN
        PERFORM pg_advisory_lock(7);
        IF to_regrole('plimsoll_owner') IS NULL THEN
            CREATE ROLE plimsoll_owner LOGIN;
            CREATE ROLE plimsoll_node LOGIN;
        END IF;
        PERFORM pg_advisory_unlock(7);
    END $$";

impl Database {
    /// An empty database on `server`, which belongs to [`OWNER`].
    pub(crate) async fn create(server: &str) -> Self {
        let name = format!("test_{}", plimsoll_core::EventId::new(now()));
        let name = name.to_ascii_lowercase();
        let mut connection = superuser(server).await;
        sqlx::raw_sql(ROLES).execute(&mut connection).await.unwrap();
        let sql = format!("CREATE DATABASE {name} OWNER {OWNER}");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap();
        Self {
            server: server.to_owned(),
            name,
        }
    }

    pub(crate) fn url(&self, role: &str) -> Secret {
        let host = self.server.split("host=").nth(1).unwrap();
        let host = host.split('&').next().unwrap();
        Secret::new(format!("postgres:///{}?host={host}&user={role}", self.name))
    }

    /// How a node connects, and who migrates.
    pub(crate) fn config(&self) -> PostgresConfig {
        PostgresConfig {
            url: self.url(NODE),
            migrate_url: Some(self.url(OWNER)),
        }
    }

    pub(crate) async fn store(&self, clock: Arc<dyn Clock>) -> Store {
        Store::connect(&self.config(), clock).await.unwrap()
    }

    /// A connection that sees all rows.
    pub(crate) async fn installation(&self) -> PgConnection {
        let mut connection = self.connection(OWNER).await;
        let setting = sqlx::raw_sql("SET plimsoll.tenant = '*'");
        setting.execute(&mut connection).await.unwrap();
        connection
    }

    /// A connection of a role that sets nothing by itself.
    pub(crate) async fn connection(&self, role: &str) -> PgConnection {
        let options: PgConnectOptions = self.url(role).expose().parse().unwrap();
        let options = options.options([("search_path", "plimsoll")]);
        options.connect().await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let server = self.server.clone();
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let mut connection = superuser(&server).await;
                sqlx::raw_sql(AssertSqlSafe(sql))
                    .execute(&mut connection)
                    .await
                    .map(|_| ())
            })
        });
        // A database that stays goes with its server.
        drop(dropping.join());
    }
}

async fn superuser(server: &str) -> PgConnection {
    let options: PgConnectOptions = server.parse().unwrap();
    options.connect().await.unwrap()
}

fn now() -> plimsoll_core::Timestamp {
    plimsoll_core::SystemClock::new().now()
}
