//! Releases, deployment events and reload.

use plimsoll_core::Record;
use plimsoll_core::record::{Deployment, DeploymentCause};
use plimsoll_spec::{Environment, load};
use serde_json::json;

use crate::contracts::loan;
use crate::support::{self, RULES, TestNode, decisions_of, write};

struct NoEnvironment;

impl Environment for NoEnvironment {
    fn var(&self, _: &str) -> Option<String> {
        None
    }
}

async fn deployments(node: &TestNode) -> Vec<Deployment> {
    let deployment = |record| match record {
        Record::Deployment(deployment) => Some(*deployment),
        _ => None,
    };
    node.records()
        .await
        .into_iter()
        .filter_map(deployment)
        .collect()
}

async fn answer(node: &TestNode) -> String {
    let body = json!({"input": {"amount": 20, "city": "Bonn"}});
    let row = node.post(&decisions_of("loan"), &body).await.json();
    row["answer"]["decision"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn stricter() -> String {
    RULES.replace("approve", "decline")
}

#[tokio::test]
async fn a_changed_manifest_makes_a_release_and_deploys_itself_where_stakes_allow() {
    let node = TestNode::start(&loan()).await;
    assert_eq!(answer(&node).await, "approve");
    write(node.dir.path(), &[("systems/loan/rules.toml", &stricter())]);
    let report = node
        .node
        .reload(load(node.dir.path(), &NoEnvironment))
        .await;
    assert_eq!(report.deployed.len(), 1, "{report:?}");
    assert_eq!(answer(&node).await, "decline");
    let events = deployments(&node).await;
    let causes: Vec<_> = events.iter().map(|event| event.cause).collect();
    assert_eq!(causes, [DeploymentCause::First, DeploymentCause::Reload]);
    let closed = node.closed().await;
    assert_eq!(closed[0].release, events[0].release);
    assert_eq!(closed[1].release, events[1].release);
    assert_eq!(closed[1].deployment, events[1].id);
}

#[tokio::test]
async fn a_bad_workspace_leaves_the_old_one_serving_and_says_so() {
    let node = TestNode::start(&loan()).await;
    write(
        node.dir.path(),
        &[("systems/loan/rules.toml", "[[rule]]\nwhen = \"inputs.\"")],
    );
    let report = node
        .node
        .reload(load(node.dir.path(), &NoEnvironment))
        .await;
    assert!(report.rejected.is_some());
    assert_eq!(answer(&node).await, "approve");
    let readiness = node.node.readiness();
    assert!(readiness.ready);
    assert!(
        readiness.detail["workspace_rejected"]
            .as_str()
            .unwrap()
            .contains("rules.toml")
    );
    assert!(
        node.node
            .metrics()
            .contains("plimsoll_workspace_rejected 1")
    );
}

#[tokio::test]
async fn high_stakes_wait_for_an_approval_and_go_on_with_the_old_release_after_a_restart() {
    let system = loan()[0].1.replace("stakes = \"low\"", "stakes = \"high\"");
    let mut files = loan();
    files[0].1 = &system;
    let node = TestNode::start(&files).await;
    write(node.dir.path(), &[("systems/loan/rules.toml", &stricter())]);
    let report = node
        .node
        .reload(load(node.dir.path(), &NoEnvironment))
        .await;
    assert_eq!(
        (report.deployed.len(), report.pending.len()),
        (0, 1),
        "{report:?}"
    );
    assert_eq!(answer(&node).await, "approve");
    let node = TestNode::start_in(node.stop().await).await;
    assert_eq!(
        answer(&node).await,
        "approve",
        "built from the blobs of the deployed release"
    );
    let status = node.node.systems().remove(0);
    let newer = status.pending.expect("a release waits");
    let name = &status.system.name;
    let alone = node
        .node
        .deploy(name, newer, "ada", None, vec!["ada".into()])
        .await;
    assert!(alone.is_err(), "nobody approves their own");
    let approved = node
        .node
        .deploy(name, newer, "ada", None, vec!["bob".into()])
        .await
        .unwrap();
    assert_eq!(answer(&node).await, "decline");
    assert_eq!(deployments(&node).await.last().unwrap().id, approved.id);
}

#[tokio::test]
async fn each_start_writes_a_deployment_event() {
    let node = TestNode::start(&loan()).await;
    let node = TestNode::start_in(node.stop().await).await;
    let causes: Vec<_> = deployments(&node)
        .await
        .iter()
        .map(|event| event.cause)
        .collect();
    assert_eq!(causes, [DeploymentCause::First, DeploymentCause::Start]);
    support::load(node.dir.path());
}
