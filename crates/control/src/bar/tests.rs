//! The bar, held against systems of which one thing is different each.

mod cost;
mod monitors;
mod quality;

use std::collections::BTreeMap;

use plimsoll_core::manifest::{
    BudgetSpec, CategoryPolicy, CoercePolicy, DeadlineSpec, Guards, InputSpec, MANIFEST_FORMAT,
    Manifest, MissingPolicy, Mode, OutputSpec, RetrySpec, StreamMode, UnknownFieldPolicy,
};
use plimsoll_core::record::{Deployment, DeploymentCause, Drill, RunbookRun};
use plimsoll_core::stakes::{DeployPolicy, Durability, PayloadPolicy};
use plimsoll_core::system::{BarSpec, Bound, Owner, QualitySpec};
use plimsoll_core::{DeploymentId, Digest, EventId, FailureKind, Ladders, NodeName, Step};
use plimsoll_store::{CostFacts, CurrentDeployment, ReviewFacts};

use super::*;
use crate::paint::Paint;
use crate::watch::State;

const DAY: Duration = Duration::from_hours(24);

fn now() -> Timestamp {
    Timestamp::parse("2026-03-14T10:41:07Z").unwrap()
}

fn release() -> ReleaseId {
    ReleaseId(Digest::of(b"release"))
}

fn environment() -> EnvironmentName {
    EnvironmentName::new("production").unwrap()
}

fn name() -> SystemName {
    SystemName::new("loan-default").unwrap()
}

pub(crate) fn manifest() -> Manifest {
    let designed = FailureKind::ALL
        .into_iter()
        .map(|kind| (kind, vec![Step::Refuse]))
        .collect();
    Manifest {
        format: MANIFEST_FORMAT,
        system: name(),
        mode: Mode::Enforce,
        models: BTreeMap::new(),
        prompt: None,
        artifacts: BTreeMap::new(),
        input: InputSpec {
            schema: None,
            missing: MissingPolicy::Refuse,
            unknown_category: CategoryPolicy::Refuse,
            unknown_field: UnknownFieldPolicy::Refuse,
            out_of_range: CategoryPolicy::Refuse,
            coerce: CoercePolicy::Never,
            columns: BTreeMap::new(),
            rules: BTreeMap::new(),
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
        ladders: Ladders::new(designed, false),
        deadline: DeadlineSpec {
            total_ms: 50,
            connect_ms: 10,
            first_token_ms: 50,
            stall_ms: 50,
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
        record: Durability::Durable,
        payloads: PayloadPolicy::Full,
        in_flight_max: 8,
    }
}

fn system() -> System {
    System {
        name: name(),
        purpose: "Estimate whether a car loan will be repaid".into(),
        stakes: Stakes::High,
        unit: "application".into(),
        owner: Owner {
            team: Some("credit-risk".into()),
            contact: Some("credit-risk@example.com".into()),
            on_call: Some("pagerduty:credit-risk".into()),
            runbook: Some("runbook.md".into()),
        },
        bar: BarSpec {
            availability: 0.999,
            drill_age: DAY * 30,
            runbook_age: DAY * 90,
            quality: BTreeMap::from([(
                "auc".into(),
                Bound {
                    at_least: true,
                    value: 0.92,
                },
            )]),
            cost_per_unit: Some("0.001".parse().unwrap()),
            price_age: None,
        },
        quality: None,
        deploy: DeployPolicy::OnApproval,
        manifest: manifest(),
        runbook: Some("## See\nLook.\n".into()),
    }
}

fn drill(kind: FailureKind, days_ago: u32) -> Drill {
    Drill {
        id: EventId::from_bytes([1; 16]),
        system: name(),
        environment: environment(),
        kind,
        release: release(),
        expected: vec![Step::Refuse],
        taken: vec![Step::Refuse],
        outcome: None,
        passed: true,
        note: None,
        actor: "ada".into(),
        at: now().minus(DAY * days_ago),
        decision: None,
    }
}

fn deployment() -> Deployment {
    Deployment {
        id: DeploymentId::from_bytes([2; 16]),
        system: name(),
        environment: environment(),
        release: release(),
        cause: DeploymentCause::First,
        actor: "node-1".into(),
        reason: None,
        approvals: Vec::new(),
        at: now().minus(DAY),
        node: NodeName::new("node-1").unwrap(),
        binary_version: "0.1.0".into(),
        prices: None,
        eval_sets: BTreeMap::new(),
        slot: plimsoll_core::deployment::Slot::Stable,
        note: None,
        rollback_of: None,
        break_glass: false,
        workspace: None,
        binary: None,
    }
}

fn facts() -> BarFacts {
    let run = RunbookRun {
        id: EventId::from_bytes([3; 16]),
        system: name(),
        environment: environment(),
        actor: "ada".into(),
        started_at: now().minus(DAY * 12),
        ended_at: now().minus(DAY * 12),
        runbook: Digest::of(b"runbook"),
        steps: Vec::new(),
        passed: true,
    };
    BarFacts {
        system: name(),
        environment: environment(),
        since: now().minus(WINDOW),
        read_at: now(),
        decisions: 84_112,
        open: 0,
        outcomes: BTreeMap::new(),
        kinds: BTreeMap::new(),
        uncounted: BTreeMap::new(),
        answerable: 84_112,
        answered: 84_112,
        with_known_release: 84_112,
        with_skipped_controls: 0,
        skipped_controls: 0,
        cost: CostFacts {
            units: 84_112,
            mean: "0.00021".parse().unwrap(),
            p95: "0.0004".parse().unwrap(),
            measured: 84_112,
            ..CostFacts::default()
        },
        reviews: ReviewFacts::default(),
        drills: FailureKind::ALL
            .into_iter()
            .map(|kind| (kind, drill(kind, 3)))
            .collect(),
        runbook_run: Some(run),
        first_decision_at: None,
        last_decision_at: None,
        deployment: Some(CurrentDeployment {
            deployment: deployment(),
            since: Timestamp::parse("2026-03-14T09:02:00Z").unwrap(),
        }),
    }
}

fn audit() -> AuditFacts {
    AuditFacts {
        leaves: 84_112,
        behind: 0,
        checkpoint_at: Some(now().minus(Duration::from_secs(6))),
        defect: None,
        verified: Some(verification(true)),
    }
}

fn verification(passed: bool) -> Verification {
    Verification {
        id: EventId::new(now()),
        node: NodeName::new("node-1").unwrap(),
        size: 84_000,
        root: Digest::of(b"root"),
        intact: 84_000,
        gone: 0,
        faults: u64::from(!passed),
        passed,
        actor: "ann".into(),
        at: now().minus(Duration::from_hours(7)),
    }
}

fn judged(system: &System, facts: &BarFacts) -> Report {
    judged_with(system, facts, Some(&audit()), &[])
}

fn judged_with(
    system: &System,
    facts: &BarFacts,
    audit: Option<&AuditFacts>,
    unreviewed: &[Deployment],
) -> Report {
    judged_watched(
        system,
        facts,
        (audit, unreviewed),
        Some(&monitors::watched(State::Quiet)),
    )
}

/// What is known when nothing but `facts` is.
fn knowing(facts: &BarFacts) -> Evidence<'_> {
    Evidence {
        facts,
        audit: None,
        monitors: None,
        eval: None,
        on_call: &ON_CALL,
        unreviewed: &[],
        prices: &[],
    }
}

/// A receiver that took a test twelve days ago.
static ON_CALL: std::sync::LazyLock<OnCallFacts> = std::sync::LazyLock::new(|| OnCallFacts {
    receivers: vec!["wake".into()],
    tested: Some(ReceiverTest {
        receiver: "wake".into(),
        taken: true,
        at: now().minus(DAY * 12),
    }),
});

fn judged_watched(
    system: &System,
    facts: &BarFacts,
    (audit, unreviewed): (Option<&AuditFacts>, &[Deployment]),
    monitors: Option<&MonitorFacts>,
) -> Report {
    let evidence = Evidence {
        audit,
        monitors,
        unreviewed,
        ..knowing(facts)
    };
    judge(system, evidence, now(), "USD")
}

fn judged_on(system: &System, facts: &BarFacts, run: &EvalRun) -> Report {
    let evidence = Evidence {
        audit: Some(&audit()),
        monitors: Some(&monitors::watched(State::Quiet)),
        eval: Some(run),
        ..knowing(facts)
    };
    judge(system, evidence, now(), "USD")
}

fn characteristic<'a>(report: &'a Report, name: &str) -> &'a Characteristic {
    report
        .characteristics
        .iter()
        .find(|one| one.name == name)
        .unwrap()
}

/// The failed evidence of a characteristic, and its next step.
fn failed(report: &Report, name: &str) -> Vec<(String, String)> {
    let checks = characteristic(report, name)
        .checks
        .iter()
        .filter(|check| !check.met);
    checks
        .map(|c| (c.evidence.clone(), c.next.clone().unwrap_or_default()))
        .collect()
}

#[test]
fn standing_goes_by_the_number_of_characteristics() {
    let standings: Vec<_> = (0..=6).map(Standing::of).collect();
    use Standing::{AboveTheLine, ApproachingTheLine, InProductionByAccident};
    assert_eq!(standings[..4], [InProductionByAccident; 4]);
    assert_eq!(standings[4..6], [ApproachingTheLine; 2]);
    assert_eq!(standings[6], AboveTheLine);
}

#[test]
fn somebody_must_be_told_of_what_pages_and_a_test_shows_it() {
    let report = judged_on(&quality::watched(), &facts(), &quality::run());
    assert!(characteristic(&report, "ownership").met);
    assert_eq!((report.met, report.standing), (6, Standing::AboveTheLine));
    let said = |on_call: &OnCallFacts| {
        let facts = facts();
        let evidence = Evidence {
            on_call,
            ..knowing(&facts)
        };
        failed(&judge(&system(), evidence, now(), "USD"), "ownership")
    };
    let nobody = said(&OnCallFacts::default());
    assert!(nobody[0].0.contains("nobody is told"), "{nobody:?}");
    let untried = OnCallFacts {
        tested: None,
        ..ON_CALL.clone()
    };
    assert_eq!(
        said(&untried),
        [(
            "on call: never tried".into(),
            "plimsoll alert test wake".into()
        )]
    );
    let tested = |taken, days: u32| OnCallFacts {
        tested: Some(ReceiverTest {
            receiver: "wake".into(),
            taken,
            at: now().minus(DAY * days),
        }),
        ..ON_CALL.clone()
    };
    assert!(said(&tested(false, 1))[0].0.contains("did not take"));
    assert!(said(&tested(true, 400))[0].0.contains("limit"));
    assert!(said(&tested(true, 1)).is_empty());
}

#[test]
fn an_audit_log_must_go_on_and_be_verified() {
    let said = |audit: Option<AuditFacts>| {
        failed(
            &judged_with(&system(), &facts(), audit.as_ref(), &[]),
            "audit",
        )
    };
    assert_eq!(said(Some(audit())), []);
    assert!(said(None)[0].0.contains("no audit log"));
    let with = |change: fn(&mut AuditFacts)| {
        let mut facts = audit();
        change(&mut facts);
        said(Some(facts))
    };
    let stopped = with(|log| log.defect = Some("the tiles and the journal differ".into()));
    assert!(stopped[0].0.contains("has stopped: the tiles"));
    let behind = with(|log| {
        log.behind = 3;
        log.checkpoint_at = Some(now().minus(Duration::from_mins(5)));
    });
    assert!(behind[0].0.ends_with("3 records under none"), "{behind:?}");
    let quiet = with(|log| log.checkpoint_at = Some(now().minus(Duration::from_hours(50))));
    assert_eq!(quiet, [], "nothing new needs no new checkpoint");
    let record = "plimsoll audit verify --record".to_owned();
    let never = with(|log| log.verified = None);
    assert_eq!(never, [("never verified".to_owned(), record.clone())]);
    let faulty = with(|log| log.verified = Some(verification(false)));
    assert_eq!(
        faulty,
        [("verified 7 h ago: 1 fault".to_owned(), record.clone())]
    );
    let old = with(|log| {
        let at = now().minus(Duration::from_hours(24 * 41));
        log.verified = log.verified.take().map(|last| Verification { at, ..last });
    });
    let text = "last verified 41 days ago, limit 30 days".to_owned();
    assert_eq!(old, [(text, record)]);
}

#[test]
fn a_deployment_that_overrode_its_approvals_stays_on_the_punch_list_until_it_is_reviewed() {
    let overriding = Deployment {
        cause: DeploymentCause::Command,
        break_glass: true,
        actor: "bob".into(),
        ..deployment()
    };
    let mut facts = facts();
    let current = facts.deployment.as_mut().unwrap();
    current.deployment = overriding.clone();
    let reviewed = judged_with(&system(), &facts, Some(&audit()), &[]);
    assert_eq!(failed(&reviewed, "versions"), []);
    let open = judged_with(&system(), &facts, Some(&audit()), &[overriding]);
    let said = failed(&open, "versions");
    assert!(
        said[0].0.starts_with("bob overrode the approvals"),
        "{said:?}"
    );
    assert!(said[0].1.starts_with("plimsoll release review "));
}

#[test]
fn a_drill_that_is_too_old_failed_or_missing_is_named_with_its_command() {
    let mut facts = facts();
    facts.drills.insert(
        FailureKind::Unavailable,
        drill(FailureKind::Unavailable, 41),
    );
    let wrong = Drill {
        passed: false,
        note: Some("no step".into()),
        ..drill(FailureKind::Wrong, 1)
    };
    facts.drills.insert(FailureKind::Wrong, wrong);
    facts.drills.remove(&FailureKind::Slow);
    let said = failed(&judged(&system(), &facts), "failure");
    let expected = [
        (
            "unavailable: last drilled 41 days ago, limit 30 days",
            "unavailable",
        ),
        ("wrong: the last drill failed: no step", "wrong"),
        ("slow: never drilled", "slow"),
    ];
    let command = |kind: &str| format!("plimsoll drill run loan-default {kind}");
    let expected: Vec<_> = expected
        .iter()
        .map(|(text, kind)| ((*text).to_owned(), command(kind)))
        .collect();
    assert_eq!(said, expected);
}

#[test]
fn a_safe_default_is_no_designed_answer() {
    let mut system = system();
    let designed = BTreeMap::from([(FailureKind::Malformed, vec![Step::Refuse])]);
    system.manifest.ladders = Ladders::new(designed, true);
    let said = failed(&judged(&system, &facts()), "failure");
    assert_eq!(said.len(), 1);
    assert!(
        said[0]
            .0
            .starts_with("adversarial, unavailable, slow, wrong, unsure"),
        "{said:?}"
    );
    assert!(said[0].1.contains("[on]"));
}

#[test]
fn observing_is_not_bounding() {
    let mut system = system();
    system.manifest.mode = Mode::Observe;
    assert!(!characteristic(&judged(&system, &facts()), "failure").met);
}

#[test]
fn too_few_answers_and_skipped_controls_are_failures() {
    let mut facts = facts();
    facts.answered -= 100;
    facts.with_skipped_controls = 1;
    let said = failed(&judged(&system(), &facts), "failure");
    assert_eq!(said[0].0, "answered 99.88 % of 84,112, target ≥ 99.9 %");
    assert_eq!(said[1].0, "1 decision with a control that did not run");
}

#[test]
fn a_target_of_quality_is_told_once() {
    let mut declared = system();
    // As the workspace gives it: what `[quality]` asks for is part of the bar.
    declared.quality = Some(QualitySpec {
        concurrency: 2,
        budget_per_day: None,
        dataset: None,
        every: None,
        sample: None,
        target: declared.bar.quality.clone(),
    });
    let report = judged(&declared, &facts());
    let quality = report
        .characteristics
        .iter()
        .find(|one| one.name == "quality");
    let told: Vec<&str> = quality
        .unwrap()
        .checks
        .iter()
        .map(|check| check.evidence.as_str())
        .collect();
    assert!(told.contains(&"target auc ≥ 0.92"), "{told:?}");
}

#[test]
fn nothing_recorded_is_no_evidence() {
    let facts = BarFacts {
        decisions: 0,
        with_known_release: 0,
        answerable: 0,
        answered: 0,
        cost: CostFacts::default(),
        ..facts()
    };
    let report = judged(&system(), &facts);
    for name in ["cost", "versions"] {
        assert!(
            failed(&report, name)[0]
                .0
                .starts_with("no decisions in 30 days"),
            "{name}"
        );
    }
}

#[test]
fn a_decision_without_a_known_release_is_below_the_line() {
    let facts = BarFacts {
        with_known_release: 84_111,
        ..facts()
    };
    let said = failed(&judged(&system(), &facts), "versions");
    assert_eq!(
        said[0].0,
        "84,111 of 84,112 decisions carry a known release"
    );
    let nowhere = BarFacts {
        deployment: None,
        ..facts
    };
    assert_eq!(
        failed(&judged(&system(), &nowhere), "versions")[0].0,
        "nothing is deployed"
    );
}

#[test]
fn owners_and_runbooks_are_asked_for() {
    let mut system = system();
    system.owner.on_call = None;
    let mut facts = facts();
    facts.runbook_run = None;
    let said = failed(&judged(&system, &facts), "ownership");
    assert_eq!(said[0].0, "nobody is named: on_call");
    assert_eq!(
        said[1],
        (
            "runbook never tried".into(),
            "plimsoll runbook run loan-default".into()
        )
    );
    system.runbook = None;
    assert_eq!(
        failed(&judged(&system, &facts), "ownership")[1].0,
        "there is no runbook"
    );
}

#[test]
fn the_bar_reads_as_in_the_manual() {
    let mut facts = facts();
    facts.drills.insert(
        FailureKind::Unavailable,
        drill(FailureKind::Unavailable, 41),
    );
    let report = judged_on(&quality::watched(), &facts, &quality::run());
    let text = render(&report, 120, Paint::Plain);
    insta::assert_snapshot!(text);
}
