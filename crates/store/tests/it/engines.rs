//! One test, two engines: whatever is named to [`on_both_engines!`] runs on SQLite and on PostgreSQL.

use std::future::Future;

use crate::postgres::server::server;

/// On which engine [`crate::fixtures::fixture`] makes its database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

tokio::task_local! {
    static ENGINE: Engine;
}

/// The engine of the test that runs; SQLite for one that is not named to [`on_both_engines!`].
pub(crate) fn engine() -> Engine {
    ENGINE.try_with(|engine| *engine).unwrap_or(Engine::Sqlite)
}

/// Runs a test on PostgreSQL; where there is none, it says so and lets the test pass.
pub(crate) async fn on_postgres(test: impl Future<Output = ()>) {
    if server().is_some() {
        ENGINE.scope(Engine::Postgres, test).await;
    }
}

/// Makes tests of these functions: each on both engines.
macro_rules! on_both_engines {
    ($($name:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name().await;
            })*
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                crate::engines::on_postgres(super::$name()).await;
            })*
        }
    };
}
