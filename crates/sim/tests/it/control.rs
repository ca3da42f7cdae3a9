//! Scripts, the ledger, starting and stopping.

use std::time::Duration;

use plimsoll_sim::{Fault, Rule, Script, SimConfig, SimError, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::caller::{CHAT, ask, question, send, simulator};

#[tokio::test]
async fn a_script_can_be_put_while_it_runs() {
    let sim = simulator(Script::new()).await;
    let script = "[[rule]]\nmatch = { first = 1 }\ndo = \"quota\"\n";
    let put = send(&sim, "PUT", "/sim/script", "", script).await;
    assert_eq!(
        (put.status, put.json()["rule"][0]["do"].as_str()),
        (200, Some("quota"))
    );
    assert_eq!(ask(&sim, CHAT, &question("")).await.status, 429);
    assert_eq!(ask(&sim, CHAT, &question("")).await.status, 200);

    let json = r#"{"rule":[{"do":{"status":{"code":500}}}]}"#;
    send(
        &sim,
        "PUT",
        "/sim/script",
        "content-type: application/json\r\n",
        json,
    )
    .await;
    assert_eq!(ask(&sim, CHAT, &question("")).await.status, 500);
    send(&sim, "DELETE", "/sim/script", "", "").await;
    assert_eq!(ask(&sim, CHAT, &question("")).await.status, 200);
}

#[tokio::test]
async fn a_bad_script_leaves_the_old_one() {
    let sim = simulator(Script::always(Fault::Quota)).await;
    let put = send(&sim, "PUT", "/sim/script", "", "[[rule]]\ndo = \"explode\"").await;
    assert_eq!(put.status, 400);
    assert!(put.body.contains("explode"), "{}", put.body);
    assert!(sim.set_script(Script::new().rule(Rule::default())).is_err());
    assert_eq!(ask(&sim, CHAT, &question("")).await.status, 429);
}

#[tokio::test]
async fn the_ledger_counts_what_was_asked_and_given() {
    let sim = simulator(Script::new().rule(Rule::always(Fault::Quota).nth(2))).await;
    let usage = ask(&sim, CHAT, &question("")).await.json()["usage"].clone();
    ask(&sim, CHAT, &question("")).await;
    let ledger = sim.ledger();
    assert_eq!(ledger.requests, 2);
    let model = &ledger.models["m"];
    assert_eq!(
        (model.requests, model.answered, model.faults["quota"]),
        (2, 1, 1)
    );
    assert_eq!(usage["prompt_tokens"], model.prompt_tokens);
    assert_eq!(usage["completion_tokens"], model.completion_tokens);
    assert_eq!(
        send(&sim, "GET", "/sim/ledger", "", "").await.json()["requests"],
        2
    );
    send(&sim, "DELETE", "/sim/ledger", "", "").await;
    assert_eq!(sim.ledger().requests, 0);
}

#[tokio::test]
async fn the_requests_it_saw_can_be_looked_at() {
    let sim = simulator(Script::new()).await;
    send(
        &sim,
        "POST",
        CHAT,
        "authorization: Bearer hush\r\n",
        &question(""),
    )
    .await;
    let seen = sim.seen();
    assert_eq!(seen[0].path, CHAT);
    assert_eq!(seen[0].body, question(""));
    assert!(!format!("{seen:?}").contains("hush"));
}

#[tokio::test]
async fn a_port_in_use_is_a_typed_error() {
    let sim = simulator(Script::new()).await;
    let config = SimConfig {
        address: sim.address,
        ..SimConfig::default()
    };
    assert!(matches!(
        Simulator::start(config).await,
        Err(SimError::Listen { .. })
    ));
}

#[tokio::test]
async fn stopping_frees_the_port_at_once() {
    let sim = simulator(Script::new()).await;
    let address = sim.address;
    sim.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn stopping_does_not_wait_for_silent_requests() {
    let sim = simulator(Script::always(Fault::Silence)).await;
    let body = question("");
    let mut stream = TcpStream::connect(sim.address).await.unwrap();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: s\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .await
        .unwrap();
    while sim.ledger().requests == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::time::timeout(Duration::from_secs(2), sim.stop())
        .await
        .unwrap();
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0);
}
