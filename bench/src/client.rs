//! One connection that asks one request after the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use plimsoll_core::Clock;
use tokio::net::TcpStream;

/// How much of a stream is searched for its first content, in bytes.
const SEARCH_BYTES_MAX: usize = 1 << 20;

/// The headers that name the decision behind an answer, and how it ended.
const DECISION: &str = "plimsoll-decision";
const OUTCOME: &str = "plimsoll-outcome";

/// What is asked, again and again.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// Counts up if each request is to have a key that nobody has met.
    pub(crate) keys: Option<Arc<AtomicU64>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The id in `plimsoll-decision`, if there was one.
    pub(crate) decision: Option<String>,
    /// The word in `plimsoll-outcome`, if there was one.
    pub(crate) outcome: Option<String>,
    /// When the first content chunk of a stream came, on the clock that was given.
    pub(crate) first_content: Option<Duration>,
}

/// A connection and the request that is asked over it.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    path: Uri,
    headers: HeaderMap,
    body: Bytes,
    keys: Option<Arc<AtomicU64>>,
}

impl Client {
    pub(crate) async fn connect(question: &Question) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(question.address)
            .await
            .with_context(|| format!("connecting to {}", question.address))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // The end of the connection shows at the next request.
        tokio::spawn(async move { connection.await.ok() });
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(&question.address.to_string())?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &question.headers {
            headers.insert(HeaderName::try_from(name)?, HeaderValue::from_str(value)?);
        }
        Ok(Self {
            sender,
            path: question.path.parse()?,
            headers,
            body: question.body.clone(),
            keys: question.keys.clone(),
        })
    }

    async fn send(&mut self) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(keys) = &self.keys {
            let key = format!("Bearer nobody-{:032}", keys.fetch_add(1, Ordering::Relaxed));
            request
                .headers_mut()
                .insert(AUTHORIZATION, HeaderValue::from_str(&key)?);
        }
        self.sender.ready().await?;
        Ok(self.sender.send_request(request).await?)
    }

    /// Asks once and reads the whole answer.
    pub(crate) async fn ask(&mut self) -> anyhow::Result<Reply> {
        let response = self.send().await?;
        let mut reply = Reply::of(&response);
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        reply.first_content = None;
        Ok(reply)
    }

    /// Asks for a stream, notes when its first content came, and reads on to its end.
    pub(crate) async fn ask_stream(&mut self, clock: &dyn Clock) -> anyhow::Result<Reply> {
        let response = self.send().await?;
        let mut reply = Reply::of(&response);
        let mut body = response.into_body();
        let mut searched = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let now = clock.elapsed();
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            if reply.first_content.is_none() && searched.len() < SEARCH_BYTES_MAX {
                searched.extend_from_slice(&data);
                reply.first_content = bears_content(&searched).then_some(now);
            }
        }
        Ok(reply)
    }
}

impl Reply {
    fn of(response: &Response<Incoming>) -> Self {
        let header = |name| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        Self {
            status: response.status().as_u16(),
            decision: header(DECISION),
            outcome: header(OUTCOME),
            first_content: None,
        }
    }

    /// Whether the model's own answer came: an abstention or a refusal of a row may come with 200 as well.
    pub(crate) fn is_served(&self) -> bool {
        let outcome = self.outcome.as_deref();
        self.status == 200 && outcome.is_none_or(|outcome| ["served", "pending"].contains(&outcome))
    }
}

/// Whether these events hold a content delta that is not empty.
fn bears_content(events: &[u8]) -> bool {
    const KEY: &[u8] = b"\"content\":\"";
    let mut windows = events.windows(KEY.len() + 1);
    windows.any(|window| window.starts_with(KEY) && window[KEY.len()] != b'"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_first_delta_is_no_content() {
        assert!(!bears_content(
            br#"data: {"delta":{"role":"assistant","content":""}}"#
        ));
        assert!(bears_content(br#"data: {"delta":{"content":"T"}}"#));
    }
}
