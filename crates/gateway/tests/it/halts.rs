//! Stepping in: a halted system asks nothing, one on its fallback asks not its first model.

use std::time::Duration;

use http::StatusCode;
use plimsoll_core::deployment::{Halt, Standing};
use plimsoll_core::{Code, Decision, FailureKind, Outcome, Step, SystemName};
use plimsoll_gateway::{Aim, ControlLoss};
use plimsoll_sim::{Fault, Running, Script};
use serde_json::{Value, json};

use crate::contracts::loan;
use crate::support::{Answered, TestNode, decisions_of, server_toml, simulator, the_loan, write};

const SYSTEM: &str = r#"
purpose = "Answer questions in tests"
stakes = "low"
unit = "ticket"
owner = { team = "tests", contact = "tests@example.com" }

[models.primary]
provider = "sim"
model = "sim-small"
[models.backup]
provider = "sim"
model = "sim-large"

[on]
unavailable = ["backup", "abstain"]

[abstain]
message = "A colleague will answer."
"#;

async fn start(sim: &Running, system: &str) -> TestNode {
    let server = server_toml(sim);
    let files = [
        ("plimsoll.toml", server.as_str()),
        ("systems/help/system.toml", system),
    ];
    TestNode::start(&files).await
}

fn help() -> SystemName {
    SystemName::new("help").unwrap()
}

async fn step_in(node: &TestNode, system: &SystemName, to: Halt) {
    let reason = Some("prices are wrong".to_owned());
    node.node
        .intervene(system, to, "ada", reason)
        .await
        .unwrap();
}

async fn ask(node: &TestNode) -> Answered {
    let body = json!({"model": "help", "messages": [{"role": "user", "content": "Where is it?"}]});
    node.post("/v1/chat/completions", &body).await
}

async fn last(node: &TestNode) -> Decision {
    node.closed().await.pop().unwrap()
}

fn content(answered: &Answered) -> Value {
    answered.json()["choices"][0]["message"]["content"].clone()
}

#[tokio::test]
async fn a_halted_system_asks_no_model_and_gives_its_abstain_value_whatever_is_asked() {
    let sim = simulator().await;
    let node = start(&sim, SYSTEM).await;
    step_in(&node, &help(), Halt::Halted).await;
    let answered = ask(&node).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.text());
    assert_eq!(content(&answered), "A colleague will answer.");
    assert_eq!(answered.header("plimsoll-outcome"), "abstained");
    let path = "/v1/systems/help/decisions";
    let broken = node.request(http::Method::POST, path, "{\"input".to_owned(), &[]);
    assert_eq!(node.send(broken).await.json()["outcome"], "abstained");
    assert!(sim.seen().is_empty(), "no model was asked");
    let decision = last(&node).await;
    assert_eq!(decision.outcome, Some(Outcome::Abstained));
    assert_eq!(decision.kind, Some(FailureKind::Unavailable));
    let step = &decision.path[0];
    assert_eq!(
        (step.code, &step.step),
        (Code::SystemHalted, &Step::Abstain)
    );
    assert_eq!(step.detail.as_deref(), Some("halted"));
}

#[tokio::test]
async fn without_an_abstain_value_a_halted_system_refuses() {
    let node = TestNode::start(&loan()).await;
    step_in(&node, &the_loan(), Halt::Halted).await;
    let body = json!({"input": {"amount": 20, "city": "Bonn"}});
    let row = node.post(&decisions_of("loan"), &body).await.json();
    assert_eq!(row["outcome"], "refused", "{row}");
    assert_eq!(row["error"]["code"], "system_halted");
    assert_eq!(row["error"]["retryable"], false);
    let decision = last(&node).await;
    assert!(decision.attempts.is_empty());
    assert_eq!(decision.code, Some(Code::SystemHalted));
    assert_eq!(decision.path[0].step, Step::Refuse);
}

#[tokio::test]
async fn on_fallback_the_ladder_of_unavailable_answers_and_not_the_first_model() {
    let sim = simulator().await;
    let node = start(&sim, SYSTEM).await;
    step_in(&node, &help(), Halt::Fallback).await;
    let answered = ask(&node).await;
    assert_eq!(
        answered.header("plimsoll-outcome"),
        "fell_back",
        "{}",
        answered.text()
    );
    let models: Vec<_> = sim
        .seen()
        .iter()
        .map(|seen| body_of(&seen.body)["model"].clone())
        .collect();
    assert_eq!(models, ["sim-large"]);
    let decision = last(&node).await;
    assert_eq!(decision.path[0].code, Code::SystemHalted);
    assert_eq!(decision.path[0].detail.as_deref(), Some("fallback"));
    assert_eq!(decision.path[0].step.as_str(), "backup");
    step_in(&node, &help(), Halt::Resumed).await;
    assert_eq!(ask(&node).await.header("plimsoll-outcome"), "served");
}

fn body_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[tokio::test]
async fn an_intervention_stands_over_restarts_and_is_seen_until_it_is_taken_back() {
    let node = TestNode::start(&loan()).await;
    step_in(&node, &the_loan(), Halt::Halted).await;
    let node = TestNode::start_in(node.stop().await).await;
    let body = json!({"input": {"amount": 20, "city": "Bonn"}});
    let ask = async |node: &TestNode| node.post(&decisions_of("loan"), &body).await.json();
    assert_eq!(ask(&node).await["error"]["code"], "system_halted");
    let halt = node.node.systems().remove(0).halt.unwrap();
    assert_eq!(
        (halt.actor.as_str(), halt.reason.as_deref()),
        ("ada", Some("prices are wrong"))
    );
    let readiness = node.node.readiness();
    assert!(readiness.ready, "what a person wants is no defect");
    assert_eq!(readiness.detail["systems_halted"]["loan"]["to"], "halted");
    assert!(
        node.node
            .metrics()
            .contains(r#"plimsoll_system_halted{system="loan"} 1"#)
    );

    write(
        node.dir.path(),
        &[("systems/loan/rules.toml", "[default]\nanswer = 1\n")],
    );
    assert_eq!(node.reload().await.deployed.len(), 1);
    assert_eq!(
        ask(&node).await["error"]["code"],
        "system_halted",
        "a deployment resumes nothing"
    );

    step_in(&node, &the_loan(), Halt::Resumed).await;
    assert_eq!(ask(&node).await["outcome"], "served");
    assert!(
        node.node
            .metrics()
            .contains(r#"plimsoll_system_halted{system="loan"} 0"#)
    );
    assert_eq!(Standing::fold(&node.deployments().await).halted(), None);
    let node = TestNode::start_in(node.stop().await).await;
    assert_eq!(ask(&node).await["outcome"], "served");
}

#[tokio::test]
async fn a_person_who_steps_in_is_heeded_in_observe_mode() {
    let sim = simulator().await;
    let node = start(&sim, &format!("mode = \"observe\"\n{SYSTEM}")).await;
    step_in(&node, &help(), Halt::Halted).await;
    assert_eq!(content(&ask(&node).await), "A colleague will answer.");
    assert!(sim.seen().is_empty());
    step_in(&node, &help(), Halt::Fallback).await;
    assert_eq!(ask(&node).await.header("plimsoll-outcome"), "fell_back");
}

#[tokio::test]
async fn a_stream_under_way_goes_on_to_its_end() {
    let sim = simulator().await;
    let interval = Duration::from_millis(30);
    sim.set_script(Script::always(Fault::SlowChunks { interval }))
        .unwrap();
    let node = std::sync::Arc::new(start(&sim, SYSTEM).await);
    let body = json!({"model": "help", "stream": true, "messages": [{"role": "user", "content": "a story"}]});
    let asking = tokio::spawn({
        let node = std::sync::Arc::clone(&node);
        async move { node.post("/v1/chat/completions", &body).await }
    });
    while sim.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    step_in(&node, &help(), Halt::Halted).await;
    let answered = asking.await.unwrap();
    assert!(
        answered.text().contains(": plimsoll-outcome served"),
        "{}",
        answered.text()
    );
    assert_eq!(ask(&node).await.header("plimsoll-outcome"), "abstained");
}

#[tokio::test]
async fn a_halt_takes_effect_on_the_rows_of_a_batch_that_is_under_way() {
    let sim = simulator().await;
    let slow = Fault::SlowChunks {
        interval: Duration::from_millis(20),
    };
    sim.set_script(Script::always(slow)).unwrap();
    let node = std::sync::Arc::new(start(&sim, SYSTEM).await);
    let row = json!({"messages": [{"role": "user", "content": "a story"}]});
    let body = json!({"inputs": vec![row; 200]});
    let asking = tokio::spawn({
        let node = std::sync::Arc::clone(&node);
        async move { node.post(&decisions_of("help"), &body).await.json() }
    });
    while sim.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    step_in(&node, &help(), Halt::Halted).await;
    let batch = asking.await.unwrap();
    let outcome = |name: &str| {
        let rows = batch["decisions"].as_array().unwrap().iter();
        rows.filter(|row| row["outcome"] == name).count()
    };
    assert!(
        outcome("served") > 0 && outcome("abstained") > 0,
        "{} served",
        outcome("served")
    );
    assert_eq!(outcome("served") + outcome("abstained"), 200);
}

#[tokio::test]
async fn a_drill_of_a_halted_system_is_refused() {
    let node = TestNode::start(&loan()).await;
    step_in(&node, &the_loan(), Halt::Fallback).await;
    let system = the_loan();
    let drill = node.node.drill(
        (&system, Aim::Stable),
        FailureKind::Unavailable,
        json!({"amount": 20, "city": "Bonn"}),
        "ada",
    );
    let refused = drill.await.unwrap_err().to_string();
    assert!(refused.contains("resume it"), "{refused}");
    assert!(node.closed().await.is_empty());
}

#[tokio::test]
async fn a_node_that_hears_nothing_halts_every_system_until_it_hears_again() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &loan());
    let loss = ControlLoss {
        after: Duration::from_millis(300),
        halt: true,
    };
    let node = TestNode::start_with(dir, loss).await;
    let body = json!({"input": {"amount": 20, "city": "Bonn"}});
    let ask = async || node.post(&decisions_of("loan"), &body).await.json();
    node.node.heard();
    assert_eq!(ask().await["outcome"], "served");
    tokio::time::sleep(Duration::from_millis(350)).await;
    let row = ask().await;
    assert_eq!(row["error"]["code"], "control_lost", "{row}");
    let readiness = node.node.readiness();
    assert!(!readiness.ready, "others may hear more");
    assert_eq!(readiness.detail["control_lost"], true);
    assert!(
        node.node
            .metrics()
            .contains(r#"plimsoll_system_halted{system="loan"} 1"#)
    );
    assert!(node.node.metrics().contains("plimsoll_control_lost 1"));
    node.node.heard();
    assert_eq!(ask().await["outcome"], "served");
    assert!(node.node.readiness().ready);
}

#[tokio::test]
async fn a_node_that_is_to_serve_says_that_it_hears_nothing_and_serves() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &loan());
    let loss = ControlLoss {
        after: Duration::from_millis(1),
        halt: false,
    };
    let node = TestNode::start_with(dir, loss).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let body = json!({"input": {"amount": 20, "city": "Bonn"}});
    let row = node.post(&decisions_of("loan"), &body).await.json();
    assert_eq!(row["outcome"], "served");
    let readiness = node.node.readiness();
    assert!(readiness.ready);
    assert_eq!(readiness.detail["control_lost"], true);
}
