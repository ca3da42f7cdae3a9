//! Each fault that strikes a plain response, or before any response.

use std::time::Duration;

use plimsoll_sim::{ErrorBody, Fault, Rule, Script};
use tokio::time::Instant;

use crate::caller::{CHAT, End, ask, meet, question, simulator};

#[tokio::test]
async fn statuses_come_with_the_body_that_is_wished() {
    let status = |body| Fault::Status { code: 503, body };
    let openai = meet(status(ErrorBody::Openai), &question("")).await;
    assert_eq!(
        (
            openai.status,
            openai.json()["error"]["type"].as_str().unwrap()
        ),
        (503, "server_error")
    );
    let html = meet(status(ErrorBody::Html), &question("")).await;
    assert!(html.body.starts_with("<html>") && html.head.contains("text/html"));
    assert_eq!(
        meet(status(ErrorBody::Text), &question("")).await.body,
        "Service Unavailable"
    );
    assert_eq!(meet(status(ErrorBody::Empty), &question("")).await.body, "");
}

#[tokio::test]
async fn refusals_have_the_codes_that_openai_uses() {
    let cases = [
        (
            Fault::RateLimit {
                retry_after: Some(7),
            },
            429,
            "rate_limit_exceeded",
        ),
        (Fault::Quota, 429, "insufficient_quota"),
        (Fault::BadKey, 401, "invalid_api_key"),
        (Fault::ModelNotFound, 404, "model_not_found"),
        (Fault::ContextLength, 400, "context_length_exceeded"),
        (Fault::ContentFilter, 400, "content_filter"),
    ];
    for (fault, status, code) in cases {
        let got = meet(fault, &question("")).await;
        assert_eq!((got.status, got.error_code().as_str()), (status, code));
        assert_eq!(
            got.head.contains("retry-after: 7"),
            code == "rate_limit_exceeded"
        );
    }
}

#[tokio::test]
async fn connections_end_as_the_script_says() {
    for (fault, end) in [
        (Fault::Reset, End::Reset),
        (Fault::Close, End::Closed),
        (Fault::Silence, End::Open),
    ] {
        let got = meet(fault, &question("")).await;
        assert_eq!((got.head.as_str(), got.end), ("", end));
    }
}

#[tokio::test]
async fn plain_bodies_stall_or_are_cut_half_way() {
    let stalled = meet(
        Fault::Stall {
            after: 1,
            keep_alive: false,
        },
        &question(""),
    )
    .await;
    assert_eq!(
        (stalled.status, stalled.complete, stalled.end),
        (200, false, End::Open)
    );
    for (reset, end) in [(false, End::Closed), (true, End::Reset)] {
        let cut = meet(Fault::Cut { after: 1, reset }, &question("")).await;
        assert_eq!((cut.status, cut.complete, cut.end), (200, false, end));
        assert!(cut.body.starts_with("{\"id\"") && !cut.body.ends_with('}'));
    }
}

#[tokio::test]
async fn wrong_answers_come_with_status_200() {
    let broken = meet(Fault::BrokenJson, &question("")).await;
    assert_eq!((broken.status, broken.complete), (200, true));
    assert!(serde_json::from_str::<serde_json::Value>(&broken.body).is_err());

    let shape = meet(Fault::WrongShape, &question("")).await;
    assert_eq!(shape.json()["object"], "something.else");

    let content = |got: serde_json::Value| {
        got["choices"][0]["message"]["content"]
            .as_str()
            .map(str::to_owned)
    };
    let format = r#","response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object"}}}"#;
    let schema = meet(Fault::WrongSchema, &question(format)).await.json();
    assert!(content(schema).unwrap().starts_with('['));

    let refusal = meet(Fault::Refusal, &question("")).await.json();
    assert!(refusal["choices"][0]["message"]["refusal"].is_string());
    let filtered = meet(Fault::Filtered, &question("")).await.json();
    assert_eq!(filtered["choices"][0]["finish_reason"], "content_filter");
    let truncated = meet(Fault::Truncated, &question("")).await.json();
    assert_eq!(truncated["choices"][0]["finish_reason"], "length");
    assert!(
        meet(Fault::NoUsage, &question(""))
            .await
            .json()
            .get("usage")
            .is_none()
    );
    let answer = meet(Fault::Answer("exactly this".to_owned()), &question(""))
        .await
        .json();
    assert_eq!(content(answer).unwrap(), "exactly this");
}

#[tokio::test]
async fn a_body_can_be_as_large_as_wished() {
    let got = meet(Fault::Oversized { bytes: 300_000 }, &question("")).await;
    assert!(got.complete);
    assert_eq!(got.json()["simulated"].as_str().unwrap().len(), 300_000);
}

#[tokio::test]
async fn a_rule_can_only_delay() {
    let sim = simulator(Script::new().rule(Rule::late(Duration::from_millis(80)).first(1))).await;
    let begun = Instant::now();
    assert_eq!(ask(&sim, CHAT, &question("")).await.status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn predictions_fail_as_well() {
    let row = r#"{"x":1}"#;
    let met = async |fault| {
        let sim = simulator(Script::always(fault)).await;
        ask(&sim, "/predict", row).await
    };
    assert!(met(Fault::WrongSchema).await.json()["label"].is_array());
    assert_eq!(
        met(Fault::Answer("{\"label\":\"x\"}".to_owned()))
            .await
            .json()["label"],
        "x"
    );
    assert_eq!(met(Fault::Reset).await.end, End::Reset);
}
