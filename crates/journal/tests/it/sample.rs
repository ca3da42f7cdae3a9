//! Records as a gateway would write them: for tests and examples.

use plimsoll_core::decision::{
    AttemptReason, AttemptRecord, ControlRecord, Cost, CostBasis, Protocol, StageTimes, Usage,
    Verdict,
};
use plimsoll_core::manifest::Mode;
use plimsoll_core::record::Opened;
use plimsoll_core::{
    Decision, DecisionId, DeploymentId, Digest, EnvironmentName, KeyName, ModelName, Money,
    Outcome, Record, ReleaseId, RequestId, SystemName, TenantName, Timestamp,
};

/// An open decision made at `at`, with this name of its unit of work.
pub(crate) fn decision(at: Timestamp, unit: &str) -> Decision {
    Decision {
        id: DecisionId::new(at),
        request: RequestId::new(at),
        row: 0,
        tenant: TenantName::new("acme").unwrap(),
        environment: EnvironmentName::new("production").unwrap(),
        system: SystemName::new("loan-default").unwrap(),
        key: Some(KeyName::new("web").unwrap()),
        unit: Some(unit.to_owned()),
        session: None,
        subject: Some(Digest::of(b"subject")),
        idempotency: None,
        release: ReleaseId(Digest::of(b"release")),
        deployment: DeploymentId::new(at),
        protocol: Protocol::Decisions,
        stream: false,
        mode: Mode::Enforce,
        opened_at: at,
        closed_at: None,
        outcome: None,
        kind: None,
        code: None,
        stages: StageTimes::default(),
        controls: Vec::new(),
        attempts: Vec::new(),
        path: Vec::new(),
        confidence: Some(0.9),
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

/// The decision, served.
pub(crate) fn served(mut decision: Decision) -> Record {
    decision.closed_at = Some(decision.opened_at);
    decision.outcome = Some(Outcome::Served);
    Record::Closed(Box::new(decision))
}

/// The decision, with this much reserved for it.
pub(crate) fn opened(decision: Decision, reserved: Money) -> Record {
    Record::Opened(Box::new(Opened { decision, reserved }))
}

/// A served decision of about `1.9` KB: eight controls, two attempts.
pub(crate) fn large(at: Timestamp) -> Record {
    let mut decision = decision(at, "application-4711");
    decision.controls = (0..8)
        .map(|number| ControlRecord {
            control: format!("guard:detector-{number}").into(),
            verdict: Verdict::Passed,
            micros: 10 + number,
            code: None,
            finding: Some("loan_amount: range".to_owned()),
            findings: Vec::new(),
        })
        .collect();
    decision.attempts = (0..2)
        .map(|number| AttemptRecord {
            model: ModelName::primary(),
            reason: AttemptReason::First,
            micros: 1000 + number,
            first_token_micros: None,
            at_most: None,
            code: None,
            reported_model: Some("gpt-5-mini-2026-01-01".to_owned()),
            usage: Some(Usage {
                input_tokens: 512,
                output_tokens: 128,
                ..Usage::default()
            }),
            cost: Cost {
                amount: Money::from_pico(190_000_000),
                basis: CostBasis::Measured,
            },
        })
        .collect();
    served(decision)
}
