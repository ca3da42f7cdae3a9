//! The HTTP/1.1 client that all remote models share.
//!
//! Connections are kept in an own pool with a shard per worker thread, which costs a request less
//! than a general client and lets a timeout say which part was slow: connecting, or answering. TLS
//! is rustls with Mozilla's roots. Every call is one POST; redirects are not followed, proxies of the
//! environment are not used, answers are not decompressed. Bounded are: idle connections per host
//! and thread, the bytes of an answer, the bytes of its head.
//!
//! Invariant: a request is sent a second time only if it went out on a kept connection that turned
//! out to be closed before any byte of an answer, and that showed at once.

mod answer;
mod endpoint;
mod pool;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use plimsoll_core::Code;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::Instant;
use tower::ServiceExt;

pub(crate) use self::answer::Answer;
pub use self::endpoint::{Endpoint, EndpointError};
use self::pool::{Lease, Pool};
use crate::error::ModelError;
use crate::timers::{Deadline, Running};

/// A kept connection that the server has closed shows within about a round trip. What is lost later
/// was being worked on, and is the caller's to ask for again.
const STALE_WITHIN: Duration = Duration::from_secs(1);

/// After so long without a byte the system asks whether the other end is still there: an answer may
/// take minutes, and what lies between forgets silent connections.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// The most bytes that are buffered of an answer's head, or read from a socket at once.
const READ_BUFFER_MAX: usize = 256 * 1024;

/// The limits of a [`Transport`].
#[derive(Clone, Debug)]
pub struct TransportConfig {
    /// The most idle connections kept per host and worker thread.
    pub idle_max: usize,
    /// After how long an idle connection is closed rather than used again.
    pub idle_timeout: Duration,
    /// The most bytes of an answer, streams too.
    pub response_bytes_max: usize,
    /// The certificates that servers' certificates must lead to, in place of Mozilla's list. Empty:
    /// Mozilla's list.
    pub trusted_certificates: Vec<CertificateDer<'static>>,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            idle_max: 64,
            idle_timeout: Duration::from_secs(50),
            response_bytes_max: 16 * 1024 * 1024,
            trusted_certificates: Vec::new(),
        }
    }
}

/// A transport that could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The TLS library refused the settings.
    #[error("could not set up tls for calls to models")]
    Tls(#[from] rustls::Error),
}

/// The HTTP/1.1 client. One is made at start and shared by all models.
#[derive(Debug)]
pub struct Transport {
    connector: HttpsConnector<HttpConnector>,
    pool: Arc<Pool>,
    response_bytes_max: usize,
}

impl Transport {
    /// A client without connections.
    ///
    /// # Errors
    /// If a trusted certificate cannot be read.
    pub fn new(config: TransportConfig) -> Result<Self, TransportError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(config.trusted_certificates)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self {
            connector,
            pool: Arc::new(Pool::new(config.idle_max, config.idle_timeout)),
            response_bytes_max: config.response_bytes_max,
        })
    }

    /// POSTs `body` and waits for the head of the answer until `answer_by`.
    pub(crate) async fn post(
        &self,
        endpoint: &Endpoint,
        headers: &HeaderMap,
        body: Bytes,
        timers: &Running,
        answer_by: Deadline,
    ) -> Result<Answer, ModelError> {
        let exchange = async {
            if let Some(kept) = self.pool.take(endpoint).await {
                match self.send(kept, endpoint, headers, body.clone()).await {
                    Err(Unsent::Stale) => {}
                    Err(Unsent::Failed(error)) => return Err(error),
                    Ok(answer) => return Ok(answer),
                }
            }
            let fresh = self.connect(endpoint, timers, answer_by).await?;
            match self.send(fresh, endpoint, headers, body).await {
                Err(Unsent::Stale) => Err(reset("before it answered")),
                Err(Unsent::Failed(error)) => Err(error),
                Ok(answer) => Ok(answer),
            }
        };
        answer_by.hold(exchange).await?
    }

    async fn connect(
        &self,
        endpoint: &Endpoint,
        timers: &Running,
        answer_by: Deadline,
    ) -> Result<Lease, ModelError> {
        let by = Deadline::after(Instant::now(), timers.connect, Code::ConnectTimeout);
        let connecting = self.connector.clone().oneshot(endpoint.uri().clone());
        let io = by.earlier(answer_by).hold(connecting).await?;
        let io = io.map_err(|error| {
            // The cause names the address and the system's reason, never a payload.
            tracing::debug!(model.host = endpoint.authority(), error = %error, "could not connect");
            let detail = format!(
                "no connection to {}: {}",
                endpoint.authority(),
                root(&*error)
            );
            ModelError::new(Code::ModelUnreachable, detail)
        })?;
        let handshake = http1::Builder::new()
            .max_buf_size(READ_BUFFER_MAX)
            .handshake::<_, Full<Bytes>>(io)
            .await;
        let (sender, connection) = handshake.map_err(|_| reset("as soon as it was made"))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection to a model ended");
            }
        });
        Ok(Lease::new(sender, endpoint, &self.pool))
    }

    async fn send(
        &self,
        mut lease: Lease,
        endpoint: &Endpoint,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Answer, Unsent> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint.path().clone();
        *request.headers_mut() = headers.clone();
        let sent_at = Instant::now();
        match lease.sender.try_send_request(request).await {
            Ok(response) => Ok(Answer::new(response, lease, self.response_bytes_max)),
            Err(failed) => {
                let returned = failed.message().is_some();
                Err(unsent(failed.error(), returned, sent_at.elapsed()))
            }
        }
    }
}

/// Why a request got no answer on a connection.
enum Unsent {
    /// The connection was closed before the request was read.
    Stale,
    /// Anything else.
    Failed(ModelError),
}

fn unsent(error: &hyper::Error, returned: bool, waited: Duration) -> Unsent {
    if returned || (is_lost(error) && waited < STALE_WITHIN) {
        return Unsent::Stale;
    }
    if is_lost(error) {
        return Unsent::Failed(reset("before it answered"));
    }
    let detail = format!("the answer is not http/1.1: {}", root(error));
    Unsent::Failed(ModelError::new(Code::ModelProtocol, detail))
}

/// Whether the connection went away, as opposed to saying something that is no HTTP.
fn is_lost(error: &hyper::Error) -> bool {
    let by_io = std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>());
    error.is_incomplete_message() || error.is_canceled() || error.is_closed() || by_io
}

pub(crate) fn reset(when: &str) -> ModelError {
    ModelError::new(
        Code::ModelReset,
        format!("the connection was closed {when}"),
    )
}

/// The innermost cause: what the operating system, the TLS or the HTTP library said.
fn root<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error
}

fn tls(trusted: Vec<CertificateDer<'static>>) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    if trusted.is_empty() {
        return Ok(builder.with_webpki_roots().with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate)?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
