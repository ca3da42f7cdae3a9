//! Responses: the design's headers, and a refusal's shape in each protocol.

use std::convert::Infallible;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::Frame;
use plimsoll_core::decision::Protocol;
use plimsoll_core::{Code, Decision};
use serde_json::{Value, json};

use crate::protocol::{openai_shape, rate_limits};
use crate::refusal::Refusal;

/// The bytes of a stream as they come.
pub(crate) type Chunks = Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Infallible>> + Send>>;
/// What a response is made of.
pub(crate) type ResponseBody = Either<Full<Bytes>, StreamBody<Chunks>>;
/// A response of the data plane.
pub(crate) type Reply = Response<ResponseBody>;

const DECISION: HeaderName = HeaderName::from_static("plimsoll-decision");
const RELEASE: HeaderName = HeaderName::from_static("plimsoll-release");
const OUTCOME: HeaderName = HeaderName::from_static("plimsoll-outcome");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A response with a JSON body.
pub(crate) fn json_bytes(status: StatusCode, bytes: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Either::Left(Full::new(bytes.into())));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, JSON);
    reply
}

/// A response with this value as its body.
pub(crate) fn json_value(status: StatusCode, value: &Value) -> Reply {
    json_bytes(status, value.to_string())
}

/// A response of server-sent events.
pub(crate) fn event_stream(chunks: Chunks) -> Reply {
    let mut reply = Response::new(Either::Right(StreamBody::new(chunks)));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    reply
}

/// Names the decision, its release and its outcome (`pending` for one that is open).
pub(crate) fn name_decision(reply: &mut Reply, decision: &Decision) {
    let outcome = decision
        .outcome
        .map_or("pending", |outcome| outcome.as_str());
    let headers = reply.headers_mut();
    headers.insert(DECISION, ascii(&decision.id.to_string()));
    headers.insert(RELEASE, ascii(&decision.release.to_string()));
    headers.insert(OUTCOME, HeaderValue::from_static(outcome));
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// A refusal in the shape of the caller's protocol.
pub(crate) fn refuse(protocol: Protocol, refusal: &Refusal) -> Reply {
    let status = StatusCode::from_u16(refusal.code.status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = match protocol {
        Protocol::OpenaiChat => openai_shape::error(refusal),
        Protocol::Oip => json!({"error": format!("{}: {}", refusal.code, refusal.message)}),
        Protocol::Decisions | Protocol::File => json!({"error": error(refusal)}),
    };
    let mut reply = json_value(status, &body);
    let headers = reply.headers_mut();
    if let Some(seconds) = retry_after(refusal) {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(limit) = &refusal.limit
        && let Some(stand) = limit.stand()
    {
        rate_limits::write(headers, &[stand], limit.at());
    }
    if refusal.code == Code::Unauthenticated {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if refusal.code == Code::MethodNotAllowed {
        headers.insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    reply
}

/// A refusal as the decisions API and records of callers show it.
pub(crate) fn error(refusal: &Refusal) -> Value {
    let mut error = json!({
        "code": refusal.code,
        "message": refusal.message,
        "retryable": refusal.code.is_retryable(),
    });
    if !refusal.details.is_empty() {
        error["details"] = json!(refusal.details);
    }
    if let Some(limit) = &refusal.limit {
        error["limit"] = limit.json();
    }
    error
}

fn retry_after(refusal: &Refusal) -> Option<u64> {
    match (
        refusal.retry_after,
        refusal.code.is_retryable(),
        refusal.code.status(),
    ) {
        (Some(after), _, _) => Some(after.as_secs().max(1)),
        (None, true, 429 | 503) => Some(1),
        (None, _, _) => None,
    }
}
