//! One decision under way: its draft record, its deadline, and the promise that it is finished once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::decision::{
    ControlRecord, Cost, GuardFinding, PathStep, Protocol, StageTimes, Verdict,
};
use plimsoll_core::limits::Exceeded;
use plimsoll_core::{
    Code, Decision, DecisionId, Digest, EventId, FailureKind, ModelName, Outcome, RequestId, Step,
    Timestamp,
};
use serde_json::Value;

use crate::caller::Caller;
use crate::deployed::Deployed;
use crate::envelope::Envelope;
use crate::failure::Failure;
use crate::guarding::Guarded;
use crate::limiting::{self, Admission, Standings};
use crate::metrics::Meters;
use crate::node::Node;
use crate::replay::Rehearsal;
use crate::room::Place;
use crate::snapshot::Snapshot;
use crate::switch::Stop;

/// A decision that is open. [`crate::stage::finish`] consumes it; one that is dropped before, because
/// the caller went away, finishes itself as cancelled. So each is finished exactly once.
pub(crate) struct Exchange(Option<Box<Open>>);

/// What is known of an open decision.
pub(crate) struct Open {
    pub(crate) node: Arc<Node>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) system: Arc<Deployed>,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) caller: Arc<Caller>,
    /// The record as far as it goes.
    pub(crate) decision: Box<Decision>,
    /// On the node's monotonic clock.
    pub(crate) started: Duration,
    /// When the clock was last read for it, on the node's monotonic clock: see [`Open::lap`].
    pub(crate) lapped: Duration,
    /// On the node's monotonic clock.
    pub(crate) deadline: Duration,
    /// The places that it holds in the node's and the system's room.
    pub(crate) places: Vec<Place>,
    /// Its passage through the workspace's limits.
    pub(crate) admission: Option<Admission>,
    /// Where its call is told how the limits stand.
    pub(crate) standings: Option<Arc<Standings>>,
    /// Whether its `opened` record was written.
    pub(crate) opened: bool,
    /// What guards know of it.
    pub(crate) guarded: Guarded,
    /// The input, as far as the payload policy lets it be kept.
    pub(crate) kept_input: Option<Vec<u8>>,
    /// The input, if the answer belongs to the sample that is scored.
    pub(crate) sampled: Option<Value>,
    /// The failure that a drill forces on the first model.
    pub(crate) forced: Option<FailureKind>,
    /// Answers that stand in for models.
    pub(crate) given: BTreeMap<ModelName, Given>,
    /// Why it is not made as usual, if it is not: as it stood when the decision began.
    pub(crate) stop: Option<Stop>,
    /// What models said that was not cleared, by the number of the attempt: kept for a replay.
    pub(crate) uncleared: Vec<(usize, Vec<u8>)>,
    /// Of a decision that is made again, to be compared: it leaves no trace.
    pub(crate) rehearsal: Option<Box<Rehearsal>>,
}

/// What stands in for a model, in tests of a workspace.
#[derive(Clone, Debug)]
pub enum Given {
    /// It answers this.
    Answer {
        /// The answer.
        value: Value,
        /// How sure it is.
        confidence: Option<f64>,
    },
    /// It fails with this code.
    Fail(Code),
}

/// What a new exchange is made from.
pub(crate) struct Beginning<'a> {
    pub(crate) node: &'a Arc<Node>,
    pub(crate) snapshot: &'a Arc<Snapshot>,
    pub(crate) system: &'a Arc<Deployed>,
    pub(crate) caller: &'a Arc<Caller>,
    pub(crate) envelope: &'a Arc<Envelope>,
    pub(crate) request: RequestId,
    pub(crate) idempotency: Option<Digest>,
    pub(crate) row: u32,
    pub(crate) protocol: Protocol,
    /// When the call was begun, on the node's monotonic clock.
    pub(crate) called: Duration,
    /// Time spent on the whole call before there was a decision.
    pub(crate) stages: StageTimes,
}

impl Exchange {
    /// Opens a decision.
    pub(crate) fn begin(beginning: &Beginning<'_>) -> Self {
        let Beginning {
            node,
            snapshot,
            system,
            caller,
            envelope,
            ..
        } = *beginning;
        let (now, started) = (node.clock.now(), node.clock.elapsed());
        let total = Duration::from_millis(system.manifest().deadline.total_ms);
        // Each row of a batch has the system's deadline; the caller's own is one for the call.
        let callers = envelope
            .deadline
            .map_or(Duration::MAX, |left| beginning.called + left);
        let deadline = callers.min(started + total);
        let decision = Box::new(draft(beginning, now));
        Self(Some(Box::new(Open {
            node: Arc::clone(node),
            snapshot: Arc::clone(snapshot),
            system: Arc::clone(system),
            envelope: Arc::clone(envelope),
            caller: Arc::clone(caller),
            decision,
            started,
            lapped: started,
            deadline,
            places: Vec::with_capacity(2),
            admission: None,
            standings: None,
            opened: false,
            guarded: Guarded::default(),
            kept_input: None,
            sampled: None,
            forced: None,
            given: BTreeMap::new(),
            stop: Stop::now(&system.switch, &node.control, started),
            uncleared: Vec::new(),
            rehearsal: None,
        })))
    }

    /// Marks it as part of a drill.
    pub(crate) fn force(&mut self, kind: FailureKind, drill: EventId) {
        self.forced = Some(kind);
        self.decision.drill = Some(drill);
    }

    /// Takes what is known, so that dropping the exchange finishes nothing.
    pub(crate) fn close(mut self) -> Box<Open> {
        self.0
            .take()
            .expect("an exchange is closed once, since closing consumes it")
    }
}

/// The record of a decision of which nothing is known but who asks for what.
fn draft(beginning: &Beginning<'_>, now: Timestamp) -> Decision {
    let Beginning {
        node,
        snapshot,
        system,
        caller,
        envelope,
        ..
    } = *beginning;
    Decision {
        id: DecisionId::new(now),
        request: beginning.request,
        row: beginning.row,
        tenant: caller.tenant.clone(),
        environment: snapshot.environment.clone(),
        system: system.system.name.clone(),
        key: caller.key.clone(),
        unit: envelope.unit.clone(),
        session: envelope.session.clone(),
        subject: envelope.subject.as_deref().map(|s| node.subject(s)),
        idempotency: beginning.idempotency,
        release: system.deployment.release,
        deployment: system.deployment.id,
        protocol: beginning.protocol,
        stream: false,
        mode: system.manifest().mode,
        opened_at: now,
        closed_at: None,
        outcome: None,
        kind: None,
        code: None,
        stages: beginning.stages,
        controls: Vec::with_capacity(4),
        attempts: Vec::with_capacity(1),
        path: Vec::new(),
        confidence: None,
        cost: Cost::FREE,
        payload: None,
        review: None,
        worked_seconds: None,
        spliced: Vec::new(),
        drill: None,
        eval: None,
        alarm: None,
        observed: Vec::new(),
        answer_age_ms: None,
    }
}

impl Open {
    /// Reads the clock: microseconds since it was last read for this decision. Reading it once where one thing
    /// ends and the next begins is half of what reading it at both costs. Whoever has waited for something
    /// laps, since all that asks for the time here gets that of the last lap.
    pub(crate) fn lap(&mut self) -> u64 {
        let before = std::mem::replace(&mut self.lapped, self.node.clock.elapsed());
        self.micros_since(before)
    }

    /// Microseconds from `since`, on the node's monotonic clock, to the last lap.
    pub(crate) fn micros_since(&self, since: Duration) -> u64 {
        micros(self.lapped.saturating_sub(since))
    }

    /// The wall-clock time of the last lap.
    pub(crate) fn now(&self) -> Timestamp {
        let since_opened = self.lapped.saturating_sub(self.started);
        self.decision.opened_at.plus(since_opened)
    }

    /// What is left, at the last lap, until the deadline.
    pub(crate) const fn remaining(&self) -> Duration {
        self.deadline.saturating_sub(self.lapped)
    }

    /// The system's usual counters.
    pub(crate) fn meters(&self) -> &Meters {
        let find = || {
            let system = &self.system;
            self.node
                .metrics
                .meters(&system.system.name, system.models.keys())
        };
        self.system.meters.get_or_init(find)
    }

    /// Notes what a control said that ran from the last lap until now.
    pub(crate) fn note_control(
        &mut self,
        control: impl Into<Cow<'static, str>>,
        failed: Option<&Failure>,
    ) {
        let micros = self.lap();
        self.decision.controls.push(ControlRecord {
            control: control.into(),
            verdict: if failed.is_some() {
                Verdict::Failed
            } else {
                Verdict::Passed
            },
            micros,
            code: failed.map(Failure::code),
            finding: failed.and_then(|failure| failure.finding.clone()),
            findings: Vec::new(),
        });
    }

    /// Notes what a guard found that ran from the last lap until now; with a code if that stands against the
    /// text.
    pub(crate) fn note_findings(
        &mut self,
        control: impl Into<Cow<'static, str>>,
        failed: Option<Code>,
        finding: Option<String>,
        findings: Vec<GuardFinding>,
    ) {
        let micros = self.lap();
        self.decision.controls.push(ControlRecord {
            control: control.into(),
            verdict: if failed.is_some() {
                Verdict::Failed
            } else {
                Verdict::Passed
            },
            micros,
            code: failed,
            finding,
            findings,
        });
    }

    /// The failure that names the limit which stands in the way.
    pub(crate) fn limit_failure(&self, exceeded: Exceeded, now: Timestamp) -> Failure {
        let who = limiting::who(&self.caller, &self.decision);
        let finding = format!("limit {}", exceeded.limit);
        let currency = &self.snapshot.currency;
        let mut failure = Failure::from(limiting::refusal(exceeded, (&who, currency), now));
        failure.finding = Some(finding);
        failure
    }

    /// Whether it is made again only to be compared.
    pub(crate) const fn is_rehearsal(&self) -> bool {
        self.rehearsal.is_some()
    }

    /// Notes that a configured control could not run.
    pub(crate) fn note_skipped(&mut self, control: &str, reason: &str) {
        if !self.is_rehearsal() {
            self.node
                .metrics
                .control_skipped(&self.decision.system, control);
        }
        self.decision.controls.push(ControlRecord {
            control: control.to_owned().into(),
            verdict: Verdict::Skipped,
            micros: 0,
            code: Some(Code::ControlFailed),
            finding: Some(reason.to_owned()),
            findings: Vec::new(),
        });
    }

    /// Notes which step was taken after which failure; the first failure labels the decision.
    pub(crate) fn note_step(&mut self, failure: &Failure, step: &Step) {
        let kind = failure.kind();
        self.decision.kind.get_or_insert(kind);
        self.decision.path.push(PathStep {
            kind,
            code: failure.code(),
            step: step.clone(),
            detail: failure.finding.clone(),
        });
    }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Deref for Exchange {
    type Target = Open;

    fn deref(&self) -> &Open {
        self.0
            .as_ref()
            .expect("only closing takes it, and closing consumes the exchange")
    }
}

impl DerefMut for Exchange {
    fn deref_mut(&mut self) -> &mut Open {
        self.0
            .as_mut()
            .expect("only closing takes it, and closing consumes the exchange")
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            crate::stage::finish::abandon(*open, Outcome::Cancelled);
        }
    }
}
