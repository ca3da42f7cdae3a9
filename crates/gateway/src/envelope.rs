//! What a request says about itself in its headers: unit of work, deadline, criticality, patience.

use std::time::Duration;

use http::HeaderMap;
use plimsoll_core::Code;
use plimsoll_spec::Criticality;

use crate::refusal::Refusal;

/// The longest unit, session, subject or idempotency key, in bytes.
const TAG_BYTES_MAX: usize = 256;
/// The longest that a caller may be held for a person.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// What the headers of the design say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Envelope {
    pub(crate) unit: Option<String>,
    pub(crate) session: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    /// What is left of the caller's own deadline.
    pub(crate) deadline: Option<Duration>,
    pub(crate) criticality: Option<Criticality>,
    pub(crate) patience: Patience,
}

/// What the caller wants when a person is needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Patience {
    /// The protocol's own shape of the abstain value, at once.
    #[default]
    None,
    /// Be held for a person up to this long.
    Wait(Duration),
    /// A 202 at once.
    Async,
}

impl Envelope {
    /// Reads the headers; each that does not fit is refused by name.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        if headers.len() <= 4 && !has_any(headers) {
            return Ok(Self::default());
        }
        Ok(Self {
            unit: tag(headers, "plimsoll-unit")?,
            session: tag(headers, "plimsoll-session")?,
            subject: tag(headers, "plimsoll-subject")?,
            idempotency_key: tag(headers, "idempotency-key")?,
            deadline: deadline(headers)?,
            criticality: criticality(headers)?,
            patience: patience(headers)?,
        })
    }
}

fn has_any(headers: &HeaderMap) -> bool {
    let ours =
        |name: &str| name.starts_with("plimsoll-") || name == "idempotency-key" || name == "prefer";
    headers.keys().any(|name| ours(name.as_str()))
}

fn text<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, Refusal> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    value
        .to_str()
        .map(Some)
        .map_err(|_| unfit(name, "visible ASCII"))
}

fn tag(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, Refusal> {
    let Some(text) = text(headers, name)? else {
        return Ok(None);
    };
    if text.is_empty() || text.len() > TAG_BYTES_MAX {
        return Err(unfit(name, "1 to 256 visible ASCII characters"));
    }
    Ok(Some(text.to_owned()))
}

fn deadline(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let Some(text) = text(headers, "plimsoll-deadline")? else {
        return Ok(None);
    };
    let millis = text
        .parse::<u32>()
        .map_err(|_| unfit("plimsoll-deadline", "milliseconds"))?;
    Ok(Some(Duration::from_millis(millis.into())))
}

fn criticality(headers: &HeaderMap) -> Result<Option<Criticality>, Refusal> {
    let Some(text) = text(headers, "plimsoll-criticality")? else {
        return Ok(None);
    };
    let words = "sheddable, normal or critical";
    Criticality::parse(text)
        .map(Some)
        .ok_or_else(|| unfit("plimsoll-criticality", words))
}

fn patience(headers: &HeaderMap) -> Result<Patience, Refusal> {
    let mut patience = Patience::None;
    for value in headers.get_all("prefer") {
        let text = value
            .to_str()
            .map_err(|_| unfit("prefer", "visible ASCII"))?;
        for preference in text.split(',').map(str::trim) {
            if preference == "respond-async" {
                patience = Patience::Async;
            } else if let Some(seconds) = preference.strip_prefix("wait=") {
                let seconds = seconds
                    .parse::<u32>()
                    .map_err(|_| unfit("prefer", "wait=SECONDS"))?;
                patience = Patience::Wait(Duration::from_secs(seconds.into()).min(WAIT_MAX));
            }
        }
    }
    Ok(patience)
}

fn unfit(header: &'static str, expected: &str) -> Refusal {
    let message = format!("header `{header}` does not fit: {expected} is expected");
    Refusal::new(Code::ParameterUnfit, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                http::HeaderName::from_static(name),
                http::HeaderValue::from_static(value),
            )
        };
        lines.iter().map(pair).collect()
    }

    #[test]
    fn the_headers_of_the_design_are_read() {
        let envelope = Envelope::read(&headers(&[
            ("plimsoll-unit", "ticket-7"),
            ("plimsoll-deadline", "250"),
            ("plimsoll-criticality", "sheddable"),
            ("prefer", "respond-async, wait=5"),
        ]));
        let envelope = envelope.unwrap();
        assert_eq!(envelope.unit.as_deref(), Some("ticket-7"));
        assert_eq!(envelope.deadline, Some(Duration::from_millis(250)));
        assert_eq!(envelope.criticality, Some(Criticality::Sheddable));
        assert_eq!(envelope.patience, Patience::Wait(Duration::from_secs(5)));
    }

    #[test]
    fn a_header_that_does_not_fit_is_refused_by_name() {
        for (name, value) in [
            ("plimsoll-deadline", "soon"),
            ("plimsoll-criticality", "very"),
            ("prefer", "wait=long"),
            ("plimsoll-unit", ""),
        ] {
            let refusal = Envelope::read(&headers(&[(name, value)])).unwrap_err();
            assert_eq!(refusal.code, Code::ParameterUnfit);
            assert!(refusal.message.contains(name), "{}", refusal.message);
        }
    }
}
