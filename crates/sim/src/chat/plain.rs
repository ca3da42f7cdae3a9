//! A reply as one JSON body.

use std::io::Write as _;

use serde_json::{Value, json};

use super::CREATED;
use super::reply::{Choice, Content, Reply};
use crate::answer::pieces;

/// The body of a plain response.
pub(crate) fn write(reply: &Reply<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(640);
    put(&mut out, "{\"id\":\"chatcmpl-sim");
    write!(out, "{:016x}", reply.hash).ok();
    put(&mut out, "\",\"object\":\"chat.completion\",\"created\":");
    write!(out, "{CREATED}").ok();
    put(&mut out, ",\"model\":");
    put_json(&mut out, reply.model);
    put(&mut out, ",\"choices\":[");
    for (index, choice) in reply.choices.iter().enumerate() {
        put_choice(&mut out, index, choice, reply);
    }
    put(&mut out, "]");
    if let Some(usage) = reply.usage {
        let total = usage.prompt + usage.completion;
        write!(
            out,
            ",\"usage\":{{\"prompt_tokens\":{},\"completion_tokens\":{},\"total_tokens\":{total}}}",
            usage.prompt, usage.completion
        )
        .ok();
    }
    put(&mut out, ",\"system_fingerprint\":\"fp_simulator\"}");
    out
}

fn put_choice(out: &mut Vec<u8>, index: usize, choice: &Choice, reply: &Reply<'_>) {
    if index > 0 {
        put(out, ",");
    }
    write!(
        out,
        "{{\"index\":{index},\"message\":{{\"role\":\"assistant\",\"content\":"
    )
    .ok();
    match &choice.content {
        Content::Text(text) => {
            put_json(out, text);
            put(out, ",\"refusal\":null}");
        }
        Content::Refusal(text) => {
            put(out, "null,\"refusal\":");
            put_json(out, text);
            put(out, "}");
        }
        Content::Tool { name, arguments } => {
            let call = json!([tool_call(reply.hash, index, name, arguments)]);
            write!(out, "null,\"refusal\":null,\"tool_calls\":{call}}}").ok();
        }
    }
    match (reply.logprobs, &choice.content) {
        (Some(top), Content::Text(text)) => {
            let tokens: Vec<Value> = pieces(text).map(|piece| token(piece, top)).collect();
            write!(
                out,
                ",\"logprobs\":{}",
                json!({"content": tokens, "refusal": null})
            )
            .ok();
        }
        _ => put(out, ",\"logprobs\":null"),
    }
    write!(out, ",\"finish_reason\":\"{}\"}}", choice.finish).ok();
}

/// A tool call of the choice at `index`.
pub(super) fn tool_call(hash: u64, index: usize, name: &str, arguments: &str) -> Value {
    json!({
        "id": format!("call_sim{:016x}", hash.wrapping_add(index as u64)),
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    })
}

/// A token with its log probability and `top` alternatives.
pub(super) fn token(piece: &str, top: u32) -> Value {
    let told = |text: &str, logprob: f64| json!({"token": text, "logprob": logprob, "bytes": text.as_bytes()});
    let alternatives: Vec<Value> = (0..top)
        .map(|rank| {
            let text = if rank == 0 {
                piece.to_owned()
            } else {
                format!("{piece}{rank}")
            };
            told(&text, -0.05 - f64::from(rank))
        })
        .collect();
    let mut token = told(piece, -0.05);
    token["top_logprobs"] = Value::Array(alternatives);
    token
}

pub(super) fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// `text` as a JSON string.
pub(super) fn put_json(out: &mut Vec<u8>, text: &str) {
    // Writing a string into memory cannot fail.
    serde_json::to_writer(out, text).ok();
}

#[cfg(test)]
mod tests {
    use super::super::{ChatRequest, Twist};
    use super::*;

    fn answered(body: &str) -> Value {
        let request = ChatRequest::parse(body.as_bytes()).unwrap();
        let reply = Reply::to(&request, &Twist::Straight);
        serde_json::from_slice(&write(&reply)).unwrap()
    }

    #[test]
    fn a_reply_is_a_chat_completion() {
        let body =
            answered(r#"{"model":"m\"1","messages":[{"role":"user","content":"hi"}],"n":2}"#);
        assert_eq!(body["model"], "m\"1");
        assert_eq!(body["choices"][1]["finish_reason"], "stop");
        assert_ne!(body["choices"][0]["message"], body["choices"][1]["message"]);
        let usage = &body["usage"];
        let sum =
            usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
        assert_eq!(usage["total_tokens"], sum);
    }

    #[test]
    fn log_probabilities_are_told_when_asked_for() {
        let body = answered(
            r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"logprobs":true,"top_logprobs":2,"max_tokens":3}"#,
        );
        let tokens = body["choices"][0]["logprobs"]["content"]
            .as_array()
            .unwrap();
        assert_eq!(tokens.len(), 3);
        assert_eq!(tokens[0]["top_logprobs"].as_array().unwrap().len(), 2);
        assert_eq!(body["choices"][0]["finish_reason"], "length");
    }
}
