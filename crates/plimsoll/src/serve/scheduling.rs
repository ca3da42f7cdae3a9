//! Evals on schedule: a serving node asks the eval set of what is deployed, by itself, as often as `[quality]
//! every` says, and a new release at once.
//!
//! One node does it for all that share a database: whoever holds the lease of the system's evals. A run gives way
//! to callers, keeps within its budget of the day, and goes on where it stopped, also over restarts. That a run
//! does not happen is seen by the monitor `evals`, which looks at what is recorded and not at this task.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_console::EvalQuestion;
use plimsoll_control::watch::EvalFacts;
use plimsoll_core::eval::EvalRun;
use plimsoll_core::ports::Boxed;
use plimsoll_core::{
    Decision, EventId, Money, ReleaseId, System, SystemName, TenantName, Timestamp,
};
use plimsoll_evals::run::{Heading, Results, Reusable};
use plimsoll_spec::Workspace;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::live_node::LiveNode;
use crate::data_folder::DataFolder;
use crate::eval_run::asking::{Answering, Asker, Meter, Put};
use crate::eval_run::results::{Folder, Writer};
use crate::eval_run::{
    Ended, Running, SCHEDULE, Watcher, begin, ready, record, report, scorers, set_of,
};
use crate::exit::{Exit, Exits as _, Failure, Outcome};

/// How long evals of a system rest after a run that failed: the first time, doubled each time up to the longest.
const REST_MIN: Duration = Duration::from_mins(1);
const REST_MAX: Duration = Duration::from_hours(1);
/// How often it is looked what is due.
const LOOK: Duration = Duration::from_secs(2);
/// Runs of a system that are looked through for the last one of what is deployed.
const LOOKED_AT: u32 = 100;
/// From which share of the node's room on no further case is asked, and how often that is looked at.
pub(super) const BUSY: f64 = 0.5;
const BREATH: Duration = Duration::from_millis(50);
const DAY_MICROS: i64 = 86_400_000_000;

/// A system whose eval set is to be asked again and again.
pub(super) struct Scheduled {
    pub(super) system: Arc<System>,
    pub(super) release: ReleaseId,
    pub(super) deployed_at: Timestamp,
    pub(super) every: Duration,
    budget: Option<Money>,
    concurrency: u32,
}

/// Whose a question is: what is recorded of it can be found, and erased, with what it was made of.
pub(super) struct Owner {
    pub(super) tenant: TenantName,
    pub(super) unit: Option<String>,
}

impl Owner {
    /// Whose a decision is.
    fn of(decision: &Decision) -> Self {
        Self {
            tenant: decision.tenant.clone(),
            unit: decision.unit.clone(),
        }
    }

    /// Of what belongs to no caller: an eval set.
    pub(super) fn nobody() -> Self {
        Self {
            tenant: TenantName::default_tenant(),
            unit: None,
        }
    }
}

/// Puts questions to the node itself.
pub(super) struct Itself {
    node: Arc<LiveNode>,
    owner: Owner,
}

impl Itself {
    /// With questions that belong to no caller.
    pub(super) fn on_its_own(node: &Arc<LiveNode>) -> Self {
        Self {
            node: Arc::clone(node),
            owner: Owner::nobody(),
        }
    }

    /// With questions that a decision is made into: they belong to whom it belongs to.
    pub(super) fn about(node: &Arc<LiveNode>, decision: &Decision) -> Self {
        Self {
            node: Arc::clone(node),
            owner: Owner::of(decision),
        }
    }
}

impl Answering for Itself {
    fn put<'a>(
        &'a self,
        system: &'a SystemName,
        question: EvalQuestion,
    ) -> Boxed<'a, Outcome<Put>> {
        Box::pin(async move {
            match self.node.ask_case(system, question, &self.owner).await {
                Ok(answer) => Ok(Put::Answered(Box::new(answer))),
                Err(error) if [400, 413, 422].contains(&error.status) => {
                    Ok(Put::Refused(error.to_string()))
                }
                Err(error) => Err(Failure::says(Exit::Unreachable, error.to_string())),
            }
        })
    }
}

/// Gives way to callers, and keeps within what may be spent.
struct Paced<'a> {
    node: &'a LiveNode,
    system: &'a SystemName,
    run: EventId,
    left: Option<Money>,
    is_spent: bool,
    /// How much of what was spent is booked.
    booked: Money,
}

impl Paced<'_> {
    /// Books what was spent so far, so that it counts also if the node ends now.
    fn book(&mut self, spent: Money) {
        if spent <= self.booked {
            return;
        }
        let since = midnight(self.node.clock.now());
        let more = spent - self.booked;
        let of = (self.system, self.run);
        self.node.monitors.spend_on_evals(of, since, more);
        self.booked = spent;
    }
}

impl Watcher for Paced<'_> {
    async fn ready(&self) {
        while self.node.node.busy() > BUSY {
            tokio::time::sleep(BREATH).await;
        }
    }

    fn told(&mut self, spent: Money) -> bool {
        self.book(spent);
        self.is_spent = self.left.is_some_and(|left| spent >= left);
        !self.is_spent
    }
}

/// Systems whose run failed, and is not tried again yet: each try may cost something.
#[derive(Default)]
struct Rests(BTreeMap<SystemName, Rest>);

struct Rest {
    /// The release whose run failed. Another one may do better, and is asked at once.
    release: ReleaseId,
    length: Duration,
    until: Duration,
}

impl Rests {
    fn is_over(&self, system: &SystemName, release: ReleaseId, now: Duration) -> bool {
        let rest = self.0.get(system);
        rest.is_none_or(|rest| rest.release != release || now >= rest.until)
    }

    fn failed(&mut self, system: &SystemName, release: ReleaseId, now: Duration) {
        let before = self.0.get(system).filter(|rest| rest.release == release);
        let length = before.map_or(REST_MIN, |rest| (rest.length * 2).min(REST_MAX));
        let rest = Rest {
            release,
            length,
            until: now + length,
        };
        self.0.insert(system.clone(), rest);
    }

    fn succeeded(&mut self, system: &SystemName) {
        self.0.remove(system);
    }
}

/// Midnight in UTC before this moment.
pub(super) fn midnight(now: Timestamp) -> Timestamp {
    let micros = now.as_micros();
    Timestamp::from_micros(micros - micros.rem_euclid(DAY_MICROS))
}

impl LiveNode {
    /// Runs what is due, one system after the other, until it is told to stop.
    pub(crate) async fn evaluate(self: Arc<Self>, stop: CancellationToken) {
        let mut interval = tokio::time::interval(LOOK);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rests = Rests::default();
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = stop.cancelled() => return,
            }
            for scheduled in self.scheduled() {
                if stop.is_cancelled() {
                    return;
                }
                let (name, release) = (&scheduled.system.name, scheduled.release);
                if !rests.is_over(name, release, self.clock.elapsed()) {
                    continue;
                }
                let waits = match self.run_if_due(&scheduled, &stop).await {
                    Ok(None) => {
                        rests.succeeded(name);
                        None
                    }
                    Ok(waits) => waits,
                    Err(failure) => {
                        rests.failed(name, release, self.clock.elapsed());
                        Some(format!("{:#}", failure.error))
                    }
                };
                self.monitors.note_waiting(name, waits);
            }
            self.monitors.judge_evals_soon();
        }
    }

    /// The systems with a schedule, and what is deployed of them.
    pub(super) fn scheduled(&self) -> Vec<Scheduled> {
        let served = self.served();
        let systems = self.node.systems().into_iter();
        let scheduled = systems.filter_map(|status| {
            let described = served.systems.get(&status.system.name)?;
            let quality = described.quality.as_ref()?;
            quality.dataset.as_ref()?;
            Some(Scheduled {
                every: quality.every?,
                budget: quality.budget_per_day,
                concurrency: quality.concurrency,
                release: status.deployment.release,
                deployed_at: status.deployment.at,
                system: Arc::new(described.clone()),
            })
        });
        scheduled.collect()
    }

    /// The last run of the whole set that asked this release.
    pub(super) async fn last_eval(
        &self,
        scheduled: &Scheduled,
    ) -> Result<Option<EvalRun>, plimsoll_store::StoreError> {
        let environment = &self.started.server.environment;
        let name = &scheduled.system.name;
        let runs = self.store.eval_runs(name, environment, LOOKED_AT).await?;
        Ok(runs
            .into_iter()
            .find(|run| !run.partial && run.release == scheduled.release))
    }

    async fn is_due(&self, scheduled: &Scheduled) -> Outcome<bool> {
        let last = self.last_eval(scheduled).await?;
        let facts = EvalFacts {
            release: scheduled.release,
            last: last.as_ref(),
            deployed_at: scheduled.deployed_at,
            every: scheduled.every,
            waits: None,
        };
        Ok(facts.due_at() <= self.clock.now())
    }

    /// Asks the set, if it is due and no other node is at it. Says what it waits for, if it does.
    async fn run_if_due(
        self: &Arc<Self>,
        scheduled: &Scheduled,
        stop: &CancellationToken,
    ) -> Outcome<Option<String>> {
        if !self.is_due(scheduled).await? {
            return Ok(None);
        }
        let (name, environment) = (&scheduled.system.name, &self.started.server.environment);
        let Some(mut lease) = self
            .store
            .lead(&format!("evals of {name} in {environment}"))
            .await?
        else {
            return Ok(Some("another node is at it".to_owned()));
        };
        // Who had the lease before may have done it.
        if !self.is_due(scheduled).await? {
            return Ok(None);
        }
        let left = self.left_today(scheduled).await?;
        if left == Some(Money::ZERO) {
            return Ok(Some("the budget of the day is used up".to_owned()));
        }
        let over = async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = lease.lost() => {}
                () = self.is_replaced(scheduled) => {}
            }
        };
        self.ask_set(scheduled, left, over).await
    }

    /// Returns when another release is deployed: what this one would answer is no longer of interest.
    async fn is_replaced(&self, scheduled: &Scheduled) {
        loop {
            tokio::time::sleep(LOOK).await;
            let status = self.status(&scheduled.system.name);
            if status.is_ok_and(|status| status.deployment.release != scheduled.release) {
                return;
            }
        }
    }

    /// What may still be spent today; none: any amount.
    async fn left_today(&self, scheduled: &Scheduled) -> Outcome<Option<Money>> {
        let Some(budget) = scheduled.budget else {
            return Ok(None);
        };
        let since = midnight(self.clock.now());
        let environment = &self.started.server.environment;
        let name = &scheduled.system.name;
        let runs = self.store.eval_runs(name, environment, LOOKED_AT).await?;
        let ended = runs
            .iter()
            .filter(|run| run.actor == SCHEDULE && run.ended_at >= since);
        let ended: Money = ended.map(|run| run.cost.amount).sum();
        let interrupted = self.monitors.spent_on_evals(name, since);
        let spent = ended + interrupted;
        Ok(Some(if spent >= budget {
            Money::ZERO
        } else {
            budget - spent
        }))
    }

    async fn ask_set(
        self: &Arc<Self>,
        scheduled: &Scheduled,
        left: Option<Money>,
        over: impl Future<Output = ()>,
    ) -> Outcome<Option<String>> {
        let served = self.served();
        let name = scheduled.system.name.clone();
        let (set, heading) = self.plan_run(scheduled, &served).await?;
        let folder = Folder::of(&DataFolder::at(self.data().to_owned()));
        let (heading, done, mut writer) = begin(&folder, heading, false)?;
        tracing::info!(system = %name, run = %heading.id, done = done.len(), "the eval set is asked on schedule");
        let asker = Asker {
            answering: Arc::new(Itself::on_its_own(self)),
            system: name.clone(),
            run: heading.id,
            canary: false,
            scorers: Arc::new(ready(&heading)?),
            folder: served.root.join("systems").join(name.as_str()),
            slices: Vec::new(),
            baseline: BTreeMap::new(),
            clock: Arc::clone(&self.clock),
            meter: Meter::default(),
        };
        let running = Running {
            asker: &asker,
            set: &set,
            reusable: &Reusable::default(),
            concurrency: scheduled.concurrency,
        };
        let mut paced = Paced {
            node: self,
            system: &name,
            run: heading.id,
            left,
            is_spent: false,
            booked: Money::ZERO,
        };
        let ended = running
            .ask(&heading, done, &mut writer, &mut paced, over)
            .await;
        // What was paid for counts, however it ended: also if it failed.
        paced.book(asker.meter.spent());
        let lines = match ended? {
            Ended::Whole(lines) => lines,
            Ended::Stopped => {
                let why = paced.is_spent.then_some("the budget of the day is used up");
                return Ok(why.map(str::to_owned));
            }
        };
        let results = Results {
            heading,
            lines,
            end: None,
        };
        self.keep_whole(&results, &folder, writer).await?;
        Ok(None)
    }

    /// Records a run that is whole, with what it came to.
    async fn keep_whole(
        &self,
        results: &Results,
        folder: &Folder,
        mut writer: Writer,
    ) -> Outcome<()> {
        let name = &results.heading.system;
        let margin = plimsoll_stats::verdict::MARGIN;
        let report = report(results, None, margin, &folder.calibrations()?);
        let run = record(results, &report, self.clock.now());
        let kept = self.keep_eval(run, SCHEDULE).await;
        let kept = kept.map_err(|error| Failure::says(Exit::Data, error.to_string()))?;
        writer.end(&kept)?;
        // What its lines cost is counted with its record from now on; what left no line still counts beside it.
        let recorded = crate::eval_run::spent(&results.lines);
        let of = (name, results.heading.id);
        self.monitors.forget_spent_on_evals(of, recorded);
        let verdict = kept
            .verdict
            .map_or("none", plimsoll_core::eval::EvalVerdict::as_str);
        tracing::info!(system = %name, run = %kept.id, verdict, cost = %recorded, "the eval set was asked on schedule");
        Ok(())
    }

    async fn plan_run(
        &self,
        scheduled: &Scheduled,
        served: &Arc<Workspace>,
    ) -> Outcome<(plimsoll_evals::case::CaseSet, Heading)> {
        let (workspace, system) = (Arc::clone(served), Arc::clone(&scheduled.system));
        let reading = move || set_of(&workspace, &system, None, None);
        let read = tokio::task::spawn_blocking(reading).await;
        let read = read.or_exit(Exit::Internal)??;
        let started_at = self.clock.now();
        let heading = Heading {
            id: EventId::new(started_at),
            system: scheduled.system.name.clone(),
            environment: self.started.server.environment.clone(),
            set: read.set.name.clone(),
            digest: read.set.digest,
            file: read.file,
            cases: read.set.cases.len() as u64,
            repetitions: 1,
            scorers: scorers(served, &scheduled.system).to_vec(),
            targets: scheduled.system.bar.quality.clone(),
            release: scheduled.release,
            partial: false,
            actor: SCHEDULE.to_owned(),
            started_at,
        };
        Ok((read.set, heading))
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::Digest;

    use super::*;

    #[test]
    fn after_a_failure_a_system_rests_longer_each_time_until_a_run_succeeds() {
        let name = SystemName::new("refund-check").unwrap();
        let (release, other) = (ReleaseId(Digest::of(b"one")), ReleaseId(Digest::of(b"two")));
        let mut rests = Rests::default();
        let mut now = Duration::from_secs(7);
        assert!(rests.is_over(&name, release, now));
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            let rest = Duration::from_mins(minutes);
            rests.failed(&name, release, now);
            assert!(!rests.is_over(&name, release, now + rest - LOOK));
            assert!(rests.is_over(&name, other, now), "a new release is asked");
            now += rest;
            assert!(rests.is_over(&name, release, now));
        }
        rests.succeeded(&name);
        rests.failed(&name, release, now);
        assert!(rests.is_over(&name, release, now + REST_MIN));
    }
}
