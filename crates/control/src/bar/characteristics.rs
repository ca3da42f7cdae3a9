//! The six, one function each. A function gives its pieces of evidence, most telling first.

use std::time::Duration;

use plimsoll_core::decision::CostBasis;
use plimsoll_core::deployment::Deployment;
use plimsoll_core::manifest::Mode;
use plimsoll_core::record::DeploymentCause;
use plimsoll_core::stakes::{Durability, PayloadPolicy};
use plimsoll_core::{FailureKind, System, Timestamp};
use plimsoll_store::BarFacts;

use super::{AuditFacts, Characteristic, Check, Evidence};
use crate::cost::freshness;
use crate::figures::{ago, count, counted, money, percent, span};

/// A record that is under no checkpoint for longer than this is an alarm.
const CHECKPOINT_AGE: Duration = Duration::from_mins(1);

/// What is judged.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) system: &'a System,
    pub(crate) evidence: Evidence<'a>,
    pub(crate) facts: &'a BarFacts,
    pub(crate) now: Timestamp,
    pub(crate) currency: &'a str,
}

impl Case<'_> {
    pub(crate) fn all(&self) -> Vec<Characteristic> {
        let six = [
            ("quality", self.quality()),
            ("failure", self.failure()),
            ("cost", self.cost()),
            ("versions", self.versions()),
            ("audit", self.audit()),
            ("ownership", self.ownership()),
        ];
        let characteristic = |(name, checks): (&'static str, Vec<Check>)| Characteristic {
            name,
            met: checks.iter().all(|check| check.met),
            checks,
        };
        six.into_iter().map(characteristic).collect()
    }

    pub(super) fn file(&self) -> String {
        format!("systems/{}/system.toml", self.system.name)
    }

    fn no_decisions(&self) -> Check {
        let days = span(self.now.since(self.facts.since));
        let next = format!("plimsoll send FILE --system {}", self.system.name);
        Check::no(format!("no decisions in {days}, so nothing shows it"), next)
    }

    /// Bounded failure modes: designed, and seen to happen.
    fn failure(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        if self.system.manifest.mode == Mode::Observe {
            let next = format!("remove `mode = \"observe\"` from {}", self.file());
            checks.push(Check::no(
                "nothing is enforced: the system only observes",
                next,
            ));
        }
        checks.extend(self.designs());
        checks.extend(self.drills());
        checks.extend(self.availability());
        let skipped = self.facts.with_skipped_controls;
        if skipped > 0 {
            let what = counted(skipped, "decision");
            let next = format!("plimsoll decisions --system {}", self.system.name);
            checks.push(Check::no(
                format!("{what} with a control that did not run"),
                next,
            ));
        }
        checks
    }

    fn designs(&self) -> Vec<Check> {
        let ladders = &self.system.manifest.ladders;
        let missing: Vec<FailureKind> = FailureKind::ALL
            .into_iter()
            .filter(|kind| !ladders.is_designed(*kind))
            .collect();
        if missing.is_empty() {
            return vec![Check::yes("all 8 kinds have a designed answer")];
        }
        let evidence = format!("{}: only the safe default", names(&missing));
        vec![Check::no(
            evidence,
            format!("write them under `[on]` in {}", self.file()),
        )]
    }

    fn drills(&self) -> Vec<Check> {
        let limit = self.system.bar.drill_age;
        let system = &self.system.name;
        let mut checks = Vec::new();
        let (mut never, mut oldest) = (Vec::new(), None::<Timestamp>);
        let ladders = &self.system.manifest.ladders;
        // What is not designed is said already.
        for kind in FailureKind::ALL
            .into_iter()
            .filter(|kind| ladders.is_designed(*kind))
        {
            let Some(drill) = self.facts.drills.get(&kind) else {
                never.push(kind);
                continue;
            };
            let again = format!("plimsoll drill run {system} {kind}");
            let age = self.now.since(drill.at);
            if !drill.passed {
                let what = drill
                    .note
                    .as_deref()
                    .unwrap_or("the designed answer did not happen");
                checks.push(Check::no(
                    format!("{kind}: the last drill failed: {what}"),
                    again,
                ));
            } else if age > limit {
                let (age, limit) = (span(age), span(limit));
                let evidence = format!("{kind}: last drilled {age} ago, limit {limit}");
                checks.push(Check::no(evidence, again));
            } else {
                oldest = Some(oldest.map_or(drill.at, |oldest| oldest.min(drill.at)));
            }
        }
        if !never.is_empty() {
            let one = if let [kind] = never[..] {
                format!(" {kind}")
            } else {
                String::new()
            };
            let next = format!("plimsoll drill run {system}{one}");
            checks.push(Check::no(format!("{}: never drilled", names(&never)), next));
        }
        if let Some(oldest) = oldest.filter(|_| checks.is_empty()) {
            let oldest = ago(oldest, self.now);
            checks.push(Check::yes(format!("drilled, the oldest {oldest}")));
        }
        checks
    }

    fn availability(&self) -> Option<Check> {
        let share = self.facts.answered_share()?;
        let target = self.system.bar.availability;
        let (answered, asked) = (self.facts.answered, self.facts.answerable);
        let evidence = format!(
            "answered {} of {}, target ≥ {} %",
            percent(answered, asked),
            count(asked),
            rounded_percent(target)
        );
        let next = format!(
            "plimsoll decisions --system {} --outcome refused",
            self.system.name
        );
        Some(Check::when(share >= target, evidence, next))
    }

    /// A known cost per unit of work.
    fn cost(&self) -> Vec<Check> {
        let cost = &self.facts.cost;
        if cost.units == 0 {
            return vec![self.no_decisions()];
        }
        let unit = &self.system.unit;
        let mean = money(cost.mean, self.currency);
        let per_unit = format!("{mean} per {unit}, p95 {}", money(cost.p95, self.currency));
        let mut checks = vec![match self.system.bar.cost_per_unit {
            Some(ceiling) => {
                let evidence = format!("{per_unit} · ceiling {}", money(ceiling, self.currency));
                let next = format!(
                    "a cheaper model first, or `[budget] per_unit` in {}",
                    self.file()
                );
                Check::when(cost.p95 <= ceiling, evidence, next)
            }
            None => {
                let next = format!("write `cost_per_unit` under `[bar]` in {}", self.file());
                Check::no(format!("{per_unit} · no ceiling is written down"), next)
            }
        }];
        checks.push(self.cost_basis());
        checks.extend(self.prices());
        checks
    }

    /// How fresh the prices are by which that is known.
    fn prices(&self) -> Option<Check> {
        let prices = self.evidence.prices;
        let unpriced: Vec<&str> = prices
            .iter()
            .filter(|one| one.price.is_none())
            .map(|one| one.name.as_str())
            .collect();
        if !unpriced.is_empty() {
            let evidence = format!("no price for {}", unpriced.join(", "));
            return Some(Check::no(evidence, "plimsoll cost prices"));
        }
        let oldest = freshness::oldest(prices)?;
        let told = format!("prices looked at {}", ago(oldest, self.now));
        let Some(most) = self.system.bar.price_age else {
            return Some(Check::yes(told));
        };
        let evidence = format!("{told}, limit {}", span(most));
        let next = "look at the provider's page, and write the day as `checked` in prices.toml";
        Some(Check::when(self.now.since(oldest) <= most, evidence, next))
    }

    fn cost_basis(&self) -> Check {
        let cost = &self.facts.cost;
        let all = cost.measured + cost.estimated + cost.unknown;
        let worst = match (cost.unknown, cost.estimated) {
            (0, 0) => CostBasis::Measured,
            (0, _) => CostBasis::Estimated,
            _ => CostBasis::Unknown,
        };
        let measured = percent(cost.measured, all);
        match worst {
            CostBasis::Measured => Check::yes(format!("{measured} measured")),
            CostBasis::Estimated => {
                let estimated = count(cost.estimated);
                Check::yes(format!("{measured} measured, {estimated} estimated"))
            }
            CostBasis::Unknown => {
                let what = counted(cost.unknown, "decision");
                let evidence = format!("{measured} measured; nobody knows what {what} cost");
                Check::no(evidence, "add the missing prices to prices.toml")
            }
        }
    }

    /// Versioned artifacts: what was running, for each decision.
    fn versions(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        let Some(current) = &self.facts.deployment else {
            return vec![Check::no("nothing is deployed", "plimsoll serve")];
        };
        let (known, all) = (self.facts.with_known_release, self.facts.decisions);
        if all == 0 {
            checks.push(self.no_decisions());
        } else {
            let evidence = format!(
                "{} of {} carry a known release",
                count(known),
                counted(all, "decision")
            );
            checks.push(Check::when(
                known == all,
                evidence,
                "plimsoll store rebuild",
            ));
        }
        checks.extend(self.approvals(&current.deployment));
        checks.extend(self.evidence.unreviewed.iter().map(overridden));
        checks
    }

    /// Who approved what is deployed. What overrode its approvals is told apart.
    fn approvals(&self, deployment: &Deployment) -> Option<Check> {
        let wanted = self.system.stakes.defaults().approvals as usize;
        let asked = wanted > 0 && deployment.cause == DeploymentCause::Command;
        if !asked || deployment.break_glass || deployment.rollback_of.is_some() {
            return None;
        }
        let given = deployment.approvals.len();
        let evidence = format!("deployed with {given} of {wanted} approvals");
        let next = format!("plimsoll release approve {}", deployment.release.short());
        Some(Check::when(given >= wanted, evidence, next))
    }

    /// An audit trail that an outsider can verify.
    fn audit(&self) -> Vec<Check> {
        let manifest = &self.system.manifest;
        let wanted = self.system.stakes.defaults();
        let mut checks = match self.evidence.audit {
            Some(log) => vec![self.log(log), self.verified(log)],
            None => {
                let next = "remove `enabled = false` under `[audit]` in plimsoll.toml";
                vec![Check::no("no audit log is kept", next)]
            }
        };
        let buffered = manifest.record == Durability::Buffered;
        checks.push(if buffered && wanted.record == Durability::Durable {
            let next = format!("remove `record = \"buffered\"` from {}", self.file());
            Check::no("recorded up to 250 ms after the answer left", next)
        } else {
            let when = if buffered {
                "within 250 ms"
            } else {
                "before the answer leaves"
            };
            Check::yes(format!(
                "{} recorded {when}",
                counted(self.facts.decisions, "decision")
            ))
        });
        let keeps_less = manifest.payloads != PayloadPolicy::Full;
        if wanted.payloads == PayloadPolicy::Full && keeps_less {
            let next = format!("remove `payloads` from {}", self.file());
            checks.push(Check::no("inputs and outputs are not kept in full", next));
        }
        checks
    }

    fn log(&self, log: &AuditFacts) -> Check {
        if let Some(defect) = &log.defect {
            let evidence = format!("the audit log has stopped: {defect}");
            return Check::no(evidence, "plimsoll audit verify");
        }
        let Some(at) = log.checkpoint_at else {
            return Check::no("no checkpoint was signed yet", "plimsoll serve");
        };
        let age = self.now.since(at);
        let evidence = format!("{}, checkpoint {} old", leaves(log.leaves), span(age));
        if log.behind > 0 && age > CHECKPOINT_AGE {
            let behind = counted(log.behind, "record");
            let evidence = format!("{evidence}, {behind} under none");
            return Check::no(evidence, "plimsoll serve");
        }
        Check::yes(evidence)
    }

    /// Whether somebody checked the log not longer ago than a drill counts.
    fn verified(&self, log: &AuditFacts) -> Check {
        let next = "plimsoll audit verify --record";
        let limit = self.system.bar.drill_age;
        match &log.verified {
            None => Check::no("never verified", next),
            Some(last) if !last.passed => {
                let faults = counted(last.faults, "fault");
                let when = ago(last.at, self.now);
                Check::no(format!("verified {when}: {faults}"), next)
            }
            Some(last) if self.now.since(last.at) > limit => {
                let (when, limit) = (ago(last.at, self.now), span(limit));
                Check::no(format!("last verified {when}, limit {limit}"), next)
            }
            Some(last) => Check::yes(format!("verified {}", ago(last.at, self.now))),
        }
    }

    /// People who own it.
    fn ownership(&self) -> Vec<Check> {
        let owner = &self.system.owner;
        let named = [
            ("team", &owner.team),
            ("contact", &owner.contact),
            ("on_call", &owner.on_call),
            ("runbook", &owner.runbook),
        ];
        let absent = |(_, value): &&(&str, &Option<String>)| {
            value.as_deref().is_none_or(|text| text.trim().is_empty())
        };
        let missing: Vec<&str> = named.iter().filter(absent).map(|(key, _)| *key).collect();
        let mut checks = Vec::new();
        if missing.is_empty() {
            checks.push(Check::yes(owner.team.clone().unwrap_or_default()));
        } else {
            let next = format!("write it under `[owner]` in {}", self.file());
            checks.push(Check::no(
                format!("nobody is named: {}", missing.join(", ")),
                next,
            ));
        }
        checks.push(self.runbook());
        checks.push(self.on_call());
        checks
    }

    /// Whether somebody is told of an alarm that pages: shown by a test that was taken, not too long ago.
    fn on_call(&self) -> Check {
        let facts = self.evidence.on_call;
        let Some(first) = facts.receivers.first() else {
            let evidence = "on call: nobody is told of an alarm that pages";
            return Check::no(
                evidence,
                "write a receiver under `[alerts]` in plimsoll.toml",
            );
        };
        let Some(test) = &facts.tested else {
            return Check::no(
                "on call: never tried",
                format!("plimsoll alert test {first}"),
            );
        };
        let (receiver, when) = (&test.receiver, ago(test.at, self.now));
        let next = format!("plimsoll alert test {receiver}");
        let limit = self.system.bar.runbook_age;
        if !test.taken {
            return Check::no(
                format!("on call: {receiver} did not take a test {when}"),
                next,
            );
        }
        if self.now.since(test.at) > limit {
            let limit = span(limit);
            return Check::no(
                format!("on call: {receiver} tested {when}, limit {limit}"),
                next,
            );
        }
        Check::yes(format!("on call: {receiver} took a test {when}"))
    }

    fn runbook(&self) -> Check {
        let next = format!("plimsoll runbook run {}", self.system.name);
        if self
            .system
            .runbook
            .as_deref()
            .is_none_or(|text| text.trim().is_empty())
        {
            return Check::no(
                "there is no runbook",
                format!("write systems/{}/runbook.md", self.system.name),
            );
        }
        let Some(run) = &self.facts.runbook_run else {
            return Check::no("runbook never tried", next);
        };
        let (age, limit) = (self.now.since(run.ended_at), self.system.bar.runbook_age);
        if !run.passed {
            let when = span(age);
            return Check::no(format!("runbook did not work when tried {when} ago"), next);
        }
        if age > limit {
            let (age, limit) = (span(age), span(limit));
            return Check::no(format!("runbook last tried {age} ago, limit {limit}"), next);
        }
        Check::yes(format!("runbook tried {}", ago(run.ended_at, self.now)))
    }
}

fn leaves(number: u64) -> String {
    match number {
        1 => "1 leaf".to_owned(),
        _ => format!("{} leaves", count(number)),
    }
}

/// A deployment that overrode its approvals and that nobody has looked at since.
fn overridden(deployment: &Deployment) -> Check {
    let (actor, at) = (&deployment.actor, deployment.at.short());
    let evidence = format!("{actor} overrode the approvals on {at} and nobody has reviewed it");
    let next = format!(
        "plimsoll release review {} --justified yes|no --note WHY",
        deployment.id
    );
    Check::no(evidence, next)
}

fn names(kinds: &[FailureKind]) -> String {
    if kinds.len() == FailureKind::ALL.len() {
        return "all 8 kinds".to_owned();
    }
    kinds
        .iter()
        .map(|kind| kind.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

fn rounded_percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
