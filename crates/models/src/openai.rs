//! Language models behind an OpenAI-compatible chat completions API.
//!
//! Bodies pass as they are: what is asked for was spliced before, and the provider's bytes are given
//! on unchanged beside what was read from them.

mod errors;
mod request;
mod response;
mod rewrite;
mod sse;
mod stream;
mod wire;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use plimsoll_core::manifest::OpenaiSpec;
use plimsoll_core::{Code, Secret};

pub use self::request::{chat_body, fixed_members, output_limit_key, repair_body};
pub use self::response::ChatReply;
pub use self::rewrite::{event_data, event_with_texts};
pub use self::stream::{Channel, ChatStream, Part, StreamEvent, TextPiece};
use crate::error::ModelError;
use crate::model::BuildError;
use crate::timers::Timers;
use crate::transport::{Answer, Endpoint, Transport};

/// What is sent as `User-Agent`.
pub(crate) const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("plimsoll/", env!("CARGO_PKG_VERSION")));

/// A language model behind an OpenAI-compatible API.
#[derive(Debug)]
pub struct OpenaiModel {
    transport: Arc<Transport>,
    endpoint: Endpoint,
    headers: HeaderMap,
    stream_headers: HeaderMap,
}

impl OpenaiModel {
    /// The model at `spec.base_url`, asked with `key` as a bearer token if there is one. Does not
    /// connect.
    ///
    /// # Errors
    /// If the URL is none, or the key cannot stand in a header.
    pub fn new(
        spec: &OpenaiSpec,
        key: Option<Secret>,
        transport: Arc<Transport>,
    ) -> Result<Self, BuildError> {
        let endpoint = Endpoint::parse(&completions_url(&spec.base_url))?;
        let headers = json_headers(&endpoint, key.as_ref())?;
        let mut stream_headers = headers.clone();
        stream_headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        Ok(Self {
            transport,
            endpoint,
            headers,
            stream_headers,
        })
    }

    /// Asks for a whole answer. `body` is the chat request as it is sent.
    ///
    /// # Errors
    /// With the code that the provider's answer, or the lack of one, maps to; also if the provider
    /// withheld its answer.
    pub async fn complete(&self, body: Bytes, timers: &Timers) -> Result<ChatReply, ModelError> {
        let running = timers.start();
        let asking =
            self.transport
                .post(&self.endpoint, &self.headers, body, &running, running.total);
        let mut answer = asking.await?;
        if !answer.is_success() {
            return Err(refused(&mut answer, &running).await);
        }
        let bytes = running.total.hold(answer.collect()).await??;
        response::read(answer.status, bytes)
    }

    /// Asks for a stream. `body` is the chat request as it is sent, with `"stream": true`. Gives the
    /// stream as soon as its head has come; the first event may take longer.
    ///
    /// # Errors
    /// With the code that the provider's answer, or the lack of one, maps to.
    pub async fn stream(&self, body: Bytes, timers: &Timers) -> Result<ChatStream, ModelError> {
        let running = timers.start();
        let by = running.total.earlier(running.first_token);
        let headers = &self.stream_headers;
        let asking = self
            .transport
            .post(&self.endpoint, headers, body, &running, by);
        let mut answer = asking.await?;
        if !answer.is_success() {
            return Err(refused(&mut answer, &running).await);
        }
        match answer.media_type().as_deref() {
            None | Some("text/event-stream") => Ok(ChatStream::new(answer, running)),
            Some("application/json") => {
                // Some servers report a failure with status 200 before they begin to stream.
                let bytes = running.total.hold(answer.collect()).await??;
                let detail = "a stream was asked for and a json document was answered";
                Err(errors::in_body(&bytes).unwrap_or_else(|| protocol(detail)))
            }
            Some(_) => Err(protocol("the answer is not text/event-stream")),
        }
    }
}

/// The route under a base URL, which may carry a query (`?api-version=…`).
fn completions_url(base: &str) -> String {
    let (path, query) = match base.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (base, String::new()),
    };
    let path = path.trim_end_matches('/');
    format!("{path}/chat/completions{query}")
}

async fn refused(answer: &mut Answer, running: &crate::timers::Running) -> ModelError {
    // A body that does not come whole changes nothing about the status.
    let body = running.total.hold(answer.collect()).await;
    let body = body.and_then(|body| body).unwrap_or_default();
    errors::refused(answer.status, &answer.headers, &body)
}

pub(crate) fn protocol(detail: impl Into<String>) -> ModelError {
    ModelError::new(Code::ModelProtocol, detail)
}

/// The headers of a POST of JSON to `endpoint`.
pub(crate) fn json_headers(
    endpoint: &Endpoint,
    key: Option<&Secret>,
) -> Result<HeaderMap, BuildError> {
    let json = HeaderValue::from_static("application/json");
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(HOST, endpoint.host().clone());
    headers.insert(USER_AGENT, AGENT);
    headers.insert(ACCEPT, json.clone());
    headers.insert(CONTENT_TYPE, json);
    if let Some(key) = key {
        let bearer = format!("Bearer {}", key.expose());
        let mut value = HeaderValue::from_str(&bearer).map_err(|_| BuildError::Key)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_stands_before_the_query_of_a_base_url() {
        let url = completions_url("https://host/v1/?api-version=1");
        assert_eq!(url, "https://host/v1/chat/completions?api-version=1");
        assert_eq!(
            completions_url("http://host"),
            "http://host/chat/completions"
        );
    }
}
