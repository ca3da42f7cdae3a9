//! Decisions that look like those of predictors with ladders, and what people ask of them.

use std::error::Error;
use std::time::Duration;

use plimsoll_core::decision::{
    AttemptReason, AttemptRecord, ControlRecord, Cost, CostBasis, PathStep, Protocol, StageTimes,
    Usage, Verdict,
};
use plimsoll_core::deployment::Slot;
use plimsoll_core::manifest::Mode;
use plimsoll_core::record::{Deployment, DeploymentCause, Opened};
use plimsoll_core::{
    Code, Decision, DecisionId, DeploymentId, Digest, EnvironmentName, FailureKind, ModelName,
    Money, NodeName, Outcome, Record, ReleaseId, RequestId, Step, SystemName, TenantName,
    Timestamp,
};
use plimsoll_store::DecisionFilter;

/// When the first decision is opened.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_773_478_920_000_000);

const TENANTS: u64 = 20;
const RELEASES: u64 = 8;

/// When decision `number` is opened: fifty in a second.
pub(crate) fn opened_at(number: u64) -> Timestamp {
    START.plus(Duration::from_millis(20 * number))
}

/// Numbers that are the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }
}

type MakeFilter = fn(&Maker, u64, &mut Dice) -> DecisionFilter;

/// What people list, the latest fifty of it.
pub(crate) const FILTERS: [(&str, MakeFilter); 11] = [
    ("list all", |_, _, _| DecisionFilter::default()),
    ("list system", |maker, _, dice| DecisionFilter {
        system: Some(maker.any_system(dice)),
        ..DecisionFilter::default()
    }),
    ("list outcome", |_, _, dice| DecisionFilter {
        outcome: Some(any(
            &[Outcome::Served, Outcome::Abstained, Outcome::Refused],
            dice,
        )),
        ..DecisionFilter::default()
    }),
    ("list system+outcome", |maker, _, dice| DecisionFilter {
        system: Some(maker.any_system(dice)),
        outcome: Some(any(&Outcome::ALL, dice)),
        ..DecisionFilter::default()
    }),
    ("list system+kind", |maker, _, dice| DecisionFilter {
        system: Some(maker.any_system(dice)),
        kind: Some(any(&FailureKind::ALL, dice)),
        ..DecisionFilter::default()
    }),
    ("list tenant", |maker, _, dice| DecisionFilter {
        tenant: Some(maker.tenants[dice.index(maker.tenants.len())].clone()),
        system: Some(maker.any_system(dice)),
        ..DecisionFilter::default()
    }),
    ("list release", |maker, count, dice| {
        let number = dice.below(count);
        DecisionFilter {
            release: Some(maker.decision(number, count).release),
            ..DecisionFilter::default()
        }
    }),
    ("list unit", |_, count, dice| DecisionFilter {
        unit: Some(format!("application-{}", dice.below(count) / 6)),
        ..DecisionFilter::default()
    }),
    ("list between", |maker, count, dice| {
        let number = dice.below(count);
        DecisionFilter {
            system: Some(maker.any_system(dice)),
            since: Some(opened_at(number)),
            until: Some(opened_at(number).plus(Duration::from_mins(10))),
            ..DecisionFilter::default()
        }
    }),
    ("list open", |maker, _, dice| DecisionFilter {
        system: Some(maker.any_system(dice)),
        open: true,
        ..DecisionFilter::default()
    }),
    ("list page", |maker, count, dice| {
        let before = maker.decision(dice.below(count), count).id;
        DecisionFilter {
            system: Some(maker.any_system(dice)),
            kind: Some(FailureKind::Unsure),
            before: Some(before),
            ..DecisionFilter::default()
        }
    }),
];

fn any<T: Copy>(of: &[T], dice: &mut Dice) -> T {
    of[dice.index(of.len())]
}

/// Makes what the journal holds.
pub(crate) struct Maker {
    pub(crate) systems: Vec<SystemName>,
    pub(crate) environment: EnvironmentName,
    tenants: Vec<TenantName>,
    node: NodeName,
}

impl Maker {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let systems = ["loan-default", "support-answer", "invoice-fields"].map(SystemName::new);
        let tenants = (0..TENANTS).map(|number| TenantName::new(&format!("tenant-{number}")));
        Ok(Self {
            systems: systems.into_iter().collect::<Result<_, _>>()?,
            environment: EnvironmentName::new("production")?,
            tenants: tenants.collect::<Result<_, _>>()?,
            node: NodeName::new("node-1")?,
        })
    }

    fn any_system(&self, dice: &mut Dice) -> SystemName {
        self.systems[dice.index(self.systems.len())].clone()
    }

    /// The records of decisions, of `count` in all: every tenth is opened first.
    pub(crate) fn records(
        &self,
        numbers: std::ops::Range<u64>,
        count: u64,
        sequence: &mut u64,
    ) -> Vec<(u64, Record)> {
        let mut records = Vec::new();
        for number in numbers {
            let decision = self.decision(number, count);
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

    /// A start, but for every hundredth event.
    pub(crate) fn deployment(&self, number: u64, at: Timestamp) -> Deployment {
        let is_start = !number.is_multiple_of(100);
        Deployment {
            id: DeploymentId::from_bytes(random_id(at, number)),
            system: self.systems[0].clone(),
            environment: self.environment.clone(),
            slot: Slot::Stable,
            release: ReleaseId(Digest::of(&(number / 100).to_be_bytes())),
            cause: if is_start {
                DeploymentCause::Start
            } else {
                DeploymentCause::Command
            },
            actor: "ana".to_owned(),
            reason: None,
            approvals: vec!["bo".to_owned()],
            at,
            node: self.node.clone(),
            binary_version: "0.1.0".to_owned(),
            prices: Some(Digest::of(b"prices")),
            eval_sets: [].into(),
            note: None,
            rollback_of: None,
            break_glass: false,
            workspace: None,
            binary: None,
        }
    }

    /// Decision `number` of `count`: one in twenty abstains, one in a thousand is refused.
    pub(crate) fn decision(&self, number: u64, count: u64) -> Decision {
        let opened_at = opened_at(number);
        let id = random_id(opened_at, number);
        let unsure = number.is_multiple_of(20);
        let refused = number % 1_000 == 7;
        let pico = 190_000_000 + i128::from(number % 1000) * 1_000;
        let cost = Cost {
            amount: Money::from_pico(pico),
            basis: CostBasis::Measured,
        };
        let kind = match (unsure, refused) {
            (true, _) => Some(FailureKind::Unsure),
            (_, true) => Some(FailureKind::Malformed),
            _ => None,
        };
        let system = usize::try_from(number % 7).unwrap_or(0).min(2);
        Decision {
            id: DecisionId::from_bytes(id),
            request: RequestId::from_bytes(id),
            row: 0,
            tenant: self.tenants[usize::try_from(number % TENANTS).unwrap_or(0)].clone(),
            environment: self.environment.clone(),
            system: self.systems[system].clone(),
            key: None,
            unit: number
                .is_multiple_of(2)
                .then(|| format!("application-{}", number / 6)),
            session: None,
            subject: Some(Digest::of(&id)),
            idempotency: None,
            release: ReleaseId(Digest::of(&(number * RELEASES / count).to_be_bytes())),
            deployment: DeploymentId::from_bytes([1; 16]),
            protocol: Protocol::Decisions,
            stream: false,
            mode: Mode::Enforce,
            opened_at,
            closed_at: Some(opened_at.plus(Duration::from_micros(300 + number * number % 977))),
            outcome: Some(match (unsure, refused) {
                (true, _) => Outcome::Abstained,
                (_, true) => Outcome::Refused,
                _ => Outcome::Served,
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
            worked_seconds: None,
            spliced: vec![],
            drill: None,
            eval: None,
            alarm: None,
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
        control: control.to_owned().into(),
        verdict: Verdict::Passed,
        micros: 3,
        code: None,
        finding: None,
        findings: Vec::new(),
    });
    passed.to_vec()
}

fn attempt(cost: Cost) -> AttemptRecord {
    AttemptRecord {
        model: ModelName::primary(),
        reason: AttemptReason::First,
        micros: 14,
        first_token_micros: None,
        at_most: None,
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
