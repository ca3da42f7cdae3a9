//! Putting values back: in a text, in JSON, and in a stream that may cut a placeholder in two.

use std::ops::Range;

use serde_json::Value;

use super::{NAME_BYTES_MAX, Vault};

/// The longest placeholder: brackets, a name, an underscore, a number.
const PLACEHOLDER_BYTES_MAX: usize = NAME_BYTES_MAX + 13;

impl Vault {
    /// `text` with each placeholder of this vault replaced by its value.
    pub fn restore(&self, text: &str) -> String {
        self.restore_as(text, str::to_owned)
    }

    /// JSON as text, with each placeholder in it replaced by its value, escaped as a JSON string needs it.
    pub fn restore_json(&self, text: &str) -> String {
        self.restore_as(text, |value| {
            let quoted = Value::from(value).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        })
    }

    /// A value with each placeholder in its texts and keys replaced.
    pub fn restore_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.restore(text)),
            Value::Array(items) => items.iter().map(|item| self.restore_value(item)).collect(),
            Value::Object(members) => {
                let members = members.iter();
                let restored =
                    members.map(|(key, value)| (self.restore(key), self.restore_value(value)));
                Value::Object(restored.collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// The placeholders of this vault in `text` with their values, and up to where nothing that comes behind
    /// `text` could change that.
    pub fn find(&self, text: &str) -> (Vec<(Range<usize>, &str)>, usize) {
        let found = placeholders(text).filter_map(|span| {
            let value = self.values.get(&text[span.clone()])?;
            Some((span, value.as_str()))
        });
        (
            found.collect(),
            open_placeholder(text).unwrap_or(text.len()),
        )
    }

    fn restore_as(&self, text: &str, write: impl Fn(&str) -> String) -> String {
        let mut restored = String::with_capacity(text.len());
        let mut done = 0;
        for span in placeholders(text) {
            if let Some(value) = self.values.get(&text[span.clone()]) {
                restored.push_str(&text[done..span.start]);
                restored.push_str(&write(value));
                done = span.end;
            }
        }
        restored.push_str(&text[done..]);
        restored
    }
}

/// Where something stands that looks like a placeholder: `[NAME_1]`.
pub(super) fn placeholders(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices('[').filter_map(move |(at, _)| {
        let rest = text.as_bytes()[at + 1..].iter().take(PLACEHOLDER_BYTES_MAX);
        let length = rest.take_while(|byte| is_inside(**byte)).count();
        let end = at + 1 + length;
        (text.as_bytes().get(end) == Some(&b']')).then_some(at..end + 1)
    })
}

/// Whether a byte may stand between the brackets of a placeholder.
fn is_inside(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'
}

/// Where a placeholder may begin that `text` does not end.
fn open_placeholder(text: &str) -> Option<usize> {
    text.rfind('[').filter(|at| {
        let inside = &text.as_bytes()[at + 1..];
        inside.len() <= PLACEHOLDER_BYTES_MAX && inside.iter().all(|byte| is_inside(*byte))
    })
}

/// Restores a text that arrives in chunks. Held back is only an end that may be a placeholder's beginning.
#[derive(Debug)]
pub struct Restorer<'v> {
    vault: &'v Vault,
    held: String,
}

impl<'v> Restorer<'v> {
    /// At the start of a stream.
    pub const fn new(vault: &'v Vault) -> Self {
        Self {
            vault,
            held: String::new(),
        }
    }

    /// Takes the next chunk; what can be told now.
    pub fn push(&mut self, chunk: &str) -> String {
        self.held.push_str(chunk);
        let open = open_placeholder(&self.held);
        let kept = self.held.split_off(open.unwrap_or(self.held.len()));
        let told = self.vault.restore(&self.held);
        self.held = kept;
        told
    }

    /// Ends the stream; what was held back.
    pub fn finish(self) -> String {
        self.held
    }
}
