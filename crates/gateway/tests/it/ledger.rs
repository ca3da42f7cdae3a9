//! The ledger held against the provider's own count: many requests of every kind, and what is recorded of
//! them. Where the provider told usage, both are equal to the token; where it did not, nothing is free.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _};
use plimsoll_core::decision::{AttemptRecord, CostBasis};
use plimsoll_core::{Decision, Money, Outcome};
use plimsoll_sim::{Fault, Match, ModelLedger, Rule, Running, Script};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{TestNode, server_toml, simulator};

const REQUESTS: usize = 10_000;
const AT_ONCE: usize = 64;

/// The kinds of requests: a system each, whose model has its name.
const KINDS: [&str; 8] = [
    "plain",
    "streamed",
    "retried",
    "refused",
    "uncounted",
    "broken",
    "cancelled",
    "unpriced",
];

fn system(model: &str) -> String {
    format!(
        "purpose = \"Chat in tests\"\nstakes = \"low\"\nunit = \"ticket\"\nowner = {{ team = \"tests\", contact = \"tests@example.com\" }}\n[models.primary]\nprovider = \"sim\"\nmodel = \"{model}\"\nmax_output_tokens = 50\n[retry]\nattempts_max = 3\nbase = \"1ms\"\ncap = \"1ms\"\nbudget_percent = 100\n"
    )
}

fn prices() -> String {
    let priced = KINDS.iter().filter(|kind| **kind != "unpriced");
    let price = |kind: &&str| {
        format!(
            "[[price]]\nprovider = \"sim\"\nmodel = \"{kind}\"\nfrom = 2026-01-01\ninput_per_million = \"1\"\noutput_per_million = \"10\"\n"
        )
    };
    priced.map(price).collect()
}

/// What the provider does to whom.
fn script() -> Script {
    let rule = |model: &str, fault| Rule::always(fault).model(model);
    let now_and_then = |rule: Rule, every| Rule {
        when: Match {
            every: Some(every),
            ..rule.when
        },
        ..rule
    };
    let unavailable = Fault::Status {
        code: 503,
        body: plimsoll_sim::ErrorBody::Openai,
    };
    let stall = Fault::Stall {
        after: 2,
        keep_alive: false,
    };
    let cut = Fault::Cut {
        after: 2,
        reset: false,
    };
    Script {
        seed: 1,
        rules: vec![
            now_and_then(rule("retried", unavailable), 3),
            rule("refused", Fault::ContextLength),
            rule("uncounted", Fault::NoUsage),
            rule("broken", cut),
            rule("cancelled", stall),
        ],
    }
}

async fn start(sim: &Running) -> TestNode {
    sim.set_script(script()).unwrap();
    let mut files = vec![
        ("plimsoll.toml".to_owned(), server_toml(sim)),
        ("prices.toml".to_owned(), prices()),
    ];
    for kind in KINDS {
        files.push((format!("systems/{kind}/system.toml"), system(kind)));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    TestNode::start(&files).await
}

fn question(kind: &str, number: usize) -> Value {
    let always = matches!(kind, "streamed" | "broken" | "cancelled");
    let is_stream = always || (kind != "plain" && (number / KINDS.len()).is_multiple_of(2));
    let text = format!("question {number}: {}", "why ".repeat(number % 23));
    json!({"model": kind, "stream": is_stream, "messages": [{"role": "user", "content": text}]})
}

/// Asks, reads the beginning of the answer, and goes away.
async fn ask_and_vanish(node: &TestNode, question: &Value) {
    let body = question.to_string();
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
}

fn attempts<'d>(closed: &'d [Decision], kind: &str) -> Vec<&'d AttemptRecord> {
    let of = closed.iter().filter(|one| one.system.as_str() == kind);
    of.flat_map(|one| &one.attempts).collect()
}

/// Tokens read and written of the attempts whose usage was given.
fn tokens(attempts: &[&AttemptRecord]) -> (u64, u64) {
    let told = attempts.iter().filter_map(|attempt| attempt.usage);
    told.fold((0, 0), |(read, written), usage| {
        (read + usage.input_tokens, written + usage.output_tokens)
    })
}

fn as_the_provider_counts(theirs: &ModelLedger) -> Money {
    let pico = theirs.prompt_tokens + 10 * theirs.completion_tokens;
    Money::from_pico(i128::from(pico) * 1_000_000)
}

#[tokio::test]
async fn ten_thousand_mixed_requests_come_to_the_providers_own_count() {
    let sim = simulator().await;
    let node = start(&sim).await;
    let asking = stream::iter(0..REQUESTS).map(|number| {
        let kind = KINDS[number % KINDS.len()];
        let question = question(kind, number);
        let node = &node;
        async move {
            if kind == "cancelled" {
                ask_and_vanish(node, &question).await;
            } else {
                node.post("/v1/chat/completions", &question).await;
            }
        }
    });
    asking.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    let closed = node.closed_at_least(REQUESTS).await;
    assert_eq!(closed.len(), REQUESTS);
    let sims = sim.ledger();

    let mut spent = BTreeMap::new();
    for kind in KINDS {
        let (ours, theirs) = (attempts(&closed, kind), &sims.models[kind]);
        assert_eq!(
            ours.len() as u64,
            theirs.requests,
            "{kind}: each call is a row"
        );
        let total: Money = ours.iter().map(|attempt| attempt.cost.amount).sum();
        spent.insert(kind, total);
        for attempt in &ours {
            let basis = attempt.cost.basis;
            let is_told = attempt.usage.is_some();
            let was_refused = matches!(kind, "retried" | "refused") && attempt.code.is_some();
            match (kind, is_told) {
                ("unpriced", _) => assert_eq!(basis, CostBasis::Unknown),
                (_, true) => assert_eq!(basis, CostBasis::Measured, "{kind}"),
                // What a provider refuses at once it does not bill, and the simulator did not count it.
                (_, false) if was_refused => assert_eq!(attempt.cost.amount, Money::ZERO),
                (_, false) => {
                    assert_eq!(basis, CostBasis::Estimated, "{kind}: {attempt:?}");
                    assert!(attempt.cost.amount > Money::ZERO, "{kind}: never free");
                }
            }
        }
    }
    for kind in ["plain", "streamed", "retried", "refused"] {
        let (ours, theirs) = (attempts(&closed, kind), &sims.models[kind]);
        let told = (theirs.prompt_tokens, theirs.completion_tokens);
        assert_eq!(tokens(&ours), told, "{kind}: to the token");
        assert_eq!(spent[kind], as_the_provider_counts(theirs), "{kind}");
    }
    let theirs = &sims.models["unpriced"];
    let told = (theirs.prompt_tokens, theirs.completion_tokens);
    assert_eq!(tokens(&attempts(&closed, "unpriced")), told);
    for kind in ["broken", "cancelled"] {
        let most = as_the_provider_counts(&sims.models[kind]);
        assert!(spent[kind] >= most, "{kind}: an estimate is a bound");
    }
    let retried = attempts(&closed, "retried");
    assert!(
        retried.len() > REQUESTS / KINDS.len() + 100,
        "there were retries"
    );
    let cancelled = closed
        .iter()
        .filter(|one| one.system.as_str() == "cancelled");
    for decision in cancelled {
        assert_eq!(decision.outcome, Some(Outcome::Cancelled));
    }
}
