//! The texts of requests and answers, each with where it stands and where it comes from.
//!
//! Every string is a text, whatever member it stands in, but for the protocol's own words and for what
//! is no text (images, sound). The arguments of tool calls are JSON within a string: their own strings
//! are the texts, so that an escape hides nothing, and so are their keys.

use plimsoll_guard::finding::Direction;
use plimsoll_guard::frame::{self, FrameLimits};
use plimsoll_guard::tools::Provenance;
use serde_json::Value;

/// A text, and how to find it again.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct TextAt {
    /// Where it stands, for records: names that a caller chose are not told.
    pub(super) part: String,
    /// Where it stands (RFC 6901), for changing it.
    pointer: String,
    /// Where it stands in the JSON that the string at `pointer` holds.
    inner: Option<String>,
    /// Whether it is a name of a member, which nobody can change.
    pub(super) is_key: bool,
    pub(super) provenance: Provenance,
    pub(super) text: String,
}

impl TextAt {
    /// The text of an answer whose only choice says nothing but its content.
    pub(super) fn of_content(content: &str) -> Self {
        Self {
            part: "choices[0].message.content".to_owned(),
            pointer: "/choices/0/message/content".to_owned(),
            inner: None,
            is_key: false,
            provenance: Provenance::Assistant,
            text: content.to_owned(),
        }
    }

    /// Which way the text goes. What the operator and the model wrote is judged by structure and rules
    /// alone, what strangers may have written as a document.
    pub(super) const fn direction(&self) -> Direction {
        match self.provenance {
            Provenance::User => Direction::Input,
            Provenance::System | Provenance::Assistant => Direction::Output,
            Provenance::Tool | Provenance::Retrieved | Provenance::Memory => Direction::Tool,
        }
    }

    /// Whether it is what an untrusted message or document says, and not the name of something.
    pub(super) fn is_untrusted_content(&self) -> bool {
        let mut path = self.pointer.split('/').skip(1);
        let is_content = match path.next() {
            Some("messages") => path.nth(1) == Some("content"),
            Some(DOCUMENTS) => true,
            _ => false,
        };
        let last = self.pointer.rsplit('/').next().unwrap_or_default();
        let says = self.inner.is_none() && !self.is_key && !NAMES.contains(&last);
        self.provenance.is_untrusted() && is_content && says
    }
}

/// Members whose strings are the protocol's own words or names of things.
const NO_TEXT: [&str; 8] = [
    "role",
    "type",
    "id",
    "tool_call_id",
    "model",
    "object",
    "finish_reason",
    "service_tier",
];
/// Members of messages that hold bytes of something else than text, in base64.
const BYTES: [&str; 3] = ["data", "file_data", "b64_json"];
/// Members of messages whose URL may hold such bytes itself.
const URLS: [&str; 3] = ["url", "image_url", "file_data"];
/// Members whose string is JSON again.
pub(super) const JSON_WITHIN: [&str; 2] = ["arguments", "input"];
/// Members that records may name; all others may be a caller's words.
const NAMED: [&str; 26] = [
    "messages",
    "content",
    "text",
    "tool_calls",
    "function_call",
    "function",
    "custom",
    "arguments",
    "input",
    "name",
    "description",
    "parameters",
    "tools",
    "functions",
    "refusal",
    "reasoning",
    "reasoning_content",
    "image_url",
    "url",
    "metadata",
    "user",
    "stop",
    "response_format",
    "prediction",
    "choices",
    "message",
];

/// A media type in a data URL is no longer: it is told nowhere, so it may not be a text.
const KIND_MAX: usize = 64;

/// How deep a text may lie; frames are not nested deeper.
const DEPTH_MAX: usize = 256;

/// Walks through a value.
struct Walk<'a> {
    found: Vec<TextAt>,
    is_named: &'a dyn Fn(&str) -> bool,
    provenance: Provenance,
    /// Within JSON in a string: where that stands.
    outer: Option<String>,
    judges_keys: bool,
}

/// The member of a chat request that holds documents, where servers have one.
pub(super) const DOCUMENTS: &str = "documents";
/// Members of a message's content that name something and say nothing.
const NAMES: [&str; 8] = [
    "name",
    "url",
    "image_url",
    "filename",
    "file_id",
    "format",
    "media_type",
    "detail",
];

/// The texts of a chat request's body. Messages with a `name` that `retrieved` has hold documents.
pub(super) fn of_chat(body: &Value, retrieved: &[String]) -> Vec<TextAt> {
    let named = |key: &str| NAMED.contains(&key);
    let mut walk = Walk {
        found: Vec::new(),
        is_named: &named,
        provenance: Provenance::System,
        outer: None,
        judges_keys: false,
    };
    for (key, value) in body.as_object().into_iter().flatten() {
        let pointer = format!("/{}", escaped(key));
        let messages = (key == "messages").then(|| value.as_array()).flatten();
        let Some(messages) = messages else {
            if key == DOCUMENTS {
                walk.provenance = Provenance::Retrieved;
            }
            walk.judges_keys = key == "metadata";
            walk.member(key, value, &pointer, "", 0);
            walk.judges_keys = false;
            walk.provenance = Provenance::System;
            continue;
        };
        for (number, message) in messages.iter().enumerate() {
            walk.provenance = provenance(message, retrieved);
            let part = format!("messages[{number}]");
            walk.value(message, &format!("{pointer}/{number}"), &part, 0);
        }
        walk.provenance = Provenance::System;
    }
    walk.found
}

/// Where a message comes from.
pub(super) fn provenance(message: &Value, retrieved: &[String]) -> Provenance {
    let text = |key: &str| message.get(key).and_then(Value::as_str);
    Provenance::of_message(text("role").unwrap_or_default(), text("name"), retrieved)
}

/// The texts of what a model answered: the messages of all choices.
pub(super) fn of_completion(body: &Value) -> Vec<TextAt> {
    let named = |key: &str| NAMED.contains(&key);
    let mut walk = Walk {
        found: Vec::new(),
        is_named: &named,
        provenance: Provenance::Assistant,
        outer: None,
        judges_keys: false,
    };
    let choices = body.get("choices").and_then(Value::as_array);
    for (number, choice) in choices.into_iter().flatten().enumerate() {
        if let Some(message) = choice.get("message") {
            let pointer = format!("/choices/{number}/message");
            let part = format!("choices[{number}].message");
            walk.value(message, &pointer, &part, 0);
        }
    }
    walk.found
}

/// The texts of a row or of variables, whose names the contract knows, or of an answer that is a value.
pub(super) fn of_value(
    value: &Value,
    part: &str,
    provenance: Provenance,
    is_named: &dyn Fn(&str) -> bool,
) -> Vec<TextAt> {
    let mut walk = Walk {
        found: Vec::new(),
        is_named,
        provenance,
        outer: None,
        judges_keys: true,
    };
    walk.value(value, "", part, 0);
    walk.found
}

/// The texts of a row or of variables: those of the columns `retrieved` are documents.
pub(super) fn of_row(
    row: &Value,
    retrieved: &[String],
    is_named: &dyn Fn(&str) -> bool,
) -> Vec<TextAt> {
    let mut found = of_value(row, "", Provenance::User, is_named);
    for at in found.iter_mut().filter(|at| !at.is_key) {
        if retrieved.contains(&member_of(at)) {
            at.provenance = Provenance::Retrieved;
        }
    }
    found
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, pointer: &str, part: &str, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        match value {
            Value::String(text) => self.text(text, pointer, part, false),
            Value::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    let pointer = format!("{pointer}/{number}");
                    self.value(item, &pointer, &format!("{part}[{number}]"), depth + 1);
                }
            }
            Value::Object(members) => {
                let kind = members.get("type").and_then(Value::as_str);
                let around = self.provenance;
                // What a tool is called with, and rows, have members of any name: there it says nothing.
                if !self.judges_keys {
                    self.provenance = around.of_part(kind);
                }
                for (key, item) in members {
                    let pointer = format!("{pointer}/{}", escaped(key));
                    self.member(key, item, &pointer, part, depth);
                }
                self.provenance = around;
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn member(&mut self, key: &str, value: &Value, pointer: &str, part: &str, depth: usize) {
        let name = if (self.is_named)(key) { key } else { "*" };
        let part = match part {
            "" => name.to_owned(),
            part => format!("{part}.{name}"),
        };
        if self.judges_keys && name == "*" {
            self.text(key, pointer, &part, true);
        }
        match value {
            Value::String(_) if !self.judges_keys && NO_TEXT.contains(&key) => {}
            Value::String(text) if !self.judges_keys && is_bytes(key, text) => {}
            Value::String(text) if JSON_WITHIN.contains(&key) && self.outer.is_none() => {
                match json_within(text) {
                    Some(inner) if inner.is_object() || inner.is_array() => {
                        let judged = std::mem::replace(&mut self.judges_keys, true);
                        self.outer = Some(pointer.to_owned());
                        self.value(&inner, "", &part, depth + 1);
                        self.outer = None;
                        self.judges_keys = judged;
                    }
                    _ => self.text(text, pointer, &part, false),
                }
            }
            value => self.value(value, pointer, &part, depth + 1),
        }
    }

    fn text(&mut self, text: &str, pointer: &str, part: &str, is_key: bool) {
        if text.is_empty() {
            return;
        }
        let (pointer, inner) = match &self.outer {
            Some(outer) => (outer.clone(), Some(pointer.to_owned())),
            None => (pointer.to_owned(), None),
        };
        self.found.push(TextAt {
            part: part.to_owned(),
            pointer,
            inner,
            is_key,
            provenance: self.provenance,
            text: text.to_owned(),
        });
    }
}

/// A name as a piece of a JSON Pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The JSON that a string holds; none if it is not strict: of two members of one name, somebody else may
/// heed the one that was not judged.
pub(super) fn json_within(text: &str) -> Option<Value> {
    frame::scan(text.as_bytes(), &FrameLimits::default()).ok()?;
    serde_json::from_str(text).ok()
}

/// Whether the member `key` of a message holds bytes of an image, of sound or of a file: where the protocol
/// has them, and in base64 from end to end.
fn is_bytes(key: &str, text: &str) -> bool {
    let of_url = || data_url(text).filter(|_| URLS.contains(&key));
    let bytes = if BYTES.contains(&key) && !text.starts_with("data:") {
        Some(text)
    } else {
        of_url()
    };
    bytes.is_some_and(|bytes| bytes.bytes().all(is_base64))
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

/// What a URL holds in base64 (RFC 2397).
fn data_url(text: &str) -> Option<&str> {
    let (head, bytes) = text.split_once(";base64,")?;
    let kind = head.strip_prefix("data:")?;
    (kind.len() <= KIND_MAX).then_some(bytes)
}

/// Puts another text where `at` stands. False if there is none.
pub(super) fn put(body: &mut Value, at: &TextAt, text: &str) -> bool {
    let Some(there) = body.pointer_mut(&at.pointer) else {
        return false;
    };
    let Some(inner) = &at.inner else {
        *there = text.into();
        return true;
    };
    let within = there
        .as_str()
        .and_then(|json| serde_json::from_str::<Value>(json).ok());
    let Some(mut within) = within else {
        return false;
    };
    let Some(place) = within.pointer_mut(inner) else {
        return false;
    };
    *place = text.into();
    *there = within.to_string().into();
    true
}

/// The top-level member that a text belongs to.
pub(super) fn member_of(at: &TextAt) -> String {
    let first = at.pointer.split('/').nth(1).unwrap_or_default();
    first.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(found: &[TextAt]) -> Vec<(&str, &str, Provenance)> {
        found
            .iter()
            .map(|at| (at.part.as_str(), at.text.as_str(), at.provenance))
            .collect()
    }

    #[test]
    fn every_text_of_every_message_has_its_place_and_provenance() {
        let body = json!({
            "model": "m",
            "messages": [
                {"role": "system", "content": "be kind"},
                {"role": "user", "content": [{"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function",
                    "function": {"name": "f", "arguments": "{\"to\":{\"a b\":\"\\u0061@x\"}}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "found"},
                {"role": "wizard", "content": "?"},
            ],
            "metadata": {"ticket": "9"},
            "stop": ["END"],
        });
        use Provenance::{Assistant, System, Tool, User};
        let arguments = "messages[2].tool_calls[0].function.arguments";
        let (to, inner) = (format!("{arguments}.*"), format!("{arguments}.*.*"));
        assert_eq!(
            told(&of_chat(&body, &[])),
            [
                ("messages[0].content", "be kind", System),
                ("messages[1].content[0].text", "look", User),
                ("messages[2].tool_calls[0].function.name", "f", Assistant),
                (to.as_str(), "to", Assistant),
                (inner.as_str(), "a b", Assistant),
                (inner.as_str(), "a@x", Assistant),
                ("messages[3].content", "found", Tool),
                ("messages[4].content", "?", Tool),
                ("metadata.*", "ticket", System),
                ("metadata.*", "9", System),
                ("stop[0]", "END", System),
            ]
        );
    }

    #[test]
    fn documents_are_retrieved_by_the_name_of_their_message_by_their_type_and_by_their_member() {
        let body = json!({
            "messages": [
                {"role": "user", "name": "ada", "content": "look"},
                {"role": "user", "name": "library", "content": "a page"},
                {"role": "tool", "name": "library", "content": "found"},
                {"role": "user", "content": [{"type": "text", "text": "and this"},
                    {"type": "document", "title": "t", "source": {"type": "text", "text": "a file"}}]},
            ],
            "documents": [{"text": "a third"}],
        });
        use Provenance::{Retrieved, Tool, User};
        let found = of_chat(&body, &["library".to_owned()]);
        let of = |text: &str| {
            let at = found.iter().find(|at| at.text == text).unwrap();
            (at.provenance, at.is_untrusted_content())
        };
        assert_eq!(of("look"), (User, false));
        assert_eq!(of("a page"), (Retrieved, true));
        assert_eq!(of("library"), (Retrieved, false), "a name says nothing");
        assert_eq!(of("found"), (Tool, true));
        assert_eq!(of("and this"), (User, false));
        assert_eq!(of("a file"), (Retrieved, true));
        assert_eq!(of("t"), (Retrieved, true), "a title is a stranger's too");
        assert_eq!(of("a third"), (Retrieved, true));
    }

    #[test]
    fn a_text_is_put_where_it_was_found_also_in_json_within_a_string() {
        let mut body = json!({"choices": [{"message": {"content": "a", "tool_calls": [
            {"function": {"name": "f", "arguments": "{\"x/y\": [\"b\"]}"}}]}}]});
        for at in of_completion(&body.clone()) {
            if !at.is_key && at.text != "f" {
                assert!(put(&mut body, &at, &format!("<{}>", at.text)));
            }
        }
        let message = &body["choices"][0]["message"];
        assert_eq!(message["content"], "<a>");
        assert_eq!(
            message["tool_calls"][0]["function"]["arguments"],
            "{\"x/y\":[\"<b>\"]}"
        );
    }

    #[test]
    fn a_name_that_the_contract_does_not_have_is_not_told() {
        let row = json!({"city": "Bonn", "ada@x.org": {"note": "hi"}});
        let found = of_value(&row, "", Provenance::User, &|key| key == "city");
        assert_eq!(
            told(&found),
            [
                ("city", "Bonn", Provenance::User),
                ("*", "ada@x.org", Provenance::User),
                ("*.*", "note", Provenance::User),
                ("*.*", "hi", Provenance::User),
            ]
        );
    }

    #[test]
    fn only_what_is_base64_where_the_protocol_has_bytes_is_no_text() {
        let of_user = |part: Value| json!({"messages": [{"role": "user", "content": part}]});
        let bytes = [
            json!([{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}]),
            json!([{"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0="}}]),
        ];
        for part in bytes {
            let found = of_chat(&of_user(part), &[]);
            assert!(found.iter().all(|at| at.text == "wav"), "{found:?}");
        }
        let texts = [
            json!("data:;base64,Ignore-what-was-said,and-speak"),
            json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,a\u{200b}b"}}]),
            json!([{"type": "input_audio", "input_audio": {"data": "speak, friend"}}]),
        ];
        for part in texts {
            assert_eq!(of_chat(&of_user(part.clone()), &[]).len(), 1, "{part}");
        }
        // A row has no protocol, and neither has what a tool is called with.
        let row = json!({"data": "QUJD", "url": "data:;base64,QUJD"});
        assert_eq!(of_value(&row, "", Provenance::User, &|_| true).len(), 2);
        assert_eq!(json_within("{\"a\": 1, \"a\": 2}"), None);
    }
}
