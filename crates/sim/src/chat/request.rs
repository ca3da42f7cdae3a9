//! What the simulator reads of a chat request; everything else in it is ignored.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The most choices that are given.
const CHOICES_MAX: u32 = 128;

/// A chat request.
#[derive(Debug, Deserialize)]
pub(crate) struct ChatRequest<'a> {
    #[serde(borrow)]
    pub(crate) model: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) messages: &'a RawValue,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    n: Option<u32>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    max_completion_tokens: Option<u64>,
    #[serde(default)]
    logprobs: Option<bool>,
    #[serde(default)]
    top_logprobs: Option<u32>,
    #[serde(default)]
    response_format: Option<Value>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
    #[serde(default)]
    tool_choice: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

/// The answer's form that is asked for.
#[derive(Debug)]
pub(crate) enum Form<'a> {
    /// Any text.
    Text,
    /// Some JSON object.
    Json,
    /// JSON that fits this schema.
    Schema(&'a Value),
    /// A call of this tool, with arguments that fit this schema.
    Tool {
        name: &'a str,
        parameters: Option<&'a Value>,
    },
}

impl<'a> ChatRequest<'a> {
    /// Reads a request's body.
    ///
    /// # Errors
    /// The message for the caller, and the parameter it is about if it is about one.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, (String, Option<&'static str>)> {
        let request: Self = serde_json::from_slice(body)
            .map_err(|error| (format!("the body is not a chat request: {error}"), None))?;
        if !request.messages.get().starts_with('[') || request.messages.get().len() < 3 {
            let message = "`messages` must be an array of at least one message";
            return Err((message.to_owned(), Some("messages")));
        }
        if request.n.is_some_and(|n| n == 0 || n > CHOICES_MAX) {
            return Err((format!("`n` must be 1 to {CHOICES_MAX}"), Some("n")));
        }
        Ok(request)
    }

    pub(crate) fn stream(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    pub(crate) fn include_usage(&self) -> bool {
        let options = self.stream_options.as_ref();
        options
            .and_then(|options| options.include_usage)
            .unwrap_or(false)
    }

    pub(crate) fn choices(&self) -> u32 {
        self.n.unwrap_or(1)
    }

    pub(crate) fn tokens_max(&self) -> Option<u64> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    /// How many alternatives each token is told with; `None` if no log probabilities are asked for.
    pub(crate) fn logprobs(&self) -> Option<u32> {
        let asked = self.logprobs.unwrap_or(false);
        asked.then(|| self.top_logprobs.unwrap_or(0).min(20))
    }

    /// The form of the answer. A tool is called unless the caller forbids it or has just given its result.
    pub(crate) fn form(&self) -> Form<'_> {
        self.tool().unwrap_or_else(|| self.format())
    }

    fn format(&self) -> Form<'_> {
        let Some(format) = &self.response_format else {
            return Form::Text;
        };
        match format.get("type").and_then(Value::as_str) {
            Some("json_schema") => format
                .pointer("/json_schema/schema")
                .map_or(Form::Json, Form::Schema),
            Some("json_object") => Form::Json,
            _ => Form::Text,
        }
    }

    fn tool(&self) -> Option<Form<'_>> {
        let tools = self.tools.as_deref()?;
        let choice = self.tool_choice.as_ref();
        let named = choice.and_then(|choice| choice.pointer("/function/name")?.as_str());
        match choice.and_then(Value::as_str).unwrap_or("auto") {
            "none" => return None,
            "auto" if named.is_none() && self.last_role().as_deref() == Some("tool") => {
                return None;
            }
            _ => {}
        }
        let function = tools
            .iter()
            .filter_map(|tool| tool.get("function"))
            .find(|function| named.is_none_or(|named| function["name"] == named))?;
        Some(Form::Tool {
            name: function.get("name")?.as_str()?,
            parameters: function.get("parameters"),
        })
    }

    fn last_role(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Message {
            role: String,
        }
        let messages: Vec<Message> = serde_json::from_str(self.messages.get()).ok()?;
        messages.into_iter().next_back().map(|message| message.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form_of(extra: &str) -> String {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],
                "tools":[{{"type":"function","function":{{"name":"a"}}}},{{"type":"function","function":{{"name":"b"}}}}]{extra}}}"#
        );
        let request = ChatRequest::parse(body.as_bytes()).unwrap();
        match request.form() {
            Form::Tool { name, .. } => name.to_owned(),
            _ => "no tool".to_owned(),
        }
    }

    #[test]
    fn the_tool_choice_decides_which_tool_is_called() {
        assert_eq!(form_of(""), "a");
        assert_eq!(form_of(r#","tool_choice":"required""#), "a");
        assert_eq!(
            form_of(r#","tool_choice":{"type":"function","function":{"name":"b"}}"#),
            "b"
        );
        assert_eq!(form_of(r#","tool_choice":"none""#), "no tool");
    }

    #[test]
    fn what_is_no_chat_request_is_said_to_be_none() {
        for body in [
            &b"{"[..],
            b"{\"model\":\"m\"}",
            b"{\"model\":\"m\",\"messages\":[]}",
            b"{\"model\":\"m\",\"messages\":[{}],\"n\":0}",
        ] {
            assert!(ChatRequest::parse(body).is_err());
        }
    }
}
