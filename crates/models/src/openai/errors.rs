//! What a provider's error means: the one place where refusals become codes.
//!
//! Providers that speak OpenAI's protocol agree on the success and differ in the failures: the error
//! stands under `error` or at the top, as an object, a string or in a list; codes are words or HTTP
//! statuses. Each form below has a fixture. Of what a provider says only identifiers are kept: its
//! messages may quote the prompt, so that they are read to tell the errors apart and then dropped.

use http::HeaderMap;
use plimsoll_core::Code;
use serde_json::Value;

use crate::error::ModelError;
use crate::status;

/// The longest identifier of a provider that is repeated.
const WORD_MAX: usize = 64;

/// The error for an answer with a status that is no success.
pub(super) fn refused(http_status: u16, headers: &HeaderMap, body: &[u8]) -> ModelError {
    let facts = serde_json::from_slice(body).ok().and_then(Facts::read);
    let mut error = match facts {
        Some(facts) => facts.error(http_status),
        None => ModelError::new(status::code(http_status), format!("status {http_status}")),
    };
    error.status = Some(http_status);
    error.retry_after = status::retry_after(headers);
    error
}

/// The error that an answer or an event with a status of success holds, if it holds one.
pub(super) fn in_body(body: &[u8]) -> Option<ModelError> {
    let value: Value = serde_json::from_slice(body).ok()?;
    value.get("error").filter(|error| !error.is_null())?;
    let facts = Facts::read(value)?;
    let status = facts.status.unwrap_or(500);
    Some(facts.error(status).with_status(status))
}

/// What an error object says.
#[derive(Default)]
struct Facts {
    /// `code`, `type`, `param` as they are shown, each an identifier or nothing.
    shown: Vec<(&'static str, String)>,
    /// Every identifier in lower case, for telling errors apart.
    words: Vec<String>,
    /// The message in lower case. Never shown.
    message: String,
    /// The status that the error names as its code.
    status: Option<u16>,
}

impl Facts {
    fn read(body: Value) -> Option<Self> {
        let mut body = match body {
            Value::Array(items) => items.into_iter().next()?,
            other => other,
        };
        let error = match body.get_mut("error").map(Value::take) {
            Some(Value::Null) | None => body,
            Some(error) => error,
        };
        let mut facts = Self::default();
        match &error {
            Value::String(message) => facts.message = message.to_lowercase(),
            Value::Object(members) => {
                for name in ["code", "type", "param"] {
                    facts.add(name, members.get(name));
                }
                facts.word(members.get("status"));
                facts.word(error.pointer("/innererror/code"));
                facts.word(error.pointer("/details/0/reason"));
                let message = members.get("message");
                facts.message = message.map_or_else(String::new, message_text);
            }
            _ => return None,
        }
        Some(facts)
    }

    fn add(&mut self, name: &'static str, value: Option<&Value>) {
        if let Some(number) = value.and_then(Value::as_u64) {
            self.status = u16::try_from(number)
                .ok()
                .filter(|code| (400..600).contains(code));
            self.shown.push((name, number.to_string()));
        }
        let Some(text) = value.and_then(Value::as_str) else {
            return;
        };
        if name == "code" {
            let number = text.parse().ok();
            self.status = number
                .filter(|code| (400..600).contains(code))
                .or(self.status);
        }
        if is_word(text) {
            self.shown.push((name, text.to_owned()));
        }
        if name != "param" {
            self.words.push(text.to_lowercase());
        }
    }

    fn word(&mut self, value: Option<&Value>) {
        self.words
            .extend(value.and_then(Value::as_str).map(str::to_lowercase));
    }

    fn error(self, http_status: u16) -> ModelError {
        let mut detail = format!("status {http_status}");
        for (name, word) in &self.shown {
            detail.push_str(&format!(", {name} {word}"));
        }
        ModelError::new(self.code(http_status), detail)
    }

    fn code(&self, http_status: u16) -> Code {
        let has = |words: &[&str]| self.words.iter().any(|word| words.contains(&word.as_str()));
        let says = |parts: &[&str]| parts.iter().any(|part| self.message.contains(part));
        let is_refusal = (400..500).contains(&http_status);
        if has(QUOTA) || (is_refusal && says(&["exceeded your current quota"])) {
            return Code::ProviderQuota;
        }
        if has(FILTERED) {
            return Code::ProviderContentFilter;
        }
        if has(TOO_LONG) || (is_refusal && http_status != 429 && says(TOO_LONG_SAID)) {
            return Code::ContextTooLong;
        }
        if has(NO_MODEL) {
            return Code::ProviderModelNotFound;
        }
        if has(KEY) || (http_status == 400 && says(&["api key not valid"])) {
            return Code::ProviderRefusedKey;
        }
        if has(&["overloaded_error"]) {
            return Code::ProviderRateLimited;
        }
        status::code(http_status)
    }
}

const QUOTA: &[&str] = &[
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "insufficient_balance",
];
const FILTERED: &[&str] = &[
    "content_filter",
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "invalid_prompt",
];
const TOO_LONG: &[&str] = &[
    "context_length_exceeded",
    "exceed_context_size_error",
    "string_above_max_length",
    "request_too_large",
];
const TOO_LONG_SAID: &[&str] = &[
    "maximum context length",
    "context window",
    "context length",
    "prompt is too long",
];
const NO_MODEL: &[&str] = &["model_not_found", "deploymentnotfound", "not_found_error"];
const KEY: &[&str] = &["invalid_api_key", "api_key_invalid", "authentication_error"];

/// Mistral puts an object where others put a text.
fn message_text(message: &Value) -> String {
    match message {
        Value::String(text) => text.to_lowercase(),
        other => other.to_string().to_lowercase(),
    }
}

/// Whether a text is an identifier, and so cannot be a piece of a prompt worth hiding.
fn is_word(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'[' | b']');
    !text.is_empty() && text.len() <= WORD_MAX && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[derive(serde::Deserialize)]
    struct Fixture {
        name: String,
        status: u16,
        #[serde(default)]
        retry_after: Option<String>,
        body: Value,
        code: String,
        detail: String,
    }

    #[test]
    fn every_recorded_error_has_the_code_that_it_should() {
        let text = include_str!("../../tests/fixtures/openai/errors.json");
        let fixtures: Vec<Fixture> = serde_json::from_str(text).unwrap();
        assert!(fixtures.len() > 20);
        for fixture in fixtures {
            let mut headers = HeaderMap::new();
            if let Some(after) = &fixture.retry_after {
                headers.insert("retry-after", after.parse().unwrap());
            }
            let body = match &fixture.body {
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            let error = refused(fixture.status, &headers, body.as_bytes());
            let name = &fixture.name;
            assert_eq!(error.code.as_str(), fixture.code, "{name}");
            assert_eq!(error.detail, fixture.detail, "{name}");
            assert_eq!(error.status, Some(fixture.status), "{name}");
            let seconds = fixture.retry_after.map(|after| after.parse().unwrap());
            assert_eq!(
                error.retry_after,
                seconds.map(Duration::from_secs),
                "{name}"
            );
        }
    }

    #[test]
    fn no_error_repeats_what_a_provider_quotes() {
        let body = serde_json::json!({"error": {
            "message": "cannot answer: my secret is hunter2",
            "type": "my secret is hunter2",
            "param": "hunter2 and more",
            "code": "hunter2!",
        }});
        for status in [400, 401, 404, 413, 422, 429, 500, 503] {
            let error = refused(status, &HeaderMap::new(), body.to_string().as_bytes());
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn an_error_inside_an_answer_is_found() {
        let error = in_body(br#"{"error":{"message":"x","type":"server_error"}}"#).unwrap();
        assert_eq!(error.code, Code::ModelError);
        let error = in_body(br#"{"error":{"message":"x","code":429}}"#).unwrap();
        assert_eq!(error.code, Code::ProviderRateLimited);
        assert_eq!(in_body(br#"{"error":null,"choices":[]}"#), None);
        assert_eq!(in_body(b"{"), None);
    }
}
