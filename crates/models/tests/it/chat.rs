//! Whole answers of language models.

use std::time::Duration;

use bytes::Bytes;
use plimsoll_core::manifest::OpenaiSpec;
use plimsoll_core::{Code, Secret};
use plimsoll_models::{ModelError, OpenaiModel, Timers};
use serde_json::json;

use crate::server::{SHORT, Server, Step, json as json_answer, patient, transport};

pub(crate) fn model(server: &Server) -> OpenaiModel {
    let spec: OpenaiSpec = serde_json::from_value(json!({
        "provider": "p", "base_url": server.url("/v1/"), "model": "m", "parameters": {},
        "max_output_tokens": null,
    }))
    .unwrap();
    OpenaiModel::new(&spec, Some(Secret::new("sk-test".into())), transport()).unwrap()
}

const ASKED: &[u8] = br#"{"model":"m",   "messages":[{"role":"user","content":"hi"}]}"#;
const SAID: &str =
    r#"{"model":"m-1","choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}"#;

async fn failure(server: &Server, timers: &Timers) -> ModelError {
    let asked = model(server)
        .complete(Bytes::from_static(ASKED), timers)
        .await;
    asked.expect_err("the call should fail")
}

#[tokio::test]
async fn the_request_goes_out_as_it_was_given_and_the_answer_comes_back_as_it_was_sent() {
    let server = Server::start(|_, request| {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(head.contains("authorization: Bearer sk-test"), "{head}");
        assert!(head.contains("host: 127.0.0.1:"), "{head}");
        assert_eq!(body.as_bytes(), ASKED);
        vec![Step::Send(json_answer(200, SAID))]
    })
    .await;
    let reply = model(&server)
        .complete(Bytes::from_static(ASKED), &patient())
        .await
        .unwrap();
    assert_eq!(reply.body, SAID);
    assert_eq!(reply.content.as_deref(), Some("hello"));
    assert_eq!(reply.reported_model.as_deref(), Some("m-1"));
}

#[tokio::test]
async fn a_rate_limit_tells_how_long_to_wait() {
    let body = r#"{"error":{"code":"rate_limit_exceeded"}}"#;
    let length = body.len();
    let head = "HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-type: application/json\r\n";
    let answer = format!("{head}content-length: {length}\r\n\r\n{body}");
    let server = Server::answering(answer.into_bytes()).await;
    let error = failure(&server, &patient()).await;
    assert_eq!(error.code, Code::ProviderRateLimited);
    assert_eq!(error.status, Some(429));
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
    assert!(error.retryable);
}

#[tokio::test]
async fn a_broken_body_of_an_error_does_not_hide_the_status() {
    let answer = b"HTTP/1.1 503 X\r\ncontent-length: 1000\r\n\r\n{\"err".to_vec();
    let server = Server::start(move |_, _| vec![Step::Send(answer.clone()), Step::Close]).await;
    let error = failure(&server, &patient()).await;
    assert_eq!((error.code, error.status), (Code::ModelError, Some(503)));
}

#[tokio::test]
async fn silence_is_a_total_timeout_and_the_server_learns_that_nobody_waits() {
    let server = Server::start(|_, _| vec![Step::Hang]).await;
    let timers = Timers {
        first_token: Duration::from_millis(1),
        total: SHORT,
        ..patient()
    };
    let error = failure(&server, &timers).await;
    assert_eq!(error.code, Code::TotalTimeout);
    server.abandoned(1).await;
}

#[tokio::test]
async fn an_answer_that_stands_still_is_a_total_timeout() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"choices\"".to_vec();
    let server = Server::start(move |_, _| vec![Step::Send(answer.clone()), Step::Hang]).await;
    let timers = Timers {
        total: SHORT,
        ..patient()
    };
    assert_eq!(failure(&server, &timers).await.code, Code::TotalTimeout);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_reset() {
    for end in [Step::Close, Step::Reset] {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"choices\"".to_vec();
        let server = Server::start(move |_, _| vec![Step::Send(answer.clone()), end.clone()]).await;
        assert_eq!(failure(&server, &patient()).await.code, Code::ModelReset);
    }
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_a_protocol_error() {
    let server = Server::answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()).await;
    assert_eq!(failure(&server, &patient()).await.code, Code::ModelProtocol);
}

#[tokio::test]
async fn an_answer_that_is_no_completion_is_a_protocol_error() {
    let server = Server::answering(json_answer(200, "{\"choices\": [")).await;
    assert_eq!(failure(&server, &patient()).await.code, Code::ModelProtocol);
}
