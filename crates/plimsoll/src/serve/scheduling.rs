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
use plimsoll_core::{EventId, Money, ReleaseId, System, SystemName, Timestamp};
use plimsoll_evals::run::{Heading, Results, Reusable};
use plimsoll_gateway::Node;
use plimsoll_spec::Workspace;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::live_node::LiveNode;
use crate::data_folder::DataFolder;
use crate::eval_run::asking::{Answering, Asker, Put};
use crate::eval_run::results::Folder;
use crate::eval_run::{
    Ended, Running, SCHEDULE, Watcher, begin, ready, record, report, scorers, set_of,
};
use crate::exit::{Exit, Exits as _, Failure, Outcome};

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

/// Puts questions to the node itself.
pub(super) struct Itself(pub(super) Arc<LiveNode>);

impl Answering for Itself {
    fn put<'a>(
        &'a self,
        system: &'a SystemName,
        question: EvalQuestion,
    ) -> Boxed<'a, Outcome<Put>> {
        Box::pin(async move {
            match self.0.ask_case(system, question).await {
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
struct Paced {
    node: Arc<Node>,
    left: Option<Money>,
    is_spent: bool,
}

impl Watcher for Paced {
    async fn ready(&self) {
        while self.node.busy() > BUSY {
            tokio::time::sleep(BREATH).await;
        }
    }

    fn told(&mut self, spent: Money) -> bool {
        self.is_spent = self.left.is_some_and(|left| spent >= left);
        !self.is_spent
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
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = stop.cancelled() => return,
            }
            for scheduled in self.scheduled() {
                if stop.is_cancelled() {
                    return;
                }
                let name = scheduled.system.name.clone();
                let waits = match self.run_if_due(&scheduled, &stop).await {
                    Ok(waits) => waits,
                    Err(failure) => Some(format!("{:#}", failure.error)),
                };
                self.monitors.note_waiting(&name, waits);
            }
            let events = self.judge_evals(self.clock.now()).await;
            self.act_on(events).await;
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
            answering: Arc::new(Itself(Arc::clone(self))),
            system: name.clone(),
            run: heading.id,
            canary: false,
            scorers: ready(&heading)?,
            folder: served.root.join("systems").join(name.as_str()),
            slices: Vec::new(),
            baseline: BTreeMap::new(),
            clock: Arc::clone(&self.clock),
        };
        let running = Running {
            asker: &asker,
            set: &set,
            reusable: &Reusable::default(),
            concurrency: scheduled.concurrency,
        };
        let mut paced = Paced {
            node: Arc::clone(&self.node),
            left,
            is_spent: false,
        };
        let before = crate::eval_run::spent(&done);
        let ended = running
            .ask(&heading, done, &mut writer, &mut paced, over)
            .await?;
        let lines = match ended {
            Ended::Whole(lines) => lines,
            Ended::Stopped { spent } => {
                self.monitors
                    .spend_on_evals(&name, midnight(self.clock.now()), spent);
                let why = paced.is_spent.then_some("the budget of the day is used up");
                return Ok(why.map(str::to_owned));
            }
        };
        let results = Results {
            heading,
            lines,
            end: None,
        };
        let margin = plimsoll_stats::verdict::MARGIN;
        let report = report(&results, None, margin, &folder.calibrations()?);
        let run = record(&results, &report, self.clock.now());
        let kept = self.keep_eval(run, SCHEDULE).await;
        let kept = kept.map_err(|error| Failure::says(Exit::Data, error.to_string()))?;
        writer.end(&kept)?;
        // What it cost is counted with its record from now on; before that, only what earlier sessions spent was.
        self.monitors.forget_spent_on_evals(&name);
        let verdict = kept
            .verdict
            .map_or("none", plimsoll_core::eval::EvalVerdict::as_str);
        tracing::info!(system = %name, run = %kept.id, verdict, before = %before, "the eval set was asked on schedule");
        Ok(None)
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
