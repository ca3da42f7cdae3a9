//! Following other nodes: their events make run here what stands, and nothing is written.

use plimsoll_core::deployment::{Halt, Slot};
use plimsoll_core::record::Deployment;
use plimsoll_core::{Digest, ReleaseId};
use plimsoll_gateway::ApplyError;
use serde_json::json;

use crate::contracts::loan;
use crate::releases::{answer, stricter};
use crate::support::{self, TestNode, by, canary, decisions_of, order, the_loan, write};

/// Two nodes of one environment, with the same files.
async fn pair() -> (TestNode, TestNode) {
    let server = |node: &str| {
        format!("[server]\ndata_address = \"127.0.0.1:0\"\nworkers = 1\nnode = \"{node}\"\n")
    };
    let (one, two) = (server("node-1"), server("node-2"));
    let with = |server| {
        let mut files = loan();
        files.push(("plimsoll.toml", server));
        files
    };
    (
        TestNode::start(&with(&one)).await,
        TestNode::start(&with(&two)).await,
    )
}

/// A second release, kept by `node` alone.
async fn make(node: &TestNode) -> ReleaseId {
    write(node.dir.path(), &[("systems/loan/rules.toml", &stricter())]);
    let workspace = support::load(node.dir.path());
    let system = the_loan();
    let made = node.node.create_release(&workspace, &system, "eve", None);
    let made = made.await.unwrap().id;
    write(node.dir.path(), &loan());
    made
}

fn carry(from: &TestNode, to: &TestNode, parts: &[Digest]) {
    for digest in parts {
        let part = from
            .blobs()
            .get(*digest)
            .unwrap()
            .expect("the other node keeps it");
        to.blobs().put(&part).unwrap();
    }
}

/// Applies an event, fetching what is missing.
async fn follow(from: &TestNode, to: &TestNode, event: &Deployment) -> bool {
    loop {
        match to.node.apply(event).await {
            Ok(is_news) => return is_news,
            Err(ApplyError::MissingBlobs(missing)) => carry(from, to, &missing),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_release_that_another_node_deployed_runs_here_once_its_parts_are_here() {
    let (one, two) = pair().await;
    let made = make(&one).await;
    let event = one
        .node
        .deploy(order(&the_loan(), Slot::Stable, made))
        .await
        .unwrap();
    let before = two.deployments().await.len();

    let missing = two.node.apply(&event).await.unwrap_err();
    assert!(
        matches!(&missing, ApplyError::MissingBlobs(parts) if parts[..] == [made.0]),
        "{missing}"
    );
    assert_eq!(answer(&two).await, "approve", "what ran goes on");
    let status = two.node.systems().remove(0);
    assert_eq!(status.awaited, Some(made), "and it is seen to wait");
    assert_eq!(two.node.missing_parts(made).unwrap(), [made.0]);
    carry(&one, &two, &[made.0]);
    let rules = Digest::of(stricter().as_bytes());
    assert_eq!(two.node.missing_parts(made).unwrap(), [rules]);
    follow(&one, &two, &event).await;
    assert_eq!(answer(&two).await, "decline");
    assert_eq!(two.node.systems().remove(0).awaited, None);
    let decision = two.closed().await.pop().unwrap();
    assert_eq!((decision.release, decision.deployment), (made, event.id));

    assert!(!two.node.apply(&event).await.unwrap(), "again is no news");
    assert_eq!(two.deployments().await.len(), before, "nothing was written");
}

#[tokio::test]
async fn an_older_event_that_comes_late_brings_nothing_back() {
    let (one, two) = pair().await;
    let made = make(&one).await;
    let forward = one
        .node
        .deploy(order(&the_loan(), Slot::Stable, made))
        .await
        .unwrap();
    let back = one
        .node
        .rollback(&the_loan(), None, by("ada"))
        .await
        .unwrap();
    assert!(follow(&one, &two, &back).await);
    assert!(
        follow(&one, &two, &forward).await,
        "it is news, and changes nothing"
    );
    assert_eq!(answer(&two).await, "approve");
    carry(&one, &two, &[made.0, Digest::of(stricter().as_bytes())]);
    let again = two
        .node
        .rollback(&the_loan(), Some(made), by("bob"))
        .await
        .unwrap();
    assert!(
        again.at > back.at,
        "what is said now is later than all that is known"
    );
    assert_eq!(answer(&two).await, "decline");
    for event in two.deployments().await {
        follow(&two, &one, &event).await;
    }
    assert_eq!(answer(&one).await, "decline");
}

#[tokio::test]
async fn canaries_and_halts_of_another_node_hold_here() {
    let (one, two) = pair().await;
    let made = make(&one).await;
    let begun = one
        .node
        .deploy(order(&the_loan(), canary(50), made))
        .await
        .unwrap();
    let grown = one
        .node
        .deploy(order(&the_loan(), canary(60), made))
        .await
        .unwrap();
    for event in [&grown, &begun] {
        follow(&one, &two, event).await;
    }
    let answer_of = async |node: &TestNode, unit: &str| {
        let body = json!({"input": {"amount": 20, "city": "Bonn"}});
        let path = decisions_of("loan");
        let row = node
            .post_with(&path, &body, &[("plimsoll-unit", unit)])
            .await
            .json();
        row["answer"]["decision"].clone()
    };
    for unit in 0..40 {
        let unit = unit.to_string();
        let (here, there) = (answer_of(&two, &unit).await, answer_of(&one, &unit).await);
        assert_eq!(here, there, "unit {unit} is assigned alike");
    }
    let reason = Some("prices are wrong".to_owned());
    let halt = one
        .node
        .intervene(&the_loan(), Halt::Halted, "ada", reason)
        .await
        .unwrap();
    assert!(two.node.apply(&halt).await.unwrap());
    assert_eq!(answer(&two).await, "", "no answer is given");
    let resume = two
        .node
        .intervene(&the_loan(), Halt::Resumed, "bob", None)
        .await
        .unwrap();
    one.node.apply(&resume).await.unwrap();
    assert_eq!(answer_of(&one, "1").await, answer_of(&two, "1").await);
    assert_ne!(answer(&one).await, "");
}

#[tokio::test]
async fn a_node_that_goes_on_with_what_it_knew_brings_nothing_back() {
    let (one, two) = pair().await;
    let made = make(&one).await;
    let forward = one
        .node
        .deploy(order(&the_loan(), Slot::Stable, made))
        .await
        .unwrap();
    // The other node has not heard of it, and reads new prices.
    let prices = "[[price]]\nprovider = \"main\"\nmodel = \"m\"\nfrom = 2026-01-01\n\
        input_per_million = \"1\"\noutput_per_million = \"2\"\nsource = \"tests\"\n";
    write(two.dir.path(), &[("prices.toml", prices)]);
    assert!(two.reload().await.rejected.is_none());
    let events = two.deployments().await;
    assert!(events.last().unwrap().at > forward.at);
    for event in &events {
        follow(&two, &one, event).await;
    }
    assert_eq!(answer(&one).await, "decline");
    follow(&one, &two, &forward).await;
    assert_eq!(answer(&two).await, "decline");
}

#[tokio::test]
async fn events_of_other_environments_and_systems_change_nothing_here() {
    let (one, two) = pair().await;
    let made = make(&one).await;
    let event = one
        .node
        .deploy(order(&the_loan(), Slot::Stable, made))
        .await
        .unwrap();
    let mut elsewhere = event.clone();
    elsewhere.environment = plimsoll_core::EnvironmentName::new("staging").unwrap();
    assert!(!two.node.apply(&elsewhere).await.unwrap());
    let mut unknown = event;
    unknown.system = plimsoll_core::SystemName::new("other").unwrap();
    assert!(two.node.apply(&unknown).await.unwrap());
    assert_eq!(answer(&two).await, "approve");
}

#[tokio::test]
async fn a_node_that_starts_without_the_parts_of_what_stands_serves_it_once_they_are_here() {
    let (one, two) = pair().await;
    let made = make(&one).await;
    let event = one
        .node
        .deploy(order(&the_loan(), Slot::Stable, made))
        .await
        .unwrap();
    carry(&one, &two, &[made.0, Digest::of(stricter().as_bytes())]);
    let dir = one.stop().await;
    let manifest = support::load(dir.path()).storage.path.join("blobs");
    let (first, rest) = (&made.to_string()[..2], &made.to_string()[2..]);
    std::fs::remove_file(manifest.join(first).join(rest)).unwrap();
    let one = TestNode::start_in(dir).await;
    assert_eq!(answer(&one).await, "", "never another release in its name");
    let status = one.node.systems().remove(0);
    assert_eq!(
        (status.deployment.release, status.awaited),
        (made, Some(made))
    );
    assert!(!one.node.readiness().ready);
    follow(&two, &one, &event).await;
    assert_eq!(answer(&one).await, "decline");
    assert!(one.node.readiness().ready);
}
