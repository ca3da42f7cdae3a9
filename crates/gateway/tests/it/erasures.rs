//! What memory holds of decisions goes when they are erased.

use plimsoll_core::{DecisionId, Outcome};
use plimsoll_sim::{Fault, Script};
use serde_json::json;

use crate::contracts::loan;
use crate::support::{TestNode, decisions_of, server_toml, simulator};

#[tokio::test]
async fn a_response_held_under_a_key_is_given_no_more_and_the_key_stays_used() {
    let node = TestNode::start(&loan()).await;
    let row = json!({"amount": 20, "city": "Bonn"});
    for (key, body) in [
        ("one", json!({"input": row})),
        ("many", json!({"inputs": [row, row]})),
    ] {
        let ask = async || {
            let headers = [("idempotency-key", key)];
            node.post_with(&decisions_of("loan"), &body, &headers).await
        };
        let first = ask().await;
        assert_eq!(ask().await.bytes, first.bytes);
        let decision = node.closed().await.pop().unwrap().id;
        node.node.forget(&[decision]);
        let again = ask().await;
        assert_eq!(
            again.json()["error"]["code"],
            "idempotency_not_kept",
            "{key}"
        );
    }
}

#[tokio::test]
async fn an_earlier_good_answer_is_forgotten_with_its_decision() {
    let system = r#"
purpose = "Answer questions in tests"
stakes = "low"
unit = "ticket"
owner = { team = "tests", contact = "tests@example.com" }

[models.primary]
provider = "sim"
model = "sim-small"

[retry]
attempts_max = 1

[on]
unavailable = ["last_good", "refuse"]
"#;
    let sim = simulator().await;
    let server = server_toml(&sim);
    let files = [
        ("plimsoll.toml", server.as_str()),
        ("systems/help/system.toml", system),
    ];
    let node = TestNode::start(&files).await;
    let body = json!({"model": "help", "messages": [{"role": "user", "content": "Where?"}]});
    let ask = async || node.post("/v1/chat/completions", &body).await;
    let first: DecisionId = ask().await.header("plimsoll-decision").parse().unwrap();
    sim.set_script(Script::always(Fault::Close)).unwrap();
    assert_eq!(ask().await.header("plimsoll-outcome"), "fell_back");
    node.node.forget(&[DecisionId::new(first.made_at())]);
    assert_eq!(ask().await.header("plimsoll-outcome"), "fell_back");
    node.node.forget(&[first]);
    let refused = ask().await;
    assert_eq!(
        refused.header("plimsoll-outcome"),
        "refused",
        "{}",
        refused.text()
    );
    let decision = node.closed().await.pop().unwrap();
    assert_eq!(decision.outcome, Some(Outcome::Refused));
    assert_eq!(decision.path.len(), 2);
}
