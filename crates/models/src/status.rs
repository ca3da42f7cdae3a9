//! What an HTTP status of a model's server means, whatever its protocol.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use plimsoll_core::Code;

/// The longest pause that we let a server ask for; what is longer is cut to it.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// The code for an answer with `status`, which is not a success.
pub(crate) const fn code(status: u16) -> Code {
    match status {
        401 | 403 | 407 => Code::ProviderRefusedKey,
        // A redirect is never followed: the operator's URL is not where the model is.
        300..=399 | 404 | 405 | 410 => Code::ProviderModelNotFound,
        402 => Code::ProviderQuota,
        408 | 409 | 425 => Code::ModelError,
        413 => Code::ContextTooLong,
        429 | 529 => Code::ProviderRateLimited,
        400..=499 => Code::ProviderRefusedRequest,
        500..=599 => Code::ModelError,
        _ => Code::ModelProtocol,
    }
}

/// How long the server asks us to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date
/// (which is held against the answer's own `Date`, so that clocks need not agree).
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return wait(millis / 1000.0);
    }
    let after = text(RETRY_AFTER.as_str())?;
    if let Ok(seconds) = after.parse::<f64>() {
        return wait(seconds);
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|t| t.timestamp());
    let pause = date(after)?.duration_since(date(text(DATE.as_str())?)?);
    wait(pause.as_secs_f64())
}

fn wait(seconds: f64) -> Option<Duration> {
    let asked = Duration::try_from_secs_f64(seconds.max(0.0)).ok()?;
    Some(asked.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        retry_after(&map)
    }

    #[test]
    fn retry_after_is_read_in_every_form_that_servers_send() {
        let seconds = Duration::from_secs;
        assert_eq!(asked(&[("retry-after", "7")]), Some(seconds(7)));
        assert_eq!(
            asked(&[("retry-after-ms", "1500"), ("retry-after", "2")]),
            Some(Duration::from_millis(1500))
        );
        let date = [
            ("date", "Fri, 20 Nov 2026 10:00:00 GMT"),
            ("retry-after", "Fri, 20 Nov 2026 10:00:30 GMT"),
        ];
        assert_eq!(asked(&date), Some(seconds(30)));
        assert_eq!(asked(&date[1..]), None);
        assert_eq!(asked(&[("retry-after", "1e300")]), None);
        assert_eq!(asked(&[("retry-after", "999999")]), Some(RETRY_AFTER_MAX));
        assert_eq!(asked(&[("retry-after", "NaN")]), Some(Duration::ZERO));
        assert_eq!(asked(&[("retry-after", "soon")]), None);
        assert_eq!(asked(&[]), None);
    }

    #[test]
    fn every_status_that_is_no_success_has_a_code() {
        for status in (100..200).chain(300..600) {
            let code = code(status);
            assert!(code.kind().is_some(), "{status}");
        }
    }
}
