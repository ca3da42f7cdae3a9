//! Nodes, what they share, and what wakes them: the same whether there is one or there are several.

use std::time::Duration;

use plimsoll_core::{Digest, NodeName};
use plimsoll_store::{NodeSeen, Projector};

use crate::fixtures::{at, deployment, fixture, node};

on_both_engines! {
    a_node_is_seen_as_it_last_told_of_itself
    a_blob_reads_back_and_what_is_missing_is_told
    a_lease_is_held_by_one_and_given_back
    a_deployment_wakes_whoever_waits
    a_store_that_is_opened_again_is_the_same_database
    a_database_that_answers_can_be_closed
}

async fn a_node_is_seen_as_it_last_told_of_itself() {
    let fixture = fixture().await;
    let other = NodeName::new("node-2").unwrap();
    let store = &fixture.store;
    store
        .heartbeat(&other, "0.2.0", Some("10.0.0.2:7465"))
        .await
        .unwrap();
    store.heartbeat(&node(), "0.1.0", None).await.unwrap();
    fixture.clock.advance(Duration::from_secs(3_600));
    store
        .heartbeat(&node(), "0.2.0", Some("10.0.0.1:7465"))
        .await
        .unwrap();
    let seen = |name: NodeName, address: &str, seconds| NodeSeen {
        node: name,
        version: "0.2.0".to_owned(),
        address: Some(address.to_owned()),
        last_seen_at: at(seconds),
    };
    let expected = [
        seen(node(), "10.0.0.1:7465", 90_000),
        seen(other, "10.0.0.2:7465", 86_400),
    ];
    assert_eq!(store.nodes().await.unwrap(), expected);
}

async fn a_blob_reads_back_and_what_is_missing_is_told() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let digest = store.put_blob(&bytes).await.unwrap();
    assert_eq!(digest, Digest::of(&bytes));
    assert_eq!(store.put_blob(&bytes).await.unwrap(), digest);
    assert_eq!(store.get_blob(digest).await.unwrap(), Some(bytes));
    let other = Digest::of(b"other");
    assert_eq!(store.get_blob(other).await.unwrap(), None);
    assert!(store.has_blob(digest).await.unwrap());
    assert!(!store.has_blob(other).await.unwrap());
    assert_eq!(
        store.missing_blobs(&[digest, other]).await.unwrap(),
        [other]
    );
}

async fn a_lease_is_held_by_one_and_given_back() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let lease = store
        .lead("retention")
        .await
        .unwrap()
        .expect("nobody else leads");
    assert!(lease.is_held());
    assert!(store.lead("retention").await.unwrap().is_none());
    assert!(store.lead("checkpoints").await.unwrap().is_some());
    drop(lease);
    let mut again = None;
    for _ in 0..100 {
        again = store.lead("retention").await.unwrap();
        if again.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(again.is_some(), "a lease that was given back can be taken");
}

async fn a_deployment_wakes_whoever_waits() {
    let fixture = fixture().await;
    let mut changes = fixture.store.changes();
    // Until it listens, it looks once a second.
    changes.next().await;
    let projector = Projector::new(&fixture.store, node());
    projector
        .apply(&[(0, deployment(1, "one", at(1)))])
        .await
        .unwrap();
    let woken = tokio::time::timeout(Duration::from_millis(700), changes.next()).await;
    assert!(woken.is_ok(), "woken by the change, not by the clock");
}

async fn a_store_that_is_opened_again_is_the_same_database() {
    let fixture = fixture().await;
    let projector = Projector::new(&fixture.store, node());
    projector
        .apply(&[(0, deployment(1, "one", at(1)))])
        .await
        .unwrap();
    let again = fixture.store.reopen().await.unwrap();
    assert_eq!(again.path(), fixture.store.path());
    assert_eq!(
        Projector::positions(&again).await.unwrap(),
        [("node-1".to_owned(), 1)]
    );
}

async fn a_database_that_answers_can_be_closed() {
    let fixture = fixture().await;
    let store = &fixture.store;
    store.ping().await.unwrap();
    store.close().await;
    assert!(store.ping().await.is_err());
}
