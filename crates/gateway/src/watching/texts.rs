//! What chats and texts have that can be held against a reference: no text is kept, only counted.

use plimsoll_core::decision::AttemptRecord;
use serde_json::Value;

use super::window::{Field, Windows};
use crate::answer::Answer;

/// The column of answers that are texts.
const TEXT: &str = "text";

impl Windows {
    /// Counts a chat: `user` is the text of its last message of a user, `messages` how many there are.
    pub(crate) fn count_chat(&self, body: &Value) {
        let messages = body.get("messages").and_then(Value::as_array);
        let messages = messages.map_or(&[][..], Vec::as_slice);
        self.count_from(|name| match name {
            "user" => last_user_text(messages).map(Field::Text),
            #[expect(clippy::cast_precision_loss, reason = "a count of messages")]
            "messages" => Some(Field::Number(messages.len() as f64)),
            _ => None,
        });
    }

    /// Whether anything of an answer that is a text is counted.
    pub(crate) fn reads_text(&self) -> bool {
        self.has_source(TEXT)
    }

    /// Counts what a model answered: the members of an object, or `text`; and the `tokens` that the provider counted.
    pub(crate) fn count_answer(&self, answer: &Answer, attempt: Option<&AttemptRecord>) {
        let usage = attempt.and_then(|attempt| attempt.usage.as_ref());
        let members = match answer {
            Answer::Value {
                value: Value::Object(members),
                ..
            } => Some(members),
            Answer::Stream(_) => return,
            _ => None,
        };
        self.count_from(
            |name| match (members.and_then(|members| members.get(name)), name) {
                (Some(member), _) => Some(Field::Json(member)),
                (None, TEXT) if members.is_none() => answer.text().map(Field::Text),
                #[expect(clippy::cast_precision_loss, reason = "a count of tokens")]
                (None, "tokens") => usage.map(|usage| Field::Number(usage.output_tokens as f64)),
                (None, _) => None,
            },
        );
    }
}

/// The text of the last message of a user: its content, or the first part of it that is a text.
fn last_user_text(messages: &[Value]) -> Option<&str> {
    let last = messages.iter().rev().find(|one| one["role"] == "user")?;
    match &last["content"] {
        Value::String(text) => Some(text),
        Value::Array(parts) => parts.iter().find_map(|part| part["text"].as_str()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_text_of_a_user_is_what_was_asked() {
        let messages = json!([
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "yes?"},
            {"role": "user", "content": [{"type": "image_url"}, {"type": "text", "text": "and this?"}]},
            {"role": "assistant", "content": "a cat"},
        ]);
        let messages = messages.as_array().unwrap();
        assert_eq!(last_user_text(messages), Some("and this?"));
        assert_eq!(last_user_text(&messages[..2]), Some("hello"));
        assert_eq!(last_user_text(&messages[..1]), None);
    }
}
