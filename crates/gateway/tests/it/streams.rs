//! Streams: nothing is given before it was cleared; what breaks says so; each is finished once.

use std::time::Duration;

use plimsoll_core::{Code, Outcome};
use plimsoll_sim::{Fault, Rule, Running, Script};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Answered, TestNode, server_toml, simulator};

const SYSTEM: &str = r#"
purpose = "Stream in tests"
stakes = "low"
unit = "ticket"
owner = { team = "tests", contact = "tests@example.com" }

[models.primary]
provider = "sim"
model = "sim-small"

[deadline]
total = "10s"
first_token = "500ms"
stall = "300ms"

[retry]
attempts_max = 1
"#;

async fn start(sim: &Running, more: &str) -> TestNode {
    let server = server_toml(sim);
    let system = format!("{SYSTEM}{more}");
    let files = [
        ("plimsoll.toml", server.as_str()),
        ("systems/chat/system.toml", system.as_str()),
    ];
    TestNode::start(&files).await
}

fn question() -> Value {
    json!({"model": "chat", "stream": true, "messages": [{"role": "user", "content": "a long story"}]})
}

fn text_of(answered: &Answered) -> String {
    let events = answered.text();
    let data = events
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    let chunks = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    chunks
        .filter_map(|chunk| {
            chunk["choices"][0]["delta"]["content"]
                .as_str()
                .map(str::to_owned)
        })
        .collect()
}

async fn ask(sim: &Running, fault: Option<Fault>, more: &str) -> (TestNode, Answered) {
    if let Some(fault) = fault {
        sim.set_script(Script {
            seed: 1,
            rules: vec![Rule::always(fault)],
        })
        .unwrap();
    }
    let node = start(sim, more).await;
    let answered = node.post("/v1/chat/completions", &question()).await;
    (node, answered)
}

#[tokio::test]
async fn a_stream_passes_and_tells_its_outcome_before_done() {
    let sim = simulator().await;
    let (node, answered) = ask(&sim, None, "").await;
    assert_eq!(answered.header("plimsoll-outcome"), "pending");
    assert!(
        answered
            .header("content-type")
            .starts_with("text/event-stream")
    );
    let text = answered.text();
    let outcome = text
        .find(": plimsoll-outcome served")
        .expect("the outcome is told");
    assert!(
        outcome < text.find("data: [DONE]").expect("the end is told"),
        "{text}"
    );
    assert!(!text_of(&answered).is_empty());
    assert!(
        !text.contains("\"usage\":{\"prompt"),
        "usage was not asked for: {text}"
    );
    let closed = node.closed().await;
    assert_eq!(closed.len(), 1);
    assert_eq!(closed[0].outcome, Some(Outcome::Served));
    assert!(closed[0].attempts[0].usage.is_some(), "we asked for it");
    assert!(closed[0].attempts[0].first_token_micros.is_some());
}

#[tokio::test]
async fn one_stream_after_another_passes() {
    let sim = simulator().await;
    let node = start(&sim, "").await;
    for count in 1..=5 {
        let answered = node.post("/v1/chat/completions", &question()).await;
        assert!(
            answered.text().ends_with("data: [DONE]\n\n"),
            "{}",
            answered.text()
        );
        assert_eq!(node.closed().await.len(), count);
    }
}

#[tokio::test]
async fn a_phrase_over_two_chunks_is_held_back_and_ends_the_stream() {
    let sim = simulator().await;
    let answer = Fault::Answer("this is what the launch code of tomorrow says".into());
    let guard = "\n[output]\nstream = \"window\"\n[guards.output]\nphrases = { action = \"block\", list = [\"launch code of\"] }\n";
    let (node, answered) = ask(&sim, Some(answer), guard).await;
    let text = text_of(&answered);
    assert!(!text.contains("launch"), "{text}");
    assert!(
        text.starts_with("this is what"),
        "what is clear is not held back: {text}"
    );
    assert!(
        answered.text().contains("output_blocked"),
        "{}",
        answered.text()
    );
    assert!(!answered.text().contains("[DONE]"));
    assert_eq!(node.closed().await[0].outcome, Some(Outcome::Partial));
}

#[tokio::test]
async fn a_stream_that_must_be_cleared_whole_gives_nothing_before_its_end() {
    let sim = simulator().await;
    let answer = Fault::Answer("the launch code".into());
    let guard = "\n[output]\nstream = \"buffer\"\n[guards.output]\nphrases = { action = \"block\", list = [\"launch code\"] }\n";
    let (node, answered) = ask(&sim, Some(answer), guard).await;
    assert_eq!(answered.status.as_u16(), 502, "{}", answered.text());
    assert_eq!(answered.json()["error"]["code"], "output_blocked");
    assert_eq!(node.closed().await[0].outcome, Some(Outcome::Refused));
}

#[tokio::test]
async fn a_system_that_refuses_streams_says_so() {
    let sim = simulator().await;
    let (_, answered) = ask(&sim, None, "\n[output]\nstream = \"refuse\"\n").await;
    assert_eq!(
        answered.json()["error"]["code"],
        "stream_refused",
        "{}",
        answered.text()
    );
    assert!(sim.seen().is_empty());
}

#[tokio::test]
async fn a_stream_that_breaks_after_its_first_content_ends_with_an_error_and_is_partial() {
    for (fault, code) in [
        (
            Fault::Cut {
                after: 2,
                reset: false,
            },
            Code::ModelReset,
        ),
        (
            Fault::Stall {
                after: 2,
                keep_alive: true,
            },
            Code::StallTimeout,
        ),
        (Fault::EndEarly { after: 2 }, Code::ModelReset),
    ] {
        let sim = simulator().await;
        let (node, answered) = ask(&sim, Some(fault.clone()), "").await;
        assert_eq!(answered.status.as_u16(), 200);
        assert!(
            answered.text().contains(code.as_str()),
            "{fault:?}: {}",
            answered.text()
        );
        assert!(!answered.text().contains("[DONE]"));
        let closed = node.closed().await;
        assert_eq!(
            (closed.len(), closed[0].outcome),
            (1, Some(Outcome::Partial))
        );
        assert_eq!(closed[0].code, Some(code));
    }
}

#[tokio::test]
async fn a_stream_that_breaks_before_its_first_content_goes_down_the_ladder_unseen() {
    let ladder = "\n[on]\nunavailable = [\"abstain\"]\nslow = [\"abstain\"]\n[abstain]\nmessage = \"Later.\"\n";
    for fault in [
        Fault::Cut {
            after: 0,
            reset: false,
        },
        Fault::Stall {
            after: 0,
            keep_alive: true,
        },
    ] {
        let sim = simulator().await;
        let (node, answered) = ask(&sim, Some(fault.clone()), ladder).await;
        assert_eq!(
            text_of(&answered),
            "Later.",
            "{fault:?}: {}",
            answered.text()
        );
        assert!(answered.text().contains("data: [DONE]"));
        assert_eq!(node.closed().await[0].outcome, Some(Outcome::Abstained));
    }
}

#[tokio::test]
async fn a_caller_who_vanishes_leaves_one_cancelled_decision() {
    let sim = simulator().await;
    let slow = Fault::SlowChunks {
        interval: Duration::from_millis(100),
    };
    sim.set_script(Script {
        seed: 1,
        rules: vec![Rule::always(slow)],
    })
    .unwrap();
    let node = start(&sim, "").await;
    let body = question().to_string();
    let mut caller = tokio::net::TcpStream::connect(node.address())
        .await
        .unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    caller.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 256];
    assert!(caller.read(&mut first).await.unwrap() > 0);
    drop(caller);
    let closed = node.closed_at_least(1).await;
    assert_eq!(
        (closed.len(), closed[0].outcome),
        (1, Some(Outcome::Cancelled))
    );
}
