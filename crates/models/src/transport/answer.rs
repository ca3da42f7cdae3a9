//! The answer of a model's server: head, and body as it comes.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use plimsoll_core::Code;

use super::pool::Lease;
use super::reset;
use crate::error::ModelError;

/// An answer whose head has come. Dropping it before its end closes the connection, so that the
/// server learns that nobody waits.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    lease: Option<Lease>,
    received: usize,
    bytes_max: usize,
}

impl Answer {
    pub(super) fn new(response: Response<Incoming>, lease: Lease, bytes_max: usize) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            lease: Some(lease),
            received: 0,
            bytes_max,
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The media type, in lower case and without parameters.
    pub(crate) fn media_type(&self) -> Option<String> {
        let value = self
            .headers
            .get(http::header::CONTENT_TYPE)?
            .to_str()
            .ok()?;
        let essence = value.split(';').next().unwrap_or_default();
        Some(essence.trim().to_ascii_lowercase())
    }

    /// The next bytes of the body; `None` at its end. May be dropped and called again.
    pub(crate) async fn chunk(&mut self) -> Option<Result<Bytes, ModelError>> {
        loop {
            let Some(frame) = self.body.frame().await else {
                self.finish();
                return None;
            };
            let Ok(frame) = frame else {
                self.lease = None;
                return Some(Err(reset("before its answer was whole")));
            };
            let Ok(bytes) = frame.into_data() else {
                continue;
            };
            self.received = self.received.saturating_add(bytes.len());
            if self.received > self.bytes_max {
                self.lease = None;
                return Some(Err(self.too_large()));
            }
            if self.body.is_end_stream() {
                self.finish();
            }
            return Some(Ok(bytes));
        }
    }

    /// The whole body.
    pub(crate) async fn collect(&mut self) -> Result<Bytes, ModelError> {
        let declared = self.body.size_hint().lower();
        if declared > self.bytes_max as u64 {
            self.lease = None;
            return Err(self.too_large());
        }
        let Some(first) = self.chunk().await.transpose()? else {
            return Ok(Bytes::new());
        };
        if first.len() as u64 == declared {
            return Ok(first);
        }
        let mut whole = BytesMut::from(first);
        while let Some(more) = self.chunk().await.transpose()? {
            whole.extend_from_slice(&more);
        }
        Ok(whole.freeze())
    }

    fn too_large(&self) -> ModelError {
        let detail = format!("the answer is larger than {} bytes", self.bytes_max);
        ModelError::new(Code::ModelProtocol, detail)
    }

    fn finish(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }
}
