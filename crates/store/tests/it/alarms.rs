//! Alarms, what became of alerts, and silences that end.

use std::collections::BTreeSet;

use plimsoll_core::monitor::{
    Alarm, AlarmChange, AlarmEvidence, AlertChange, AlertEvent, Severity, Watched,
};
use plimsoll_core::{EventId, Record, SystemName};
use plimsoll_store::Projector;

use crate::fixtures::{self, at};

on_both_engines! {
    alarms_are_listed_by_system_and_alerts_beside_them
    an_alarm_stands_until_its_node_says_otherwise_however_many_came_since
    a_silence_stands_until_it_is_over_or_lifted
}

fn id(number: u64) -> EventId {
    EventId::from_bytes(fixtures::id_bytes(number))
}

fn alarm(number: u64, system: &str) -> Alarm {
    Alarm {
        id: id(number),
        alarm: id(number),
        change: AlarmChange::Raised,
        system: SystemName::new(system).unwrap(),
        environment: fixtures::environment(),
        node: fixtures::node(),
        monitor: Watched::Errors,
        severity: Severity::Page,
        release: None,
        summary: "errors rose".into(),
        evidence: AlarmEvidence::default(),
        actions: Vec::new(),
        at: at(number),
    }
}

fn alert(number: u64, event: AlertChange) -> Record {
    Record::Alert(Box::new(AlertEvent {
        id: id(number),
        event,
        actor: Some("ada".into()),
        at: at(number),
    }))
}

async fn alarms_are_listed_by_system_and_alerts_beside_them() {
    let fixture = fixtures::fixture().await;
    let (loan, other) = (alarm(1, "loan"), alarm(2, "other"));
    let delivered = AlertChange::Delivered {
        about: loan.id,
        receiver: "ops".into(),
        attempts: 2,
    };
    let records = vec![
        (0, Record::Alarm(Box::new(loan.clone()))),
        (1, Record::Alarm(Box::new(other.clone()))),
        (2, alert(3, delivered.clone())),
    ];
    let projector = Projector::new(&fixture.store, fixtures::node());
    projector.apply(&records).await.unwrap();
    projector.apply(&records).await.unwrap();
    let store = &fixture.store;
    assert_eq!(store.alarms(None, 10).await.unwrap(), [other, loan.clone()]);
    assert_eq!(store.alarms(Some(&loan.system), 10).await.unwrap(), [loan]);
    let alerts = store.alerts(10).await.unwrap();
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].event, delivered);
}

async fn an_alarm_stands_until_its_node_says_otherwise_however_many_came_since() {
    let fixture = fixtures::fixture().await;
    let loan = alarm(1, "loan");
    let cleared = |number| Alarm {
        change: AlarmChange::Cleared,
        ..alarm(number, "other")
    };
    let mut records = vec![(0, Record::Alarm(Box::new(loan.clone())))];
    for number in 2..1_300 {
        let event = if number % 2 == 0 {
            alarm(number, "other")
        } else {
            cleared(number)
        };
        records.push((number, Record::Alarm(Box::new(event))));
    }
    let projector = Projector::new(&fixture.store, fixtures::node());
    projector.apply(&records).await.unwrap();
    let latest = fixture.store.latest_alarms().await.unwrap();
    assert_eq!(latest, [cleared(1_299), loan.clone()]);
    let over = Alarm {
        id: id(2_000),
        change: AlarmChange::Cleared,
        at: at(2_000),
        ..loan
    };
    let record = Record::Alarm(Box::new(over.clone()));
    projector.apply(&[(2_000, record)]).await.unwrap();
    let latest = fixture.store.latest_alarms().await.unwrap();
    assert_eq!(latest, [over, cleared(1_299)]);
}

async fn a_silence_stands_until_it_is_over_or_lifted() {
    let fixture = fixtures::fixture().await;
    let silenced = |until| AlertChange::Silenced {
        system: None,
        monitor: None,
        until: at(until),
        reason: "a load test".into(),
    };
    let records = vec![
        (0, alert(1, silenced(100))),
        (1, alert(2, silenced(200))),
        (2, alert(3, silenced(300))),
        (3, alert(4, AlertChange::Lifted { silence: id(3) })),
    ];
    let projector = Projector::new(&fixture.store, fixtures::node());
    projector.apply(&records).await.unwrap();
    let standing = |events: Vec<AlertEvent>| -> BTreeSet<EventId> {
        events.iter().map(|event| event.id).collect()
    };
    let early = fixture.store.silences(at(50)).await.unwrap();
    assert_eq!(standing(early), [id(1), id(2)].into());
    let later = fixture.store.silences(at(150)).await.unwrap();
    assert_eq!(standing(later), [id(2)].into());
    assert!(fixture.store.silences(at(250)).await.unwrap().is_empty());
}
