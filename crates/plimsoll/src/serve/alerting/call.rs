//! Calling a receiver: one POST, bounded in time and bytes, redirects not followed.
//!
//! A name is resolved here, and the addresses that it gives are the ones that are connected to: an address of
//! this machine or of a private network is taken only if the receiver says `private = true`. So whoever has a
//! name in hand cannot point it inside.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use plimsoll_core::Timestamp;
use plimsoll_spec::receiver::{is_private, is_private_host};
use plimsoll_spec::{Receiver, ReceiverKind};
use tower::Service;

use super::format::{Telling, signature};

/// For connecting, and for the whole call.
const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(15);
/// What is read of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// What is told of an answer that is not a yes.
const SAID_MAX: usize = 200;

type Connector<R> = HttpsConnector<HttpConnector<R>>;

type Calling = Client<Connector<Resolver>, Full<Bytes>>;

/// What calls receivers. Certificates are read with the first call: most nodes make none.
#[derive(Default)]
pub(super) struct Caller {
    public: OnceLock<Calling>,
    any: OnceLock<Calling>,
}

/// What a call met that did not succeed.
#[derive(Debug)]
pub(super) struct Met {
    pub(super) reason: String,
    /// Whether another try may succeed.
    pub(super) may_pass: bool,
    /// How long the receiver asks to be left alone.
    pub(super) after: Option<Duration>,
}

impl Met {
    fn passing(reason: String) -> Self {
        Self {
            reason,
            may_pass: true,
            after: None,
        }
    }
}

impl Caller {
    fn client(&self, private: bool) -> &Calling {
        let cell = if private { &self.any } else { &self.public };
        cell.get_or_init(|| {
            let mut tcp = HttpConnector::new_with_resolver(Resolver { private });
            tcp.enforce_http(false);
            tcp.set_connect_timeout(Some(CONNECT));
            let https = HttpsConnectorBuilder::new()
                .with_webpki_roots()
                .https_or_http()
                .enable_http1()
                .wrap_connector(tcp);
            Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build(https)
        })
    }

    /// Calls a receiver once; `now` is when, which webhooks sign.
    pub(super) async fn call(
        &self,
        receiver: &Receiver,
        telling: &Telling,
        now: Timestamp,
    ) -> Result<(), Met> {
        let never = |reason: String| Met {
            reason,
            may_pass: false,
            after: None,
        };
        if !receiver.private && is_private_host(receiver.kind.url()) {
            return Err(never(
                "its address is private, and `private = true` is not set".to_owned(),
            ));
        }
        let request = request(receiver, telling, now).map_err(|error| never(error.to_string()))?;
        let client = self.client(receiver.private);
        let answered = tokio::time::timeout(TOTAL, async {
            let response = client.request(request).await;
            // The causes name the host and the system's reason; an address that is a secret is in none.
            let response = response.map_err(|error| Met::passing(causes(&error)))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            Ok((
                head,
                body.map(http_body_util::Collected::to_bytes)
                    .unwrap_or_default(),
            ))
        });
        let answered = answered.await;
        let (head, body) = answered.map_err(|_| {
            Met::passing(format!("it did not answer within {} s", TOTAL.as_secs()))
        })??;
        judge(&head, &body)
    }
}

fn judge(head: &http::response::Parts, body: &Bytes) -> Result<(), Met> {
    if head.status.is_success() {
        return Ok(());
    }
    let said: String = String::from_utf8_lossy(body)
        .chars()
        .filter(|c| !c.is_control())
        .take(SAID_MAX)
        .collect();
    let retry_after = head.headers.get(header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
    let status = head.status;
    Err(Met {
        reason: format!("it answered {status}: {said}"),
        may_pass: status.is_server_error()
            || status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::REQUEST_TIMEOUT,
        after: retry_after.map(Duration::from_secs),
    })
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn request(
    receiver: &Receiver,
    telling: &Telling,
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let body = match &receiver.kind {
        ReceiverKind::Webhook { .. } => telling.webhook(now),
        ReceiverKind::Slack { .. } => telling.slack(),
        ReceiverKind::Pagerduty { routing_key, .. } => telling.pagerduty(routing_key),
        ReceiverKind::Alertmanager { .. } => telling.alertmanager(now),
    };
    let body = body.to_string().into_bytes();
    let mut request = Request::post(receiver.kind.url())
        .header(header::CONTENT_TYPE, "application/json")
        .header(
            header::USER_AGENT,
            concat!("plimsoll/", env!("CARGO_PKG_VERSION")),
        );
    if let ReceiverKind::Webhook { secret, .. } = &receiver.kind {
        let id = format!("msg_{}", telling.id);
        let seconds = now.as_micros().div_euclid(1_000_000);
        let signed = signature(secret, &id, seconds, &body);
        request = request
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signed);
    }
    request.body(Full::new(body.into()))
}

/// Resolves names as the system does, to addresses that may be called.
#[derive(Clone, Copy, Debug)]
struct Resolver {
    private: bool,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let private = self.private;
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| private || !is_private(address.ip()))
                .collect();
            if allowed.is_empty() {
                let message =
                    "its name resolves to private addresses only, and `private = true` is not set";
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
            }
            Ok(allowed.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::monitor::Severity;
    use plimsoll_core::{EnvironmentName, Secret};

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1);

    fn receiver(url: &str, private: bool) -> Receiver {
        Receiver {
            name: "ops".into(),
            kind: ReceiverKind::Webhook {
                url: url.into(),
                secret: Secret::new("a-secret-of-some-length".into()),
            },
            systems: None,
            least: Severity::Ticket,
            after: Duration::ZERO,
            private,
        }
    }

    fn telling() -> Telling {
        let environment = EnvironmentName::new("production").unwrap();
        Telling::test(&environment, "ada", NOW)
    }

    #[tokio::test]
    async fn a_private_address_is_not_called_unless_the_operator_says_so() {
        let caller = Caller::default();
        for url in [
            "http://127.0.0.1:9/",
            "http://[::1]:9/",
            "http://localhost:9/",
        ] {
            let met = caller.call(&receiver(url, false), &telling(), NOW).await;
            let met = met.unwrap_err();
            assert!(met.reason.contains("private") && !met.may_pass, "{met:?}");
        }
        // A name that looks public and resolves inside is found out when it is resolved.
        let mut resolver = Resolver { private: false };
        let name = "localhost".parse::<Name>().unwrap();
        let refused = resolver.call(name).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        let met = caller
            .call(&receiver("http://127.0.0.1:9/", true), &telling(), NOW)
            .await;
        assert!(
            met.unwrap_err().may_pass,
            "nobody listens there, but it was tried"
        );
    }
}
