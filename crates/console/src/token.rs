//! The operator's token: who has it may do everything that the control plane can.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use plimsoll_core::{Code, Digest, Secret};
use subtle::ConstantTimeEq as _;

use crate::error::ApiError;
use crate::routes::Control;

/// The digest of the operator's token: digests have one length, so comparing them tells nothing of it.
#[derive(Clone, Copy, Debug)]
pub struct OperatorToken(Digest);

impl OperatorToken {
    /// The token that callers must show.
    pub fn new(token: &Secret) -> Self {
        Self(Digest::of(token.expose().as_bytes()))
    }

    /// Whether these headers carry it, compared in constant time.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let Some(shown) = bearer(headers) else {
            return false;
        };
        let shown = Digest::of(shown.as_bytes());
        shown.as_bytes().ct_eq(self.0.as_bytes()).into()
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start())
}

/// Lets through who shows the token.
pub(crate) async fn require(
    State(control): State<Control>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if control.token.is_in(request.headers()) {
        return Ok(next.run(request).await);
    }
    let error = ApiError::of(
        Code::Unauthenticated,
        "the operator's token is missing or wrong",
    );
    Err(error
        .hint("send `Authorization: Bearer …` with what is in `operator.token` of the data folder"))
}

/// Who says that they act: for records, not for rights.
pub(crate) fn actor(headers: &HeaderMap) -> Result<String, ApiError> {
    let Some(value) = headers.get("plimsoll-actor") else {
        return Ok("operator".to_owned());
    };
    let text = value.to_str().unwrap_or_default().trim();
    let fits = !text.is_empty() && text.len() <= 128 && !text.chars().any(char::is_control);
    let unfit = "header `plimsoll-actor` is not a name of 1 to 128 printable ASCII characters";
    fits.then(|| text.to_owned())
        .ok_or_else(|| ApiError::unfit(unfit))
}
