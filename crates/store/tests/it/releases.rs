//! Releases and deployments: what was where, when.

use plimsoll_core::{Decision, Outcome};
use plimsoll_store::Projector;

use crate::fixtures::{
    at, closed, decision, deployment, environment, fixture, node, numbered, release, release_id,
    system,
};

on_both_engines! {
    the_current_deployment_is_the_last_in_the_journal_whatever_the_clock_said
    a_release_is_deployed_since_the_first_event_of_its_unbroken_run
    what_was_deployed_can_be_named_by_date
    a_release_is_found_by_the_beginning_of_its_digest
    releases_in_use_tell_which_are_known
}

async fn the_current_deployment_is_the_last_in_the_journal_whatever_the_clock_said() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let projector = Projector::new(store, node());
    assert_eq!(
        store
            .current_deployment(&system(), &environment())
            .await
            .unwrap(),
        None
    );
    let records = numbered([
        release("one", at(0)),
        deployment(1, "one", at(3_700)),
        release("two", at(10)),
        deployment(2, "two", at(100)),
    ]);
    projector.apply(&records).await.unwrap();
    let current = store
        .current_deployment(&system(), &environment())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(current.release, release_id("two"));
}

async fn a_release_is_deployed_since_the_first_event_of_its_unbroken_run() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let records = numbered([
        deployment(1, "two", at(10)),
        deployment(2, "one", at(20)),
        deployment(3, "two", at(30)),
        deployment(4, "two", at(40)),
    ]);
    Projector::new(store, node()).apply(&records).await.unwrap();
    let deployed = store
        .deployed(&system(), &environment())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(deployed.deployment.at, at(40));
    assert_eq!(deployed.since, at(30));
}

async fn what_was_deployed_can_be_named_by_date() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let records = numbered([deployment(1, "one", at(10)), deployment(2, "two", at(20))]);
    Projector::new(store, node()).apply(&records).await.unwrap();
    let (system, environment) = (system(), environment());
    let then = |seconds| store.deployment_at(&system, &environment, at(seconds));
    assert!(then(9).await.unwrap().is_none());
    assert_eq!(then(10).await.unwrap().unwrap().release, release_id("one"));
    assert_eq!(then(19).await.unwrap().unwrap().release, release_id("one"));
    assert_eq!(then(500).await.unwrap().unwrap().release, release_id("two"));
    assert_eq!(store.deployments(&system, None, 10).await.unwrap().len(), 2);
}

async fn a_release_is_found_by_the_beginning_of_its_digest() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let records = numbered([release("one", at(0)), release("two", at(5))]);
    Projector::new(store, node()).apply(&records).await.unwrap();
    let found = store
        .release_by_prefix(&release_id("one").short().to_uppercase())
        .await
        .unwrap();
    assert_eq!(found.id, release_id("one"));
    assert!(store.release_by_prefix("xyz").await.is_err());
    let listed = store.releases(&system(), 10).await.unwrap();
    assert_eq!(
        listed.iter().map(|found| found.id).collect::<Vec<_>>(),
        [release_id("two"), release_id("one")]
    );
}

async fn releases_in_use_tell_which_are_known() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let two = Decision {
        release: release_id("two"),
        ..decision(9, Outcome::Served)
    };
    let records = numbered([
        release("one", at(0)),
        closed(decision(1, Outcome::Served)),
        closed(decision(2, Outcome::Served)),
        closed(two),
    ]);
    Projector::new(store, node()).apply(&records).await.unwrap();
    let used = store
        .releases_in_use(&system(), &environment(), at(0))
        .await
        .unwrap();
    let used: Vec<_> = used
        .iter()
        .map(|used| (used.release, used.decisions, used.known))
        .collect();
    assert_eq!(
        used,
        [(release_id("one"), 2, true), (release_id("two"), 1, false)]
    );
}
