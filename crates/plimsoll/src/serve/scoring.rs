//! Scorers on a sample of what production answers: those that need no expectation look at it, and what they say
//! goes to the monitor `scores`.
//!
//! Nothing waits for them. They give way to callers, judges keep within their budget of the day, and whatever keeps
//! them from measuring (a full queue, a used up budget, a judge that answers nonsense) is told to the monitor
//! `measuring`, which makes an alarm of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use plimsoll_control::watch::Scores;
use plimsoll_core::monitor::{Observation, Watched};
use plimsoll_core::ports::Boxed;
use plimsoll_core::{Decision, EventId, Money, System, SystemName};
use plimsoll_evals::answer::Answer;
use plimsoll_evals::calibration::Calibration;
use plimsoll_evals::case::Case;
use plimsoll_evals::run::Line;
use plimsoll_evals::scorer::{Check, Scored, Scorer, ScorerSpec};
use plimsoll_gateway::Sampled;
use plimsoll_spec::Workspace;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::live_node::LiveNode;
use super::scheduling::{BUSY, Itself, midnight};
use crate::data_folder::DataFolder;
use crate::eval_run::asking::{Asker, Meter};
use crate::eval_run::results::Folder;
use crate::eval_run::scorers;

/// How often it is looked what waits to be scored.
const TICK: Duration = Duration::from_millis(250);
/// Answers that are taken in one step, and scored at a time.
const STEP: usize = 32;
const CONCURRENCY: usize = 4;
/// For how long it is told that answers were left out, after the last one was.
const LEFT_OUT_TOLD: Duration = Duration::from_mins(1);
/// By how much an alarm raises the sampling.
const RAISED: f64 = 10.0;
/// So many answers after each other that could not be scored are no accident.
const UNSCORED_MAX: u32 = 20;
/// No bar is nearer to nothing or to all than this.
const BAR_MIN: f64 = 0.001;
const BAR_MAX: f64 = 0.95;

/// What is known of scoring one system.
#[derive(Default)]
struct Health {
    left_out: u64,
    left_out_at: Option<Duration>,
    unscored: u32,
    why: String,
    is_spent: bool,
}

impl Health {
    /// Why it is not measured as it should be; none if it is.
    fn stopped(&self, now: Duration) -> Option<String> {
        let is_left_out = |at: Duration| now.saturating_sub(at) < LEFT_OUT_TOLD;
        if self.is_spent {
            return Some("the budget of the day for judges is used up".to_owned());
        }
        if self.unscored >= UNSCORED_MAX {
            let why = &self.why;
            return Some(format!(
                "the last {UNSCORED_MAX} answers could not be scored: {why}"
            ));
        }
        self.left_out_at.filter(|at| is_left_out(*at)).map(|_| {
            let count = self.left_out;
            format!("{count} answers of the sample were left out: more came than could be scored")
        })
    }
}

/// One system's scorers, ready.
struct Table {
    system: Arc<System>,
    asker: Asker,
    /// The same without judges, for when their budget is used up.
    asker_without: Asker,
    specs: Vec<ScorerSpec>,
}

impl LiveNode {
    /// Scores until it is told to stop.
    pub(crate) async fn score(self: Arc<Self>, stop: CancellationToken) {
        let run = EventId::new(self.clock.now());
        let mut served = self.served();
        let mut tables = self.tables(&served, run);
        let mut health: BTreeMap<SystemName, Health> = BTreeMap::new();
        self.change_scorers(&served).await;
        loop {
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = stop.cancelled() => return,
            }
            let newer = self.served();
            if !Arc::ptr_eq(&newer, &served) {
                tables = self.tables(&newer, run);
                self.change_scorers(&newer).await;
                served = newer;
                health.clear();
            }
            self.node.sample(self.shares(&tables));
            self.score_some(&tables, &mut health).await;
            let mut systems = self.monitors.systems();
            for name in tables.keys() {
                let why = health
                    .get(name)
                    .and_then(|health| health.stopped(self.clock.elapsed()));
                if let Some(watch) = systems.get_mut(name) {
                    watch.note_stopped(Watched::Scores, why);
                }
            }
        }
    }

    /// Ends what scorers said that the workspace has no more, or holds against another target now.
    async fn change_scorers(&self, served: &Workspace) {
        let mut events = Vec::new();
        for (name, watch) in self.monitors.systems().iter_mut() {
            let system = served.systems.get(name).filter(|system| is_sampled(system));
            let bars: BTreeMap<String, Option<f64>> = system.map_or_else(BTreeMap::new, |system| {
                let specs = without_expectation(served, system);
                let held = |spec: &ScorerSpec| (spec.name.clone(), bar(system, &spec.name));
                specs.map(held).collect()
            });
            let over = watch.change_scorers(&bars);
            events.extend(over.map(|event| (name.clone(), event)));
        }
        self.act_on(events).await;
    }

    /// Which share of whose decisions is sampled now: an alarm may have raised it.
    fn shares(&self, tables: &BTreeMap<SystemName, Table>) -> BTreeMap<SystemName, f64> {
        let systems = self.monitors.systems();
        let share = |(name, table): (&SystemName, &Table)| {
            let share = table.system.quality.as_ref()?.sample?;
            let is_raised = systems
                .get(name)
                .is_some_and(plimsoll_control::watch::SystemWatch::raises_sampling);
            let share = if is_raised {
                (share * RAISED).min(1.0)
            } else {
                share
            };
            Some((name.clone(), share))
        };
        tables.iter().filter_map(share).collect()
    }

    /// The scorers of systems with a sample. What cannot be made ready is told, and the system is not scored.
    fn tables(self: &Arc<Self>, served: &Workspace, run: EventId) -> BTreeMap<SystemName, Table> {
        let mut tables = BTreeMap::new();
        for system in served.systems.values().filter(|system| is_sampled(system)) {
            match self.table(served, system, run) {
                Ok(table) => {
                    tables.insert(system.name.clone(), table);
                }
                Err(fault) => {
                    tracing::error!(system = %system.name, fault, "production cannot be scored");
                }
            }
        }
        tables
    }

    fn table(
        self: &Arc<Self>,
        served: &Workspace,
        system: &System,
        run: EventId,
    ) -> Result<Table, String> {
        let specs: Vec<ScorerSpec> = without_expectation(served, system).cloned().collect();
        let asker = |with_judges: bool| -> Result<Asker, String> {
            let wanted = specs
                .iter()
                .filter(|spec| with_judges || spec.judge().is_none());
            let scorers: Result<Vec<Scorer>, String> = wanted.cloned().map(Scorer::new).collect();
            Ok(Asker {
                answering: Arc::new(Itself::on_its_own(self)),
                system: system.name.clone(),
                run,
                canary: false,
                scorers: Arc::new(scorers?),
                folder: served.root.join("systems").join(system.name.as_str()),
                slices: Vec::new(),
                baseline: BTreeMap::new(),
                clock: Arc::clone(&self.clock),
                meter: Meter::default(),
            })
        };
        Ok(Table {
            system: Arc::new(system.clone()),
            asker: asker(true)?,
            asker_without: asker(false)?,
            specs,
        })
    }

    async fn score_some(
        self: &Arc<Self>,
        tables: &BTreeMap<SystemName, Table>,
        health: &mut BTreeMap<SystemName, Health>,
    ) {
        if self.node.busy() > BUSY {
            return;
        }
        let (sampled, left_out) = self.node.sampled(STEP);
        let now = self.clock.elapsed();
        for (system, count) in left_out {
            let health = health.entry(system).or_default();
            health.left_out += count;
            health.left_out_at = Some(now);
        }
        if sampled.is_empty() {
            self.look_at_budgets(tables, health);
            return;
        }
        let folder = Folder::of(&DataFolder::at(self.data().to_owned()));
        let calibrations = folder.calibrations().unwrap_or_default();
        self.look_at_budgets(tables, health);
        let spent: BTreeSet<SystemName> = health
            .iter()
            .filter(|(_, health)| health.is_spent)
            .map(|(name, _)| name.clone())
            .collect();
        let mut scoring: Vec<Boxed<'_, Scoring<'_>>> = Vec::with_capacity(sampled.len());
        for one in sampled {
            let Some(table) = tables.get(&one.decision.system) else {
                continue;
            };
            let is_spent = spent.contains(&one.decision.system);
            let asker = if is_spent {
                &table.asker_without
            } else {
                &table.asker
            };
            let asker = asker.with(Arc::new(Itself::about(self, &one.decision)));
            scoring.push(Box::pin(score_one(asker, table, one)));
        }
        let scored: Vec<Scoring<'_>> = stream::iter(scoring)
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        let mut events = Vec::new();
        for (table, decision, spent, line) in scored {
            let name = &table.system.name;
            let of_system = health.entry(name.clone()).or_default();
            if let Some(watch) = self.monitors.systems().get_mut(name) {
                watch.spend_on_scores(midnight(self.clock.now()), spent);
            }
            let line = match line {
                Ok(line) => line,
                Err(why) => {
                    of_system.unscored += 1;
                    of_system.why = why;
                    continue;
                }
            };
            note_unscored(of_system, &line);
            let mut systems = self.monitors.systems();
            let Some(watch) = systems.get_mut(name) else {
                continue;
            };
            if let Some(observation) = Observation::of(&decision) {
                let scores = scores(table, &line, &calibrations);
                let found = watch.take_scores(&scores, &observation);
                events.extend(found.map(|event| (name.clone(), event)));
            }
        }
        self.act_on(events).await;
    }

    fn look_at_budgets(
        &self,
        tables: &BTreeMap<SystemName, Table>,
        health: &mut BTreeMap<SystemName, Health>,
    ) {
        let since = midnight(self.clock.now());
        let systems = self.monitors.systems();
        for (name, table) in tables {
            let quality = table.system.quality.as_ref();
            let budget = quality.and_then(|quality| quality.budget_per_day);
            let spent = systems.get(name).map(|watch| watch.spent_on_scores(since));
            let has_judges = table.specs.iter().any(|spec| spec.judge().is_some());
            health.entry(name.clone()).or_default().is_spent = has_judges
                && budget
                    .zip(spent)
                    .is_some_and(|(budget, spent)| spent >= budget);
        }
    }
}

/// Whether scorers look at a sample of what it answers.
fn is_sampled(system: &System) -> bool {
    let quality = system.quality.as_ref();
    quality.is_some_and(|quality| quality.sample.is_some_and(|share| share > 0.0))
}

/// Its scorers that need nothing but an answer.
fn without_expectation<'w>(
    served: &'w Workspace,
    system: &System,
) -> impl Iterator<Item = &'w ScorerSpec> + use<'w> {
    let all = scorers(served, system).iter();
    all.filter(|spec| !spec.needs_expectation() && spec.tag.is_none())
}

/// The mean badness by a scorer that is still well, if the system has a target for it.
fn bar(system: &System, scorer: &str) -> Option<f64> {
    let target = system.bar.quality.get(scorer)?;
    let bar = (1.0 - target.value).clamp(BAR_MIN, BAR_MAX);
    target.at_least.then_some(bar)
}

/// Of which system's answer, for how much, what was said, or why nothing.
type Scoring<'t> = (&'t Table, Box<Decision>, Money, Result<Line, String>);

/// What scorers say of one answer.
async fn score_one<'t>(asker: Asker, table: &'t Table, one: Sampled) -> Scoring<'t> {
    let case = Case::asked(one.decision.id.to_string(), one.input, Value::Null);
    let answer = Answer::of(&one.decision, one.output, 0);
    let line = asker.line(&case, 0, Some(answer)).await;
    let line = line.map_err(|failure| format!("{:#}", failure.error));
    (table, one.decision, asker.meter.spent(), line)
}

fn note_unscored(health: &mut Health, line: &Line) {
    let unscored = line
        .scores
        .iter()
        .find_map(|(scorer, scored)| match scored {
            Scored::Unscored { reason } => Some(format!("{scorer}: {reason}")),
            _ => None,
        });
    match unscored {
        Some(why) => {
            health.unscored = health.unscored.saturating_add(1);
            health.why = why;
        }
        None => health.unscored = 0,
    }
}

/// How bad an answer is by each scorer, and what each is held against.
fn scores(table: &Table, line: &Line, calibrations: &[Calibration]) -> Scores {
    let mut scores = Scores::default();
    for spec in &table.specs {
        let Some(scored) = line.scores.get(&spec.name) else {
            continue;
        };
        let badness = match scored {
            Scored::Score { score, .. } => Some(match spec.pass {
                Some(pass) => f64::from(u8::from(*score < pass)),
                None => 1.0 - score,
            }),
            Scored::Unscored { .. } => None,
            _ => continue,
        };
        scores.badness.insert(spec.name.clone(), badness);
        if let Some(bar) = bar(&table.system, &spec.name) {
            scores.bars.insert(spec.name.clone(), bar);
        }
        let release = line.judges.get(&spec.name);
        let agrees = |one: &Calibration| {
            one.agrees && one.scorer == spec.name && Some(&one.release) == release
        };
        if matches!(spec.check, Check::Judge(_)) && !calibrations.iter().any(agrees) {
            scores.advisory.insert(spec.name.clone());
        }
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_keeps_scorers_from_measuring_is_told_and_ends() {
        let now = Duration::from_secs(100);
        assert_eq!(Health::default().stopped(now), None);
        let left_out = Health {
            left_out: 7,
            left_out_at: Some(now),
            ..Health::default()
        };
        assert!(left_out.stopped(now).unwrap().starts_with("7 answers"));
        assert_eq!(left_out.stopped(now + LEFT_OUT_TOLD), None);
        let mut health = Health::default();
        let case = Case::asked("a".into(), Value::Null, Value::Null);
        let mut line = Line::of(&case, 0);
        line.scores
            .insert("tone".into(), Scored::unscored("nonsense"));
        for _ in 0..UNSCORED_MAX {
            assert_eq!(health.stopped(now), None);
            note_unscored(&mut health, &line);
        }
        assert!(health.stopped(now).unwrap().ends_with("tone: nonsense"));
        line.scores.insert("tone".into(), Scored::plain(1.0));
        note_unscored(&mut health, &line);
        assert_eq!(health.stopped(now), None);
    }
}
