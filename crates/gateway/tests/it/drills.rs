//! Drills: a failure caused on purpose takes the designed ladder, or the drill fails.

use plimsoll_core::{FailureKind, SystemName};
use plimsoll_gateway::Aim;
use serde_json::json;

use crate::contracts::loan;
use crate::support::TestNode;

#[tokio::test]
async fn each_designed_ladder_is_seen_to_happen_and_a_default_is_named_as_one() {
    let designed = format!(
        "{}\n[models.other]\nrules = \"rules.toml\"\n[on]\nunavailable = [\"other\", \"refuse\"]\noverload = [\"shed\"]\n",
        loan()[0].1
    );
    let mut files = loan();
    files[0].1 = &designed;
    let node = TestNode::start(&files).await;
    let system = SystemName::new("loan").unwrap();
    let input = json!({"amount": 20, "city": "Bonn"});
    let drill = async |kind| {
        node.node
            .drill((&system, Aim::Stable), kind, input.clone(), "ada")
            .await
            .unwrap()
    };
    let unavailable = drill(FailureKind::Unavailable).await;
    assert!(unavailable.passed, "{unavailable:?}");
    assert_eq!(unavailable.taken.len(), 1);
    assert!(drill(FailureKind::Overload).await.passed);
    let slow = drill(FailureKind::Slow).await;
    assert_eq!(slow.note.unwrap(), "the ladder is the safe default");
    let closed = node.closed().await;
    assert_eq!(closed.len(), 3);
    assert!(closed.iter().all(|decision| decision.drill.is_some()));
}
