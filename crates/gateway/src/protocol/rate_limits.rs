//! How limits stand, in the headers that clients know.
//!
//! `RateLimit-Policy` and `RateLimit` as draft-ietf-httpapi-ratelimit-headers-10 writes them (structured
//! fields, RFC 9651), one item for each ceiling on requests and tokens; `x-ratelimit-…` as OpenAI's SDKs
//! read them, of the ceiling of which the least is left. Money is told to nobody but whom it refuses.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue};
use plimsoll_core::Timestamp;
use plimsoll_core::limits::{Resource, Stand, Window};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Writes the headers.
pub(crate) fn write(headers: &mut HeaderMap, stands: &[Stand], now: Timestamp) {
    let told = || {
        stands
            .iter()
            .filter(|stand| stand.resource != Resource::Money)
    };
    let (mut policy, mut limit) = (String::new(), String::new());
    for stand in told() {
        let (comma, seconds) = (separator(&policy), stand.resets_at.since(now).as_secs());
        let (name, left) = (item_name(stand), stand.left);
        write_policy(&mut policy, stand, &name);
        write!(limit, "{comma}\"{name}\";r={left};t={seconds}").ok();
    }
    insert(headers, POLICY, policy);
    insert(headers, LIMIT, limit);
    let requests = told().filter(|stand| stand.resource == Resource::Requests);
    let tokens = told().filter(|stand| stand.resource != Resource::Requests);
    for (what, stand) in [
        ("requests", requests.min_by_key(|stand| stand.left)),
        ("tokens", tokens.min_by_key(|stand| stand.left)),
    ] {
        let Some(stand) = stand else { continue };
        let mut tell = |which: &str, value: String| {
            let name = HeaderName::try_from(format!("x-ratelimit-{which}-{what}"));
            if let Ok(name) = name {
                insert(headers, name, value);
            }
        };
        tell("limit", stand.most.to_string());
        tell("remaining", stand.left.to_string());
        let millis = stand.resets_at.since(now).as_millis();
        tell("reset", format!("{}s", millis.div_ceil(1000)));
    }
}

fn separator(before: &str) -> &'static str {
    if before.is_empty() { "" } else { ", " }
}

/// `acme-requests-minute`: names hold nothing that a structured field's string could not.
fn item_name(stand: &Stand) -> String {
    let (resource, window) = (stand.resource.as_str(), stand.window.as_str());
    format!("{}-{resource}-{window}", stand.limit)
}

fn write_policy(policy: &mut String, stand: &Stand, name: &str) {
    let (comma, most) = (separator(policy), stand.most);
    write!(policy, "{comma}\"{name}\";q={most}").ok();
    if stand.resource != Resource::Requests {
        write!(
            policy,
            ";qu=\"{}\"",
            stand.resource.as_str().replace('_', "-")
        )
        .ok();
    }
    // A session's life has no length of its own: `t` says when it ends.
    let seconds = match stand.window {
        Window::Minute => 60,
        Window::Hour => 3_600,
        Window::Day => 86_400,
        Window::Month => 2_592_000,
        Window::Session => return,
    };
    write!(policy, ";w={seconds}").ok();
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Some(value) = HeaderValue::try_from(value)
        .ok()
        .filter(|value| !value.is_empty())
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::LimitName;

    use super::*;

    #[test]
    fn the_headers_are_those_of_the_draft_and_of_openai() {
        let now = Timestamp::parse("2026-03-14T09:02:10Z").unwrap();
        let stand = |resource, window, most, left| Stand {
            limit: LimitName::new("acme").unwrap(),
            resource,
            window,
            most,
            left,
            resets_at: Timestamp::parse("2026-03-14T09:03:00Z").unwrap(),
        };
        let stands = [
            stand(Resource::Requests, Window::Minute, 600, 599),
            stand(Resource::Requests, Window::Day, 9_000, 12),
            stand(Resource::TokensOut, Window::Minute, 70, 7),
            stand(Resource::Money, Window::Day, 70, 1),
        ];
        let mut headers = HeaderMap::new();
        write(&mut headers, &stands, now);
        let told: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                "ratelimit-policy: \"acme-requests-minute\";q=600;w=60, \"acme-requests-day\";q=9000;w=86400, \"acme-tokens_out-minute\";q=70;qu=\"tokens-out\";w=60",
                "ratelimit: \"acme-requests-minute\";r=599;t=50, \"acme-requests-day\";r=12;t=50, \"acme-tokens_out-minute\";r=7;t=50",
                "x-ratelimit-limit-requests: 9000",
                "x-ratelimit-remaining-requests: 12",
                "x-ratelimit-reset-requests: 50s",
                "x-ratelimit-limit-tokens: 70",
                "x-ratelimit-remaining-tokens: 7",
                "x-ratelimit-reset-tokens: 50s",
            ]
        );
    }
}
