//! The workspace's limits, through the sockets: what they refuse, what counts, and what outlives what.

use futures_util::future::join_all;
use plimsoll_core::decision::CostBasis;
use plimsoll_core::{Code, Money, Outcome};
use plimsoll_sim::{Fault, Rule, Running, Script};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Answered, TestNode, server_toml, simulator, write};

const SYSTEM: &str = r#"
purpose = "Chat in tests"
stakes = "low"
unit = "ticket"
owner = { team = "tests", contact = "tests@example.com" }

[models.primary]
provider = "sim"
model = "sim-small"
max_output_tokens = 50
"#;

/// A token in costs 0.000001, a token out 0.00001.
const PRICES: &str = r#"
[[price]]
provider = "sim"
model = "sim-small"
from = 2026-01-01
input_per_million = "1"
output_per_million = "10"
"#;

fn files(sim: &Running, limits: &str) -> [(&'static str, String); 3] {
    [
        ("plimsoll.toml", format!("{}{limits}", server_toml(sim))),
        ("prices.toml", PRICES.to_owned()),
        ("systems/chat/system.toml", SYSTEM.to_owned()),
    ]
}

async fn start(sim: &Running, limits: &str, more: &str) -> TestNode {
    let mut files = files(sim, limits);
    files[2].1.push_str(more);
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    TestNode::start(&files).await
}

fn question(stream: bool) -> Value {
    json!({"model": "chat", "stream": stream, "messages": [{"role": "user", "content": "hello"}]})
}

async fn ask(node: &TestNode, headers: &[(&str, &str)]) -> Answered {
    node.post_with("/v1/chat/completions", &question(false), headers)
        .await
}

async fn spent(node: &TestNode) -> Money {
    let closed = node.closed().await;
    closed.iter().map(|decision| decision.cost.amount).sum()
}

fn error(answered: &Answered) -> Value {
    answered.json()["error"].clone()
}

#[tokio::test]
async fn the_refusal_names_the_limit_its_group_what_is_left_and_when_it_resets() {
    let sim = simulator().await;
    let limits = "[limits.burst]\nper = \"tenant\"\nrequests = { month = 2 }\ntokens_out = { month = 5000 }\n";
    let node = start(&sim, limits, "").await;
    let served = ask(&node, &[]).await;
    assert_eq!(served.status, 200, "{}", served.text());
    assert_eq!(
        served.header("ratelimit-policy"),
        "\"burst-requests-month\";q=2;w=2592000, \"burst-tokens_out-month\";q=5000;qu=\"tokens-out\";w=2592000"
    );
    assert!(
        served
            .header("ratelimit")
            .starts_with("\"burst-requests-month\";r=1;t=")
    );
    assert_eq!(served.header("x-ratelimit-remaining-requests"), "1");
    assert_eq!(served.header("x-ratelimit-limit-tokens"), "5000");
    ask(&node, &[]).await;
    let refused = ask(&node, &[]).await;
    assert_eq!(refused.status, 429);
    let error = error(&refused);
    assert_eq!(error["code"], "rate_limited");
    assert_eq!(error["type"], "rate_limit_error");
    assert_eq!(error["limit"]["name"], "burst");
    assert_eq!(error["limit"]["group"], "tenant default");
    assert_eq!(error["limit"]["left"], "0");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("allows tenant default 2 requests per month: 0 left"),
        "{message}"
    );
    let resets_at = error["limit"]["resets_at"].as_str().unwrap();
    assert!(message.contains(resets_at), "{message}");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!(wait <= 31 * 86_400, "{wait}");
    assert!(
        refused
            .header("ratelimit")
            .starts_with("\"burst-requests-month\";r=0;t=")
    );
    assert_eq!(sim.ledger().requests, 2, "what is refused is never sent");
    let last = node.closed().await.pop().unwrap();
    assert_eq!(last.code, Some(Code::RateLimited));
}

#[tokio::test]
async fn each_user_has_an_allowance_and_who_names_none_is_no_way_around() {
    let sim = simulator().await;
    let node = start(
        &sim,
        "[limits.fair]\nper = \"user\"\nrequests = { month = 1 }\n",
        "",
    )
    .await;
    assert_eq!(ask(&node, &[("plimsoll-subject", "ann")]).await.status, 200);
    assert_eq!(ask(&node, &[("plimsoll-subject", "ann")]).await.status, 429);
    assert_eq!(ask(&node, &[("plimsoll-subject", "bob")]).await.status, 200);
    assert_eq!(ask(&node, &[]).await.status, 200);
    let refused = ask(&node, &[]).await;
    assert_eq!(refused.status, 429);
    assert!(!refused.text().contains("ann"));
    let named = |user: &str| {
        let mut question = question(false);
        question["user"] = json!(user);
        question
    };
    let route = "/v1/chat/completions";
    let as_openai_names_them = node.post(route, &named("ann")).await;
    assert_eq!(as_openai_names_them.status, 429, "the same ann");
    assert_eq!(node.post(route, &named("cid")).await.status, 200);
    let under_both = [("plimsoll-subject", "dora")];
    let first = node.post_with(route, &named("ann"), &under_both).await;
    assert_eq!(first.status, 200, "the header goes before the body");
}

#[tokio::test]
async fn a_looping_session_is_stopped_and_one_without_a_name_is_refused_where_it_is_asked_for() {
    let sim = simulator().await;
    let limits =
        "[limits.loop]\nper = \"session\"\nrequests = { session = 3 }\nunnamed = \"refuse\"\n";
    let node = start(&sim, limits, "").await;
    for _ in 0..3 {
        assert_eq!(
            ask(&node, &[("plimsoll-session", "agent-7")]).await.status,
            200
        );
    }
    let refused = ask(&node, &[("plimsoll-session", "agent-7")]).await;
    assert_eq!(refused.status, 429);
    assert_eq!(error(&refused)["code"], "session_spent");
    assert_eq!(error(&refused)["limit"]["group"], "session agent-7");
    let unnamed = ask(&node, &[]).await;
    assert_eq!(
        (unnamed.status.as_u16(), &error(&unnamed)["code"]),
        (400, &json!("limit_unnamed"))
    );
}

#[tokio::test]
async fn sixty_four_callers_on_one_small_budget_never_spend_more_than_it() {
    let sim = simulator().await;
    let limits = "[limits.small]\nper = \"workspace\"\nmoney = { month = \"0.005 USD\" }\n";
    let node = start(&sim, limits, "").await;
    let callers = (0..64).map(|_| async {
        let mut served = 0;
        for _ in 0..4 {
            let answered = ask(&node, &[]).await;
            match answered.status.as_u16() {
                200 => served += 1,
                429 => assert_eq!(error(&answered)["code"], "budget_exceeded"),
                other => panic!("{other}: {}", answered.text()),
            }
        }
        served
    });
    let served: u32 = join_all(callers).await.into_iter().sum();
    let spent = spent(&node).await;
    let budget: Money = "0.005".parse().unwrap();
    assert!(served > 3, "{served}");
    assert!(spent <= budget, "{spent}");
    let ledger = sim.ledger();
    let totals = &ledger.models["sim-small"];
    let told = totals.prompt_tokens + 10 * totals.completion_tokens;
    assert_eq!(
        spent,
        Money::from_pico(i128::from(told) * 1_000_000),
        "as the provider counts it"
    );
}

#[tokio::test]
async fn retries_count_and_so_does_every_answer_that_is_asked_for() {
    let sim = simulator().await;
    let limits = "[limits.out]\nper = \"workspace\"\ntokens_out = { month = 120 }\n";
    let node = start(
        &sim,
        limits,
        "[retry]\nattempts_max = 3\nbudget_percent = 100\n",
    )
    .await;
    let mut many = question(false);
    many["n"] = json!(3);
    let refused = node.post("/v1/chat/completions", &many).await;
    assert_eq!(
        refused.status,
        429,
        "three answers of 50 tokens do not fit: {}",
        refused.text()
    );
    let script = |fault| Script {
        seed: 1,
        rules: vec![Rule::always(fault)],
    };
    // What was sent and never answered may have cost all that was set aside.
    sim.set_script(script(Fault::Close)).unwrap();
    let failed = ask(&node, &[]).await;
    assert_eq!(
        error(&failed)["code"],
        "rate_limited",
        "the third try did not fit: {}",
        failed.text()
    );
    let closed = node.closed().await;
    let last = closed.last().unwrap();
    assert_eq!(last.attempts.len(), 2);
    assert!(
        last.attempts
            .iter()
            .all(|a| a.cost.basis == CostBasis::Estimated)
    );
}

/// A provider that heeds no bound: it streams words until the caller goes away.
async fn endless_provider() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut asked = [0; 4096];
            assert!(socket.read(&mut asked).await.unwrap() > 0);
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
            let mut telling = socket.write_all(head.as_bytes()).await;
            let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "sim-small",
                "choices": [{"index": 0, "delta": {"content": "and so on "}, "finish_reason": null}]});
            let event = format!("data: {chunk}\n\n");
            while telling.is_ok() {
                telling = socket.write_all(event.as_bytes()).await;
            }
        }
    });
    address
}

#[tokio::test]
async fn a_running_stream_is_cut_at_what_was_set_aside_with_an_explicit_event() {
    let address = endless_provider().await;
    let server = format!(
        "[server]\ndata_address = \"127.0.0.1:0\"\nworkers = 1\n[providers.sim]\nbase_url = \"http://{address}/v1\"\n[limits.out]\nper = \"workspace\"\nmoney = {{ month = \"5 USD\" }}\n"
    );
    let files = [
        ("plimsoll.toml", server.as_str()),
        ("prices.toml", PRICES),
        ("systems/chat/system.toml", SYSTEM),
    ];
    let node = TestNode::start(&files).await;
    let cut = node.post("/v1/chat/completions", &question(true)).await;
    let text = cut.text();
    assert!(text.contains("\"code\":\"budget_exceeded\""), "{text}");
    assert!(!text.contains("[DONE]"));
    let words = text.matches("and so on").count();
    assert!(
        (50..=100).contains(&words),
        "50 tokens were set aside, {words} pieces came"
    );
    let decision = node.closed_at_least(1).await.pop().unwrap();
    assert_eq!(decision.outcome, Some(Outcome::Partial));
    assert_eq!(decision.code, Some(Code::BudgetExceeded));
    assert_eq!(
        decision.cost.basis,
        CostBasis::Estimated,
        "it is never free"
    );
    let controls = &decision.controls;
    assert!(
        controls
            .iter()
            .any(|control| control.control == "limits:stream")
    );
}

#[tokio::test]
async fn usage_outlives_an_edit_a_restart_and_a_new_limit() {
    let sim = simulator().await;
    let two = "[limits.two]\nper = \"key\"\nrequests = { month = 2 }\n";
    let node = start(&sim, two, "").await;
    for _ in 0..2 {
        assert_eq!(ask(&node, &[]).await.status, 200);
    }
    assert_eq!(ask(&node, &[]).await.status, 429);
    let three = files(&sim, &two.replace("= 2", "= 4"));
    write(
        node.dir.path(),
        &three.each_ref().map(|(name, text)| (*name, text.as_str())),
    );
    assert!(node.reload().await.rejected.is_none());
    assert_eq!(
        ask(&node, &[]).await.status,
        200,
        "two of four, and refused ones do not count"
    );
    let node = TestNode::start_in(node.stop().await).await;
    assert_eq!(
        ask(&node, &[]).await.status,
        200,
        "the records know of three"
    );
    assert_eq!(ask(&node, &[]).await.status, 429);
    let other = files(
        &sim,
        "[limits.renamed]\nper = \"tenant\"\nrequests = { month = 5 }\n",
    );
    write(
        node.dir.path(),
        &other.each_ref().map(|(name, text)| (*name, text.as_str())),
    );
    assert!(node.reload().await.rejected.is_none());
    node.projected().await;
    node.node.seed_limits().await;
    assert_eq!(ask(&node, &[]).await.status, 200, "four of five");
    assert_eq!(
        ask(&node, &[]).await.status,
        429,
        "another name gives nothing back"
    );
}

#[tokio::test]
async fn limits_hold_in_observe_mode_and_concurrency_is_given_back() {
    let sim = simulator().await;
    let limits = "[limits.one]\nper = \"workspace\"\nconcurrency = 1\n";
    let node = start(&sim, limits, "mode = \"observe\"\n").await;
    for _ in 0..3 {
        assert_eq!(ask(&node, &[]).await.status, 200, "one after the other");
    }
    let rules = vec![Rule::late(std::time::Duration::from_millis(300))];
    sim.set_script(Script { seed: 1, rules }).unwrap();
    let (first, second) = tokio::join!(ask(&node, &[]), ask(&node, &[]));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 429]);
}

#[tokio::test]
async fn tokens_that_nobody_counted_count_at_most_also_after_a_restart() {
    let sim = simulator().await;
    let rules = vec![Rule::always(Fault::NoUsage)];
    sim.set_script(Script { seed: 1, rules }).unwrap();
    let limits = "[limits.out]\nper = \"tenant\"\ntokens_out = { month = 120 }\n";
    let node = start(&sim, limits, "").await;
    for _ in 0..2 {
        assert_eq!(ask(&node, &[]).await.status, 200);
    }
    assert_eq!(
        ask(&node, &[]).await.status,
        429,
        "twice 50 may have been written"
    );
    let closed = node.closed_at_least(3).await;
    let at_most = closed[0].attempts[0].at_most.unwrap();
    assert_eq!(at_most.output_tokens, 50);
    assert_eq!(closed[0].cost.amount, at_most.money);
    let node = TestNode::start_in(node.stop().await).await;
    let refused = ask(&node, &[]).await;
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert_eq!(error(&refused)["limit"]["left"], "20");
}
