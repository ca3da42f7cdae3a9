//! Asking cases of a server, and having the answers scored: by comparing, by judges, by programs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use parking_lot::Mutex;
use plimsoll_console::{EvalAnswer, EvalQuestion};
use plimsoll_core::decision::Cost;
use plimsoll_core::ports::Boxed;
use plimsoll_core::{Clock, EventId, Money, SystemName};
use plimsoll_evals::answer::Answer;
use plimsoll_evals::case::Case;
use plimsoll_evals::judge::Judge;
use plimsoll_evals::member::{member, readable};
use plimsoll_evals::run::Line;
use plimsoll_evals::scorer::{Check, Scored, Scorer};
use serde_json::Value;

use super::command_scorer;
use crate::client::{Server, error_text, read};
use crate::exit::{Exit, Exits as _, Outcome};

/// Who answers cases: a server over its control plane, or a node that asks itself.
pub(crate) trait Answering: Send + Sync {
    /// Puts a question to a system.
    fn put<'a>(&'a self, system: &'a SystemName, question: EvalQuestion)
    -> Boxed<'a, Outcome<Put>>;
}

/// What came of a question.
pub(crate) enum Put {
    /// An answer.
    Answered(Box<EvalAnswer>),
    /// It cannot be asked, and why.
    Refused(String),
}

impl Answering for Server {
    fn put<'a>(
        &'a self,
        system: &'a SystemName,
        question: EvalQuestion,
    ) -> Boxed<'a, Outcome<Put>> {
        Box::pin(async move {
            let body = serde_json::to_vec(&question).or_exit(Exit::Internal)?;
            let path = format!("/api/v1/systems/{system}/evals/ask");
            let response = self
                .send(Method::POST, &path, &[], Bytes::from(body))
                .await?;
            if [400, 413, 422].contains(&response.status.as_u16()) {
                return Ok(Put::Refused(error_text(&response)));
            }
            Ok(Put::Answered(read(&response)?))
        })
    }
}

/// What answers have cost, whatever became of them: also of a case that failed later on, and left no line.
#[derive(Default)]
pub(crate) struct Meter(Mutex<Money>);

impl Meter {
    /// Counts what an answer cost.
    fn add(&self, amount: Money) {
        *self.0.lock() += amount;
    }

    /// All so far.
    pub(crate) fn spent(&self) -> Money {
        *self.0.lock()
    }
}

/// Who asks.
pub(crate) struct Asker {
    pub(crate) answering: Arc<dyn Answering>,
    pub(crate) system: SystemName,
    pub(crate) run: EventId,
    pub(crate) canary: bool,
    pub(crate) scorers: Arc<Vec<Scorer>>,
    /// The system's folder: where programs run.
    pub(crate) folder: PathBuf,
    /// The members of the input by which figures are sliced.
    pub(crate) slices: Vec<String>,
    /// What the baseline answered, by case and repetition: what judges of pairs hold answers against.
    pub(crate) baseline: BTreeMap<(String, u32), Value>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) meter: Meter,
}

/// What came of one call.
enum Asked {
    Answered(Box<EvalAnswer>, u64),
    /// The case itself cannot be asked, and why.
    Refused(String),
}

impl Asker {
    /// The same, but that somebody else answers, and that nothing was spent yet.
    pub(crate) fn with(&self, answering: Arc<dyn Answering>) -> Self {
        Self {
            answering,
            system: self.system.clone(),
            run: self.run,
            canary: self.canary,
            scorers: Arc::clone(&self.scorers),
            folder: self.folder.clone(),
            slices: self.slices.clone(),
            baseline: self.baseline.clone(),
            clock: Arc::clone(&self.clock),
            meter: Meter::default(),
        }
    }

    /// Asks a case, unless `earlier` is its answer, and scores it.
    ///
    /// # Errors
    /// If the server cannot be asked at all: then the run stops, and can go on later.
    pub(crate) async fn line(
        &self,
        case: &Case,
        repetition: u32,
        earlier: Option<Answer>,
    ) -> Outcome<Line> {
        let mut line = Line::of(case, repetition);
        for name in &self.slices {
            let value = member(&case.input, name).map_or("missing".to_owned(), readable);
            line.slices.insert(name.clone(), value);
        }
        line.reused = earlier.is_some();
        line.answer = match earlier {
            Some(answer) => Some(answer),
            None => match self.ask(&self.system, &case.input, self.canary).await? {
                Asked::Answered(said, micros) => {
                    Some(Answer::of(&said.decision, said.answer, micros))
                }
                Asked::Refused(why) => {
                    line.failed = Some(why);
                    return Ok(line);
                }
            },
        };
        let Some(answer) = line.answer.clone() else {
            return Ok(line);
        };
        for scorer in self
            .scorers
            .iter()
            .filter(|scorer| scorer.spec.looks_at(&case.tags))
        {
            let scored = match scorer.score(case, &answer) {
                Some(scored) => scored,
                None => {
                    self.score_elsewhere(scorer, case, &answer, &mut line)
                        .await?
                }
            };
            line.scores.insert(scorer.spec.name.clone(), scored);
        }
        Ok(line)
    }

    async fn score_elsewhere(
        &self,
        scorer: &Scorer,
        case: &Case,
        answer: &Answer,
        line: &mut Line,
    ) -> Outcome<Scored> {
        match &scorer.spec.check {
            Check::Judge(judge) => self.judge(judge, scorer, (case, answer), line).await,
            Check::Command { command, timeout } => {
                let both = (case, answer);
                Ok(command_scorer::score(command, *timeout, &self.folder, both).await)
            }
            _ => Ok(Scored::unscored("nobody can score it")),
        }
    }

    async fn judge(
        &self,
        judge: &Judge,
        scorer: &Scorer,
        (case, answer): (&Case, &Answer),
        line: &mut Line,
    ) -> Outcome<Scored> {
        let Some(shown) = answer
            .given()
            .and_then(|given| member(given, &scorer.spec.at))
        else {
            let at = &scorer.spec.at;
            return Ok(Scored::noted(0.0, format!("the answer has no `{at}`")));
        };
        let of_baseline = self.baseline.get(&(case.id.clone(), line.repetition));
        let of_baseline = of_baseline.and_then(|value| member(value, &scorer.spec.at));
        let reference = of_baseline.or_else(|| member(&case.expect, &scorer.spec.expect));
        let questions = match judge.questions(case, shown, reference) {
            Ok(questions) => questions,
            Err(missing) => return Ok(Scored::unscored(missing)),
        };
        let mut said = Vec::with_capacity(questions.len());
        for question in questions {
            let asked = self.ask(&judge.system, &question, false).await?;
            let (of_judge, micros) = match asked {
                Asked::Answered(said, micros) => (said, micros),
                Asked::Refused(why) => return Ok(Scored::unscored(format!("the judge: {why}"))),
            };
            let cost = line
                .judging
                .unwrap_or(Cost::FREE)
                .plus(of_judge.decision.cost);
            line.judging = Some(cost);
            line.judges
                .insert(scorer.spec.name.clone(), of_judge.decision.release);
            let told = Answer::of(&of_judge.decision, of_judge.answer, micros);
            match told.given() {
                Some(given) => said.push(given.clone()),
                None => {
                    let instead = told.instead();
                    return Ok(Scored::unscored(format!("the judge gave {instead}")));
                }
            }
        }
        Ok(judge.read(&said))
    }

    async fn ask(&self, system: &SystemName, input: &Value, canary: bool) -> Outcome<Asked> {
        let question = EvalQuestion {
            run: self.run,
            input: input.clone(),
            canary,
        };
        let started = self.clock.elapsed();
        let put = self.answering.put(system, question).await?;
        let took = self.clock.elapsed().saturating_sub(started);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        Ok(match put {
            Put::Answered(answer) => {
                self.meter.add(answer.decision.cost.amount);
                Asked::Answered(answer, micros)
            }
            Put::Refused(why) => Asked::Refused(why),
        })
    }
}
