//! The parts of chat completions that are read: everything else passes unread.
//!
//! Whole answers and chunks of a stream share these, because a `delta` is a `message` in pieces.
//! Fields that servers leave out or set to `null` are both absent.

use std::borrow::Cow;
use std::fmt;

use plimsoll_core::decision::Usage;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A completion, or a chunk of one.
#[derive(Deserialize)]
pub(super) struct Completion<'a> {
    #[serde(borrow, default)]
    pub(super) model: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) choices: Option<Vec<Choice>>,
    #[serde(default)]
    pub(super) usage: Option<WireUsage>,
    #[serde(default)]
    pub(super) error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub(super) index: Option<u32>,
    #[serde(default, alias = "delta")]
    pub(super) message: Option<Message>,
    #[serde(default)]
    pub(super) finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
pub(super) struct Message {
    /// Known, so that it is not among `others`.
    #[serde(default, rename = "role")]
    _role: IgnoredAny,
    #[serde(default)]
    pub(super) content: Text,
    #[serde(default)]
    pub(super) refusal: Text,
    #[serde(default)]
    pub(super) reasoning: Text,
    /// The older name of `reasoning`. Some servers send both, with the same text.
    #[serde(default)]
    pub(super) reasoning_content: Text,
    #[serde(default)]
    pub(super) tool_calls: Option<Vec<ToolCall>>,
    /// The form of tool calls before there were several.
    #[serde(default)]
    pub(super) function_call: Option<Function>,
    /// Whether it has members that are not read and say something.
    #[serde(flatten)]
    others: Others,
}

#[derive(Deserialize)]
pub(super) struct ToolCall {
    #[serde(default)]
    pub(super) index: Option<u32>,
    #[serde(default, alias = "custom")]
    pub(super) function: Option<Function>,
}

#[derive(Deserialize)]
pub(super) struct Function {
    #[serde(default, alias = "input")]
    pub(super) arguments: Text,
}

#[derive(Deserialize)]
pub(super) struct WireUsage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    total_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<Details>,
    #[serde(default)]
    completion_tokens_details: Option<Details>,
    /// Another name for the cached tokens.
    #[serde(default)]
    prompt_cache_hit_tokens: Option<u64>,
}

/// Parts of the tokens read or written, by what they are.
#[derive(Deserialize, Default, Clone, Copy)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<u64>,
    #[serde(default)]
    reasoning_tokens: Option<u64>,
    #[serde(default)]
    image_tokens: Option<u64>,
    #[serde(default)]
    audio_tokens: Option<u64>,
}

impl WireUsage {
    /// The usage, if the provider said anything of it.
    ///
    /// Some providers (Gemini is one) leave reasoning out of the tokens written and have it in the total
    /// alone, but want money for it all the same: what the total has beyond its parts was written.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        let read = self.prompt_tokens_details.unwrap_or_default();
        let written = self.completion_tokens_details.unwrap_or_default();
        let cached = read.cached_tokens.or(self.prompt_cache_hit_tokens);
        let input_tokens = self.prompt_tokens.unwrap_or(0);
        let told = self.completion_tokens.unwrap_or(0);
        let parts = input_tokens.saturating_add(told);
        let left_out = self.total_tokens.unwrap_or(0).saturating_sub(parts);
        Some(Usage {
            input_tokens,
            cached_tokens: cached.unwrap_or(0),
            image_input_tokens: read.image_tokens.unwrap_or(0),
            audio_input_tokens: read.audio_tokens.unwrap_or(0),
            output_tokens: told + left_out,
            reasoning_tokens: written.reasoning_tokens.unwrap_or(0).max(left_out),
            image_output_tokens: written.image_tokens.unwrap_or(0),
            audio_output_tokens: written.audio_tokens.unwrap_or(0),
        })
    }
}

impl Message {
    /// Whether it says nothing beyond its content, which is one string.
    pub(super) fn is_only_content(&self) -> bool {
        let texts = [&self.refusal, &self.reasoning, &self.reasoning_content];
        !self.content.in_parts
            && texts.iter().all(|text| text.is_silent())
            && !self.has_tool_calls()
            && !self.others.say_something
    }

    pub(super) fn has_tool_calls(&self) -> bool {
        let calls = self.tool_calls.as_ref();
        calls.is_some_and(|calls| !calls.is_empty()) || self.function_call.is_some()
    }

    /// Takes the reasoning out, under whichever name it came.
    pub(super) fn take_reasoning(&mut self) -> Option<String> {
        let newer = std::mem::take(&mut self.reasoning).filled();
        newer.or_else(|| std::mem::take(&mut self.reasoning_content).filled())
    }
}

/// Members of a message that are not read.
#[derive(Default)]
struct Others {
    /// Whether one of them is more than `null` or empty.
    say_something: bool,
}

impl<'de> Deserialize<'de> for Others {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OthersVisitor)
    }
}

struct OthersVisitor;

impl<'de> Visitor<'de> for OthersVisitor {
    type Value = Others;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("members")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Others, A::Error> {
        let mut others = Others::default();
        while let Some((IgnoredAny, value)) = members.next_entry::<_, serde_json::Value>()? {
            others.say_something |= !is_empty(&value);
        }
        Ok(others)
    }
}

/// Whether `value` says nothing: real answers have `"refusal": null` and `"annotations": []`.
fn is_empty(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null => true,
        serde_json::Value::Array(items) => items.is_empty(),
        serde_json::Value::Object(members) => members.is_empty(),
        serde_json::Value::String(text) => text.is_empty(),
        serde_json::Value::Bool(_) | serde_json::Value::Number(_) => false,
    }
}

/// Text that is a string, absent, or a list of parts of which those with a `text` count.
#[derive(Default)]
pub(super) struct Text {
    said: Option<String>,
    /// Whether it is anything but a string: there may be more in it than its text.
    in_parts: bool,
}

impl Text {
    fn whole(said: Option<String>) -> Self {
        Self {
            said,
            in_parts: false,
        }
    }

    fn in_parts(said: String) -> Self {
        Self {
            said: Some(said),
            in_parts: true,
        }
    }

    /// Whether nothing stands there, not even in parts that are not read.
    fn is_silent(&self) -> bool {
        !self.in_parts && self.said.as_deref().is_none_or(str::is_empty)
    }

    /// The text, if it is not empty.
    pub(super) fn filled(self) -> Option<String> {
        self.said.filter(|text| !text.is_empty())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

#[derive(Deserialize)]
struct TextPart {
    #[serde(default)]
    text: Option<String>,
}

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, null, or a list of parts")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text::whole(Some(text.to_owned())))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Text, E> {
        Ok(Text::whole(Some(text)))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Text, E> {
        Ok(Text::whole(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Text, A::Error> {
        let mut whole = String::new();
        while let Some(part) = parts.next_element::<TextPart>()? {
            whole.push_str(&part.text.unwrap_or_default());
        }
        Ok(Text::in_parts(whole))
    }

    /// Arguments of a tool call that a server did not write as a text.
    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Text, A::Error> {
        let value = serde_json::Value::deserialize(MapAccessDeserializer::new(members))?;
        Ok(Text::in_parts(value.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn usage(value: serde_json::Value) -> Usage {
        let read: WireUsage = serde_json::from_value(value).unwrap();
        read.usage().unwrap()
    }

    #[test]
    fn images_and_sound_are_told_apart() {
        let told = usage(json!({
            "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 10, "image_tokens": 20, "audio_tokens": 30},
            "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 6, "image_tokens": 7},
        }));
        assert_eq!((told.image_input_tokens, told.audio_input_tokens), (20, 30));
        assert_eq!((told.image_output_tokens, told.audio_output_tokens), (7, 6));
        assert_eq!((told.output_tokens, told.reasoning_tokens), (50, 5));
    }

    #[test]
    fn reasoning_that_stands_in_the_total_alone_was_written_too() {
        let told = usage(json!({"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 60}));
        assert_eq!((told.output_tokens, told.reasoning_tokens), (52, 49));
        let odd =
            usage(json!({"prompt_tokens": u64::MAX, "completion_tokens": 3, "total_tokens": 1}));
        assert_eq!((odd.output_tokens, odd.reasoning_tokens), (3, 0));
    }
}
