//! What monitors say of quality.

use plimsoll_core::monitor::{AlarmEvidence, Severity, Watched};

use super::*;
use crate::watch::MonitorView;

/// One monitor that stands like this and was looked at a moment ago.
pub(super) fn watched(state: State) -> MonitorFacts {
    let at = now().minus(Duration::from_secs(3));
    MonitorFacts {
        looked_at: Some(at),
        monitors: vec![MonitorView {
            system: name(),
            monitor: Watched::Errors,
            state,
            severity: Severity::Page,
            between_false_alarms: 100_000,
            seen: 84_112,
            unusable: 0,
            measured_at: Some(at),
            evidence: AlarmEvidence::default(),
            accuracy: None,
        }],
    }
}

/// What is said of quality that is not met and that this version can show.
fn quality_with(monitors: Option<&MonitorFacts>) -> Vec<(String, String)> {
    let facts = facts();
    let evidence = Evidence {
        audit: Some(&audit()),
        monitors,
        eval: Some(&quality::run()),
        ..knowing(&facts)
    };
    let report = judge(&quality::watched(), evidence, now(), "USD");
    let quality = characteristic(&report, "quality").checks.iter();
    let failed = quality.filter(|check| !check.met && check.built);
    failed
        .map(|check| {
            (
                check.evidence.clone(),
                check.next.clone().unwrap_or_default(),
            )
        })
        .collect()
}

#[test]
fn what_is_not_watched_or_has_raised_an_alarm_is_below_the_line() {
    assert!(quality_with(Some(&watched(State::Quiet))).is_empty());
    assert!(quality_with(Some(&watched(State::Learning))).is_empty());
    let alarm = State::Alarm {
        alarm: EventId::from_bytes([3; 16]),
        since: now().minus(Duration::from_mins(5)),
    };
    assert_eq!(
        quality_with(Some(&watched(alarm))),
        [(
            "errors: alarm (page), raised 5 min ago".to_owned(),
            "plimsoll monitor show loan-default errors".to_owned()
        )]
    );
    let nothing = quality_with(None);
    assert_eq!(nothing[0].0, "nothing is watched");
    assert!(nothing[0].1.contains("[monitors]"), "{nothing:?}");
    let never = quality_with(Some(&MonitorFacts::default()));
    assert_eq!(never[0].0, "the monitors never ran");
    let late = MonitorFacts {
        looked_at: Some(now().minus(Duration::from_hours(2))),
        ..watched(State::Quiet)
    };
    let late = quality_with(Some(&late));
    assert!(
        late[0].0.starts_with("the monitors ran 2 h ago"),
        "{late:?}"
    );
}
