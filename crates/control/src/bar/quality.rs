//! The quality characteristic: a target, a run of an eval of what is deployed that met it, and not too
//! long ago.

use std::time::Duration;

use plimsoll_core::eval::{EvalFigure, EvalRun, EvalVerdict};
use plimsoll_core::system::Bound;

use super::Check;
use super::characteristics::Case;
use crate::figures::{ago, count, counted, span};

impl Case<'_> {
    /// A quality bar that is measured again and again, and watched in between.
    pub(super) fn quality(&self) -> Vec<Check> {
        let mut checks = self.evaluated();
        checks.extend(super::monitors::checks(self));
        checks
    }

    fn evaluated(&self) -> Vec<Check> {
        let targets = &self.system.bar.quality;
        if targets.is_empty() {
            let next = format!("write `quality` under `[bar]` in {}", self.file());
            return vec![Check::no("no target is written down", next)];
        }
        let run = format!("plimsoll eval run {}", self.system.name);
        let quality = self.system.quality.as_ref();
        let Some(dataset) = quality.and_then(|quality| quality.dataset.as_deref()) else {
            let next = format!("name a `dataset` under `[quality]` in {}", self.file());
            return vec![told(targets), Check::no("no eval set is named", next)];
        };
        let Some(last) = self.evidence.eval else {
            return vec![told(targets), Check::no("never run", run)];
        };
        let mut checks: Vec<Check> = targets
            .iter()
            .map(|(metric, bound)| figure(last, metric, *bound, &run))
            .collect();
        checks.extend(self.stands_for_what_is_deployed(last, dataset, &run));
        let limit = quality.and_then(|quality| quality.every);
        checks.push(self.schedule(last, limit, run));
        checks
    }

    /// A run of another release, or of another set, says nothing of this one.
    fn stands_for_what_is_deployed(&self, last: &EvalRun, set: &str, run: &str) -> Vec<Check> {
        let mut checks = Vec::new();
        let Some(current) = &self.facts.deployment else {
            return checks;
        };
        let deployed = &current.deployment;
        if last.release != deployed.release {
            let (was, is) = (last.release.short(), deployed.release.short());
            let evidence = format!("the last run was of release {was}, deployed is {is}");
            checks.push(Check::no(evidence, run));
        }
        let named = deployed.eval_sets.get(set);
        if last.set != set || named.is_some_and(|digest| *digest != last.file) {
            let evidence = format!("the last run asked another `{set}` than the deployed one");
            checks.push(Check::no(evidence, run));
        }
        checks
    }

    /// Without a schedule of its own, a run counts for as long as a drill does.
    fn schedule(&self, last: &EvalRun, every: Option<Duration>, run: String) -> Check {
        let age = self.now.since(last.measured_at);
        let ran = format!("ran {}", ago(last.measured_at, self.now));
        match every {
            Some(every) if age > every + crate::watch::grace(every) => {
                let every = span(every);
                Check::no(
                    format!("not run on schedule: {ran}, to be run every {every}"),
                    run,
                )
            }
            Some(every) if age >= every => Check::yes(format!("{ran}, next is due now")),
            Some(every) => Check::yes(format!(
                "{ran}, next in {}",
                span(every.saturating_sub(age))
            )),
            None if age > self.system.bar.drill_age => {
                let limit = span(self.system.bar.drill_age);
                Check::no(format!("{ran}, limit {limit}"), run)
            }
            None => Check::yes(ran),
        }
    }
}

fn sign(bound: Bound) -> String {
    format!("{} {}", if bound.at_least { "≥" } else { "≤" }, bound.value)
}

fn told(targets: &std::collections::BTreeMap<String, Bound>) -> Check {
    let all: Vec<String> = targets
        .iter()
        .map(|(metric, bound)| format!("{metric} {}", sign(*bound)))
        .collect();
    Check::yes(format!("target {}", all.join(", ")))
}

/// A target, and what the last run established of it.
fn figure(last: &EvalRun, metric: &str, bound: Bound, run: &str) -> Check {
    let target = format!("target {}", sign(bound));
    let found = last.figures.iter().find(|figure| figure.metric == metric);
    let Some((found, value)) = found.and_then(|found| Some((found, found.value?))) else {
        return Check::no(
            format!("{metric}: not measured by the last run, {target}"),
            run,
        );
    };
    let evidence = format!(
        "{metric} {}{}, {target} · {}",
        short(value),
        interval(found),
        counted(found.cases, "case")
    );
    if found.target != Some(bound) {
        return Check::no(format!("{evidence} · the target was another then"), run);
    }
    if found.advisory {
        let next = "hold the judge against people: plimsoll eval judge calibrate";
        return Check::no(format!("{evidence} · only a judge's word"), next);
    }
    match found.verdict {
        Some(EvalVerdict::Pass) => Check::yes(evidence),
        Some(EvalVerdict::Regressed) => {
            let next = format!("plimsoll eval show {}", last.id);
            Check::no(format!("{evidence} · REGRESSED"), next)
        }
        Some(EvalVerdict::Inconclusive) | None => {
            let needs = match found.needs {
                Some(needs) => format!(", needs about {} more cases", count(needs)),
                None => String::new(),
            };
            let next = format!("plimsoll eval show {}", last.id);
            Check::no(format!("{evidence} · INCONCLUSIVE{needs}"), next)
        }
    }
}

fn interval(figure: &EvalFigure) -> String {
    match (figure.low, figure.high) {
        (Some(low), Some(high)) => format!(" [{}, {}]", short(low), short(high)),
        _ => String::new(),
    }
}

/// A figure with three places after the point.
fn short(value: f64) -> String {
    format!("{value:.3}")
}
