//! How fast the projection is, and what it costs to ask it.
//!
//! `cargo run --release -p plimsoll-store --example projection-speed [decisions] [folder]`: writes that
//! many decisions of about 1.1 KB (default 200,000) into a fresh database in the folder (default: the
//! system's), as Opened and Closed records for every tenth and as Closed alone for the rest, and prints
//! what each part took.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::decision::{
    AttemptReason, AttemptRecord, ControlRecord, Cost, CostBasis, PathStep, Protocol, StageTimes,
    Usage, Verdict,
};
use plimsoll_core::manifest::Mode;
use plimsoll_core::record::Opened;
use plimsoll_core::{
    Clock, Code, Decision, DecisionId, DeploymentId, Digest, EnvironmentName, FailureKind,
    ModelName, Money, NodeName, Outcome, Record, ReleaseId, RequestId, Step, SystemClock,
    SystemName, TenantName, Timestamp,
};
use plimsoll_store::{DecisionFilter, Projector, Store};

const BATCH: u64 = 5_000;
const START: Timestamp = Timestamp::from_micros(1_773_478_920_000_000);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let folder = match arguments.next() {
        Some(path) => tempfile::tempdir_in(path)?,
        None => tempfile::tempdir()?,
    };
    let clock = Arc::new(SystemClock::new());
    let store = Store::open(folder.path().join("plimsoll.db"), clock.clone()).await?;
    let projector = Projector::new(&store, NodeName::new("node-1")?);
    let maker = Maker::new()?;

    let bytes = serde_json::to_vec(&maker.decision(7))?.len();
    let (mut sequence, mut writing, mut written) = (0, Duration::ZERO, 0);
    while written < count {
        let to = (written + BATCH).min(count);
        let records = maker.records(written..to, &mut sequence);
        let started = clock.elapsed();
        projector.apply(&records).await?;
        writing += clock.elapsed() - started;
        written = to;
    }
    told(
        "project",
        writing,
        count,
        &format!("decisions of {bytes} bytes"),
    );
    ask(&store, &clock, &maker, count).await?;
    let size = std::fs::metadata(store.path())?.len();
    println!(
        "database    {:.0} bytes per decision",
        size as f64 / count as f64
    );
    Ok(())
}

async fn ask(
    store: &Store,
    clock: &SystemClock,
    maker: &Maker,
    count: u64,
) -> Result<(), Box<dyn Error>> {
    for _ in 0..2 {
        let started = clock.elapsed();
        let facts = store
            .bar_facts(&maker.system, &maker.environment, START)
            .await?;
        told(
            "bar",
            clock.elapsed() - started,
            facts.decisions,
            "decisions",
        );
    }
    let started = clock.elapsed();
    let kind = Some(FailureKind::Unsure);
    let filter = DecisionFilter {
        system: Some(maker.system.clone()),
        kind,
        ..Default::default()
    };
    let found = store.decisions(&filter).await?;
    told(
        "list",
        clock.elapsed() - started,
        u64::try_from(found.len())?,
        "decisions",
    );
    let id = maker.decision(count / 2).id.to_string();
    let started = clock.elapsed();
    store.decision_by_prefix(None, &id[..24]).await?;
    told("by prefix", clock.elapsed() - started, 1, "decision");
    let all = DecisionFilter::default();
    let started = clock.elapsed();
    let rows = store.export_csv(&all, std::io::sink()).await?;
    told("csv", clock.elapsed() - started, rows, "rows");
    let started = clock.elapsed();
    let rows = store.export_parquet(&all, std::io::sink()).await?;
    told("parquet", clock.elapsed() - started, rows, "rows");
    Ok(())
}

fn told(what: &str, took: Duration, count: u64, of: &str) {
    let rate = count as f64 / took.as_secs_f64();
    let millis = took.as_secs_f64() * 1000.0;
    println!("{what:<11} {count} {of} in {millis:.1} ms: {rate:.0}/s");
}

/// Makes decisions that look like those of a predictor with a ladder.
struct Maker {
    system: SystemName,
    environment: EnvironmentName,
    tenant: TenantName,
}

impl Maker {
    fn new() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            system: SystemName::new("loan-default")?,
            environment: EnvironmentName::new("production")?,
            tenant: TenantName::default_tenant(),
        })
    }

    fn records(&self, numbers: std::ops::Range<u64>, sequence: &mut u64) -> Vec<(u64, Record)> {
        let mut records = Vec::new();
        for number in numbers {
            let decision = self.decision(number);
            if number.is_multiple_of(10) {
                let open = Decision {
                    closed_at: None,
                    outcome: None,
                    ..decision.clone()
                };
                let opened = Opened {
                    decision: open,
                    reserved: Money::ZERO,
                };
                records.push((*sequence, Record::Opened(Box::new(opened))));
                *sequence += 1;
            }
            records.push((*sequence, Record::Closed(Box::new(decision))));
            *sequence += 1;
        }
        records
    }

    fn decision(&self, number: u64) -> Decision {
        let opened_at = START.plus(Duration::from_millis(number));
        let id = random_id(opened_at, number);
        let unsure = number.is_multiple_of(20);
        let pico = 190_000_000 + i128::from(number % 1000) * 1_000;
        let cost = Cost {
            amount: Money::from_pico(pico),
            basis: CostBasis::Measured,
        };
        let kind = unsure.then_some(FailureKind::Unsure);
        Decision {
            id: DecisionId::from_bytes(id),
            request: RequestId::from_bytes(id),
            row: 0,
            tenant: self.tenant.clone(),
            environment: self.environment.clone(),
            system: self.system.clone(),
            key: None,
            unit: number
                .is_multiple_of(2)
                .then(|| format!("application-{}", number / 6)),
            session: None,
            subject: Some(Digest::of(&id)),
            idempotency: None,
            release: ReleaseId(Digest::of(b"release")),
            deployment: DeploymentId::from_bytes([1; 16]),
            protocol: Protocol::Decisions,
            stream: false,
            mode: Mode::Enforce,
            opened_at,
            closed_at: Some(opened_at.plus(Duration::from_micros(412))),
            outcome: Some(if unsure {
                Outcome::Abstained
            } else {
                Outcome::Served
            }),
            kind,
            code: kind.map(|_| Code::UnsureRule),
            stages: StageTimes {
                identify: 1,
                resolve: 0,
                admit: 2,
                screen: 38,
                answer: 14,
                clear: 1,
            },
            controls: controls(),
            attempts: vec![attempt(cost)],
            path: if unsure { vec![abstaining()] } else { vec![] },
            confidence: Some(0.61),
            cost,
            payload: None,
            review: None,
            spliced: vec![],
            drill: None,
            observed: vec![],
            answer_age_ms: None,
        }
    }
}

/// An id as a node makes it, but the same each time.
fn random_id(at: Timestamp, number: u64) -> [u8; 16] {
    let mut id = [0; 16];
    let millis = u64::try_from(at.as_millis()).unwrap_or(0).to_be_bytes();
    id[..6].copy_from_slice(&millis[2..]);
    id[6..].copy_from_slice(&Digest::of(&number.to_be_bytes()).as_bytes()[..10]);
    id
}

fn controls() -> Vec<ControlRecord> {
    let names = [
        "contract",
        "guard:phrases",
        "budget",
        "output:schema",
        "unsure",
    ];
    let passed = names.map(|control| ControlRecord {
        control: control.to_owned(),
        verdict: Verdict::Passed,
        micros: 3,
        code: None,
        finding: None,
    });
    passed.to_vec()
}

fn attempt(cost: Cost) -> AttemptRecord {
    AttemptRecord {
        model: ModelName::primary(),
        reason: AttemptReason::First,
        micros: 14,
        first_token_micros: None,
        code: None,
        reported_model: Some("gpt-5-mini-2026-01-01".to_owned()),
        usage: Some(Usage {
            input_tokens: 120,
            output_tokens: 30,
            ..Usage::default()
        }),
        cost,
    }
}

fn abstaining() -> PathStep {
    PathStep {
        kind: FailureKind::Unsure,
        code: Code::UnsureRule,
        step: Step::Abstain,
        detail: Some("confidence < 0.75".to_owned()),
    }
}
