//! Opening databases: new ones, old ones, newer ones, missing ones.

use std::sync::Arc;

use plimsoll_core::{Outcome, SystemClock};
use plimsoll_store::{Projector, SCHEMA, Store, StoreError};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::fixtures::{closed, decision, fixture, node};

#[tokio::test]
async fn what_was_written_is_there_after_opening_again() {
    let fixture = fixture().await;
    let kept = decision(1, Outcome::Served);
    Projector::new(&fixture.store, node())
        .apply(&[(0, closed(kept.clone()))])
        .await
        .unwrap();
    fixture.store.close().await;
    let again = Store::open(fixture.store.path().unwrap(), fixture.clock.clone())
        .await
        .unwrap();
    assert_eq!(again.decision(kept.id).await.unwrap(), Some(kept));
    assert_eq!(Projector::new(&again, node()).position().await.unwrap(), 1);
}

#[tokio::test]
async fn a_reader_sees_what_the_server_writes_and_writes_nothing() {
    let fixture = fixture().await;
    let clock = Arc::new(SystemClock::new());
    let reader = Store::open_read_only(fixture.store.path().unwrap(), clock)
        .await
        .unwrap();
    let kept = decision(1, Outcome::Served);
    Projector::new(&fixture.store, node())
        .apply(&[(0, closed(kept.clone()))])
        .await
        .unwrap();
    assert_eq!(reader.decision(kept.id).await.unwrap(), Some(kept.clone()));
    let refused = Projector::new(&reader, node())
        .apply(&[(1, closed(kept))])
        .await
        .unwrap_err();
    assert!(refused.is_retryable(), "{refused}");
}

#[tokio::test]
async fn a_missing_database_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::new());
    let error = Store::open_read_only(folder.path().join("none.db"), clock)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("start the server once"),
        "{error}"
    );
    assert!(!folder.path().join("none.db").exists());
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let fixture = fixture().await;
    fixture.store.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(fixture.store.path().unwrap());
    let mut connection = options.connect().await.unwrap();
    sqlx::query("INSERT INTO migrations VALUES (?1, 'from the future', 0)")
        .bind(SCHEMA + 1)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let path = fixture.store.path().unwrap();
    for error in [
        Store::open(path, fixture.clock.clone()).await.unwrap_err(),
        Store::open_read_only(path, fixture.clock.clone())
            .await
            .unwrap_err(),
    ] {
        let found = matches!(error, StoreError::NewerSchema { found, .. } if found == SCHEMA + 1);
        assert!(found, "{error}");
        let text = error.to_string();
        // Reviews have no other copy.
        assert!(
            text.contains("run the version that wrote it") && !text.contains("move"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plimsoll.db");
    std::fs::write(
        &path,
        "not a database, and longer than a header of one".repeat(10),
    )
    .unwrap();
    let error = Store::open(&path, Arc::new(SystemClock::new()))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept.starts_with("not a database"));
}

#[tokio::test]
async fn a_closed_database_is_unavailable() {
    let fixture = fixture().await;
    fixture.store.ping().await.unwrap();
    fixture.store.close().await;
    let error = fixture.store.ping().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_database_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = fixture().await;
    Projector::new(&fixture.store, node())
        .apply(&[(0, closed(decision(1, Outcome::Served)))])
        .await
        .unwrap();
    for entry in std::fs::read_dir(fixture.folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}
