//! Labels: joined whichever comes first, kept as history, another tenant's never.

use plimsoll_core::dataset::{DatasetFilter, Judged};
use plimsoll_core::label::{Label, LabelSource, LabelValue};
use plimsoll_core::{DecisionId, EventId, LabelName, Outcome, Record};
use plimsoll_store::{LabelFilter, Projector, StoredLabel};

use crate::fixtures::{self, Fixture, at, closed, tenant};

on_both_engines! {
    a_label_joins_the_decision_that_was_there_before
    a_label_waits_for_a_decision_that_comes_later
    another_tenants_decision_is_never_joined
    a_correction_stands_and_what_was_said_before_is_kept
    a_rebuild_gives_the_same_labels
    labels_go_with_the_records_that_said_them
    what_labels_say_of_a_day_stands_beside_what_was_promised
    what_was_judged_is_found_with_the_labels_that_stand
}

fn label(number: u64, decision: DecisionId, value: &str) -> Label {
    Label {
        id: EventId::from_bytes(fixtures::id_bytes(number)),
        decision,
        tenant: tenant("default"),
        name: LabelName::new("repaid").unwrap(),
        value: LabelValue::text(value).unwrap(),
        observed_at: None,
        through: LabelSource::Operator,
        actor: "ada".into(),
        at: at(number),
    }
}

fn record(label: Label) -> Record {
    Record::Label(Box::new(label))
}

async fn project(fixture: &Fixture, records: Vec<(u64, Record)>) {
    let projector = Projector::new(&fixture.store, fixtures::node());
    projector.apply(&records).await.unwrap();
}

async fn all(fixture: &Fixture) -> Vec<StoredLabel> {
    fixture.store.labels(&LabelFilter::default()).await.unwrap()
}

async fn a_label_joins_the_decision_that_was_there_before() {
    let fixture = fixtures::fixture().await;
    let kept = fixtures::decision(3, Outcome::Served);
    let said = label(50, kept.id, "yes");
    let records = vec![(0, closed(kept.clone())), (1, record(said.clone()))];
    project(&fixture, records).await;
    let labels = all(&fixture).await;
    assert_eq!(labels.len(), 1);
    assert_eq!(labels[0].label, said);
    assert!(labels[0].stands);
    let joined = labels[0].joined.as_ref().unwrap();
    assert_eq!(joined.system, kept.system);
    assert_eq!(joined.release, kept.release);
    assert_eq!(joined.opened_at, kept.opened_at);
    assert_eq!(
        fixture
            .store
            .waiting_labels(&tenant("default"), 10)
            .await
            .unwrap(),
        0
    );
}

async fn a_label_waits_for_a_decision_that_comes_later() {
    let fixture = fixtures::fixture().await;
    let kept = fixtures::decision(3, Outcome::Served);
    project(&fixture, vec![(0, record(label(50, kept.id, "yes")))]).await;
    assert_eq!(all(&fixture).await[0].joined, None);
    assert_eq!(
        fixture
            .store
            .waiting_labels(&tenant("default"), 10)
            .await
            .unwrap(),
        1
    );
    let known = fixture.store.known_labels(None, &[kept.id]).await.unwrap();
    assert_eq!(known.decisions.len(), 0);
    project(&fixture, vec![(1, closed(kept.clone()))]).await;
    assert!(all(&fixture).await[0].joined.is_some());
    let known = fixture.store.known_labels(None, &[kept.id]).await.unwrap();
    assert_eq!(known.decisions.len(), 1);
    let of_decision = &known.decisions[&kept.id];
    assert_eq!(of_decision.release, kept.release);
    assert_eq!(of_decision.environment, kept.environment);
    assert_eq!(of_decision.is_of_model, kept.confidence.is_some());
    let waiting = fixture.store.waiting_labels(&tenant("default"), 10).await;
    assert_eq!(waiting.unwrap(), 0);
    assert_eq!(known.standing.len(), 1);
}

async fn another_tenants_decision_is_never_joined() {
    let fixture = fixtures::fixture().await;
    let kept = fixtures::decision(3, Outcome::Served);
    let theirs = Label {
        tenant: tenant("other"),
        ..label(50, kept.id, "yes")
    };
    let records = vec![
        (0, closed(kept.clone())),
        (1, record(theirs)),
        (2, closed(kept.clone())),
    ];
    project(&fixture, records).await;
    assert_eq!(all(&fixture).await[0].joined, None);
    let other = tenant("other");
    // What waits is its own tenant's: nobody fills another's room.
    let waiting = fixture.store.waiting_labels(&other, 10).await;
    assert_eq!(waiting.unwrap(), 1);
    let waiting = fixture.store.waiting_labels(&tenant("default"), 10).await;
    assert_eq!(waiting.unwrap(), 0);
    let known = fixture.store.known_labels(Some(&other), &[kept.id]).await;
    assert!(known.unwrap().decisions.is_empty());
    let own = tenant("default");
    let known = fixture.store.known_labels(Some(&own), &[kept.id]).await;
    let known = known.unwrap();
    assert_eq!((known.decisions.len(), known.standing.len()), (1, 0));
}

async fn a_correction_stands_and_what_was_said_before_is_kept() {
    let fixture = fixtures::fixture().await;
    let kept = fixtures::decision(3, Outcome::Served);
    let records = vec![
        (0, closed(kept.clone())),
        (1, record(label(50, kept.id, "yes"))),
        (2, record(label(51, kept.id, "no"))),
    ];
    project(&fixture, records.clone()).await;
    // The same again changes nothing.
    project(&fixture, records).await;
    let labels = all(&fixture).await;
    let told: Vec<_> = labels
        .iter()
        .map(|label| (label.label.value.to_string(), label.stands))
        .collect();
    assert_eq!(told, [("no".to_owned(), true), ("yes".to_owned(), false)]);
    let known = fixture.store.known_labels(None, &[kept.id]).await.unwrap();
    let standing: Vec<String> = known.standing.values().map(ToString::to_string).collect();
    assert_eq!(standing, ["no"]);
    let page = LabelFilter {
        before: Some(labels[0].label.id),
        system: Some(kept.system),
        tenant: Some(tenant("default")),
        ..LabelFilter::default()
    };
    assert_eq!(fixture.store.labels(&page).await.unwrap(), labels[1..]);
}

async fn a_rebuild_gives_the_same_labels() {
    let fixture = fixtures::fixture().await;
    let kept = fixtures::decision(3, Outcome::Served);
    let records = vec![(0, record(label(50, kept.id, "yes"))), (1, closed(kept))];
    project(&fixture, records.clone()).await;
    let before = all(&fixture).await;
    let projector = Projector::new(&fixture.store, fixtures::node());
    projector.rebuild(0).await.unwrap();
    assert!(all(&fixture).await.is_empty());
    projector.apply(&records).await.unwrap();
    assert_eq!(all(&fixture).await, before);
}

async fn labels_go_with_the_records_that_said_them() {
    let fixture = fixtures::fixture().await;
    let kept = fixtures::decision(3, Outcome::Served);
    let records = vec![
        (0, record(label(50, kept.id, "yes"))),
        (1, closed(kept.clone())),
        (2, record(label(51, kept.id, "no"))),
    ];
    project(&fixture, records).await;
    let projector = Projector::new(&fixture.store, fixtures::node());
    projector.forget_before(2).await.unwrap();
    let labels = all(&fixture).await;
    assert_eq!(labels.len(), 1);
    // Its decision's record is gone; what the label knows of it stays.
    assert!(labels[0].joined.is_some());
}

async fn what_labels_say_of_a_day_stands_beside_what_was_promised() {
    let fixture = fixtures::fixture().await;
    let confident = |number, confidence| plimsoll_core::Decision {
        confidence: Some(confidence),
        ..fixtures::decision(number, Outcome::Served)
    };
    let (early, late, bare) = (
        confident(3, 0.9),
        confident(900, 0.8),
        plimsoll_core::Decision {
            confidence: None,
            ..fixtures::decision(901, Outcome::Served)
        },
    );
    let records = vec![
        (0, closed(early.clone())),
        (1, closed(late.clone())),
        (2, closed(bare.clone())),
        (3, record(label(950, early.id, "yes"))),
        (4, record(label(951, late.id, "yes"))),
        (5, record(label(952, late.id, "no"))),
        (6, record(label(953, bare.id, "no"))),
    ];
    project(&fixture, records).await;
    let of = (&late.system, &late.environment);
    let name = LabelName::new("repaid").unwrap();
    let span = (late.opened_at, at(100_000));
    let told = fixture.store.labelled_confidences(of, &name, span, 10);
    let no = LabelValue::text("no").unwrap();
    assert_eq!(told.await.unwrap(), (1, vec![(0.8, no)]));
}

async fn what_was_judged_is_found_with_the_labels_that_stand() {
    let fixture = fixtures::fixture().await;
    let labelled = fixtures::decision(3, Outcome::Served);
    let reviewed = fixtures::decision(4, Outcome::Reviewed);
    let neither = fixtures::decision(5, Outcome::Served);
    let records = vec![
        (0, closed(labelled.clone())),
        (1, closed(reviewed.clone())),
        (2, closed(neither.clone())),
        (3, record(label(50, labelled.id, "yes"))),
        (4, record(label(51, labelled.id, "no"))),
    ];
    project(&fixture, records).await;
    let of = (&labelled.system, &labelled.environment);
    let found = async |filter: DatasetFilter| {
        let page = fixture.store.judged_decisions(of, &filter, None).await;
        page.unwrap().decisions
    };
    let only = |judged| DatasetFilter {
        only: vec![judged],
        ..DatasetFilter::default()
    };
    assert_eq!(
        found(DatasetFilter::default()).await,
        [labelled.id, reviewed.id]
    );
    assert_eq!(found(only(Judged::Labelled)).await, [labelled.id]);
    assert_eq!(found(only(Judged::Reviewed)).await, [reviewed.id]);
    let named = |name: &str| DatasetFilter {
        labels: vec![LabelName::new(name).unwrap()],
        only: vec![Judged::Labelled],
        until: Some(at(1_000_000)),
        ..DatasetFilter::default()
    };
    assert_eq!(found(named("repaid")).await, [labelled.id]);
    assert!(found(named("another")).await.is_empty());
    let theirs = DatasetFilter {
        tenant: Some(tenant("other")),
        ..DatasetFilter::default()
    };
    assert!(found(theirs).await.is_empty());
    let (filter, ids) = (DatasetFilter::default(), [reviewed.id, labelled.id]);
    let judged = fixture.store.with_labels(&filter, &ids).await.unwrap();
    let told: Vec<_> = judged
        .iter()
        .map(|(decision, labels)| {
            let values = labels.iter().map(|label| label.value.to_string());
            (decision.id, values.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(
        told,
        [(reviewed.id, vec![]), (labelled.id, vec!["no".to_owned()])]
    );
}
