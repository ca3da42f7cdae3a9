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
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
    /// Another name for the cached tokens.
    #[serde(default)]
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl WireUsage {
    /// The usage, if the provider said anything of it.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.prompt_tokens.is_none() && self.completion_tokens.is_none() {
            return None;
        }
        let detailed = self.prompt_tokens_details.as_ref();
        let cached = detailed.and_then(|details| details.cached_tokens);
        let completion = self.completion_tokens_details.as_ref();
        let reasoning = completion.and_then(|details| details.reasoning_tokens);
        Some(Usage {
            input_tokens: self.prompt_tokens.unwrap_or(0),
            cached_tokens: cached.or(self.prompt_cache_hit_tokens).unwrap_or(0),
            output_tokens: self.completion_tokens.unwrap_or(0),
            reasoning_tokens: reasoning.unwrap_or(0),
        })
    }
}

impl Message {
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

/// Text that is a string, absent, or a list of parts of which those with a `text` count.
#[derive(Default)]
pub(super) struct Text(pub(super) Option<String>);

impl Text {
    /// The text, if it is not empty.
    pub(super) fn filled(self) -> Option<String> {
        self.0.filter(|text| !text.is_empty())
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
        Ok(Text(Some(text.to_owned())))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Text, E> {
        Ok(Text(Some(text)))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Text, A::Error> {
        let mut whole = String::new();
        while let Some(part) = parts.next_element::<TextPart>()? {
            whole.push_str(&part.text.unwrap_or_default());
        }
        Ok(Text(Some(whole)))
    }

    /// Arguments of a tool call that a server did not write as a text.
    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Text, A::Error> {
        let value = serde_json::Value::deserialize(MapAccessDeserializer::new(members))?;
        Ok(Text(Some(value.to_string())))
    }
}
