//! Where a model is.

use std::sync::Arc;

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Uri};

/// The URL that a model is asked at, taken apart once.
#[derive(Clone, Debug)]
pub struct Endpoint {
    uri: Uri,
    path: Uri,
    key: Arc<str>,
    host: HeaderValue,
}

/// A URL that no model can be at.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// It cannot be read.
    #[error("the url is not one: write it as https://host/path")]
    Syntax(#[source] http::uri::InvalidUri),
    /// It has no scheme, or another than these two.
    #[error("the url must begin with https:// or http://")]
    Scheme,
    /// It has no host.
    #[error("the url has no host: write it as https://host/path")]
    Host,
    /// It holds a user's name or password.
    #[error("the url holds a user name or password: give the key by reference under [providers]")]
    UserInfo,
}

impl Endpoint {
    /// Reads a URL.
    ///
    /// # Errors
    /// If it is not an absolute `http` or `https` URL, or has a user's name in it.
    pub fn parse(url: &str) -> Result<Self, EndpointError> {
        let uri: Uri = url.parse().map_err(EndpointError::Syntax)?;
        let scheme = uri.scheme().ok_or(EndpointError::Scheme)?;
        if *scheme != Scheme::HTTPS && *scheme != Scheme::HTTP {
            return Err(EndpointError::Scheme);
        }
        let authority = uri.authority().ok_or(EndpointError::Host)?;
        if authority.as_str().contains('@') {
            return Err(EndpointError::UserInfo);
        }
        if authority.host().is_empty() {
            return Err(EndpointError::Host);
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| EndpointError::Host)?;
        let path = uri.path_and_query().cloned();
        Ok(Self {
            key: format!("{scheme}://{authority}").into(),
            path: Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/"))),
            host,
            uri,
        })
    }

    /// The whole URL.
    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The request target: path and query.
    pub(super) fn path(&self) -> &Uri {
        &self.path
    }

    /// What connections are kept under: scheme, host and port.
    pub(super) fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// Host and port, for messages.
    pub(crate) fn authority(&self) -> &str {
        self.uri
            .authority()
            .map_or("", |authority| authority.as_str())
    }

    /// The value of the `Host` header.
    pub(crate) fn host(&self) -> &HeaderValue {
        &self.host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let endpoint = Endpoint::parse("https://api.openai.com/v1/chat/completions?a=b").unwrap();
        assert_eq!(&**endpoint.key(), "https://api.openai.com");
        assert_eq!(endpoint.path().to_string(), "/v1/chat/completions?a=b");
        assert_eq!(endpoint.host(), "api.openai.com");
        let bare = Endpoint::parse("http://[::1]:8000").unwrap();
        assert_eq!(bare.path().to_string(), "/");
        assert_eq!(bare.authority(), "[::1]:8000");
    }

    #[test]
    fn a_url_that_is_unfit_is_refused_without_repeating_it() {
        for url in [
            "",
            "/v1",
            "ftp://host/",
            "localhost:8000",
            "http://",
            "http:// x",
        ] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
        let error = Endpoint::parse("https://user:hunter2@host/").unwrap_err();
        assert!(matches!(error, EndpointError::UserInfo));
        assert!(!format!("{error:?}{error}").contains("hunter2"));
    }
}
