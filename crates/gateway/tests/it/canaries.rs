//! A canary answers for its share of the units of work, and each unit stays where it was assigned.

use std::collections::BTreeMap;

use plimsoll_core::deployment::{Slot, Weight};
use plimsoll_core::{FailureKind, ReleaseId, TenantName};
use plimsoll_gateway::{Aim, DeployError, Question};
use serde_json::{Value, json};

use crate::contracts::loan;
use crate::releases::stricter;
use crate::support::{self, TestNode, canary, decisions_of, order, the_loan, write};

const STABLE: &str = "approve";
const CANARY: &str = "decline";

/// A node with a second release that is kept and not deployed.
async fn start() -> (TestNode, ReleaseId, ReleaseId) {
    let node = TestNode::start(&loan()).await;
    write(node.dir.path(), &[("systems/loan/rules.toml", &stricter())]);
    let workspace = support::load(node.dir.path());
    let system = the_loan();
    let made = node.node.create_release(&workspace, &system, "eve", None);
    let made = made.await.unwrap().id;
    write(node.dir.path(), &loan());
    let stable = node.node.systems()[0].deployment.release;
    (node, stable, made)
}

async fn point(node: &TestNode, slot: Slot, release: ReleaseId) {
    let order = order(&the_loan(), slot, release);
    node.node.deploy(order).await.unwrap();
}

async fn answer_of(node: &TestNode, header: &'static str, key: &str) -> String {
    let body = json!({"input": {"amount": 20, "city": "Bonn"}});
    let path = decisions_of("loan");
    let row = node.post_with(&path, &body, &[(header, key)]).await.json();
    row["answer"]["decision"].as_str().unwrap().to_owned()
}

async fn answers(node: &TestNode, units: &[String]) -> Vec<String> {
    let mut answers = Vec::with_capacity(units.len());
    for unit in units {
        answers.push(answer_of(node, "plimsoll-unit", unit).await);
    }
    answers
}

fn share(answers: &[String]) -> usize {
    answers.iter().filter(|answer| *answer == CANARY).count()
}

#[tokio::test]
async fn a_canary_has_its_share_and_keeps_whom_it_had_while_it_grows_and_over_a_restart() {
    let (node, stable, made) = start().await;
    let units: Vec<String> = (0..200).map(|n| format!("application-{n}")).collect();
    point(&node, canary(20), made).await;
    let small = answers(&node, &units).await;
    assert!(
        (20..60).contains(&share(&small)),
        "{} of 200 at 20 %",
        share(&small)
    );
    point(&node, canary(50), made).await;
    let large = answers(&node, &units).await;
    assert!(
        (70..130).contains(&share(&large)),
        "{} of 200 at 50 %",
        share(&large)
    );
    let stayed = small.iter().zip(&large);
    assert!(
        stayed
            .filter(|(then, _)| *then == CANARY)
            .all(|(_, now)| now == CANARY)
    );

    let node = TestNode::start_in(node.stop().await).await;
    assert_eq!(answers(&node, &units).await, large);
    let events = node.deployments().await;
    let latest = events.iter().rfind(|event| event.slot == canary(50));
    for decision in node.closed().await.iter().rev().take(200) {
        let is_stable = decision.release == stable;
        assert!(is_stable || decision.release == made);
        assert!(is_stable || Some(decision.deployment) == latest.map(|event| event.id));
    }
    let status = node.node.systems().remove(0).canary.unwrap();
    assert_eq!(
        (status.deployment.release, status.weight),
        (made, Weight::new(5000).unwrap())
    );
}

#[tokio::test]
async fn whoever_names_no_unit_is_assigned_by_session_subject_or_key() {
    let (node, _, made) = start().await;
    point(&node, canary(50), made).await;
    for header in ["plimsoll-session", "plimsoll-subject", "idempotency-key"] {
        let mut found = Vec::new();
        for n in 0..40 {
            found.push(answer_of(&node, header, &format!("{n}")).await);
        }
        assert!(
            (5..35).contains(&share(&found)),
            "{header}: {}",
            share(&found)
        );
    }
    let by_session = answer_of(&node, "plimsoll-session", "7").await;
    let by_unit = answer_of(&node, "plimsoll-unit", "7").await;
    assert_eq!(by_session, by_unit, "the same key, the same release");
}

#[tokio::test]
async fn the_rows_of_a_batch_go_one_way() {
    let (node, _, made) = start().await;
    point(&node, canary(50), made).await;
    let row = json!({"amount": 20, "city": "Bonn"});
    let body = json!({"inputs": vec![row; 50]});
    for unit in 0..8 {
        let unit = unit.to_string();
        let path = decisions_of("loan");
        let batch = node
            .post_with(&path, &body, &[("plimsoll-unit", &unit)])
            .await
            .json();
        let rows = batch["decisions"].as_array().unwrap();
        let of_call = |row: &Value| row["release"] == batch["release"];
        assert!(rows.iter().all(of_call), "{batch}");
    }
}

#[tokio::test]
async fn drills_and_tests_take_the_stable_release_unless_told() {
    let (node, stable, made) = start().await;
    point(&node, canary(100), made).await;
    let system = the_loan();
    let input = json!({"amount": 20, "city": "Bonn"});
    let drill = async |aim| {
        let kind = FailureKind::Unavailable;
        node.node
            .drill((&system, aim), kind, input.clone(), "ada")
            .await
            .unwrap()
            .release
    };
    assert_eq!(drill(Aim::Stable).await, stable);
    assert_eq!(drill(Aim::Canary).await, made);
    let ask = async |aim| {
        let question = Question {
            system: system.clone(),
            tenant: TenantName::default_tenant(),
            input: input.clone(),
            given: BTreeMap::new(),
            unit: None,
            aim,
        };
        node.node
            .ask(question)
            .await
            .map(|asked| asked.decision.release)
    };
    assert_eq!(ask(Aim::default()).await.unwrap(), stable);
    assert_eq!(ask(Aim::Canary).await.unwrap(), made);
    assert_eq!(ask(Aim::Assigned).await.unwrap(), made);
    point(&node, canary(0), made).await;
    assert!(ask(Aim::Canary).await.is_err(), "there is none any more");
}

#[tokio::test]
async fn a_canary_ends_or_is_promoted() {
    let (node, stable, made) = start().await;
    let none = node.node.deploy(order(&the_loan(), canary(0), made)).await;
    assert!(matches!(none, Err(DeployError::Unfit(_))), "{none:?}");
    let same = node
        .node
        .deploy(order(&the_loan(), canary(5), stable))
        .await;
    assert!(matches!(same, Err(DeployError::Unfit(_))), "{same:?}");

    point(&node, canary(100), made).await;
    assert_eq!(answer_of(&node, "plimsoll-unit", "1").await, CANARY);
    point(&node, canary(0), made).await;
    assert_eq!(answer_of(&node, "plimsoll-unit", "1").await, STABLE);

    point(&node, canary(1), made).await;
    point(&node, Slot::Stable, made).await;
    assert_eq!(answer_of(&node, "plimsoll-unit", "1").await, CANARY);
    let status = node.node.systems().remove(0);
    assert!(status.canary.is_none());
    assert_eq!(status.deployment.release, made);
    assert_eq!(
        status.pending,
        Some(stable),
        "the files still say the other"
    );
}

#[tokio::test]
async fn a_reload_leaves_a_canary_alone() {
    let (node, _, made) = start().await;
    point(&node, canary(100), made).await;
    let purpose = loan()[0].1.replace("loans in tests", "loans");
    write(node.dir.path(), &[("systems/loan/system.toml", &purpose)]);
    assert!(node.reload().await.rejected.is_none());
    assert_eq!(answer_of(&node, "plimsoll-unit", "1").await, CANARY);
}
