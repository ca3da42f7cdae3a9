//! What each fault does to a response: before it, in place of it, to its content, or to its body.
//! (What faults do to a stream is in `chat/stream.rs`.)

use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use tokio::time::sleep;

use crate::chat::{Pace, Twist};
use crate::response::{self, ApiError};
use crate::script::Fault;
use crate::steps::{Dropped, HANG_MAX, SimBody, Step};
use crate::wire::Ending;

/// Strikes before the first byte of a response, if this fault does.
pub(crate) async fn strike_before(fault: &Fault, ending: &Ending) -> Result<(), Dropped> {
    match fault {
        Fault::Reset => ending.reset(),
        Fault::Close => {}
        Fault::Silence => sleep(HANG_MAX).await,
        _ => return Ok(()),
    }
    Err(Dropped)
}

/// The response that is given in place of an answer, if this fault gives one.
pub(crate) fn in_place(fault: &Fault, model: &str) -> Option<Response<SimBody>> {
    let refused = |status, kind, code, message| {
        ApiError {
            status,
            kind,
            code: Some(code),
            param: None,
            message,
        }
        .response()
    };
    let response = match fault {
        Fault::Status { code, body } => {
            response::scripted(StatusCode::from_u16(*code).unwrap_or_default(), *body)
        }
        Fault::RateLimit { retry_after } => rate_limited(*retry_after),
        Fault::Quota => refused(
            StatusCode::TOO_MANY_REQUESTS,
            "insufficient_quota",
            "insufficient_quota",
            "You exceeded your current quota (simulated).",
        ),
        Fault::BadKey => bad_key(),
        Fault::ModelNotFound => refused(
            StatusCode::NOT_FOUND,
            "invalid_request_error",
            "model_not_found",
            &format!("The model `{model}` does not exist (simulated)."),
        ),
        Fault::ContextLength => ApiError {
            status: StatusCode::BAD_REQUEST,
            kind: "invalid_request_error",
            code: Some("context_length_exceeded"),
            param: Some("messages"),
            message: "This model's maximum context length is 4096 tokens (simulated).",
        }
        .response(),
        Fault::ContentFilter => refused(
            StatusCode::BAD_REQUEST,
            "invalid_request_error",
            "content_filter",
            "The prompt was refused by the content filter (simulated).",
        ),
        Fault::WrongShape => {
            response::json_bytes(&br#"{"object":"something.else","simulated":true}"#[..])
        }
        _ => return None,
    };
    Some(response)
}

/// 401 as for a key that is not one.
pub(crate) fn bad_key() -> Response<SimBody> {
    ApiError {
        status: StatusCode::UNAUTHORIZED,
        kind: "invalid_request_error",
        code: Some("invalid_api_key"),
        param: None,
        message: "Incorrect API key provided (simulated).",
    }
    .response()
}

fn rate_limited(retry_after: Option<u32>) -> Response<SimBody> {
    let mut response = ApiError {
        status: StatusCode::TOO_MANY_REQUESTS,
        kind: "requests",
        code: Some("rate_limit_exceeded"),
        param: None,
        message: "Rate limit reached (simulated).",
    }
    .response();
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What this fault does to the content of an answer.
pub(crate) fn twist(fault: Option<&Fault>) -> Twist {
    match fault {
        Some(Fault::Answer(text)) => Twist::Text(text.clone()),
        Some(Fault::WrongSchema) => Twist::WrongForm,
        Some(Fault::Filtered) => Twist::Half("content_filter"),
        Some(Fault::Truncated) => Twist::Half("length"),
        Some(Fault::Refusal) => Twist::Refusal,
        Some(Fault::NoUsage) => Twist::NoUsage,
        _ => Twist::Straight,
    }
}

/// What this fault does to the pace of a stream.
pub(crate) fn pace(fault: Option<&Fault>, mut pace: Pace) -> Pace {
    match fault {
        Some(Fault::SlowFirstToken { delay }) => pace.first = *delay,
        Some(Fault::SlowChunks { interval }) => pace.interval = *interval,
        _ => {}
    }
    pace
}

/// A plain body as this fault leaves it.
pub(crate) fn plain_body(whole: Vec<u8>, fault: Option<&Fault>, ending: &Arc<Ending>) -> SimBody {
    let whole = Bytes::from(whole);
    let half = whole.slice(..whole.len() / 2);
    let begun = |after: u32| {
        Step::Bytes(if after == 0 {
            Bytes::new()
        } else {
            half.clone()
        })
    };
    let steps = match fault {
        Some(Fault::BrokenJson | Fault::MalformedChunk { .. } | Fault::EndEarly { .. }) => {
            return SimBody::Whole(half);
        }
        Some(Fault::SlowFirstToken { delay }) => vec![Step::Pause(*delay), Step::Bytes(whole)],
        Some(Fault::Stall { after, .. }) => vec![begun(*after), Step::Hang],
        Some(Fault::Cut { after, reset }) => vec![begun(*after), Step::Break { reset: *reset }],
        Some(Fault::Oversized { bytes }) => vec![
            Step::Bytes(Bytes::from_static(b"{\"simulated\":\"")),
            Step::Fill(*bytes),
            Step::Bytes(Bytes::from_static(b"\"}")),
        ],
        _ => return SimBody::Whole(whole),
    };
    SimBody::steps(steps, ending)
}
