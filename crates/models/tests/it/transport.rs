//! Connections: kept, lost, limited.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::Code;
use plimsoll_core::manifest::HttpSpec;
use plimsoll_models::{HttpModel, ModelError, Reply, Timers, Transport, TransportConfig};
use serde_json::{Map, json};

use crate::server::{SHORT, Server, Step, json as json_answer, patient, transport};

fn model(url: &str, transport: Arc<Transport>) -> HttpModel {
    let spec: HttpSpec = serde_json::from_value(json!({
        "provider": null, "url": url, "request": null, "label": null, "probabilities": null,
        "answer": {},
    }))
    .unwrap();
    HttpModel::new(&spec, None, transport).unwrap()
}

async fn ask(model: &HttpModel, timers: &Timers) -> Result<Reply, ModelError> {
    model.predict(&Map::new(), timers).await
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let server = Server::answering(json_answer(200, "1")).await;
    let model = model(&server.url("/"), transport());
    for _ in 0..5 {
        ask(&model, &patient()).await.unwrap();
    }
    assert_eq!((server.requests(), server.connections()), (5, 1));
}

#[tokio::test]
async fn calls_at_the_same_time_have_connections_of_their_own() {
    let server =
        Server::start(|_, _| vec![Step::Pause(SHORT), Step::Send(json_answer(200, "1"))]).await;
    let model = model(&server.url("/"), transport());
    let timers = patient();
    let calls = (0..8).map(|_| ask(&model, &timers));
    let replies = futures_util::future::join_all(calls).await;
    assert!(replies.iter().all(Result::is_ok));
    assert_eq!(server.connections(), 8);
}

#[tokio::test]
async fn no_more_idle_connections_are_kept_than_allowed() {
    let server = Server::start(|nth, _| {
        let answer = Step::Send(json_answer(200, "1"));
        if nth < 8 {
            vec![Step::Pause(SHORT), answer]
        } else {
            vec![answer]
        }
    })
    .await;
    let config = TransportConfig {
        idle_max: 2,
        ..TransportConfig::default()
    };
    let model = model(&server.url("/"), Arc::new(Transport::new(config).unwrap()));
    let timers = patient();
    let calls = (0..8).map(|_| ask(&model, &timers));
    assert!(
        futures_util::future::join_all(calls)
            .await
            .iter()
            .all(Result::is_ok)
    );
    let calls = (0..8).map(|_| ask(&model, &timers));
    assert!(
        futures_util::future::join_all(calls)
            .await
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(server.connections(), 8 + 6);
}

#[tokio::test]
async fn an_idle_connection_that_is_too_old_is_not_used() {
    let server = Server::answering(json_answer(200, "1")).await;
    let config = TransportConfig {
        idle_timeout: Duration::ZERO,
        ..TransportConfig::default()
    };
    let model = model(&server.url("/"), Arc::new(Transport::new(config).unwrap()));
    ask(&model, &patient()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2)).await;
    ask(&model, &patient()).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_kept_connection_that_turns_out_closed_is_replaced_once() {
    // The second request finds a kept connection that is closed without a word; the third is fresh.
    let server = Server::start(|nth, _| match nth {
        1 => vec![Step::Close],
        _ => vec![Step::Send(json_answer(200, "1"))],
    })
    .await;
    let model = model(&server.url("/"), transport());
    ask(&model, &patient()).await.unwrap();
    ask(&model, &patient()).await.unwrap();
    assert_eq!((server.requests(), server.connections()), (3, 2));
}

#[tokio::test]
async fn a_fresh_connection_that_is_closed_without_a_word_is_a_reset() {
    for end in [Step::Close, Step::Reset] {
        let server = Server::start(move |_, _| vec![end.clone()]).await;
        let error = ask(&model(&server.url("/"), transport()), &patient())
            .await
            .unwrap_err();
        assert_eq!(error.code, Code::ModelReset);
        assert_eq!(server.requests(), 1);
    }
}

#[tokio::test]
async fn a_kept_connection_that_breaks_within_an_answer_is_not_asked_again() {
    let server = Server::start(|nth, _| match nth {
        0 => vec![Step::Send(json_answer(200, "1"))],
        _ => vec![
            Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1".to_vec()),
            Step::Close,
        ],
    })
    .await;
    let model = model(&server.url("/"), transport());
    ask(&model, &patient()).await.unwrap();
    assert_eq!(
        ask(&model, &patient()).await.unwrap_err().code,
        Code::ModelReset
    );
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_is_asked_on_fresh_connections() {
    let server = Server::start(|_, _| {
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\n1";
        vec![Step::Send(head.into()), Step::Close]
    })
    .await;
    let model = model(&server.url("/"), transport());
    for _ in 0..3 {
        ask(&model, &patient()).await.unwrap();
    }
    assert_eq!((server.requests(), server.connections()), (3, 3));
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let model = model(&format!("http://127.0.0.1:{port}/"), transport());
    let error = ask(&model, &patient()).await.unwrap_err();
    assert_eq!(error.code, Code::ModelUnreachable);
    assert!(
        error.detail.contains(&format!("127.0.0.1:{port}")),
        "{error}"
    );
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_is_a_connect_timeout() {
    // A TLS server that never says hello.
    let server = Server::start(|_, _| vec![Step::Hang]).await;
    let url = server.url("/").replace("http://", "https://");
    let timers = Timers {
        connect: SHORT,
        ..patient()
    };
    let error = ask(&model(&url, transport()), &timers).await.unwrap_err();
    assert_eq!(error.code, Code::ConnectTimeout);
}

#[tokio::test]
async fn an_answer_larger_than_the_limit_is_refused() {
    let long = "1".repeat(1001);
    let declared = json_answer(200, &long);
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunked = format!("{head}3e9\r\n{long}\r\n0\r\n\r\n").into_bytes();
    for answer in [declared, chunked] {
        let server = Server::answering(answer).await;
        let config = TransportConfig {
            response_bytes_max: 1000,
            ..TransportConfig::default()
        };
        let model = model(&server.url("/"), Arc::new(Transport::new(config).unwrap()));
        let error = ask(&model, &patient()).await.unwrap_err();
        assert_eq!(error.code, Code::ModelProtocol);
        assert_eq!(error.detail, "the answer is larger than 1000 bytes");
    }
}

/// A TLS server that answers each of `count` connections once.
fn tls_server(count: usize) -> u16 {
    use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
    let certificate: &[u8] = include_bytes!("../fixtures/tls/server.der");
    let key: &[u8] = include_bytes!("../fixtures/tls/server.key.der");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate)],
            PrivatePkcs8KeyDer::from(key).into(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming().take(count) {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, socket.unwrap());
            let mut request = [0; 4096];
            if matches!(stream.read(&mut request), Ok(read) if read > 0) {
                stream.write_all(&json_answer(200, "1")).unwrap();
                stream.flush().unwrap();
            }
        }
    });
    port
}

#[tokio::test]
async fn a_server_is_asked_over_tls_if_its_certificate_is_trusted() {
    let port = tls_server(2);
    let url = format!("https://localhost:{port}/");
    let authority: &[u8] = include_bytes!("../fixtures/tls/authority.der");
    let config = TransportConfig {
        trusted_certificates: vec![authority.into()],
        ..TransportConfig::default()
    };
    let trusting = Arc::new(Transport::new(config).unwrap());
    let reply = ask(&model(&url, trusting), &patient()).await.unwrap();
    assert_eq!(reply.value, json!(1));
    let error = ask(&model(&url, transport()), &patient())
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::ModelUnreachable);
    assert!(error.detail.contains("certificate"), "{error}");
}
