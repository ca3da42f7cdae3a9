//! Reading what callers send: queries within bounds, bodies as JSON.

use axum::extract::Query;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use bytes::Bytes;
use plimsoll_core::{Code, Timestamp};
use plimsoll_store::LIST_MAX;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// The longest reason or note, in characters.
pub(crate) const WORDS_MAX: usize = 2_000;

/// The longest purpose, basis or name, in characters.
pub(crate) const PHRASE_MAX: usize = 200;

/// The query, or which parameter does not fit.
pub(crate) fn read_query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ApiError> {
    let unfit = |rejection: QueryRejection| ApiError::unfit(rejection.body_text());
    query.map(|Query(query)| query).map_err(unfit)
}

/// A parameter, read.
pub(crate) fn parse<T>(name: &str, text: Option<String>) -> Result<Option<T>, ApiError>
where
    T: std::str::FromStr,
    T::Err: std::error::Error,
{
    text.map(|text| text.parse().map_err(|e: T::Err| unfit(name, &e)))
        .transpose()
}

/// How many of a list are asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListQuery {
    pub(crate) limit: Option<u32>,
}

/// How many, within the bounds of a page.
pub(crate) fn limit(asked: Option<u32>) -> Result<u32, ApiError> {
    match asked {
        None => Ok(50),
        Some(limit) if (1..=LIST_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(ApiError::unfit(format!(
            "`limit` is not between 1 and {LIST_MAX}"
        ))),
    }
}

/// A parameter that does not fit, named.
pub(crate) fn unfit(name: &str, error: &dyn std::error::Error) -> ApiError {
    ApiError::unfit(format!("parameter `{name}`: {error}"))
}

/// A time, as RFC 3339, or a date or time of day in UTC.
pub(crate) fn time(name: &str, text: Option<String>) -> Result<Option<Timestamp>, ApiError> {
    let parse = |text: String| Timestamp::parse(&text).map_err(|error| unfit(name, &error));
    text.map(parse).transpose()
}

/// The one of these whose id begins with `id`, read as the node reads it; none if there is none, or several.
pub(crate) fn the_one<'a, T>(
    all: &'a [T],
    id: &str,
    id_of: impl Fn(&T) -> String,
) -> Option<&'a T> {
    let id = id.trim().trim_end_matches(['…', '.']).to_ascii_uppercase();
    let mut found = all.iter().filter(|one| id_of(one).starts_with(&id));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// What somebody says for the record: not empty, within a bound, and nothing that moves a terminal's
/// cursor.
pub(crate) fn said(name: &str, text: &str, chars_max: usize) -> Result<(), ApiError> {
    let fits = !text.trim().is_empty() && text.chars().count() <= chars_max;
    let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if fits && text.chars().all(is_plain) {
        return Ok(());
    }
    let message = format!("`{name}` must be a text of 1 to {chars_max} characters");
    Err(ApiError::unfit(message))
}

/// As [`said`], if anything is.
pub(crate) fn maybe_said(name: &str, text: Option<&str>, chars_max: usize) -> Result<(), ApiError> {
    text.map_or(Ok(()), |text| said(name, text, chars_max))
}

/// The body as JSON; an empty one is an empty object. Which media type it claims to be does not
/// matter: there is only one.
pub(crate) fn read_body<T: DeserializeOwned>(
    body: Result<Bytes, BytesRejection>,
) -> Result<T, ApiError> {
    let body = body.map_err(|rejection| match rejection.status().as_u16() {
        413 => ApiError::of(Code::BodyTooLarge, "the body is larger than 1 MiB"),
        _ => ApiError::of(
            Code::BodyIncomplete,
            "the connection closed before the body was whole",
        ),
    })?;
    json(&body)
}

/// As [`read_body`], of a body that was read already.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let text: &[u8] = if body.trim_ascii().is_empty() {
        b"{}"
    } else {
        body
    };
    // Serde would read a list as a structure too.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::unfit("the body is no JSON object"));
    }
    serde_json::from_slice(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            ApiError::unfit(format!("the body does not fit: {error}"))
        }
        _ => ApiError::of(Code::JsonSyntax, format!("the body is not JSON: {error}")),
    })
}
