//! Responses: their headers, and the error envelope of the OpenAI API.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde_json::json;

use crate::script::ErrorBody;
use crate::steps::SimBody;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const SIMULATOR: HeaderName = HeaderName::from_static(crate::SIMULATOR_HEADER);

fn response(status: StatusCode, kind: HeaderValue, body: SimBody) -> Response<SimBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(SIMULATOR, HeaderValue::from_static("1"));
    response
}

/// 200 with a JSON body.
pub(crate) fn json_body(body: SimBody) -> Response<SimBody> {
    response(StatusCode::OK, JSON, body)
}

/// 200 with this JSON.
pub(crate) fn json_bytes(bytes: impl Into<Bytes>) -> Response<SimBody> {
    json_body(SimBody::Whole(bytes.into()))
}

/// 200 with a stream of server-sent events.
pub(crate) fn events(body: SimBody) -> Response<SimBody> {
    response(StatusCode::OK, EVENTS, body)
}

/// What an error of the OpenAI API says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ApiError<'a> {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'a str,
    pub(crate) code: Option<&'a str>,
    pub(crate) param: Option<&'a str>,
    pub(crate) message: &'a str,
}

impl ApiError<'_> {
    /// The error envelope as JSON.
    pub(crate) fn envelope(&self) -> serde_json::Value {
        json!({"error": {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        }})
    }

    /// The error as a response.
    pub(crate) fn response(&self) -> Response<SimBody> {
        let body = SimBody::Whole(self.envelope().to_string().into());
        response(self.status, JSON, body)
    }
}

/// 400 with the error type that the OpenAI API uses for requests it cannot take.
pub(crate) fn bad_request(message: &str, param: Option<&str>) -> Response<SimBody> {
    ApiError {
        status: StatusCode::BAD_REQUEST,
        kind: "invalid_request_error",
        code: None,
        param,
        message,
    }
    .response()
}

/// A scripted status with a body of the wished kind.
pub(crate) fn scripted(status: StatusCode, body: ErrorBody) -> Response<SimBody> {
    let reason = status.canonical_reason().unwrap_or("Error");
    match body {
        ErrorBody::Openai => ApiError {
            status,
            kind: if status.is_server_error() {
                "server_error"
            } else {
                "invalid_request_error"
            },
            code: None,
            param: None,
            message: "the simulator was told to fail",
        }
        .response(),
        ErrorBody::Html => {
            let page =
                format!("<html><head><title>{reason}</title></head><body>{reason}</body></html>");
            response(status, HTML, SimBody::Whole(page.into()))
        }
        ErrorBody::Text => response(
            status,
            TEXT,
            SimBody::Whole(Bytes::from_static(reason.as_bytes())),
        ),
        ErrorBody::Empty => response(status, TEXT, SimBody::Whole(Bytes::new())),
    }
}
