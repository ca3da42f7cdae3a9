//! A reply as server-sent events: a list of steps, in which the script's faults are edits.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::CREATED;
use super::plain::{put, put_json, token, tool_call};
use super::reply::{Choice, Content, Reply};
use crate::answer::pieces;
use crate::response::ApiError;
use crate::script::Fault;
use crate::steps::Step;

/// How fast the content chunks of a stream come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    /// Before the first content chunk.
    pub(crate) first: Duration,
    /// Between content chunks.
    pub(crate) interval: Duration,
}

/// The steps of a streamed response, up to the fault if there is one.
pub(crate) fn write(
    reply: &Reply<'_>,
    include_usage: bool,
    pace: Pace,
    fault: Option<&Fault>,
) -> Vec<Step> {
    let mut writer = Writer {
        reply,
        steps: Vec::with_capacity(32),
    };
    let opened = |choice: &Choice| match choice.content {
        Content::Tool { .. } => json!({"role": "assistant", "content": null}),
        Content::Text(_) | Content::Refusal(_) => {
            json!({"role": "assistant", "content": "", "refusal": null})
        }
    };
    for (index, choice) in reply.choices.iter().enumerate() {
        writer.delta(index, &opened(choice), None);
    }
    if pace.first > Duration::ZERO {
        writer.steps.push(Step::Pause(pace.first));
    }
    let strikes_after = fault.and_then(strikes_after);
    let mut sent = 0;
    for (index, choice) in reply.choices.iter().enumerate() {
        for piece in deltas(choice, index, reply.hash) {
            if strikes_after == Some(sent) {
                return writer.struck(fault);
            }
            if sent > 0 && pace.interval > Duration::ZERO {
                writer.steps.push(Step::Pause(pace.interval));
            }
            writer.piece(index, &piece);
            sent += 1;
        }
    }
    if strikes_after.is_some() {
        return writer.struck(fault);
    }
    writer.end(include_usage, !matches!(fault, Some(Fault::MissingDone)));
    writer.steps
}

/// After how many content chunks a fault strikes, if it strikes in the middle of a stream.
fn strikes_after(fault: &Fault) -> Option<u32> {
    match fault {
        Fault::Stall { after, .. }
        | Fault::Cut { after, .. }
        | Fault::EndEarly { after }
        | Fault::MalformedChunk { after }
        | Fault::ErrorEvent { after } => Some(*after),
        Fault::BrokenJson | Fault::Oversized { .. } => Some(0),
        _ => None,
    }
}

/// One content-bearing delta of a choice.
enum Piece<'a> {
    Text(&'a str),
    Other(Value),
}

fn deltas(choice: &Choice, index: usize, hash: u64) -> Vec<Piece<'_>> {
    match &choice.content {
        Content::Text(text) => pieces(text).map(Piece::Text).collect(),
        Content::Refusal(text) => pieces(text)
            .map(|piece| Piece::Other(json!({"refusal": piece})))
            .collect(),
        Content::Tool { name, arguments } => {
            let mut call = tool_call(hash, index, name, "");
            call["index"] = json!(0);
            let argument = |piece: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]});
            std::iter::once(json!({"tool_calls": [call]}))
                .chain(pieces(arguments).map(argument))
                .map(Piece::Other)
                .collect()
        }
    }
}

struct Writer<'a> {
    reply: &'a Reply<'a>,
    steps: Vec<Step>,
}

impl Writer<'_> {
    fn begin(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        put(&mut out, "data: {\"id\":\"chatcmpl-sim");
        write!(out, "{:016x}", self.reply.hash).ok();
        put(
            &mut out,
            "\",\"object\":\"chat.completion.chunk\",\"created\":",
        );
        write!(out, "{CREATED}").ok();
        put(&mut out, ",\"model\":");
        put_json(&mut out, self.reply.model);
        put(&mut out, ",\"system_fingerprint\":\"fp_simulator\"");
        out
    }

    fn push(&mut self, mut out: Vec<u8>) {
        put(&mut out, "}\n\n");
        self.steps.push(Step::Bytes(out.into()));
    }

    fn delta(&mut self, index: usize, delta: &Value, finish: Option<&str>) {
        let mut out = self.begin();
        let choice =
            json!([{"index": index, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        write!(out, ",\"choices\":{choice}").ok();
        self.push(out);
    }

    fn piece(&mut self, index: usize, piece: &Piece<'_>) {
        let text = match piece {
            Piece::Text(text) => text,
            Piece::Other(delta) => return self.delta(index, delta, None),
        };
        let mut out = self.begin();
        write!(
            out,
            ",\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":"
        )
        .ok();
        put_json(&mut out, text);
        match self.reply.logprobs {
            None => put(&mut out, "},\"logprobs\":null,\"finish_reason\":null}]"),
            Some(top) => {
                let told = json!({"content": [token(text, top)], "refusal": null});
                write!(out, "}},\"logprobs\":{told},\"finish_reason\":null}}]").ok();
            }
        }
        self.push(out);
    }

    fn end(&mut self, include_usage: bool, done: bool) {
        for (index, choice) in self.reply.choices.iter().enumerate() {
            self.delta(index, &json!({}), Some(choice.finish));
        }
        if let (true, Some(usage)) = (include_usage, self.reply.usage) {
            let mut out = self.begin();
            let told = json!({
                "prompt_tokens": usage.prompt, "completion_tokens": usage.completion,
                "total_tokens": usage.prompt + usage.completion,
            });
            write!(out, ",\"choices\":[],\"usage\":{told}").ok();
            self.push(out);
        }
        if done {
            self.steps
                .push(Step::Bytes(Bytes::from_static(b"data: [DONE]\n\n")));
        }
    }

    /// The steps so far, and then what the fault does.
    fn struck(mut self, fault: Option<&Fault>) -> Vec<Step> {
        match fault {
            Some(Fault::Stall {
                keep_alive: true, ..
            }) => self.steps.push(Step::Comments),
            Some(Fault::Stall { .. }) => self.steps.push(Step::Hang),
            Some(Fault::Cut { reset, .. }) => self.steps.push(Step::Break { reset: *reset }),
            Some(Fault::Oversized { bytes }) => {
                self.steps.push(Step::Bytes(Bytes::from_static(b"data: ")));
                self.steps.push(Step::Fill(*bytes));
                self.steps.push(Step::Bytes(Bytes::from_static(b"\n\n")));
            }
            Some(Fault::MalformedChunk { .. } | Fault::BrokenJson) => {
                self.steps.push(Step::Bytes(Bytes::from_static(
                    b"data: {\"id\":\"chatcmpl-sim\",\"cho\n\n",
                )));
                self.end(false, true);
            }
            Some(Fault::ErrorEvent { .. }) => {
                let error = ApiError {
                    status: http::StatusCode::INTERNAL_SERVER_ERROR,
                    kind: "server_error",
                    code: None,
                    param: None,
                    message: "the simulator was told to fail",
                };
                let event = format!("data: {}\n\n", error.envelope());
                self.steps.push(Step::Bytes(event.into()));
            }
            _ => {}
        }
        self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ChatRequest, Twist};
    use super::*;

    fn text_of(steps: &[Step]) -> String {
        let mut text = String::new();
        for step in steps {
            if let Step::Bytes(bytes) = step {
                text.push_str(std::str::from_utf8(bytes).unwrap());
            }
        }
        text
    }

    fn streamed(extra: &str, fault: Option<&Fault>) -> Vec<Step> {
        let body =
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{extra}}}"#);
        let request = ChatRequest::parse(body.as_bytes()).unwrap();
        let reply = Reply::to(&request, &Twist::Straight);
        write(&reply, request.include_usage(), Pace::default(), fault)
    }

    fn events(text: &str) -> Vec<Value> {
        text.split("\n\n")
            .filter_map(|event| event.strip_prefix("data: "))
            .filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }

    #[test]
    fn a_stream_tells_the_same_text_as_the_plain_answer() {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
        let request = ChatRequest::parse(body.as_bytes()).unwrap();
        let reply = Reply::to(&request, &Twist::Straight);
        let text = text_of(&write(&reply, false, Pace::default(), None));
        let told: String = events(&text)
            .iter()
            .filter_map(|e| {
                e["choices"][0]["delta"]["content"]
                    .as_str()
                    .map(String::from)
            })
            .collect();
        assert_eq!(told, reply.choices[0].content.text());
        assert!(text.ends_with("\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"));
    }

    #[test]
    fn usage_comes_last_when_asked_for() {
        let text = text_of(&streamed(
            r#","stream_options":{"include_usage":true}"#,
            None,
        ));
        let last = events(&text).pop().unwrap();
        assert_eq!(last["choices"], json!([]));
        assert!(last["usage"]["completion_tokens"].as_u64().unwrap() > 10);
    }

    #[test]
    fn a_cut_strikes_after_the_given_number_of_content_chunks() {
        let steps = streamed(
            "",
            Some(&Fault::Cut {
                after: 3,
                reset: true,
            }),
        );
        assert!(matches!(steps.last(), Some(Step::Break { reset: true })));
        let content = |e: &Value| {
            e["choices"][0]["delta"]["content"]
                .as_str()
                .is_some_and(|t| !t.is_empty())
        };
        assert_eq!(
            events(&text_of(&steps))
                .iter()
                .filter(|event| content(event))
                .count(),
            3
        );
    }

    #[test]
    fn missing_done_is_all_that_is_missing() {
        let whole = text_of(&streamed("", None));
        let without = text_of(&streamed("", Some(&Fault::MissingDone)));
        assert_eq!(format!("{without}data: [DONE]\n\n"), whole);
    }
}
