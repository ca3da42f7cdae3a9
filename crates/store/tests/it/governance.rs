//! What people did to records, asked for.

use std::collections::BTreeSet;

use plimsoll_core::access::{ActorKind, ControlAction, Judgement};
use plimsoll_core::governance::{
    Approval, Covered, HoldChange, HoldEvent, HoldKind, PolicyEvent, Refusal, Retirement,
    Verification,
};
use plimsoll_core::keyring::{KeyChange, KeyEvent, KeySecret, KeyState, ManagedKey, TenantEvent};
use plimsoll_core::{
    Criticality, DecisionId, Digest, FailureKind, KeyName, NodeName, Outcome, Record,
};
use plimsoll_store::{AccessFilter, Place, Projector, Store, StoreError, Verdict};

use crate::fixtures::{
    access, at, closed, decision, deployed, deployment, drill, environment, event_id, fixture,
    id_bytes, node, numbered, release, release_id, system, tenant,
};

on_both_engines! {
    a_hold_is_in_force_until_it_is_lifted
    approvals_are_those_of_the_release_where_it_is_deployed
    the_latest_policy_of_each_name_is_in_force_on_its_node
    the_last_verification_and_the_retirements_are_those_of_one_log
    accesses_are_filtered_and_come_latest_first_page_by_page
    every_record_that_is_proved_has_a_place
    keys_are_the_fold_over_the_events_of_all_nodes
}

async fn project(store: &Store, node: NodeName, records: impl IntoIterator<Item = Record>) {
    let records = numbered(records);
    Projector::new(store, node).apply(&records).await.unwrap();
}

fn hold(number: u64, hold: u64, change: HoldChange) -> Record {
    Record::Hold(Box::new(HoldEvent {
        id: event_id(number),
        hold: event_id(hold),
        change,
        kind: HoldKind::Legal,
        covers: Covered::default(),
        reason: "claim 4711".to_owned(),
        actor: "ana".to_owned(),
        at: at(number),
    }))
}

async fn a_hold_is_in_force_until_it_is_lifted() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let records = [
        hold(1, 1, HoldChange::Placed),
        hold(2, 2, HoldChange::Placed),
        hold(3, 1, HoldChange::Lifted),
    ];
    project(store, node(), records).await;
    let held: Vec<_> = store
        .holds()
        .await
        .unwrap()
        .iter()
        .map(|held| held.hold)
        .collect();
    assert_eq!(held, [event_id(2)]);
    let found = store.hold_by_prefix(&event_id(2).to_string()).await;
    assert_eq!(found.unwrap().reason, "claim 4711");
    let lifted = store.hold_by_prefix(&event_id(1).to_string()).await;
    assert!(
        matches!(lifted, Err(StoreError::NotFound { what: "hold", .. })),
        "{lifted:?}"
    );
}

async fn approvals_are_those_of_the_release_where_it_is_deployed() {
    let fixture = fixture().await;
    let approval = |number, release: &str, actor: &str, environment| {
        Record::Approval(Box::new(Approval {
            id: event_id(number),
            system: system(),
            environment,
            release: release_id(release),
            actor: actor.to_owned(),
            role: "approver".to_owned(),
            note: None,
            at: at(number),
        }))
    };
    let staging = plimsoll_core::EnvironmentName::new("staging").unwrap();
    let records = [
        approval(1, "one", "bo", environment()),
        approval(2, "one", "cy", environment()),
        approval(3, "two", "di", environment()),
        approval(4, "one", "ed", staging),
    ];
    project(&fixture.store, node(), records).await;
    let approvals = fixture
        .store
        .approvals(&system(), &environment(), release_id("one"))
        .await
        .unwrap();
    let actors: Vec<_> = approvals.iter().map(|one| one.actor.as_str()).collect();
    assert_eq!(actors, ["bo", "cy"]);
}

async fn the_latest_policy_of_each_name_is_in_force_on_its_node() {
    let fixture = fixture().await;
    let policy = |number: u64, name: &str| {
        Record::Policy(Box::new(PolicyEvent {
            id: event_id(number),
            name: name.to_owned(),
            digest: Digest::of(&number.to_be_bytes()),
            document: serde_json::json!({"number": number}),
            node: node(),
            actor: "ana".to_owned(),
            // The clock was set back: the journal's order counts.
            at: at(100 - number),
        }))
    };
    let records = [
        policy(1, "retention"),
        policy(2, "keys"),
        policy(3, "retention"),
    ];
    project(&fixture.store, node(), records).await;
    let other = NodeName::new("node-2").unwrap();
    project(&fixture.store, other.clone(), [policy(4, "retention")]).await;
    let in_force = fixture.store.policies(&node()).await.unwrap();
    let named: Vec<_> = in_force
        .iter()
        .map(|policy| (policy.name.as_str(), policy.id))
        .collect();
    assert_eq!(named, [("keys", event_id(2)), ("retention", event_id(3))]);
    assert_eq!(fixture.store.policies(&other).await.unwrap().len(), 1);
}

async fn the_last_verification_and_the_retirements_are_those_of_one_log() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let verification = |number, node| {
        Record::Verification(Box::new(Verification {
            id: event_id(number),
            node,
            size: number,
            root: Digest::of(b"root"),
            intact: number,
            gone: 0,
            faults: 0,
            passed: true,
            actor: "ana".to_owned(),
            at: at(number),
        }))
    };
    let retirement = |number| {
        Record::Retirement(Box::new(Retirement {
            id: event_id(number),
            node: node(),
            minimum: number,
            payload_minimum: number,
            policy: None,
            at: at(number),
        }))
    };
    let other = NodeName::new("node-2").unwrap();
    let records = [
        verification(1, node()),
        verification(2, node()),
        verification(3, other.clone()),
        retirement(4),
        retirement(5),
    ];
    project(store, node(), records).await;
    let last = async |node: &NodeName| store.last_verification(node).await.unwrap();
    assert_eq!(last(&node()).await.unwrap().size, 2);
    assert_eq!(last(&other).await.unwrap().size, 3);
    let nobody = NodeName::new("node-3").unwrap();
    assert_eq!(last(&nobody).await, None);
    let retirements = store.retirements(&node(), 10).await.unwrap();
    let minimums: Vec<_> = retirements.iter().map(|one| one.minimum).collect();
    assert_eq!(minimums, [5, 4]);
}

async fn accesses_are_filtered_and_come_latest_first_page_by_page() {
    let fixture = fixture().await;
    let accesses = [
        access(1, 100, "bo", "acme"),
        access(2, 100, "cy", "acme"),
        access(3, 101, "bo", "acme"),
        access(4, 102, "bo", "globex"),
    ];
    let mut records: Vec<Record> = Vec::new();
    records.extend(accesses.map(|access| Record::Access(Box::new(access))));
    records.push(refusal(5, Some(100), Some("acme")));
    records.push(refusal(6, None, None));
    project(&fixture.store, node(), records).await;
    let of = async |filter: AccessFilter| -> Vec<_> {
        let found = fixture.store.accesses(&filter).await.unwrap();
        found.iter().map(|access| access.id).collect()
    };
    let all = AccessFilter::default;
    let ids = |numbers: &[u64]| -> Vec<_> { numbers.iter().copied().map(event_id).collect() };
    assert_eq!(of(all()).await, ids(&[6, 5, 4, 3, 2, 1]));
    for (verdict, found) in [
        (Verdict::Allowed, &[4, 3, 2, 1][..]),
        (Verdict::Denied, &[6, 5]),
    ] {
        let verdict = Some(verdict);
        assert_eq!(of(AccessFilter { verdict, ..all() }).await, ids(found));
    }
    let bo = AccessFilter {
        actor: Some("bo".to_owned()),
        ..all()
    };
    assert_eq!(of(bo.clone()).await, ids(&[4, 3, 1]));
    let decision = Some(DecisionId::from_bytes(id_bytes(100)));
    assert_eq!(
        of(AccessFilter { decision, ..all() }).await,
        ids(&[5, 2, 1])
    );
    let acme = Some(tenant("acme"));
    // What is nobody's in particular is no tenant's to know.
    let of_acme = AccessFilter {
        tenant: acme.clone(),
        ..all()
    };
    assert_eq!(of(of_acme.clone()).await, ids(&[5, 3, 2, 1]));
    let entries = fixture.store.accesses(&of_acme).await.unwrap();
    let denied = &entries[0];
    assert_eq!(denied.verdict, Verdict::Denied);
    assert_eq!(denied.policy.as_deref(), Some("quiet"));
    assert_eq!(denied.purpose.as_deref(), Some("curiosity"));
    assert_eq!(denied.because.as_deref(), Some("policy `quiet` denies it"));
    assert_eq!(entries[1].verdict, Verdict::Allowed);
    let between = AccessFilter {
        tenant: acme,
        since: Some(at(2)),
        until: Some(at(3)),
        ..all()
    };
    assert_eq!(of(between).await, ids(&[2]));
    let first = AccessFilter {
        limit: 2,
        ..bo.clone()
    };
    assert_eq!(of(first.clone()).await, ids(&[4, 3]));
    let next = AccessFilter {
        before: Some(event_id(3)),
        ..first
    };
    assert_eq!(of(next).await, ids(&[1]));
}

fn refusal(number: u64, decision: Option<u64>, whose: Option<&str>) -> Record {
    Record::Refusal(Box::new(Refusal {
        id: event_id(number),
        action: ControlAction::GetPayload,
        actor: "eve".to_owned(),
        kind: ActorKind::Operator,
        tenant: whose.map(tenant),
        system: None,
        decision: decision.map(|number| DecisionId::from_bytes(id_bytes(number))),
        environment: environment(),
        purpose: Some("curiosity".to_owned()),
        judgement: Judgement {
            allowed: false,
            because: "policy `quiet` denies it".to_owned(),
            policy: Some("quiet".to_owned()),
            findings: Vec::new(),
        },
        at: at(number),
    }))
}

async fn every_record_that_is_proved_has_a_place() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let records = [
        release("one", at(0)),
        deployment(1, "one", at(0)),
        closed(decision(2, Outcome::Served)),
        Record::Access(Box::new(access(3, 2, "bo", "default"))),
        drill(4, FailureKind::Slow, true, at(4)),
        hold(5, 5, HoldChange::Placed),
    ];
    project(store, node(), records).await;
    let at = |sequence| {
        Some(Place {
            node: node(),
            sequence,
        })
    };
    let decision = DecisionId::from_bytes(id_bytes(2));
    assert_eq!(
        store.place_of_release(release_id("one")).await.unwrap(),
        at(0)
    );
    let deployment = deployed(1, "one", crate::fixtures::at(0)).id;
    assert_eq!(store.place_of_deployment(deployment).await.unwrap(), at(1));
    assert_eq!(store.place(decision).await.unwrap(), at(2));
    for number in 3..=5 {
        let place = store.place_of_event(event_id(number)).await.unwrap();
        assert_eq!(place, at(number));
    }
    assert_eq!(store.place_of_event(event_id(6)).await.unwrap(), None);
}

fn key_event(number: u64, change: KeyChange, secrets: &[&str]) -> KeyEvent {
    let secret = |text: &&str| KeySecret {
        digest: Digest::of(text.as_bytes()),
        pepper: "p".to_owned(),
        hint: "plim_live_…".to_owned(),
        until: None,
    };
    KeyEvent {
        id: event_id(number),
        change,
        key: ManagedKey {
            tenant: tenant("acme"),
            name: KeyName::new("web").unwrap(),
            systems: Some([system()].into()),
            environment: Some(environment()),
            criticality: Criticality::Normal,
            roles: BTreeSet::new(),
            created_at: at(1),
            expires_at: None,
            revoked_at: (change == KeyChange::Revoked).then_some(at(number)),
            secrets: secrets.iter().map(secret).collect(),
        },
        reason: None,
        actor: "ana".to_owned(),
        at: at(number),
    }
}

async fn keys_are_the_fold_over_the_events_of_all_nodes() {
    let fixture = fixture().await;
    let store = &fixture.store;
    assert!(store.keyring().await.unwrap().is_empty());
    assert_eq!(store.keyring_events().await.unwrap(), 0);
    let made = TenantEvent {
        id: event_id(1),
        tenant: tenant("acme"),
        note: None,
        actor: "ana".to_owned(),
        at: at(1),
    };
    let key = |event| Record::Key(Box::new(event));
    let here = [
        Record::Tenant(Box::new(made)),
        key(key_event(2, KeyChange::Created, &["a"])),
        key(key_event(4, KeyChange::Rotated, &["b", "a"])),
    ];
    project(store, node(), here).await;
    assert_eq!(store.keyring_events().await.unwrap(), 3);
    let ring = store.keyring().await.unwrap();
    assert!(ring.has_tenant(&tenant("acme")));
    let stands = ring
        .event(&tenant("acme"), &KeyName::new("web").unwrap())
        .unwrap();
    assert_eq!(stands.key.secrets.len(), 2);
    // Another node revoked it before it heard of the rotation.
    let revoked = key(key_event(3, KeyChange::Revoked, &[]));
    project(store, NodeName::new("node-2").unwrap(), [revoked]).await;
    assert_eq!(store.keyring_events().await.unwrap(), 4);
    let ring = store.keyring().await.unwrap();
    let stands = ring.events().next().unwrap();
    assert_eq!(stands.key.state(at(5)), KeyState::Revoked);
}
