//! What is counted, in Prometheus' conventions. Labels hold names of the workspace, codes and
//! outcomes: never anything that a caller wrote.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display, Write as _};
use std::hash::Hash;

use plimsoll_core::decision::CostBasis;
use plimsoll_core::label::LabelState;
use plimsoll_core::monitor::Watched;
use plimsoll_core::{Code, Decision, FailureKind, ModelName, Outcome, SystemName};
use plimsoll_journal::AuditStatus;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use crate::exchange::Open;
use crate::sharing::SharingFigures;

/// The name and meaning of each metric: the reference page is generated from this table.
pub const METRICS: &[(&str, &str, &str)] = &[
    (
        "plimsoll_decisions_total",
        "counter",
        "Decisions closed, by system, outcome and kind of the first failure.",
    ),
    (
        "plimsoll_decision_seconds",
        "histogram",
        "From opening to closing a decision, by system.",
    ),
    (
        "plimsoll_attempts_total",
        "counter",
        "Calls to models, by system, model and error code (`none` for success).",
    ),
    (
        "plimsoll_controls_skipped_total",
        "counter",
        "Configured controls that did not run, by system and control: each is an alarm.",
    ),
    (
        "plimsoll_coerced_total",
        "counter",
        "Values that were read from another type without loss, by system: only where its contract allows it.",
    ),
    (
        "plimsoll_refused_total",
        "counter",
        "Requests refused before there was a decision, by code.",
    ),
    (
        "plimsoll_unrecorded_total",
        "counter",
        "Decisions whose record could not be written and whose answer was withheld, by system and code.",
    ),
    (
        "plimsoll_reviews_opened_total",
        "counter",
        "Decisions that wait or waited for a person, by system.",
    ),
    (
        "plimsoll_cost_total",
        "counter",
        "Money spent in the workspace's currency, by system and basis.",
    ),
    (
        "plimsoll_cost_unknown_total",
        "counter",
        "Decisions of unknown cost, by system: each is an alarm.",
    ),
    (
        "plimsoll_limits_members",
        "gauge",
        "Tenants, teams, keys, users, sessions and systems whose usage limits remember one by one.",
    ),
    (
        "plimsoll_limits_folded_total",
        "counter",
        "Of these, how often one was folded into others for want of room: some may find less than they could have.",
    ),
    (
        "plimsoll_limits_shared_away",
        "gauge",
        "1 while the server that keeps shared limits cannot be used: this node spends what it holds and then refuses.",
    ),
    (
        "plimsoll_limits_shared_untold",
        "gauge",
        "1 while the server that keeps shared limits could not be told what the records say: the database does not answer.",
    ),
    (
        "plimsoll_limits_exchanges_total",
        "counter",
        "Exchanges with the server that keeps shared limits, failed ones too.",
    ),
    (
        "plimsoll_limits_waited_total",
        "counter",
        "Requests that waited for a slice of a shared limit: many say that slices are leased too late.",
    ),
    (
        "plimsoll_limits_unavailable_total",
        "counter",
        "Of these, how many were refused with `limits_unavailable`.",
    ),
    (
        "plimsoll_labels_total",
        "counter",
        "Labels that were sent, by what became of them: `joined`, `corrected`, `waiting`, `repeated`.",
    ),
    (
        "plimsoll_monitor_alarm",
        "gauge",
        "1 while a monitor has raised an alarm, by system and monitor.",
    ),
    (
        "plimsoll_accuracy_ratio",
        "gauge",
        "How often answers are right, by system and how that is known: `estimated` (from the model's confidence, of the last window) or `realised` (from the labels of the last day that is old enough).",
    ),
    (
        "plimsoll_alerts_total",
        "counter",
        "Alerts that receivers took or did not, by receiver and result (`delivered`, `undelivered`).",
    ),
    (
        "plimsoll_in_flight",
        "gauge",
        "Decisions being answered now.",
    ),
    (
        "plimsoll_reloads_total",
        "counter",
        "Reloads of the workspace, by result (`done`, `rejected`).",
    ),
    (
        "plimsoll_workspace_rejected",
        "gauge",
        "1 while the files of the workspace have problems and an older state is served.",
    ),
    (
        "plimsoll_systems_broken",
        "gauge",
        "Systems that could not be built and are not served.",
    ),
    (
        "plimsoll_system_halted",
        "gauge",
        "1 while a system is halted, on its fallback or without its control plane, by system.",
    ),
    (
        "plimsoll_control_lost",
        "gauge",
        "1 while the node has heard nothing from its control plane for too long.",
    ),
    (
        "plimsoll_journal_committed_sequence",
        "gauge",
        "The last record that is on disk.",
    ),
    (
        "plimsoll_journal_queue_bytes",
        "gauge",
        "Bytes of records that wait for the disk.",
    ),
    (
        "plimsoll_journal_failing",
        "gauge",
        "1 while the journal cannot write: the disk is full or failing.",
    ),
    (
        "plimsoll_audit_leaves",
        "gauge",
        "Records under the newest signed checkpoint of the audit log.",
    ),
    (
        "plimsoll_audit_behind",
        "gauge",
        "Records on disk and not yet under a signed checkpoint.",
    ),
    (
        "plimsoll_audit_checkpoint_seconds",
        "gauge",
        "When the newest checkpoint was signed, in seconds since 1970.",
    ),
    (
        "plimsoll_audit_stopped",
        "gauge",
        "1 once the audit log has stopped because its files do not agree: an alarm.",
    ),
    (
        "plimsoll_audit_copy_failing",
        "gauge",
        "1 while checkpoints cannot be copied to their second place.",
    ),
];

/// A label whose value is anything that prints.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Label<T>(T);

impl<T: Display> EncodeLabelValue for Label<T> {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        write!(encoder, "{}", self.0)
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct BySystem {
    system: Label<SystemName>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByOutcome {
    system: Label<SystemName>,
    outcome: Label<Outcome>,
    kind: Label<&'static str>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByModel {
    system: Label<SystemName>,
    model: Label<ModelName>,
    code: Label<&'static str>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByControl {
    system: Label<SystemName>,
    control: Label<String>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByCode {
    code: Label<&'static str>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByMonitor {
    system: Label<SystemName>,
    monitor: Label<Watched>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByKnowing {
    system: Label<SystemName>,
    known: Label<&'static str>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByReceiver {
    receiver: Label<String>,
    result: Label<&'static str>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByState {
    state: Label<&'static str>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct BySystemAndCode {
    system: Label<SystemName>,
    code: Label<&'static str>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByBasis {
    system: Label<SystemName>,
    basis: Label<&'static str>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByResult {
    result: Label<&'static str>,
}

type CostCounter = Counter<f64, std::sync::atomic::AtomicU64>;

/// The data plane's metrics.
pub(crate) struct Metrics {
    registry: Registry,
    decisions: Family<ByOutcome, Counter>,
    seconds: Family<BySystem, Histogram, fn() -> Histogram>,
    attempts: Family<ByModel, Counter>,
    skipped: Family<ByControl, Counter>,
    coerced: Family<BySystem, Counter>,
    refused: Family<ByCode, Counter>,
    unrecorded: Family<BySystemAndCode, Counter>,
    reviews: Family<BySystem, Counter>,
    cost: Family<ByBasis, CostCounter>,
    cost_unknown: Family<BySystem, Counter>,
    reloads: Family<ByResult, Counter>,
    labels: Family<ByState, Counter>,
    monitors: Family<ByMonitor, Gauge>,
    accuracy: Family<ByKnowing, Gauge<f64, std::sync::atomic::AtomicU64>>,
    alerts: Family<ByReceiver, Counter>,
    halted: Family<BySystem, Gauge>,
    pub(crate) control_lost: Gauge,
    pub(crate) in_flight: Gauge,
    pub(crate) workspace_rejected: Gauge,
    pub(crate) systems_broken: Gauge,
    pub(crate) committed: Gauge,
    pub(crate) queue_bytes: Gauge,
    pub(crate) journal_failing: Gauge,
    pub(crate) audit: AuditGauges,
    pub(crate) limits: LimitFigures,
}

/// The counters of what nearly every decision of one system does, found once: finding them by their
/// labels takes longer than all else that is counted.
pub(crate) struct Meters {
    served: Counter,
    seconds: Histogram,
    answered: BTreeMap<ModelName, Counter>,
    cost_measured: CostCounter,
}

impl Meters {
    /// A model was called.
    pub(crate) fn attempt(&self, ex: &Open, number: usize, code: Option<Code>) {
        let attempt = ex.decision.attempts.get(number);
        let Some(attempt) = attempt.filter(|_| !ex.is_rehearsal()) else {
            return;
        };
        match (code, self.answered.get(&attempt.model)) {
            (None, Some(answered)) => {
                answered.inc();
            }
            _ => ex
                .node
                .metrics
                .attempt(&ex.decision.system, &attempt.model, code),
        }
    }

    /// A decision was closed.
    pub(crate) fn closed(&self, metrics: &Metrics, decision: &Decision, micros: u64) {
        let is_usual = decision.outcome == Some(Outcome::Served)
            && decision.kind.is_none()
            && decision.made_for().is_none()
            && decision.cost.basis == CostBasis::Measured;
        if !is_usual {
            return metrics.closed(decision, micros);
        }
        self.served.inc();
        self.seconds
            .observe(std::time::Duration::from_micros(micros).as_secs_f64());
        self.cost_measured
            .inc_by(decision.cost.amount.approximate().max(0.0));
    }
}

/// From 50 µs to 100 s.
const SECONDS: [f64; 16] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5,
    10.0, 30.0, 100.0,
];

/// How the audit log stands.
#[derive(Debug, Default)]
pub(crate) struct AuditGauges {
    leaves: Gauge,
    behind: Gauge,
    signed_at: Gauge,
    stopped: Gauge,
    copy_failing: Gauge,
}

impl AuditGauges {
    /// Takes over what the log says.
    pub(crate) fn set(&self, status: &AuditStatus) {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.leaves.set(number(status.size));
        self.behind.set(number(status.behind));
        let signed_at = status
            .checkpoint_at
            .map_or(0, |at| at.as_micros() / 1_000_000);
        self.signed_at.set(signed_at);
        self.stopped.set(i64::from(status.defect.is_some()));
        self.copy_failing
            .set(i64::from(status.copy_failing.is_some()));
    }
}

/// How many members the limits remember.
#[derive(Debug, Default)]
pub(crate) struct LimitFigures {
    members: Gauge,
    folded: Counter,
    away: Gauge,
    untold: Gauge,
    exchanges: Counter,
    waited: Counter,
    refused: Counter,
}

impl LimitFigures {
    /// Takes over what the tree says; foldings only grow.
    pub(crate) fn set(&self, members: i64, folded: u64) {
        self.members.set(members);
        reach(&self.folded, folded);
    }

    /// The same of what is shared with other nodes.
    pub(crate) fn share(&self, figures: SharingFigures) {
        self.away.set(i64::from(figures.is_away));
        self.untold.set(i64::from(figures.is_untold));
        reach(&self.exchanges, figures.exchanges);
        reach(&self.waited, figures.waited);
        reach(&self.refused, figures.refused);
    }
}

/// Lets a counter that only grows stand at `number`.
fn reach(counter: &Counter, number: u64) {
    counter.inc_by(number.saturating_sub(counter.get()));
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(SECONDS);
        let mut metrics = Self {
            registry: Registry::default(),
            decisions: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            attempts: Family::default(),
            skipped: Family::default(),
            coerced: Family::default(),
            refused: Family::default(),
            unrecorded: Family::default(),
            reviews: Family::default(),
            cost: Family::default(),
            cost_unknown: Family::default(),
            reloads: Family::default(),
            labels: Family::default(),
            monitors: Family::default(),
            accuracy: Family::default(),
            alerts: Family::default(),
            halted: Family::default(),
            control_lost: Gauge::default(),
            in_flight: Gauge::default(),
            workspace_rejected: Gauge::default(),
            systems_broken: Gauge::default(),
            committed: Gauge::default(),
            queue_bytes: Gauge::default(),
            journal_failing: Gauge::default(),
            audit: AuditGauges::default(),
            limits: LimitFigures::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        self.add("plimsoll_decisions_total", self.decisions.clone());
        self.add("plimsoll_decision_seconds", self.seconds.clone());
        self.add("plimsoll_attempts_total", self.attempts.clone());
        self.add("plimsoll_controls_skipped_total", self.skipped.clone());
        self.add("plimsoll_coerced_total", self.coerced.clone());
        self.add("plimsoll_refused_total", self.refused.clone());
        self.add("plimsoll_unrecorded_total", self.unrecorded.clone());
        self.add("plimsoll_reviews_opened_total", self.reviews.clone());
        self.add("plimsoll_cost_total", self.cost.clone());
        self.add("plimsoll_cost_unknown_total", self.cost_unknown.clone());
        self.add("plimsoll_reloads_total", self.reloads.clone());
        self.add("plimsoll_monitor_alarm", self.monitors.clone());
        self.add("plimsoll_accuracy_ratio", self.accuracy.clone());
        self.add("plimsoll_alerts_total", self.alerts.clone());
        self.add("plimsoll_labels_total", self.labels.clone());
        self.add("plimsoll_system_halted", self.halted.clone());
        self.add("plimsoll_control_lost", self.control_lost.clone());
        self.add("plimsoll_limits_members", self.limits.members.clone());
        self.add("plimsoll_limits_folded_total", self.limits.folded.clone());
        self.add("plimsoll_limits_shared_away", self.limits.away.clone());
        let untold = self.limits.untold.clone();
        self.add("plimsoll_limits_shared_untold", untold);
        let exchanges = self.limits.exchanges.clone();
        self.add("plimsoll_limits_exchanges_total", exchanges);
        self.add("plimsoll_limits_waited_total", self.limits.waited.clone());
        let refused = self.limits.refused.clone();
        self.add("plimsoll_limits_unavailable_total", refused);
        self.add("plimsoll_in_flight", self.in_flight.clone());
        self.add(
            "plimsoll_workspace_rejected",
            self.workspace_rejected.clone(),
        );
        self.add("plimsoll_systems_broken", self.systems_broken.clone());
        self.add(
            "plimsoll_journal_committed_sequence",
            self.committed.clone(),
        );
        self.add("plimsoll_journal_queue_bytes", self.queue_bytes.clone());
        self.add("plimsoll_journal_failing", self.journal_failing.clone());
        self.add("plimsoll_audit_leaves", self.audit.leaves.clone());
        self.add("plimsoll_audit_behind", self.audit.behind.clone());
        self.add(
            "plimsoll_audit_checkpoint_seconds",
            self.audit.signed_at.clone(),
        );
        self.add("plimsoll_audit_stopped", self.audit.stopped.clone());
        self.add(
            "plimsoll_audit_copy_failing",
            self.audit.copy_failing.clone(),
        );
    }

    fn add(&mut self, name: &'static str, metric: impl Metric) {
        let row = METRICS.iter().find(|(known, _, _)| *known == name);
        let (_, _, help) = row.expect("every metric has a row in METRICS");
        let name = name.trim_end_matches("_total");
        self.registry
            .register(name, help.trim_end_matches('.'), metric);
    }

    /// The usual counters of `system`.
    pub(crate) fn meters<'m>(
        &self,
        system: &SystemName,
        models: impl Iterator<Item = &'m ModelName>,
    ) -> Meters {
        let label = || Label(system.clone());
        let served = ByOutcome {
            system: label(),
            outcome: Label(Outcome::Served),
            kind: Label("none"),
        };
        let answered = models.map(|model| {
            let (system, code) = (label(), Label("none"));
            let labels = ByModel {
                system,
                model: Label(model.clone()),
                code,
            };
            (model.clone(), self.attempts.get_or_create_owned(&labels))
        });
        let basis = ByBasis {
            system: label(),
            basis: Label("measured"),
        };
        Meters {
            served: self.decisions.get_or_create_owned(&served),
            seconds: self
                .seconds
                .get_or_create_owned(&BySystem { system: label() }),
            answered: answered.collect(),
            cost_measured: self.cost.get_or_create_owned(&basis),
        }
    }

    /// The page in Prometheus' text format.
    pub(crate) fn page(&self) -> String {
        let mut page = String::with_capacity(8192);
        if prometheus_client::encoding::text::encode(&mut page, &self.registry).is_err() {
            page.clear();
        }
        page
    }

    /// A decision was closed.
    pub(crate) fn closed(&self, decision: &Decision, micros: u64) {
        let Some(outcome) = decision.outcome else {
            return;
        };
        if decision.made_for().is_some() {
            return;
        }
        let system = Label(decision.system.clone());
        let kind = Label(decision.kind.map_or("none", FailureKind::as_str));
        let labels = ByOutcome {
            system: system.clone(),
            outcome: Label(outcome),
            kind,
        };
        self.decisions.get_or_create(&labels).inc();
        let seconds = std::time::Duration::from_micros(micros).as_secs_f64();
        self.seconds
            .get_or_create(&BySystem {
                system: system.clone(),
            })
            .observe(seconds);
        if decision.attempts.is_empty() {
            return;
        }
        let (amount, basis) = (decision.cost.amount.approximate(), decision.cost.basis);
        let basis = match basis {
            CostBasis::Measured => "measured",
            CostBasis::Estimated => "estimated",
            CostBasis::Unknown => {
                self.cost_unknown
                    .get_or_create(&BySystem {
                        system: system.clone(),
                    })
                    .inc();
                "unknown"
            }
        };
        self.cost
            .get_or_create(&ByBasis {
                system,
                basis: Label(basis),
            })
            .inc_by(amount.max(0.0));
    }

    /// A model was called.
    pub(crate) fn attempt(&self, system: &SystemName, model: &ModelName, code: Option<Code>) {
        let code = Label(code.map_or("none", Code::as_str));
        let labels = ByModel {
            system: Label(system.clone()),
            model: Label(model.clone()),
            code,
        };
        self.attempts.get_or_create(&labels).inc();
    }

    /// A configured control did not run.
    pub(crate) fn control_skipped(&self, system: &SystemName, control: &str) {
        let control = Label(control.to_owned());
        self.skipped
            .get_or_create(&ByControl {
                system: Label(system.clone()),
                control,
            })
            .inc();
    }

    /// Values were read from another type.
    pub(crate) fn coerced(&self, system: &SystemName, count: usize) {
        let system = Label(system.clone());
        let counter = self.coerced.get_or_create_owned(&BySystem { system });
        counter.inc_by(count as u64);
    }

    /// A request was refused before there was a decision.
    pub(crate) fn refused(&self, code: Code) {
        self.refused
            .get_or_create(&ByCode {
                code: Label(code.as_str()),
            })
            .inc();
    }

    /// A decision could not be recorded.
    pub(crate) fn unrecorded(&self, system: &SystemName, code: Code) {
        let labels = BySystemAndCode {
            system: Label(system.clone()),
            code: Label(code.as_str()),
        };
        self.unrecorded.get_or_create(&labels).inc();
    }

    /// A decision waits for a person.
    pub(crate) fn waiting(&self, decision: &Decision) {
        self.reviews
            .get_or_create(&BySystem {
                system: Label(decision.system.clone()),
            })
            .inc();
    }

    /// Which systems are not asked as usual.
    pub(crate) fn halted(&self, systems: impl Iterator<Item = (SystemName, bool)>) {
        self.halted.clear();
        for (system, halted) in systems {
            let system = Label(system);
            let gauge = self.halted.get_or_create_owned(&BySystem { system });
            gauge.set(i64::from(halted));
        }
    }

    /// How the monitors stand.
    pub(crate) fn monitored<'m>(
        &self,
        alarms: impl Iterator<Item = (&'m SystemName, Watched, bool)>,
    ) {
        self.monitors.clear();
        for (system, monitor, is_alarm) in alarms {
            let labels = ByMonitor {
                system: Label(system.clone()),
                monitor: Label(monitor),
            };
            let gauge = self.monitors.get_or_create_owned(&labels);
            gauge.set(i64::from(is_alarm));
        }
    }

    /// How often systems are right: system, how that is known, and the share.
    pub(crate) fn accurate<'m>(
        &self,
        figures: impl Iterator<Item = (&'m SystemName, &'static str, f64)>,
    ) {
        self.accuracy.clear();
        for (system, known, share) in figures {
            let labels = ByKnowing {
                system: Label(system.clone()),
                known: Label(known),
            };
            self.accuracy.get_or_create_owned(&labels).set(share);
        }
    }

    /// A receiver took an alert, or did not.
    pub(crate) fn alerted(&self, receiver: &str, is_delivered: bool) {
        let result = if is_delivered {
            "delivered"
        } else {
            "undelivered"
        };
        let labels = ByReceiver {
            receiver: Label(receiver.to_owned()),
            result: Label(result),
        };
        self.alerts.get_or_create(&labels).inc();
    }

    /// A label was sent.
    pub(crate) fn labelled(&self, state: LabelState) {
        let state = Label(state.as_str());
        self.labels.get_or_create(&ByState { state }).inc();
    }

    /// The workspace was read again.
    pub(crate) fn reloaded(&self, done: bool) {
        let result = Label(if done { "done" } else { "rejected" });
        self.reloads.get_or_create(&ByResult { result }).inc();
        self.workspace_rejected.set(i64::from(!done));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_on_the_page_under_the_names_of_the_table() {
        let metrics = Metrics::new();
        metrics.refused(Code::Unauthenticated);
        metrics.reloaded(true);
        let loan = SystemName::new("loan").unwrap();
        metrics.halted([(loan.clone(), true)].into_iter());
        metrics.monitored([(&loan, Watched::Errors, true)].into_iter());
        metrics.accurate([(&loan, "estimated", 0.912)].into_iter());
        let page = metrics.page();
        for (name, kind, _) in METRICS.iter().filter(|(_, kind, _)| *kind == "gauge") {
            assert!(page.contains(&format!("# TYPE {name} {kind}")), "{name}");
        }
        assert!(
            page.contains(r#"plimsoll_refused_total{code="unauthenticated"} 1"#),
            "{page}"
        );
    }
}
