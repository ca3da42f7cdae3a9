//! What is read of a whole answer.

use bytes::Bytes;
use plimsoll_core::Code;
use plimsoll_core::decision::Usage;

use super::errors;
use super::protocol;
use super::wire::{Choice, Completion};
use crate::error::ModelError;

/// A whole answer of a language model.
#[derive(Clone, PartialEq, Debug)]
pub struct ChatReply {
    /// The HTTP status, a success.
    pub status: u16,
    /// The provider's bytes, unchanged.
    pub body: Bytes,
    /// The text of the first choice; none if it is empty or has only tool calls.
    pub content: Option<String>,
    /// Whether nothing else would reach the caller as text: one choice, whose message has its content as
    /// one string, and no refusal, reasoning, tool call or member that is not known here.
    pub is_only_content: bool,
    /// Why the first choice ends: `stop`, `length`, `tool_calls`…
    pub finish_reason: Option<String>,
    /// The tokens, if the provider counted them.
    pub usage: Option<Usage>,
    /// The model that the provider says has answered.
    pub reported_model: Option<String>,
    /// Whether the first choice calls tools.
    pub has_tool_calls: bool,
    /// Whether the model declined to answer in the form that it was asked for.
    pub refused: bool,
}

/// Reads the body of an answer with a status of success.
pub(super) fn read(status: u16, body: Bytes) -> Result<ChatReply, ModelError> {
    let read = serde_json::from_slice::<Completion<'_>>(&body);
    let unfit = |error: serde_json::Error| {
        let what = if error.is_data() {
            "a chat completion"
        } else {
            "json"
        };
        let place = format!("line {} column {}", error.line(), error.column());
        protocol(format!("the answer is not {what}, at {place}")).with_status(status)
    };
    let completion = read.map_err(unfit)?;
    if completion.error.is_some()
        && let Some(error) = errors::in_body(&body)
    {
        return Err(error);
    }
    let usage = completion.usage.as_ref().and_then(|usage| usage.usage());
    let choices = completion.choices.unwrap_or_default();
    if choices.is_empty() {
        return Err(protocol("the answer has no choices")
            .with_status(status)
            .with_usage(usage));
    }
    let mut reply = ChatReply {
        status,
        content: None,
        is_only_content: choices.len() == 1,
        finish_reason: None,
        usage,
        reported_model: completion.model.map(|model| model.into_owned()),
        has_tool_calls: false,
        refused: false,
        body: Bytes::new(),
    };
    for (position, choice) in choices.into_iter().enumerate() {
        reply.take_in(position, choice);
    }
    if reply.finish_reason.as_deref() == Some("content_filter") {
        return Err(withheld().with_status(status).with_usage(usage));
    }
    reply.body = body;
    Ok(reply)
}

pub(super) fn withheld() -> ModelError {
    ModelError::new(Code::ProviderContentFilter, "finish_reason content_filter")
}

impl ChatReply {
    fn take_in(&mut self, position: usize, choice: Choice) {
        let message = choice.message.unwrap_or_default();
        let is_first = choice.index.map_or(position == 0, |index| index == 0);
        self.is_only_content &= is_first && message.is_only_content();
        if is_first {
            self.has_tool_calls = message.has_tool_calls();
            self.finish_reason = choice.finish_reason;
            self.content = message.content.filled();
            self.refused = message.refusal.filled().is_some();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reply(value: &serde_json::Value) -> Result<ChatReply, ModelError> {
        read(200, value.to_string().into())
    }

    #[test]
    fn a_recorded_answer_is_read_and_its_bytes_are_kept() {
        let body = include_bytes!("../../tests/fixtures/openai/response.json");
        let reply = read(200, Bytes::from_static(body)).unwrap();
        assert_eq!(&reply.body[..], body);
        assert_eq!(
            reply.content.as_deref(),
            Some("Please restart the router: it helps in \"most\" cases.\n")
        );
        assert_eq!(reply.finish_reason.as_deref(), Some("stop"));
        assert_eq!(
            reply.reported_model.as_deref(),
            Some("gpt-5-mini-2025-08-07")
        );
        let usage = Usage {
            input_tokens: 112,
            cached_tokens: 64,
            output_tokens: 90,
            reasoning_tokens: 64,
            ..Usage::default()
        };
        assert_eq!(reply.usage, Some(usage));
        assert!(!reply.has_tool_calls && !reply.refused && reply.is_only_content);
    }

    #[test]
    fn the_choice_with_the_first_index_is_the_answer() {
        let reply = reply(&json!({"choices": [
            {"index": 1, "message": {"content": "second"}, "finish_reason": "length"},
            {"index": 0, "message": {"content": null, "reasoning_content": "hm", "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}
            ]}, "finish_reason": "tool_calls"},
        ]}))
        .unwrap();
        assert_eq!(reply.content, None);
        assert!(reply.has_tool_calls);
        assert_eq!(reply.finish_reason.as_deref(), Some("tool_calls"));
        assert!(!reply.is_only_content);
        assert_eq!(reply.usage, None);
    }

    #[test]
    fn a_refusal_of_structured_output_is_no_content() {
        let choice = json!({"message": {"content": null, "refusal": "I will not."}});
        let reply = reply(&json!({"choices": [choice]})).unwrap();
        assert!(reply.refused);
        assert_eq!(reply.content, None);
        assert!(!reply.is_only_content);
    }

    #[test]
    fn content_in_parts_is_one_text() {
        let parts = json!([{"type": "text", "text": "a"}, {"type": "x"}, {"text": "b"}]);
        let reply = reply(&json!({"choices": [{"message": {"content": parts}}]})).unwrap();
        assert_eq!(reply.content.as_deref(), Some("ab"));
        assert!(!reply.is_only_content);
    }

    #[test]
    fn whatever_else_a_message_says_is_noticed() {
        let is_only_content = |message: serde_json::Value| {
            let reply = reply(&json!({"choices": [{"message": message}]}));
            reply.unwrap().is_only_content
        };
        for silent in [
            json!({"role": "assistant", "content": "a"}),
            json!({"content": "a", "refusal": null, "annotations": [], "tool_calls": []}),
            json!({"content": "a", "reasoning": "", "audio": null, "function_call": null}),
        ] {
            assert!(is_only_content(silent.clone()), "{silent}");
        }
        for telling in [
            json!({"content": "a", "refusal": "no"}),
            json!({"content": "a", "reasoning_content": "hm"}),
            json!({"content": [{"type": "text", "text": "a"}]}),
            json!({"content": "a", "annotations": [{"url_citation": {"url": "https://x.org"}}]}),
            json!({"content": "a", "audio": {"transcript": "b"}}),
            json!({"content": "a", "function_call": {"name": "f", "arguments": ""}}),
            json!({"content": "a", "note": "b"}),
            json!({"content": "a", "refusal": [{"type": "x", "note": "b"}]}),
            json!({"content": "a", "reasoning": [{"note": "b"}]}),
        ] {
            assert!(!is_only_content(telling.clone()), "{telling}");
        }
    }

    #[test]
    fn a_single_choice_that_is_not_the_first_is_more_than_the_content() {
        let reply = reply(&json!({"choices": [{"index": 1, "message": {"content": "a"}}]}));
        let reply = reply.unwrap();
        assert_eq!((reply.content, reply.is_only_content), (None, false));
    }

    #[test]
    fn odd_forms_of_servers_are_read() {
        let message = json!({
            "content": "a", "reasoning": "hm", "reasoning_content": "hm",
            "tool_calls": [{"function": {"name": "f", "arguments": {"b": 1}}}],
        });
        let reply = reply(&json!({"choices": [{"message": message}], "usage": null})).unwrap();
        assert_eq!(reply.content.as_deref(), Some("a"));
        assert!(reply.has_tool_calls);
    }

    #[test]
    fn a_withheld_answer_is_an_error_that_still_tells_what_it_cost() {
        let body = json!({
            "choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 0},
        });
        let error = reply(&body).unwrap_err();
        assert_eq!(error.code, Code::ProviderContentFilter);
        assert_eq!(error.usage.unwrap().input_tokens, 5);
    }

    #[test]
    fn what_is_no_completion_is_a_protocol_error_that_quotes_nothing() {
        for body in [
            "",
            "<html>secret</html>",
            "{\"choices\": \"secret\"}",
            "{\"choices\": []}",
            "{}",
            "{\"choices\": [{\"message\": {\"content\": \"secret",
            "[\"secret\"]",
        ] {
            let error = read(200, Bytes::from(body)).unwrap_err();
            assert_eq!(error.code, Code::ModelProtocol, "{body}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn an_error_with_status_200_is_an_error() {
        let body = json!({"error": {"message": "upstream is down", "code": 502}});
        let error = reply(&body).unwrap_err();
        assert_eq!((error.code, error.status), (Code::ModelError, Some(502)));
    }
}
