//! Releases, deployment events and reload.

use std::future::Future as _;
use std::task::Poll;

use plimsoll_core::deployment::{Slot, Standing};
use plimsoll_core::governance::Approval;
use plimsoll_core::record::{DeploymentCause, ReleaseRecord};
use plimsoll_core::{Digest, EnvironmentName, EventId, Record, ReleaseId, Timestamp};
use plimsoll_gateway::{ApprovalRule, DeployError, ReleaseError};
use plimsoll_spec::{Environment, load};
use serde_json::json;

use crate::contracts::loan;
use crate::support::{self, RULES, TestNode, by, decisions_of, order, the_loan, write};

struct NoEnvironment;

impl Environment for NoEnvironment {
    fn var(&self, _: &str) -> Option<String> {
        None
    }
}

pub(crate) async fn answer(node: &TestNode) -> String {
    let body = json!({"input": {"amount": 20, "city": "Bonn"}});
    let row = node.post(&decisions_of("loan"), &body).await.json();
    row["answer"]["decision"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

pub(crate) fn stricter() -> String {
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
    let events = node.deployments().await;
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
    let system = the_loan();
    let mut alone = order(&system, Slot::Stable, newer);
    alone.mandate.approvals = vec![approval(newer, "ada")];
    let refused = node.node.deploy(alone.clone()).await;
    assert!(refused.is_err(), "nobody approves their own");
    alone.mandate.approvals.push(approval(newer, "bob"));
    let approved = node.node.deploy(alone).await.unwrap();
    assert_eq!(approved.approvals, ["bob"]);
    assert_eq!(answer(&node).await, "decline");
    assert_eq!(node.deployments().await.last().unwrap().id, approved.id);
}

fn approval(release: ReleaseId, actor: &str) -> Approval {
    let at = Timestamp::from_micros(1);
    Approval {
        id: EventId::new(at),
        system: the_loan(),
        environment: EnvironmentName::new("production").unwrap(),
        release,
        actor: actor.to_owned(),
        role: "approver".to_owned(),
        note: None,
        at,
    }
}

fn high_stakes() -> String {
    loan()[0].1.replace("stakes = \"low\"", "stakes = \"high\"")
}

/// A node at high stakes whose files say a second release, which waits.
async fn waiting() -> (TestNode, ReleaseId, ReleaseId) {
    let system = high_stakes();
    let mut files = loan();
    files[0].1 = &system;
    let node = TestNode::start(&files).await;
    write(node.dir.path(), &[("systems/loan/rules.toml", &stricter())]);
    node.reload().await;
    let status = node.node.systems().remove(0);
    let newer = status.pending.expect("a release waits");
    (node, status.deployment.release, newer)
}

#[tokio::test]
async fn approvals_count_of_other_people_in_the_role_and_of_this_release_only() {
    let (node, older, newer) = waiting().await;
    let mut order = order(&the_loan(), Slot::Stable, newer);
    order.mandate.author = Some("eve".into());
    order.mandate.rule = Some(ApprovalRule {
        count: 2,
        role: Some("approver".into()),
    });
    let mut reader = approval(newer, "rita");
    reader.role = "auditor".into();
    let mut elsewhere = approval(newer, "sam");
    elsewhere.environment = EnvironmentName::new("staging").unwrap();
    order.mandate.approvals = vec![
        approval(newer, "ada"),
        approval(newer, "eve"),
        approval(older, "tim"),
        approval(newer, "bob"),
        approval(newer, "bob"),
        reader,
        elsewhere,
    ];
    let refused = node.node.deploy(order.clone()).await.unwrap_err();
    let counted = matches!(
        refused,
        DeployError::Approvals {
            needed: 2,
            given: 1,
            ..
        }
    );
    assert!(counted, "{refused}");
    assert!(
        refused.to_string().contains("in the role `approver`"),
        "{refused}"
    );
    order.mandate.approvals.push(approval(newer, "joe"));
    let event = node.node.deploy(order).await.unwrap();
    assert_eq!(event.approvals, ["bob", "joe"]);
    assert!(!event.break_glass);
}

#[tokio::test]
async fn glass_is_broken_only_with_a_reason_and_the_event_says_so() {
    let (node, _, newer) = waiting().await;
    let mut order = order(&the_loan(), Slot::Stable, newer);
    order.mandate.break_glass = true;
    assert!(node.node.deploy(order.clone()).await.is_err());
    order.mandate.reason = Some("every applicant is refused".into());
    let event = node.node.deploy(order.clone()).await.unwrap();
    assert!(event.break_glass);
    assert_eq!(answer(&node).await, "decline");
    order.mandate.approvals = vec![approval(newer, "bob")];
    let approved = node.node.deploy(order).await.unwrap();
    assert!(!approved.break_glass, "nothing was overridden");
}

#[tokio::test]
async fn a_rollback_at_high_stakes_needs_no_approval_to_what_was_approved_before() {
    let (node, older, newer) = waiting().await;
    let system = the_loan();
    let nothing = node.node.rollback(&system, None, by("ada")).await;
    assert!(nothing.is_err(), "there is nothing to go back to");
    let mut forward = order(&system, Slot::Stable, newer);
    forward.mandate.approvals = vec![approval(newer, "bob")];
    let forward = node.node.deploy(forward).await.unwrap();
    let back = node.node.rollback(&system, None, by("ada")).await.unwrap();
    assert_eq!((back.release, back.rollback_of), (older, Some(forward.id)));
    assert_eq!(answer(&node).await, "approve");
    let forth = node.node.rollback(&system, None, by("ada")).await;
    assert!(
        forth.is_err(),
        "back is never forward to what was taken back"
    );
    let named = node
        .node
        .rollback(&system, Some(newer), by("ada"))
        .await
        .unwrap();
    assert_eq!(named.release, newer, "it was approved before");
    let node = TestNode::start_in(node.stop().await).await;
    assert_eq!(answer(&node).await, "decline");
    node.node.rollback(&system, None, by("ada")).await.unwrap();
    assert_eq!(answer(&node).await, "approve");
}

#[tokio::test]
async fn a_way_back_to_what_only_broke_glass_is_to_be_approved() {
    let (node, older, newer) = waiting().await;
    let system = the_loan();
    let mut forward = order(&system, Slot::Stable, newer);
    forward.mandate.break_glass = true;
    forward.mandate.reason = Some("in a hurry".into());
    node.node.deploy(forward).await.unwrap();
    node.node
        .rollback(&system, Some(older), by("ada"))
        .await
        .unwrap();
    let again = node.node.rollback(&system, Some(newer), by("ada")).await;
    assert!(
        matches!(again, Err(DeployError::Approvals { .. })),
        "{again:?}"
    );
}

#[tokio::test]
async fn what_was_rolled_back_stays_so_over_reloads_and_restarts_until_the_files_change() {
    let node = TestNode::start(&loan()).await;
    write(node.dir.path(), &[("systems/loan/rules.toml", &stricter())]);
    node.reload().await;
    assert_eq!(answer(&node).await, "decline");
    node.node
        .rollback(&the_loan(), None, by("ada"))
        .await
        .unwrap();
    assert_eq!(answer(&node).await, "approve");

    let unrelated = loan()[0].1.replace("loans in tests", "loans");
    write(node.dir.path(), &[("systems/loan/system.toml", &unrelated)]);
    let report = node.reload().await;
    assert!(report.deployed.is_empty(), "{report:?}");
    assert_eq!(answer(&node).await, "approve");
    assert_eq!(node.node.systems()[0].system.purpose, "Decide about loans");

    let node = TestNode::start_in(node.stop().await).await;
    assert_eq!(answer(&node).await, "approve");
    let pending = node.node.systems().remove(0).pending;
    assert!(pending.is_some(), "the newer release is shown to wait");
    node.reload().await;
    assert_eq!(answer(&node).await, "approve");

    let third = RULES.replace("approve", "hold");
    write(node.dir.path(), &[("systems/loan/rules.toml", &third)]);
    let report = node.reload().await;
    assert_eq!(report.deployed.len(), 1, "{report:?}");
    assert_eq!(answer(&node).await, "hold");
    write(node.dir.path(), &[("systems/loan/rules.toml", &stricter())]);
    node.reload().await;
    assert_eq!(
        answer(&node).await,
        "decline",
        "the files changed to it once more"
    );
}

#[tokio::test]
async fn files_that_changed_to_the_stable_release_and_back_deploy_again() {
    let node = TestNode::start(&loan()).await;
    write(node.dir.path(), &[("systems/loan/rules.toml", &stricter())]);
    node.reload().await;
    node.node
        .rollback(&the_loan(), None, by("ada"))
        .await
        .unwrap();
    write(node.dir.path(), &[("systems/loan/rules.toml", RULES)]);
    node.reload().await;
    assert_eq!(answer(&node).await, "approve");
    write(node.dir.path(), &[("systems/loan/rules.toml", &stricter())]);
    node.reload().await;
    assert_eq!(answer(&node).await, "decline");
}

#[tokio::test]
async fn files_that_changed_while_the_node_was_down_deploy_at_the_start() {
    let node = TestNode::start(&loan()).await;
    let dir = node.stop().await;
    write(dir.path(), &[("systems/loan/rules.toml", &stricter())]);
    let node = TestNode::start_in(dir).await;
    assert_eq!(answer(&node).await, "decline");
    let events = node.deployments().await;
    let causes: Vec<_> = events.iter().map(|event| event.cause).collect();
    assert_eq!(causes, [DeploymentCause::First, DeploymentCause::Reload]);
    let standing = Standing::fold(&events).stable.unwrap();
    assert_eq!(standing.release, node.node.systems()[0].deployment.release);
}

#[tokio::test]
async fn a_release_is_made_with_its_note_and_not_deployed() {
    let node = TestNode::start(&loan()).await;
    write(node.dir.path(), &[("systems/loan/rules.toml", &stricter())]);
    let (workspace, system) = (support::load(node.dir.path()), the_loan());
    let note = Some("stricter in Ulm".to_owned());
    let made = node
        .node
        .create_release(&workspace, &system, "eve", note.clone());
    let made = made.await.unwrap();
    assert_eq!(answer(&node).await, "approve");
    assert_eq!((made.author.as_str(), &made.note), ("eve", &note));
    assert_eq!(made.parent, Some(node.node.systems()[0].deployment.release));
    let kept = node.records().await;
    assert!(kept.contains(&Record::Release(Box::new(made.clone()))));
    let mut order = order(&system, Slot::Stable, made.id);
    order.mandate.note = note;
    let event = node.node.deploy(order).await.unwrap();
    assert_eq!(event.note.as_deref(), Some("stricter in Ulm"));
    assert_eq!(answer(&node).await, "decline");
}

#[tokio::test]
async fn a_release_is_carried_to_another_node_whole_or_not_at_all() {
    let (from, to) = (
        TestNode::start(&loan()).await,
        TestNode::start(&loan()).await,
    );
    write(from.dir.path(), &[("systems/loan/rules.toml", &stricter())]);
    let (workspace, system) = (support::load(from.dir.path()), the_loan());
    let made = from.node.create_release(&workspace, &system, "eve", None);
    let made = made.await.unwrap();
    let exported = from.node.export_release(made.id).unwrap();
    assert_eq!((exported.id, &exported.manifest), (made.id, &made.manifest));

    let mut renamed = made.clone();
    renamed.manifest.in_flight_max += 1;
    let mut changed = exported.blobs.clone();
    changed.values_mut().next().unwrap().push(b' ');
    let mut short = exported.blobs.clone();
    short.remove(&Digest::of(stricter().as_bytes())).unwrap();
    let import =
        async |record: &ReleaseRecord, blobs| to.node.import_release(record.clone(), blobs).await;
    let refused = import(&renamed, &exported.blobs).await;
    assert!(
        matches!(refused, Err(ReleaseError::Renamed { .. })),
        "{refused:?}"
    );
    let refused = import(&made, &changed).await;
    assert!(
        matches!(refused, Err(ReleaseError::Changed(_))),
        "{refused:?}"
    );
    let refused = import(&made, &short).await;
    assert!(
        matches!(refused, Err(ReleaseError::Missing(_))),
        "{refused:?}"
    );
    let unknown = to.node.deploy(order(&system, Slot::Stable, made.id)).await;
    assert!(
        matches!(unknown, Err(DeployError::NoRelease(_))),
        "{unknown:?}"
    );

    import(&made, &exported.blobs).await.unwrap();
    assert_eq!(to.node.export_release(made.id).unwrap(), exported);
    to.node
        .deploy(order(&system, Slot::Stable, made.id))
        .await
        .unwrap();
    assert_eq!(answer(&to).await, "decline");
}

#[tokio::test]
async fn changes_at_the_same_time_lose_nothing() {
    let node = TestNode::start(&loan()).await;
    write(node.dir.path(), &[("systems/loan/rules.toml", &stricter())]);
    let (workspace, system) = (support::load(node.dir.path()), the_loan());
    let made = node.node.create_release(&workspace, &system, "eve", None);
    let made = made.await.unwrap();
    let first = node.node.systems()[0].deployment.release;
    let deploys = [made.id, first, made.id, first];
    let deploys = deploys.map(|release| node.node.deploy(order(&system, Slot::Stable, release)));
    let reloads = (0..3).map(|_| node.reload());
    let (deployed, _) = tokio::join!(
        futures_util::future::join_all(deploys),
        futures_util::future::join_all(reloads)
    );
    assert!(deployed.iter().all(Result::is_ok), "{deployed:?}");
    let events = node.deployments().await;
    let standing = Standing::fold(&events).stable.unwrap();
    assert_eq!(standing.id, node.node.systems()[0].deployment.id);
    assert!(events.is_sorted_by_key(|event| event.at));
}

#[tokio::test]
async fn what_was_begun_is_carried_out_also_if_whoever_asked_goes_away() {
    let node = TestNode::start(&loan()).await;
    write(node.dir.path(), &[("systems/loan/rules.toml", &stricter())]);
    let (workspace, system) = (support::load(node.dir.path()), the_loan());
    let made = node
        .node
        .create_release(&workspace, &system, "eve", None)
        .await
        .unwrap();
    let mut deploying = Box::pin(node.node.deploy(order(&system, Slot::Stable, made.id)));
    let asked = std::future::poll_fn(|cx| Poll::Ready(deploying.as_mut().poll(cx))).await;
    assert!(
        asked.is_pending(),
        "it was not done when whoever asked went away"
    );
    drop(deploying);
    for _ in 0..200 {
        if answer(&node).await == "decline" {
            let standing = Standing::fold(&node.deployments().await).stable.unwrap();
            return assert_eq!(standing.release, made.id);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the deployment was not carried out in two seconds");
}

#[tokio::test]
async fn each_start_writes_a_deployment_event() {
    let node = TestNode::start(&loan()).await;
    let node = TestNode::start_in(node.stop().await).await;
    let causes: Vec<_> = node
        .deployments()
        .await
        .iter()
        .map(|event| event.cause)
        .collect();
    assert_eq!(causes, [DeploymentCause::First, DeploymentCause::Start]);
    support::load(node.dir.path());
}
