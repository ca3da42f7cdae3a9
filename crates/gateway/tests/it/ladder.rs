//! Every failure kind takes the ladder that was designed for it.

use http::StatusCode;
use plimsoll_core::decision::AttemptReason;
use plimsoll_core::{Code, FailureKind, Outcome, Step};
use plimsoll_sim::{Fault, Match, Rule, Running, Script};
use serde_json::{Value, json};

use crate::support::{TestNode, server_toml, simulator};

const SYSTEM: &str = r#"
purpose = "Answer questions in tests"
stakes = "low"
unit = "ticket"
owner = { team = "tests", contact = "tests@example.com" }

[models.primary]
provider = "sim"
model = "sim-small"
max_output_tokens = 100
[models.backup]
provider = "sim"
model = "sim-large"

[output]
schema = "answer.schema.json"
stream = "buffer"

[deadline]
total = "3s"
first_token = "400ms"
stall = "300ms"

[retry]
attempts_max = 1

[on]
unavailable = ["backup", "abstain"]
slow        = ["backup", "abstain"]
wrong       = ["repair", "backup", "abstain"]
overload    = ["shed"]
over_budget = ["refuse"]

[abstain]
value = { answer = "I cannot answer this one." }
"#;

const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": false
}"#;

async fn start(sim: &Running) -> TestNode {
    let server = server_toml(sim);
    TestNode::start(&[
        ("plimsoll.toml", server.as_str()),
        ("systems/help/system.toml", SYSTEM),
        ("systems/help/answer.schema.json", SCHEMA),
    ])
    .await
}

fn good() -> Fault {
    Fault::Answer(r#"{"answer": "In the third drawer."}"#.to_owned())
}

fn on(model: &str, fault: Fault) -> Rule {
    let when = Match {
        model: Some(model.to_owned()),
        ..Match::default()
    };
    Rule {
        when,
        fault: Some(fault),
        ..Rule::default()
    }
}

fn question() -> Value {
    json!({"model": "help", "messages": [{"role": "user", "content": "Where is it?"}]})
}

async fn outcome_of(rules: Vec<Rule>) -> (plimsoll_core::Decision, StatusCode, Value) {
    let sim = simulator().await;
    sim.set_script(Script { seed: 1, rules }).unwrap();
    let node = start(&sim).await;
    let answered = node.post("/v1/chat/completions", &question()).await;
    let closed = node.closed().await;
    assert_eq!(closed.len(), 1);
    (closed[0].clone(), answered.status, answered.json())
}

fn path(decision: &plimsoll_core::Decision) -> Vec<&str> {
    decision
        .path
        .iter()
        .map(|step| step.step.as_str())
        .collect()
}

#[tokio::test]
async fn an_answer_that_fits_is_served_in_the_providers_own_bytes() {
    let (decision, status, body) = outcome_of(vec![on("sim-small", good())]).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(decision.outcome, Some(Outcome::Served));
    assert_eq!(
        body["choices"][0]["message"]["content"],
        r#"{"answer": "In the third drawer."}"#
    );
    assert!(decision.attempts[0].usage.is_some());
}

#[tokio::test]
async fn an_unavailable_model_falls_back_to_the_next() {
    for fault in [
        Fault::Reset,
        Fault::Close,
        Fault::Status {
            code: 503,
            body: Default::default(),
        },
    ] {
        let rules = vec![on("sim-small", fault), on("sim-large", good())];
        let (decision, status, body) = outcome_of(rules).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(decision.outcome, Some(Outcome::FellBack));
        assert_eq!(decision.kind, Some(FailureKind::Unavailable));
        assert_eq!(path(&decision), ["backup"]);
    }
}

#[tokio::test]
async fn silence_is_slow_and_falls_back_within_the_deadline() {
    let rules = vec![on("sim-small", Fault::Silence), on("sim-large", good())];
    let (decision, _, _) = outcome_of(rules).await;
    assert_eq!(decision.kind, Some(FailureKind::Slow), "{decision:?}");
    assert_eq!(decision.outcome, Some(Outcome::FellBack));
    assert_eq!(path(&decision), ["backup"]);
}

#[tokio::test]
async fn a_wrong_answer_is_mended_by_the_model_that_gave_it() {
    let first = Match {
        model: Some("sim-small".into()),
        first: Some(1),
        ..Match::default()
    };
    let wrong = Rule {
        when: first,
        fault: Some(Fault::Answer(r#"{"reply": 7}"#.into())),
        ..Rule::default()
    };
    let (decision, status, body) = outcome_of(vec![wrong, on("sim-small", good())]).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(decision.outcome, Some(Outcome::Repaired));
    assert_eq!(path(&decision), ["repair"]);
    let reasons: Vec<_> = decision
        .attempts
        .iter()
        .map(|attempt| attempt.reason)
        .collect();
    assert_eq!(reasons, [AttemptReason::First, AttemptReason::Repair]);
}

#[tokio::test]
async fn what_cannot_be_mended_goes_on_down_the_ladder_to_the_abstain_value() {
    let always = Fault::Answer("no JSON at all".into());
    let rules = vec![on("sim-small", always.clone()), on("sim-large", always)];
    let (decision, status, body) = outcome_of(rules).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(decision.outcome, Some(Outcome::Abstained));
    assert_eq!(path(&decision), ["repair", "backup", "abstain"]);
    let content = body["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(content).unwrap()["answer"],
        "I cannot answer this one."
    );
}

#[tokio::test]
async fn a_rate_limit_is_overload_and_a_spent_quota_is_over_budget() {
    let limited = vec![on(
        "sim-small",
        Fault::RateLimit {
            retry_after: Some(7),
        },
    )];
    let (decision, status, body) = outcome_of(limited).await;
    assert_eq!(
        (decision.outcome, status),
        (Some(Outcome::Shed), StatusCode::TOO_MANY_REQUESTS)
    );
    assert_eq!(body["error"]["code"], "provider_rate_limited");
    let (decision, status, body) = outcome_of(vec![on("sim-small", Fault::Quota)]).await;
    assert_eq!(
        (decision.outcome, status),
        (Some(Outcome::Refused), StatusCode::TOO_MANY_REQUESTS)
    );
    assert_eq!(body["error"]["type"], "insufficient_quota");
    assert_eq!(decision.kind, Some(FailureKind::OverBudget));
}

#[tokio::test]
async fn a_context_too_long_is_the_callers_and_no_other_model_is_asked() {
    let (decision, status, body) = outcome_of(vec![on("sim-small", Fault::ContextLength)]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["error"]["code"], "context_too_long");
    assert_eq!(decision.kind, Some(FailureKind::Malformed));
    assert_eq!(decision.attempts.len(), 1);
    assert_eq!(decision.path[0].step, Step::Refuse);
}

#[tokio::test]
async fn a_passing_failure_is_retried_and_each_call_is_an_attempt() {
    let sim = simulator().await;
    let first = Match {
        first: Some(1),
        ..Match::default()
    };
    let once = Rule {
        when: first,
        fault: Some(Fault::Close),
        ..Rule::default()
    };
    sim.set_script(Script {
        seed: 1,
        rules: vec![once, Rule::always(good())],
    })
    .unwrap();
    let server = server_toml(&sim);
    let system = SYSTEM.replace("attempts_max = 1", "attempts_max = 3\nbase = \"1ms\"");
    let node = TestNode::start(&[
        ("plimsoll.toml", server.as_str()),
        ("systems/help/system.toml", system.as_str()),
        ("systems/help/answer.schema.json", SCHEMA),
    ])
    .await;
    let answered = node.post("/v1/chat/completions", &question()).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.text());
    let closed = node.closed().await;
    let codes: Vec<_> = closed[0]
        .attempts
        .iter()
        .map(|attempt| attempt.code)
        .collect();
    assert_eq!(codes, [Some(Code::ModelReset), None]);
    assert_eq!(closed[0].attempts[1].reason, AttemptReason::Retry);
    assert_eq!(closed[0].outcome, Some(Outcome::Served));
}
