//! Decisions by id, by the beginning of an id, and by filter.

use plimsoll_core::ports::Decisions as _;
use plimsoll_core::{Code, Decision, Digest, FailureKind, Outcome, SystemName, Tenancy};
use plimsoll_store::{DecisionFilter, ProjectedDecisions, Projector, Store, StoreError};

use crate::fixtures::{
    Fixture, at, closed, decision, failed, fixture, node, numbered, open_decision, opened,
    release_id, tenant,
};

on_both_engines! {
    a_repeated_request_finds_the_decision_that_answered_it
    a_filter_lets_through_what_it_says
    a_filter_takes_callers_words_as_values_only
    pages_follow_each_other_without_gap_or_overlap
    a_decision_is_found_by_the_beginning_of_its_id
    whole_decisions_come_page_by_page_and_never_another_tenants
    what_a_unit_cost_is_the_sum_of_its_decisions
}

async fn a_repeated_request_finds_the_decision_that_answered_it() {
    let fixture = fixture().await;
    let key = Digest::of(b"order 17");
    let with_key = |number, name: &str| Decision {
        idempotency: Some(key),
        tenant: tenant(name),
        ..decision(number, Outcome::Served)
    };
    let reopened = Decision {
        idempotency: Some(key),
        ..open_decision(3)
    };
    let records = numbered([
        closed(with_key(1, "default")),
        closed(with_key(2, "acme")),
        opened(reopened.clone()),
        closed(decision(4, Outcome::Served)),
    ]);
    Projector::new(&fixture.store, node())
        .apply(&records)
        .await
        .unwrap();
    let decisions = ProjectedDecisions::new(&fixture.store, None);
    let find = async |name: &str, key, since| {
        let found = decisions
            .by_idempotency(&tenant(name), key, at(since))
            .await;
        found.unwrap()
    };
    assert_eq!(find("default", key, 0).await, Some(reopened));
    assert_eq!(find("acme", key, 0).await, Some(with_key(2, "acme")));
    assert_eq!(find("acme", key, 3).await, None, "too long ago");
    assert_eq!(find("other", key, 0).await, None);
    assert_eq!(find("default", Digest::of(b"order 18"), 0).await, None);
}

async fn filled() -> Fixture {
    let fixture = fixture().await;
    let drill = plimsoll_core::EventId::from_bytes([1; 16]);
    let other_system = SystemName::new("support-answer").unwrap();
    let records = numbered([
        closed(decision(1, Outcome::Served)),
        closed(failed(
            2,
            Outcome::Refused,
            FailureKind::Malformed,
            Code::ContractRange,
        )),
        opened(open_decision(3)),
        closed(Decision {
            drill: Some(drill),
            ..decision(4, Outcome::FellBack)
        }),
        closed(Decision {
            system: other_system,
            ..decision(5, Outcome::Served)
        }),
        closed(Decision {
            tenant: tenant("acme"),
            ..decision(6, Outcome::Served)
        }),
        closed(Decision {
            release: release_id("two"),
            ..decision(7, Outcome::Abstained)
        }),
        closed(Decision {
            unit: Some("' OR 1=1 --".into()),
            ..decision(8, Outcome::Served)
        }),
    ]);
    Projector::new(&fixture.store, node())
        .apply(&records)
        .await
        .unwrap();
    fixture
}

/// The numbers of the decisions that a filter lets through, in the order given.
async fn numbers(store: &Store, filter: DecisionFilter) -> Vec<u64> {
    let decisions = store.decisions(&filter).await.unwrap();
    let count = store
        .count_decisions(&DecisionFilter {
            before: None,
            ..filter
        })
        .await
        .unwrap();
    assert!(count >= u64::try_from(decisions.len()).unwrap());
    decisions
        .iter()
        .map(|found| found.opened_at.since(at(0)).as_secs())
        .collect()
}

async fn a_filter_lets_through_what_it_says() {
    let fixture = filled().await;
    let store = &fixture.store;
    let all = DecisionFilter::default;
    assert_eq!(numbers(store, all()).await, [8, 7, 6, 5, 3, 2, 1]);
    assert_eq!(
        numbers(
            store,
            DecisionFilter {
                drills: true,
                ..all()
            }
        )
        .await
        .len(),
        8
    );
    let system = Some(SystemName::new("support-answer").unwrap());
    assert_eq!(
        numbers(store, DecisionFilter { system, ..all() }).await,
        [5]
    );
    let outcome = Some(Outcome::Served);
    assert_eq!(
        numbers(store, DecisionFilter { outcome, ..all() }).await,
        [8, 6, 5, 1]
    );
    assert_eq!(
        numbers(
            store,
            DecisionFilter {
                open: true,
                ..all()
            }
        )
        .await,
        [3]
    );
    let kind = Some(FailureKind::Malformed);
    assert_eq!(numbers(store, DecisionFilter { kind, ..all() }).await, [2]);
}

async fn a_filter_takes_callers_words_as_values_only() {
    let fixture = filled().await;
    let store = &fixture.store;
    let all = DecisionFilter::default;
    let release = Some(release_id("two"));
    assert_eq!(
        numbers(store, DecisionFilter { release, ..all() }).await,
        [7]
    );
    let acme = Some(tenant("acme"));
    assert_eq!(
        numbers(
            store,
            DecisionFilter {
                tenant: acme,
                ..all()
            }
        )
        .await,
        [6]
    );
    let unit = Some("' OR 1=1 --".to_owned());
    assert_eq!(numbers(store, DecisionFilter { unit, ..all() }).await, [8]);
    let (since, until) = (Some(at(3)), Some(at(6)));
    assert_eq!(
        numbers(
            store,
            DecisionFilter {
                since,
                until,
                ..all()
            }
        )
        .await,
        [5, 3]
    );
}

async fn pages_follow_each_other_without_gap_or_overlap() {
    let fixture = filled().await;
    let mut filter = DecisionFilter {
        limit: 3,
        ..DecisionFilter::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = fixture.store.decisions(&filter).await.unwrap();
        let Some(last) = page.last() else { break };
        filter.before = Some(last.id);
        seen.extend(
            page.iter()
                .map(|found| found.opened_at.since(at(0)).as_secs()),
        );
    }
    assert_eq!(seen, [8, 7, 6, 5, 3, 2, 1]);
}

async fn a_decision_is_found_by_the_beginning_of_its_id() {
    let fixture = filled().await;
    let store = &fixture.store;
    let wanted = decision(1, Outcome::Served);
    let id = wanted.id.to_string();
    for prefix in [id.clone(), id.to_lowercase(), format!("{}…", &id[..25])] {
        assert_eq!(
            store.decision_by_prefix(None, &prefix).await.unwrap().id,
            wanted.id
        );
    }
    let ambiguous = store.decision_by_prefix(None, &id[..8]).await.unwrap_err();
    let candidates = match &ambiguous {
        StoreError::Ambiguous { candidates, .. } => candidates.len(),
        _ => 0,
    };
    assert_eq!(candidates, 5, "{ambiguous}");
    let missing = store.decision_by_prefix(None, "7ZZZ").await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "no decision has an id that begins with `7ZZZ`"
    );
    for wrong in ["", "loan-default", "01J9ZC%", "…"] {
        let error = store.decision_by_prefix(None, wrong).await.unwrap_err();
        assert!(
            matches!(error, StoreError::NotAnId { .. }),
            "{wrong}: {error}"
        );
    }
    let other = store.decision_by_prefix(Some(&tenant("other")), &id).await;
    assert!(
        matches!(other, Err(StoreError::NotFound { .. })),
        "{other:?}"
    );
}

async fn whole_decisions_come_page_by_page_and_never_another_tenants() {
    let fixture = fixture().await;
    let of = |number: u64| Decision {
        tenant: tenant(if number.is_multiple_of(5) {
            "acme"
        } else {
            "default"
        }),
        ..decision(number, Outcome::Served)
    };
    let records = (1..=4_100).map(|number| closed(of(number)));
    Projector::new(&fixture.store, node())
        .apply(&numbered(records))
        .await
        .unwrap();
    let all = async |tenancy: Tenancy, filter: DecisionFilter| {
        let mut pages = fixture.store.decision_pages(&tenancy, &filter);
        let mut found = Vec::new();
        while let Some(page) = pages.next().await.unwrap() {
            found.extend(page);
        }
        found
    };
    let everything = all(Tenancy::Installation, DecisionFilter::default()).await;
    let expected: Vec<Decision> = (1..=4_100).map(of).collect();
    assert_eq!(everything, expected);
    let acme = Tenancy::Tenant(tenant("acme"));
    assert_eq!(
        all(acme.clone(), DecisionFilter::default()).await.len(),
        820
    );
    let of_another = DecisionFilter {
        tenant: Some(tenant("default")),
        ..DecisionFilter::default()
    };
    assert!(all(acme, of_another).await.is_empty());
    let until = DecisionFilter {
        until: Some(at(11)),
        since: Some(at(2)),
        ..DecisionFilter::default()
    };
    assert_eq!(all(Tenancy::Installation, until).await.len(), 9);
}

async fn what_a_unit_cost_is_the_sum_of_its_decisions() {
    let fixture = fixture().await;
    let of = |number, name: &str, unit: Option<&str>| {
        closed(Decision {
            tenant: tenant(name),
            unit: unit.map(str::to_owned),
            ..decision(number, Outcome::Served)
        })
    };
    let records = numbered([
        of(1, "acme", Some("a")),
        of(2, "acme", Some("a")),
        of(3, "acme", Some("b")),
        of(4, "default", Some("a")),
        of(5, "acme", None),
    ]);
    Projector::new(&fixture.store, node())
        .apply(&records)
        .await
        .unwrap();
    let one = decision(1, Outcome::Served);
    let place = (&one.system, &one.environment);
    let spent = async |tenancy: Tenancy, since| {
        let found = fixture
            .store
            .spent_on_units(&tenancy, place, at(since))
            .await;
        let mut told: Vec<(String, String, i128)> = found
            .unwrap()
            .into_iter()
            .map(|unit| (unit.tenant.to_string(), unit.unit, unit.spent.as_pico()))
            .collect();
        told.sort();
        told
    };
    let cost = one.cost.amount.as_pico();
    let row =
        |tenant: &str, unit: &str, times: i128| (tenant.to_owned(), unit.to_owned(), cost * times);
    let all = [
        row("acme", "a", 2),
        row("acme", "b", 1),
        row("default", "a", 1),
    ];
    assert_eq!(spent(Tenancy::Installation, 0).await, all);
    let acme = Tenancy::Tenant(tenant("acme"));
    assert_eq!(
        spent(acme, 2).await,
        [row("acme", "a", 1), row("acme", "b", 1)]
    );
}
