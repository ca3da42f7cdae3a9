//! Calling the identity provider: bounded in time and bytes, redirects not followed.
//!
//! The issuer's own host is the operator's choice, wherever it is. What its discovery document names beside
//! it is called at a public address only, unless the issuer itself is inside: whoever has that document in
//! hand cannot point this node at its neighbours. Names are resolved here, and the addresses that were looked
//! at are the ones that are connected to.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderValue, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use plimsoll_spec::receiver::{is_private, is_private_host};
use tower::Service;

/// For connecting, and for one whole call.
const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(10);

/// The largest answer that is read, in bytes.
pub(super) const ANSWER_BYTES_MAX: usize = 512 * 1024;

/// What calls the provider. Certificates are read with the first call.
#[derive(Debug)]
pub(super) struct Fetcher {
    issuer: Arc<Issuer>,
    client: OnceLock<Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>>,
}

/// Where the provider is, as the operator says.
#[derive(Debug)]
struct Issuer {
    host: String,
    is_plain: bool,
    /// Whether its host stands as a private address.
    is_private: bool,
}

/// Why a call did not come to an answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct FetchError(String);

impl Fetcher {
    /// Of the provider with this issuer.
    pub(super) fn of(issuer: &str) -> Self {
        let uri: Option<Uri> = issuer.parse().ok();
        let issuer = Issuer {
            host: uri
                .as_ref()
                .and_then(Uri::host)
                .unwrap_or_default()
                .to_owned(),
            is_plain: issuer.starts_with("http://"),
            is_private: is_private_host(issuer),
        };
        Self {
            issuer: Arc::new(issuer),
            client: OnceLock::new(),
        }
    }

    fn client(&self) -> &Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>> {
        self.client.get_or_init(|| {
            let mut tcp = HttpConnector::new_with_resolver(Resolver(Arc::clone(&self.issuer)));
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

    /// Whether this may be called at all, as it stands.
    fn check(&self, uri: &Uri) -> Result<(), FetchError> {
        let host = uri.host().unwrap_or_default();
        self.check_scheme(uri.scheme_str(), host)?;
        let is_issuers = host == self.issuer.host;
        if is_private_host(&uri.to_string()) && !is_issuers && !self.issuer.is_private {
            return Err(FetchError(private(host)));
        }
        Ok(())
    }

    /// Whether anybody may go there, browsers too: over TLS, unless the issuer itself does without.
    pub(super) fn check_scheme(&self, scheme: Option<&str>, host: &str) -> Result<(), FetchError> {
        let is_plain = scheme == Some("http") && self.issuer.is_plain;
        if scheme == Some("https") || is_plain {
            return Ok(());
        }
        let message =
            format!("the identity provider names an address at `{host}` that is not https");
        Err(FetchError(message))
    }

    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        self.check(request.uri())?;
        let host = request.uri().host().unwrap_or_default().to_owned();
        let (mut head, body) = request.into_parts();
        let agent = concat!("plimsoll/", env!("CARGO_PKG_VERSION"));
        head.headers
            .insert(USER_AGENT, HeaderValue::from_static(agent));
        let request = http::Request::from_parts(head, Full::new(Bytes::from(body)));
        let answered = tokio::time::timeout(TOTAL, async {
            let response = self.client().request(request).await;
            let response = response.map_err(|error| {
                FetchError(format!("`{host}` cannot be called: {}", root(&error)))
            })?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| {
                FetchError(format!("the answer of `{host}` could not be read: {error}"))
            })?;
            Ok(HttpResponse::from_parts(head, body.to_bytes().to_vec()))
        });
        let late = || {
            FetchError(format!(
                "`{host}` did not answer within {} s",
                TOTAL.as_secs()
            ))
        };
        answered.await.map_err(|_| late())?
    }
}

impl<'c> AsyncHttpClient<'c> for Fetcher {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.fetch(request))
    }
}

fn private(host: &str) -> String {
    format!("the identity provider names a private address, `{host}`, and is none itself")
}

/// The innermost cause: what the operating system or the TLS library said.
fn root<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error
}

/// Resolves names as the system does, to addresses that may be called.
#[derive(Clone, Debug)]
struct Resolver(Arc<Issuer>);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let issuer = Arc::clone(&self.0);
        Box::pin(async move {
            let found = addresses(name.as_str()).await?;
            let is_inside = |address: &SocketAddr| is_private(address.ip());
            let is_open = issuer.is_private || name.as_str() == issuer.host;
            if is_open || !found.iter().any(is_inside) {
                return Ok(found.into_iter());
            }
            // An issuer that is inside by its name may name its neighbours.
            let issuers = addresses(&issuer.host).await?;
            if issuers.iter().any(is_inside) {
                return Ok(found.into_iter());
            }
            Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                private(name.as_str()),
            ))
        })
    }
}

async fn addresses(host: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((host, 0)).await?.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(issuer: &str, uri: &str) -> Result<(), FetchError> {
        Fetcher::of(issuer).check(&uri.parse().unwrap())
    }

    #[test]
    fn what_the_provider_names_is_public_unless_it_is_inside_itself() {
        let public = "https://login.example.com";
        for (issuer, uri, may) in [
            (public, "https://keys.example.com/jwks", true),
            (public, "http://keys.example.com/jwks", false),
            (public, "https://169.254.169.254/latest", false),
            (public, "https://[::1]:8081/api/v1/reload", false),
            (public, "https://localhost/jwks", false),
            (public, "https://10.0.0.7/jwks", false),
            ("https://10.0.0.5", "https://10.0.0.5/jwks", true),
            ("https://10.0.0.5", "https://10.0.0.7/jwks", true),
            ("http://127.0.0.1:9", "http://127.0.0.1:9/jwks", true),
        ] {
            assert_eq!(check(issuer, uri).is_ok(), may, "{issuer} {uri}");
        }
    }

    #[test]
    fn browsers_are_sent_over_tls_unless_the_issuer_does_without() {
        let (tls, plain) = ("https://login.example.com", "http://127.0.0.1:9");
        for (issuer, scheme, may) in [
            (tls, "https", true),
            (tls, "http", false),
            (tls, "javascript", false),
            (plain, "https", true),
            (plain, "http", true),
            (plain, "javascript", false),
        ] {
            let checked = Fetcher::of(issuer).check_scheme(Some(scheme), "x");
            assert_eq!(checked.is_ok(), may, "{issuer} {scheme}");
        }
    }

    #[tokio::test]
    async fn a_name_that_looks_public_and_is_inside_is_found_out_when_it_is_resolved() {
        let issuer = |host: &str| Issuer {
            host: host.to_owned(),
            is_plain: false,
            is_private: false,
        };
        let name = || "localhost".parse::<Name>().unwrap();
        let refused = Resolver(Arc::new(issuer("93.184.216.34")))
            .call(name())
            .await;
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        let own = Resolver(Arc::new(issuer("localhost"))).call(name()).await;
        assert!(own.is_ok(), "the operator's own choice");
        let neighbour = Resolver(Arc::new(issuer("127.0.0.1"))).call(name()).await;
        assert!(neighbour.is_ok(), "an issuer that is inside has neighbours");
    }
}
