//! The prompt that may not be told: the template of a typed function, or the system messages of a chat.

use std::sync::Arc;

use parking_lot::Mutex;
use plimsoll_guard::leak::Confidential;
use serde_json::Value;

/// What is known of a system's prompt.
pub(crate) enum Prompt {
    /// One for all requests: a template's own words.
    Fixed(Arc<Confidential>),
    /// Each request brings its own. Most bring the same, so the last one is kept.
    Brought(Mutex<Option<(String, Arc<Confidential>)>>),
}

impl Prompt {
    /// Of a typed function, by its template; of a chat, without one.
    pub(crate) fn new(template: Option<&str>) -> Self {
        match template {
            Some(template) => Self::Fixed(Arc::new(Confidential::new(&own_words(template)))),
            None => Self::Brought(Mutex::new(None)),
        }
    }

    /// What may not be told of the prompt in this chat.
    pub(crate) fn of(&self, body: &Value) -> Option<Arc<Confidential>> {
        let last = match self {
            Self::Fixed(prompt) => return Some(Arc::clone(prompt)),
            Self::Brought(last) => last,
        };
        let text = system_text(body)?;
        let mut last = last.lock();
        match &*last {
            Some((known, prompt)) if *known == text => Some(Arc::clone(prompt)),
            _ => {
                let prompt = Arc::new(Confidential::new(&text));
                *last = Some((text, Arc::clone(&prompt)));
                Some(prompt)
            }
        }
    }
}

/// A template without its tags: what they print is the caller's.
fn own_words(template: &str) -> String {
    let mut words = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        words.push_str(&rest[..open]);
        words.push(' ');
        let close = if rest[open..].starts_with("{{") {
            "}}"
        } else {
            "%}"
        };
        let end = rest[open..].find(close).map(|at| open + at + close.len());
        rest = &rest[end.unwrap_or(rest.len())..];
    }
    words.push_str(rest);
    words
}

/// The text of all messages that the operator wrote; none if there is none.
fn system_text(body: &Value) -> Option<String> {
    let mut text = String::new();
    let messages = body.get("messages").and_then(Value::as_array);
    for message in messages.into_iter().flatten() {
        let role = message.get("role").and_then(Value::as_str);
        if !matches!(role, Some("system" | "developer")) {
            continue;
        }
        match message.get("content") {
            Some(Value::String(content)) => text.push_str(content),
            Some(Value::Array(parts)) => {
                for part in parts.iter().filter_map(|part| part.get("text")?.as_str()) {
                    text.push_str(part);
                    text.push('\n');
                }
            }
            _ => {}
        }
        text.push('\n');
    }
    (!text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_template_prints_is_not_confidential() {
        let prompt = "Help {{ name }} with {% for p in pages %}{{ p.title }}, {% endfor %}kindly.";
        let words = own_words(prompt);
        let words: Vec<&str> = words.split_whitespace().collect();
        assert_eq!(words, ["Help", "with", ",", "kindly."]);
    }

    #[test]
    fn the_prompt_of_a_chat_is_what_its_system_messages_say() {
        let prompt = Prompt::new(None);
        let body = json!({"messages": [
            {"role": "system", "content": "one two three four five six seven eight nine ten eleven"},
            {"role": "user", "content": "hello"},
        ]});
        let known = prompt.of(&body).unwrap();
        assert!(
            Arc::ptr_eq(&known, &prompt.of(&body).unwrap()),
            "it is read once"
        );
        let told = "Well: two three four five six seven eight nine ten eleven.";
        assert_eq!(known.leaks(told).len(), 1);
        assert!(prompt.of(&json!({"messages": []})).is_none());
    }
}
