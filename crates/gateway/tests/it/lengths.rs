//! Inputs that are more tokens than a language model is to read.

use plimsoll_core::{Code, Decision};
use plimsoll_sim::Running;
use serde_json::{Value, json};

use crate::support::{TestNode, server_toml, simulator};

const SYSTEM: &str = r#"
purpose = "Answer in tests"
stakes = "limited"
unit = "ticket"
owner = { team = "tests", contact = "tests@example.com" }

[models.primary]
provider = "sim"
model = "sim-small"

[input.tokens]
max = 40
tokenizer = "cl100k_base"
"#;

async fn start(sim: &Running, system: &str) -> TestNode {
    let server = server_toml(sim);
    let files = [
        ("plimsoll.toml", server.as_str()),
        ("systems/answer/system.toml", system),
    ];
    TestNode::start(&files).await
}

fn question(words: usize) -> Value {
    let text = "word ".repeat(words);
    json!({"model": "answer", "messages": [{"role": "user", "content": text}]})
}

fn verdict(decision: &Decision) -> Option<Option<Code>> {
    let control = decision.controls.iter().find(|one| one.control == "tokens");
    control.map(|one| one.code)
}

#[tokio::test]
async fn an_input_with_too_many_tokens_is_refused_and_never_sent_upstream() {
    let sim = simulator().await;
    let node = start(&sim, SYSTEM).await;
    let fits = node.post("/v1/chat/completions", &question(30)).await;
    assert_eq!(fits.status.as_u16(), 200, "{}", fits.text());
    let refused = node.post("/v1/chat/completions", &question(40)).await;
    assert_eq!(refused.status.as_u16(), 413, "{}", refused.text());
    assert_eq!(refused.json()["error"]["code"], "tokens_too_many");
    assert_eq!(sim.seen().len(), 1);
    let closed = node.closed_at_least(2).await;
    assert_eq!(verdict(&closed[0]), Some(None));
    assert_eq!(verdict(&closed[1]), Some(Some(Code::TokensTooMany)));
    node.stop().await;
}

#[tokio::test]
async fn what_tools_and_earlier_messages_say_counts_too() {
    let sim = simulator().await;
    let node = start(&sim, SYSTEM).await;
    let mut body = question(20);
    body["tools"] = json!([{"type": "function", "function": {
        "name": "look", "description": "a word ".repeat(20), "parameters": {"type": "object"}}}]);
    let refused = node.post("/v1/chat/completions", &body).await;
    assert_eq!(refused.json()["error"]["code"], "tokens_too_many");
    assert!(sim.seen().is_empty());
    node.stop().await;
}

#[tokio::test]
async fn in_observe_mode_a_long_input_is_noted_and_passes() {
    let sim = simulator().await;
    let observing = SYSTEM.replace("stakes =", "mode = \"observe\"\nstakes =");
    let node = start(&sim, &observing).await;
    let passed = node.post("/v1/chat/completions", &question(60)).await;
    assert_eq!(passed.status.as_u16(), 200, "{}", passed.text());
    let closed = node.closed_at_least(1).await;
    assert_eq!(closed[0].observed, [Code::TokensTooMany]);
    node.stop().await;
}
