//! What stands, what stood, and which events say so.

use std::collections::HashMap;

use plimsoll_core::deployment::{Halt, Slot, Standing};
use plimsoll_core::governance::DeploymentReview;
use plimsoll_core::record::{Deployment, DeploymentCause};
use plimsoll_core::{NodeName, Record, Timestamp};
use plimsoll_store::{AsOf, Place, Projector, Store};
use proptest::prelude::*;

use crate::fixtures::{
    at, canary, deployed, environment, event_id, fixture, node, numbered, release, release_id,
    system,
};

on_both_engines! {
    a_node_that_starts_late_brings_no_older_release_back
    a_halt_stands_though_the_clock_of_its_node_was_set_back
    what_stood_at_a_time_is_told_with_the_places_of_its_events
    changes_come_in_the_order_in_which_they_came_to_be_known
    an_override_is_open_until_somebody_else_has_looked_at_it
    a_list_of_releases_tells_who_deployed_them
}

/// Writes events as the journals of their nodes have them.
async fn project(store: &Store, events: &[Deployment]) {
    let mut next: HashMap<NodeName, u64> = HashMap::new();
    for event in events {
        let sequence = next.entry(event.node.clone()).or_default();
        let record = Record::Deployment(Box::new(event.clone()));
        Projector::new(store, event.node.clone())
            .apply(&[(*sequence, record)])
            .await
            .unwrap();
        *sequence += 1;
    }
}

async fn standing(store: &Store) -> Standing {
    store.standing(&system(), &environment()).await.unwrap()
}

async fn as_of(store: &Store, at: Timestamp) -> AsOf {
    let (system, environment) = (system(), environment());
    let found = store.deployments_at(&system, &environment, at).await;
    found.unwrap()
}

fn by(node: &str, event: Deployment) -> Deployment {
    Deployment {
        node: NodeName::new(node).unwrap(),
        ..event
    }
}

fn start(event: Deployment) -> Deployment {
    Deployment {
        cause: DeploymentCause::Start,
        ..event
    }
}

async fn a_node_that_starts_late_brings_no_older_release_back() {
    let fixture = fixture().await;
    let events = [
        by("node-1", deployed(1, "one", at(10))),
        by("node-2", deployed(2, "two", at(20))),
        by("node-1", start(deployed(3, "one", at(30)))),
        by("node-2", start(deployed(4, "two", at(40)))),
    ];
    project(&fixture.store, &events).await;
    let found = fixture
        .store
        .deployed(&system(), &environment())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.deployment.id, events[3].id);
    assert_eq!(found.since, at(20), "restarts are no break");
}

async fn a_halt_stands_though_the_clock_of_its_node_was_set_back() {
    let fixture = fixture().await;
    let halt = |number, to, at| Deployment {
        slot: Slot::Halt { to },
        cause: DeploymentCause::Command,
        ..deployed(number, "one", at)
    };
    let events = [
        deployed(1, "one", at(10)),
        halt(2, Halt::Resumed, at(500)),
        halt(3, Halt::Halted, at(20)),
    ];
    project(&fixture.store, &events).await;
    assert_eq!(
        standing(&fixture.store).await.halted(),
        Some(Halt::Halted),
        "within a node the journal's order counts"
    );
}

async fn what_stood_at_a_time_is_told_with_the_places_of_its_events() {
    let fixture = fixture().await;
    let with = |number, release, slot, seconds| Deployment {
        slot,
        cause: DeploymentCause::Command,
        ..deployed(number, release, at(seconds))
    };
    let events = [
        deployed(1, "one", at(10)),
        by("node-2", with(2, "two", canary(500), 20)),
        with(3, "two", canary(2_000), 30),
        by(
            "node-2",
            with(4, "one", Slot::Halt { to: Halt::Fallback }, 40),
        ),
        with(5, "two", Slot::Stable, 50),
    ];
    project(&fixture.store, &events).await;
    let then = |seconds| as_of(&fixture.store, at(seconds));
    assert_eq!(then(9).await, AsOf::default());
    let found = then(45).await;
    let canary = found.standing.canary.as_ref().unwrap();
    assert_eq!(found.standing.stable.as_ref(), Some(&events[0]));
    assert_eq!(
        (canary.first, canary.weight.basis_points()),
        (events[1].id, 2_000)
    );
    assert_eq!(found.standing.halted(), Some(Halt::Fallback));
    let place = |number: usize, sequence| {
        let event = &events[number - 1];
        let node = event.node.clone();
        (event.id, Place { node, sequence })
    };
    assert_eq!(
        found.places,
        [place(1, 0), place(2, 0), place(3, 1), place(4, 1)]
    );
    let now = then(1_000).await;
    assert_eq!(now.standing, standing(&fixture.store).await);
    assert_eq!(now.standing.canary, None, "it was promoted");
    assert_eq!(now.places, [place(5, 2), place(4, 1)]);
}

async fn changes_come_in_the_order_in_which_they_came_to_be_known() {
    let fixture = fixture().await;
    let store = &fixture.store;
    assert_eq!(store.last_change().await.unwrap(), 0);
    let events = [
        by("node-1", deployed(1, "one", at(30))),
        by("node-2", deployed(2, "two", at(10))),
        by("node-1", deployed(3, "one", at(20))),
    ];
    project(store, &events).await;
    let changes = store.changes_since(0, 2).await.unwrap();
    let known: Vec<_> = changes.iter().map(|change| &change.deployment).collect();
    assert_eq!(known, [&events[0], &events[1]]);
    let next = store.changes_since(changes[1].cursor, 10).await.unwrap();
    assert_eq!(next[0].deployment, events[2]);
    let last = store.last_change().await.unwrap();
    assert_eq!(last, next[0].cursor);

    Projector::new(store, node()).rebuild(0).await.unwrap();
    project(store, &events[..1]).await;
    let again = store.changes_since(last, 10).await.unwrap();
    assert_eq!(again.len(), 1, "a cursor is never used twice");
}

async fn an_override_is_open_until_somebody_else_has_looked_at_it() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let broken = Deployment {
        break_glass: true,
        reason: Some("the house is on fire".to_owned()),
        ..deployed(1, "one", at(10))
    };
    project(store, &[broken.clone(), deployed(2, "one", at(20))]).await;
    let look = |number, actor: &str| {
        Record::DeploymentReview(Box::new(DeploymentReview {
            id: event_id(number),
            deployment: broken.id,
            system: system(),
            actor: actor.to_owned(),
            justified: true,
            note: "it was".to_owned(),
            at: at(number),
        }))
    };
    let open = async || {
        let (system, environment) = (system(), environment());
        let open = store.open_deployment_reviews(&system, &environment).await;
        open.unwrap()
    };
    assert_eq!(open().await, *std::slice::from_ref(&broken));
    let projector = Projector::new(store, node());
    projector.apply(&[(5, look(30, "ana"))]).await.unwrap();
    assert_eq!(open().await.len(), 1, "nobody looks at their own");
    projector.apply(&[(6, look(31, "bo"))]).await.unwrap();
    assert!(open().await.is_empty());
    let reviews = store.deployment_reviews(broken.id).await.unwrap();
    let actors: Vec<_> = reviews.iter().map(|look| look.actor.as_str()).collect();
    assert_eq!(actors, ["ana", "bo"]);
    let found = store.deployment_by_prefix(&broken.id.to_string()).await;
    assert_eq!(found.unwrap(), broken);
}

async fn a_list_of_releases_tells_who_deployed_them() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let with = |number, release, actor: &str, slot| Deployment {
        actor: actor.to_owned(),
        cause: DeploymentCause::Command,
        slot,
        ..deployed(number, release, at(number))
    };
    let events = [
        with(11, "one", "ana", Slot::Stable),
        with(12, "two", "bo", canary(100)),
        with(13, "two", "cy", canary(0)),
        with(14, "one", "di", Slot::Halt { to: Halt::Halted }),
        start(with(15, "one", "plimsoll", Slot::Stable)),
    ];
    let mut records = vec![
        release("one", at(0)),
        release("two", at(5)),
        release("three", at(6)),
    ];
    records.extend(events.map(|event| Record::Deployment(Box::new(event))));
    let records = numbered(records);
    Projector::new(store, node()).apply(&records).await.unwrap();
    let listed = store.listed_releases(&system(), &environment(), 10).await;
    let listed: Vec<_> = listed
        .unwrap()
        .into_iter()
        .map(|listed| (listed.release.id, listed.deployed.map(|event| event.actor)))
        .collect();
    let by = |actor: &str| Some(actor.to_owned());
    assert_eq!(
        listed,
        [
            (release_id("three"), None),
            (release_id("two"), by("bo")),
            (release_id("one"), by("ana")),
        ]
    );
}

/// Any event of one of two nodes.
fn any_event() -> impl Strategy<Value = Deployment> {
    let slot = prop_oneof![
        4 => Just(Slot::Stable),
        3 => (0_u16..3).prop_map(|weight| canary(weight * 100)),
        1 => prop_oneof![Just(Halt::Halted), Just(Halt::Resumed)].prop_map(|to| Slot::Halt { to }),
    ];
    let release = prop_oneof![Just("one"), Just("two"), Just("three")];
    (slot, release, any::<bool>(), any::<bool>(), 0_u64..12).prop_map(
        |(slot, release, starts, first_node, seconds)| {
            let event = deployed(0, release, at(seconds));
            let node = if first_node { "node-1" } else { "node-2" };
            let event = by(node, Deployment { slot, ..event });
            if starts && slot == Slot::Stable {
                start(event)
            } else {
                event
            }
        },
    )
}

/// The events in the order in which they hold, those until `at`.
fn in_order(events: &[Deployment], at: Timestamp) -> Vec<Deployment> {
    let mut ordered = Vec::new();
    let mut latest: HashMap<&NodeName, (Timestamp, u64)> = HashMap::new();
    for event in events {
        let (order_at, sequence) = latest.entry(&event.node).or_insert((event.at, 0));
        *order_at = event.at.max(*order_at);
        *sequence += 1;
        ordered.push(((*order_at, event.node.clone(), *sequence), event.clone()));
    }
    ordered.sort_by(|one, other| one.0.cmp(&other.0));
    let events = ordered.into_iter().map(|(_, event)| event);
    events.filter(|event| event.at <= at).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_stands_is_the_fold_of_all_events(events in prop::collection::vec(any_event(), 0..14)) {
        let events: Vec<Deployment> = (1..).zip(events)
            .map(|(number, event)| Deployment { id: deployed(number, "one", at(0)).id, ..event })
            .collect();
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let fixture = fixture().await;
            project(&fixture.store, &events).await;
            for seconds in 0..13 {
                let found = as_of(&fixture.store, at(seconds)).await;
                let all = in_order(&events, at(seconds));
                assert_eq!(found.standing, Standing::fold(&all), "at {seconds}");
            }
        });
    }

    #[test]
    fn events_hold_in_the_same_order_however_they_came_to_be_known(
        events in prop::collection::vec(any_event(), 1..8).prop_flat_map(|events| {
            let shuffled = Just((0..events.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(events), shuffled)
        }),
    ) {
        let (events, shuffled) = events;
        let events: Vec<Deployment> = (1..).zip(events)
            .map(|(number, event)| by("node-1", Deployment { id: deployed(number, "one", at(0)).id, ..event }))
            .collect();
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let fixture = fixture().await;
            let projector = Projector::new(&fixture.store, node());
            for place in shuffled {
                let record = Record::Deployment(Box::new(events[place].clone()));
                projector.apply(&[(u64::try_from(place).unwrap(), record)]).await.unwrap();
            }
            assert_eq!(standing(&fixture.store).await, Standing::fold(&events));
        });
    }
}
