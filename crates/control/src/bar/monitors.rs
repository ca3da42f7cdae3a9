//! What the bar says of monitors: whether anything is watched, whether it ran, whether it has raised an alarm.

use std::time::Duration;

use super::Check;
use super::characteristics::Case;
use crate::figures::{ago, counted};
use crate::watch::State;

/// Monitors look every ten seconds; ones that have not for so long are not on schedule.
const LOOKED_AGE: Duration = Duration::from_mins(5);

pub(super) fn checks(case: &Case<'_>) -> Vec<Check> {
    let Some(facts) = case.evidence.monitors else {
        let next = format!("write `[monitors]` in {}", case.file());
        return vec![Check::no("nothing is watched", next)];
    };
    let system = &case.system.name;
    let Some(looked_at) = facts.looked_at else {
        return vec![Check::no("the monitors never ran", "plimsoll serve")];
    };
    let ran = ago(looked_at, case.now);
    if case.now.since(looked_at) > LOOKED_AGE {
        let evidence = format!("the monitors ran {ran}, and should every ten seconds");
        return vec![Check::no(evidence, "plimsoll serve")];
    }
    let mut checks = Vec::new();
    for view in &facts.monitors {
        if let State::Alarm { since, .. } = view.state {
            let since = ago(since, case.now);
            let severity = view.severity.as_str();
            let monitor = view.monitor;
            let evidence = format!("{monitor}: alarm ({severity}), raised {since}");
            let next = format!("plimsoll monitor show {system} {monitor}");
            checks.push(Check::no(evidence, next));
        }
    }
    let accuracies = facts
        .monitors
        .iter()
        .filter_map(|view| view.accuracy.as_ref());
    let told: Vec<Check> = accuracies
        .flat_map(|accuracy| {
            let lines = accuracy.to_string();
            lines.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .map(Check::yes)
        .collect();
    if checks.is_empty() {
        let learning = facts
            .monitors
            .iter()
            .filter(|view| view.state == State::Learning)
            .count();
        let learning = match learning {
            0 => String::new(),
            count => format!(", {count} still learning"),
        };
        let number = counted(facts.monitors.len() as u64, "monitor");
        checks.push(Check::yes(format!(
            "{number} ran {ran}{learning} · no alarm"
        )));
    }
    checks.extend(told);
    checks
}
