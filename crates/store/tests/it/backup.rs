//! A copy of the database, taken while it is written.

use std::sync::Arc;

use plimsoll_core::{ManualClock, Outcome};
use plimsoll_store::{DecisionFilter, Projector, Store, StoreError};

use crate::fixtures::{at, closed, decision, environment, fixture, node, system};

#[tokio::test]
async fn a_copy_taken_while_it_is_written_is_whole_and_of_one_moment() {
    let fixture = fixture().await;
    let projector = Projector::new(&fixture.store, node());
    let write = async |numbers: std::ops::Range<u64>| {
        for number in numbers {
            let record = closed(decision(number, Outcome::Served));
            projector.apply(&[(number, record)]).await.unwrap();
        }
    };
    write(0..50).await;
    let path = fixture.folder.path().join("copy.db");
    let (copied, ()) = tokio::join!(fixture.store.backup_to(&path), write(50..150));
    copied.unwrap();

    let clock = Arc::new(ManualClock::at(at(0)));
    let copy = Store::open(&path, clock).await.unwrap();
    let filter = DecisionFilter::default();
    let decisions = copy.count_decisions(&filter).await.unwrap();
    assert!((50..=150).contains(&decisions), "{decisions}");
    let position = Projector::new(&copy, node()).position().await.unwrap();
    assert_eq!(position, decisions, "rows and position are of one moment");
    let facts = copy
        .bar_facts(&system(), &environment(), at(0))
        .await
        .unwrap();
    assert_eq!(facts.decisions, decisions, "and so are rollups");
}

#[cfg(unix)]
#[tokio::test]
async fn a_copy_is_for_its_owner_only_and_replaces_nothing() {
    use std::os::unix::fs::PermissionsExt as _;

    let fixture = fixture().await;
    let path = fixture.folder.path().join("copy.db");
    fixture.store.backup_to(&path).await.unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = fixture.store.backup_to(&path).await.unwrap_err();
    assert!(matches!(again, StoreError::File { .. }), "{again}");
    let nowhere = fixture.folder.path().join("plimsoll.db/copy.db");
    assert!(fixture.store.backup_to(&nowhere).await.is_err());
}
