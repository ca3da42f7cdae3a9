//! Decisions, records and databases to test with.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::decision::{
    AttemptReason, AttemptRecord, ControlRecord, Cost, CostBasis, PathStep, Protocol, StageTimes,
    Usage, Verdict,
};
use plimsoll_core::deployment::{Slot, Weight};
use plimsoll_core::governance::{Access, Chosen, Erasure};
use plimsoll_core::manifest::{
    BudgetSpec, CategoryPolicy, CoercePolicy, DeadlineSpec, ExpiryStep, Guards, InputSpec,
    MANIFEST_FORMAT, Manifest, MissingPolicy, Mode, OutputSpec, RetrySpec, StreamMode,
    UnknownFieldPolicy,
};
use plimsoll_core::record::{
    Aggregate, Deployment, DeploymentCause, Drill, NodeEvent, Opened, Recovery, ReleaseRecord,
    ReviewChange, ReviewEvent, RunbookRun,
};
use plimsoll_core::review::{Review, ReviewState};
use plimsoll_core::stakes::{Durability, PayloadPolicy};
use plimsoll_core::{
    Code, Decision, DecisionId, DeploymentId, Digest, EventId, FailureKind, Ladders, ManualClock,
    Money, NodeName, Outcome, Record, ReleaseId, RequestId, ReviewId, Step, SystemName, TenantName,
    Timestamp,
};
use plimsoll_store::Store;

use crate::engines::{Engine, engine};
use crate::postgres::server::{Database, server};

/// 14 March 2026, 09:02 in UTC.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_773_478_920_000_000);

/// `seconds` after [`START`].
pub(crate) fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

/// A database in a folder of its own, with a clock that stands a day after [`START`].
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) folder: tempfile::TempDir,
    database: Option<Database>,
}

impl Fixture {
    /// The PostgreSQL database behind the store.
    pub(crate) fn database(&self) -> &Database {
        self.database
            .as_ref()
            .expect("this test runs on PostgreSQL")
    }

    /// The same, if there is one; else the store's file.
    pub(crate) fn kept_in(&self) -> Result<&Database, &std::path::Path> {
        self.database
            .as_ref()
            .ok_or_else(|| self.store.path().unwrap())
    }
}

/// A database on the engine of the test that runs.
pub(crate) async fn fixture() -> Fixture {
    match engine() {
        Engine::Sqlite => sqlite().await,
        Engine::Postgres => postgres().await.expect("there is a server"),
    }
}

/// A database on PostgreSQL; none, with a word about it, where there is no server.
pub(crate) async fn postgres() -> Option<Fixture> {
    let database = Database::create(&server()?).await;
    let clock = Arc::new(ManualClock::at(at(86_400)));
    Some(Fixture {
        store: database.store(clock.clone()).await,
        clock,
        folder: tempfile::tempdir().unwrap(),
        database: Some(database),
    })
}

async fn sqlite() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(at(86_400)));
    let store = Store::open(folder.path().join("plimsoll.db"), clock.clone())
        .await
        .unwrap();
    Fixture {
        store,
        clock,
        folder,
        database: None,
    }
}

pub(crate) fn node() -> NodeName {
    NodeName::new("node-1").unwrap()
}

pub(crate) fn system() -> SystemName {
    SystemName::new("loan-default").unwrap()
}

pub(crate) fn environment() -> plimsoll_core::EnvironmentName {
    plimsoll_core::EnvironmentName::new("production").unwrap()
}

pub(crate) fn tenant(name: &str) -> TenantName {
    TenantName::new(name).unwrap()
}

pub(crate) fn release_id(text: &str) -> ReleaseId {
    ReleaseId(Digest::of(text.as_bytes()))
}

/// An id that depends on `number` only and sorts by it.
pub(crate) fn id_bytes(number: u64) -> [u8; 16] {
    let millis = u128::from(u64::try_from(START.as_millis()).unwrap() + number);
    ((millis << 80) | u128::from(number)).to_be_bytes()
}

/// A decision that was opened and not closed, `number` seconds after [`START`].
pub(crate) fn open_decision(number: u64) -> Decision {
    let opened_at = at(number);
    Decision {
        id: DecisionId::from_bytes(id_bytes(number)),
        request: RequestId::from_bytes(id_bytes(number)),
        row: 0,
        tenant: tenant("default"),
        environment: environment(),
        system: system(),
        key: None,
        unit: None,
        session: None,
        subject: None,
        idempotency: None,
        release: release_id("one"),
        deployment: DeploymentId::from_bytes(id_bytes(1)),
        protocol: Protocol::Decisions,
        stream: false,
        mode: Mode::Enforce,
        opened_at,
        closed_at: None,
        outcome: None,
        kind: None,
        code: None,
        stages: StageTimes::default(),
        controls: vec![control("contract", Verdict::Passed)],
        attempts: vec![],
        path: vec![],
        confidence: None,
        cost: Cost::FREE,
        payload: None,
        review: None,
        worked_seconds: None,
        spliced: vec![],
        drill: None,
        eval: None,
        alarm: None,
        observed: vec![],
        answer_age_ms: None,
    }
}

pub(crate) fn control(name: &str, verdict: Verdict) -> ControlRecord {
    ControlRecord {
        control: name.to_owned().into(),
        verdict,
        micros: 3,
        code: None,
        finding: None,
        findings: Vec::new(),
    }
}

/// A decision that ended with `outcome` after 412 µs and cost 0.00019.
pub(crate) fn decision(number: u64, outcome: Outcome) -> Decision {
    let open = open_decision(number);
    let cost = Cost {
        amount: "0.00019".parse().unwrap(),
        basis: CostBasis::Measured,
    };
    Decision {
        closed_at: Some(open.opened_at.plus(Duration::from_micros(412))),
        outcome: Some(outcome),
        confidence: Some(0.61),
        attempts: vec![AttemptRecord {
            model: plimsoll_core::ModelName::primary(),
            reason: AttemptReason::First,
            micros: 14,
            first_token_micros: None,
            at_most: None,
            code: None,
            reported_model: None,
            usage: Some(Usage {
                input_tokens: 120,
                output_tokens: 30,
                ..Usage::default()
            }),
            cost,
        }],
        cost,
        ..open
    }
}

/// A decision whose first failure was of `kind`.
pub(crate) fn failed(number: u64, outcome: Outcome, kind: FailureKind, code: Code) -> Decision {
    Decision {
        kind: Some(kind),
        code: Some(code),
        path: vec![PathStep {
            kind,
            code,
            step: Step::Refuse,
            detail: None,
        }],
        ..decision(number, outcome)
    }
}

pub(crate) fn closed(decision: Decision) -> Record {
    Record::Closed(Box::new(decision))
}

pub(crate) fn opened(decision: Decision) -> Record {
    Record::Opened(Box::new(Opened {
        decision,
        reserved: Money::ZERO,
    }))
}

pub(crate) fn manifest() -> Manifest {
    Manifest {
        format: MANIFEST_FORMAT,
        system: system(),
        mode: Mode::Enforce,
        models: [].into(),
        prompt: None,
        artifacts: [].into(),
        input: InputSpec {
            schema: None,
            missing: MissingPolicy::Refuse,
            unknown_category: CategoryPolicy::Refuse,
            unknown_field: UnknownFieldPolicy::Refuse,
            out_of_range: CategoryPolicy::Refuse,
            coerce: CoercePolicy::Never,
            columns: [].into(),
            rules: [].into(),
            rows_max: 1,
            retrieved: Vec::new(),
            spotlight: None,
            tokens: None,
        },
        output: OutputSpec {
            schema: None,
            unsure: None,
            stream: StreamMode::Refuse,
        },
        guards: Guards::default(),
        tools: None,
        ladders: serde_json::from_str::<Ladders>("{}").unwrap(),
        deadline: DeadlineSpec {
            total_ms: 50,
            connect_ms: 10,
            first_token_ms: 40,
            stall_ms: 40,
        },
        retry: RetrySpec {
            attempts_max: 1,
            base_ms: 1,
            cap_ms: 1,
            budget_percent: 10,
        },
        budget: BudgetSpec::default(),
        abstain: None,
        review: None,
        record: Durability::Buffered,
        payloads: PayloadPolicy::None,
        in_flight_max: 8,
    }
}

pub(crate) fn release(name: &str, created_at: Timestamp) -> Record {
    Record::Release(Box::new(ReleaseRecord {
        id: release_id(name),
        manifest: manifest(),
        created_at,
        author: "ana".to_owned(),
        note: None,
        parent: None,
    }))
}

pub(crate) fn deployment(number: u64, release: &str, at: Timestamp) -> Record {
    Record::Deployment(Box::new(deployed(number, release, at)))
}

/// A deployment of the stable slot, by a reload.
pub(crate) fn deployed(number: u64, release: &str, at: Timestamp) -> Deployment {
    Deployment {
        id: DeploymentId::from_bytes(id_bytes(number)),
        system: system(),
        environment: environment(),
        release: release_id(release),
        cause: DeploymentCause::Reload,
        actor: "ana".to_owned(),
        reason: None,
        approvals: vec![],
        at,
        node: node(),
        binary_version: "0.1.0".to_owned(),
        prices: None,
        eval_sets: [].into(),
        slot: Slot::Stable,
        note: None,
        rollback_of: None,
        break_glass: false,
        workspace: None,
        binary: None,
    }
}

pub(crate) fn canary(basis_points: u16) -> Slot {
    let weight = Weight::new(basis_points).unwrap();
    Slot::Canary { weight }
}

pub(crate) fn event_id(number: u64) -> EventId {
    EventId::from_bytes(id_bytes(number))
}

/// An erasure of the decisions with these numbers.
pub(crate) fn erasure(number: u64, decisions: &[u64], at: Timestamp) -> Erasure {
    let decisions = decisions.iter().map(|of| id_bytes(*of));
    Erasure {
        id: event_id(number),
        request: event_id(number),
        decisions: decisions.map(DecisionId::from_bytes).collect(),
        chosen: Chosen::Decision,
        basis: "GDPR Art. 17(1)(b)".to_owned(),
        reason: None,
        actor: "ana".to_owned(),
        at,
    }
}

pub(crate) fn access(number: u64, decision: u64, actor: &str, tenant_name: &str) -> Access {
    Access {
        id: event_id(number),
        decision: DecisionId::from_bytes(id_bytes(decision)),
        tenant: tenant(tenant_name),
        actor: actor.to_owned(),
        purpose: "complaint 17".to_owned(),
        through: "explain".to_owned(),
        because: Some("no policy is against it".to_owned()),
        at: at(number),
    }
}

pub(crate) fn drill(number: u64, kind: FailureKind, passed: bool, at: Timestamp) -> Record {
    Record::Drill(Box::new(Drill {
        id: EventId::from_bytes(id_bytes(number)),
        system: system(),
        environment: environment(),
        kind,
        release: release_id("one"),
        expected: vec![Step::Refuse],
        taken: vec![Step::Refuse],
        outcome: Some(Outcome::Refused),
        passed,
        note: None,
        actor: "ana".to_owned(),
        at,
        decision: None,
    }))
}

pub(crate) fn runbook_run(number: u64, ended_at: Timestamp) -> Record {
    Record::RunbookRun(Box::new(RunbookRun {
        id: EventId::from_bytes(id_bytes(number)),
        system: system(),
        environment: environment(),
        actor: "ana".to_owned(),
        started_at: ended_at.minus(Duration::from_secs(600)),
        ended_at,
        runbook: Digest::of(b"runbook"),
        steps: vec![],
        passed: true,
    }))
}

pub(crate) fn uncounted(code: Code, count: u64, from: Timestamp) -> Record {
    let to = from.plus(Duration::from_secs(10));
    Record::Uncounted(Box::new(Aggregate {
        system: Some(system()),
        code,
        count,
        from,
        to,
    }))
}

pub(crate) fn node_event(at: Timestamp) -> Record {
    Record::Node(Box::new(NodeEvent {
        node: node(),
        started: true,
        at,
        binary_version: "0.1.0".to_owned(),
    }))
}

pub(crate) fn recovery(at: Timestamp) -> Record {
    Record::Recovery(Box::new(Recovery {
        orphans: 2,
        at: Some(at),
        ..Recovery::default()
    }))
}

/// A review of decision `number`, due `due_seconds` after [`START`].
pub(crate) fn review(number: u64, tenant_name: &str, due_seconds: u64) -> Review {
    let id = ReviewId::from_bytes(id_bytes(number));
    Review {
        id,
        queue: plimsoll_core::QueueName::new("credit").unwrap(),
        decision: Decision {
            tenant: tenant(tenant_name),
            review: Some(id),
            ..open_decision(number)
        },
        input: serde_json::json!({"loan_amount": 61_000}),
        proposal: Some(serde_json::json!({"decision": "grant"})),
        fallback: None,
        on_expiry: ExpiryStep::Abstain,
        opened_at: at(number),
        due_at: at(due_seconds),
        state: ReviewState::Open,
    }
}

pub(crate) fn answered(seconds: u64) -> ReviewState {
    ReviewState::Answered {
        answer: serde_json::json!({"decision": "deny"}),
        actor: "bo".to_owned(),
        note: None,
        worked_seconds: None,
        at: at(seconds),
    }
}

pub(crate) fn review_event(review: &Review, event: ReviewChange, at: Timestamp) -> Record {
    Record::Review(Box::new(ReviewEvent {
        review: review.id,
        decision: review.decision.id,
        tenant: review.decision.tenant.clone(),
        system: review.decision.system.clone(),
        queue: review.queue.clone(),
        event,
        actor: None,
        at,
        due_at: review.due_at,
    }))
}

/// Records with sequences from 0.
pub(crate) fn numbered(records: impl IntoIterator<Item = Record>) -> Vec<(u64, Record)> {
    (0..).zip(records).collect()
}
