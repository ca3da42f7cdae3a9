//! Asking without a listener: `plimsoll batch` and `plimsoll test`, and drills.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use plimsoll_core::decision::Protocol;
use plimsoll_core::drill::judge;
use plimsoll_core::record::{Drill, Record};
use plimsoll_core::{Decision, EventId, FailureKind, ModelName, RequestId, SystemName, TenantName};
use serde_json::Value;

use crate::answer::{ChatItem, Item};
use crate::caller::Caller;
use crate::deployed::{Deployed, InputContract};
use crate::envelope::Envelope;
use crate::exchange::{Beginning, Exchange, Given};
use crate::node::Node;
use crate::pipeline::decide;
use crate::refusal::Refusal;
use crate::snapshot::Snapshot;
use crate::stage::finish::{Body, Told};
use crate::stage::resolve::{Aim, Assignment, resolve};

/// One item asked in process.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which system.
    pub system: SystemName,
    /// On whose behalf.
    pub tenant: TenantName,
    /// A row, the variables of a prompt, or a chat body.
    pub input: Value,
    /// What stands in for models, by name.
    pub given: BTreeMap<ModelName, Given>,
    /// The unit of work.
    pub unit: Option<String>,
    /// Which of the system's releases is asked.
    pub aim: Aim,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The decision; open if it waits for a person.
    pub decision: Decision,
    /// The answer.
    pub answer: Option<Value>,
    /// Why there is none.
    pub refusal: Option<Refusal>,
}

/// A question that could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no such system, or it could not be built.
    #[error("{0}")]
    System(String),
    /// Somebody stepped in: what a drill or an eval would show is not what the system does.
    #[error("system `{0}` is halted or on its fallback: resume it before a drill or an eval")]
    Halted(SystemName),
    /// The record of a drill could not be written.
    #[error("the drill could not be recorded")]
    Record(#[from] plimsoll_journal::AppendError),
}

impl Node {
    /// Asks one item.
    ///
    /// # Errors
    /// If there is no such system.
    pub async fn ask(self: &Arc<Self>, question: Question) -> Result<Asked, AskError> {
        self.ask_for(question, None).await
    }

    /// Asks one item for a run of an eval: all happens as for a caller, but that it counts in no figure of
    /// production and bothers nobody, as in a drill.
    ///
    /// # Errors
    /// If there is no such system, or somebody stepped in: what it would show is not what the system does.
    pub async fn ask_for_eval(
        self: &Arc<Self>,
        question: Question,
        run: EventId,
    ) -> Result<Asked, AskError> {
        self.ask_for(question, Some(run)).await
    }

    async fn ask_for(
        self: &Arc<Self>,
        question: Question,
        eval: Option<EventId>,
    ) -> Result<Asked, AskError> {
        let caller = Arc::new(Caller::operator(question.tenant));
        let envelope = Arc::new(Envelope {
            unit: question.unit,
            ..Envelope::default()
        });
        let snapshot = self.snapshot.load_full();
        let request = RequestId::new(self.clock.now());
        let assignment = Assignment {
            aim: question.aim,
            envelope: &envelope,
            request,
        };
        let system = find(&snapshot, &caller, &question.system, &assignment)?;
        let item = item(&system, question.input);
        let mut exchange = self.begin(&snapshot, &system, &caller, (&envelope, request));
        if eval.is_some() && exchange.stop.is_some() {
            exchange.close();
            return Err(AskError::Halted(system.system.name.clone()));
        }
        exchange.decision.eval = eval;
        exchange.given = question.given;
        Ok(asked(decide(exchange, item).await))
    }

    /// Causes a failure of `kind` on purpose, at the boundary of the system's first model, and holds
    /// the ladder that was taken against the one that was designed: of the stable release, unless `aim`
    /// says otherwise.
    ///
    /// # Errors
    /// If there is no such system or canary, it is halted, or the drill cannot be recorded.
    pub async fn drill(
        self: &Arc<Self>,
        (system, aim): (&SystemName, Aim),
        kind: FailureKind,
        input: Value,
        actor: &str,
    ) -> Result<Drill, AskError> {
        let caller = Arc::new(Caller::operator(TenantName::default_tenant()));
        let (snapshot, envelope) = (self.snapshot.load_full(), Arc::default());
        let request = RequestId::new(self.clock.now());
        let assignment = Assignment {
            aim,
            envelope: &envelope,
            request,
        };
        let system = find(&snapshot, &caller, system, &assignment)?;
        let item = item(&system, input);
        let id = EventId::new(self.clock.now());
        let mut exchange = self.begin(&snapshot, &system, &caller, (&envelope, request));
        if exchange.stop.is_some() {
            exchange.close();
            return Err(AskError::Halted(system.system.name.clone()));
        }
        exchange.force(kind, id);
        let Told { decision, .. } = decide(exchange, item).await;
        let drill = judged(&system, kind, id, actor, *decision);
        self.record(Record::Drill(Box::new(drill.clone()))).await?;
        Ok(drill)
    }

    pub(crate) fn begin(
        self: &Arc<Self>,
        snapshot: &Arc<Snapshot>,
        system: &Arc<Deployed>,
        caller: &Arc<Caller>,
        (envelope, request): (&Arc<Envelope>, RequestId),
    ) -> Exchange {
        Exchange::begin(&Beginning {
            node: self,
            snapshot,
            system,
            caller,
            envelope,
            request,
            idempotency: None,
            row: 0,
            protocol: Protocol::File,
            called: self.clock.elapsed(),
            stages: plimsoll_core::decision::StageTimes::default(),
        })
    }
}

fn find(
    snapshot: &Snapshot,
    caller: &Caller,
    name: &SystemName,
    assignment: &Assignment<'_>,
) -> Result<Arc<Deployed>, AskError> {
    let found = resolve(snapshot, caller, name.as_str(), false, assignment);
    found.map_err(|refusal| AskError::System(refusal.message))
}

fn item(system: &Deployed, input: Value) -> Item {
    match &system.input {
        InputContract::Row(_) => Item::Row(input),
        InputContract::Chat(_) => {
            let body = Bytes::from(input.to_string());
            Item::Chat(ChatItem::plain(body))
        }
    }
}

fn asked(told: Told) -> Asked {
    let decision = *told.decision;
    match told.body {
        Body::Answer(answer) => Asked {
            decision,
            answer: Some(answer.value()),
            refusal: None,
        },
        Body::Waiting(waiting) => Asked {
            decision,
            answer: waiting.meanwhile,
            refusal: None,
        },
        Body::Refused(refusal) => Asked {
            decision,
            answer: None,
            refusal: Some(refusal),
        },
        Body::Stream(_) => Asked {
            decision,
            answer: None,
            refusal: None,
        },
    }
}

/// What the drill showed.
fn judged(
    system: &Deployed,
    kind: FailureKind,
    id: EventId,
    actor: &str,
    decision: Decision,
) -> Drill {
    let ladders = &system.manifest().ladders;
    let judgement = judge(
        kind,
        ladders,
        &decision.path,
        &decision.attempts,
        decision.outcome,
    );
    Drill {
        id,
        system: decision.system.clone(),
        environment: decision.environment.clone(),
        kind,
        release: decision.release,
        expected: judgement.expected,
        taken: judgement.taken,
        outcome: decision.outcome,
        passed: judgement.passed,
        note: judgement.note,
        actor: actor.to_owned(),
        at: decision.opened_at,
        decision: Some(decision.id),
    }
}
