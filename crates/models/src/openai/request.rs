//! Chat requests that are made here, rather than passed on: a rendered prompt, and a repair.

use bytes::Bytes;
use plimsoll_core::Code;
use plimsoll_core::manifest::OpenaiSpec;
use serde_json::{Map, Value, json};

use crate::error::ModelError;

/// The most validation errors that a repair quotes to the model.
const PROBLEMS_MAX: usize = 16;

/// The members that belong to each request, whatever stands among the parameters.
const CALLERS: [&str; 4] = ["model", "messages", "stream", "stream_options"];

/// The body that asks `spec`'s model with a rendered prompt.
pub fn chat_body(spec: &OpenaiSpec, role: &str, prompt: &str, stream: bool) -> Bytes {
    let mut body = Map::new();
    for (name, value) in fixed_members(spec) {
        body.insert(name, value);
    }
    if let Some(limit) = spec.max_output_tokens {
        let key = output_limit_key(spec);
        body.entry(key).or_insert_with(|| limit.into());
    }
    let messages = json!([{ "role": role, "content": prompt }]);
    body.insert("messages".into(), messages);
    if stream {
        body.insert("stream".into(), true.into());
        body.insert("stream_options".into(), json!({ "include_usage": true }));
    }
    Value::Object(body).to_string().into()
}

/// The members that the operator fixed, in the order in which they are written: the provider's name
/// for the model, and the parameters. They override the caller's. Whether an answer is streamed, and
/// what is asked, are never parameters.
pub fn fixed_members(spec: &OpenaiSpec) -> Vec<(String, Value)> {
    let is_fixed = |name: &str| !CALLERS.contains(&name);
    let parameters = spec.parameters.iter().filter(|(name, _)| is_fixed(name));
    let mut members = vec![("model".to_owned(), Value::from(spec.model.clone()))];
    members.extend(parameters.map(|(name, value)| (name.clone(), value.clone())));
    members
}

/// What this provider calls the most tokens of an answer. OpenAI and Azure refuse `max_tokens` for
/// their newer models; most other servers know only that.
pub fn output_limit_key(spec: &OpenaiSpec) -> &'static str {
    let newer = ["max_completion_tokens", "max_tokens"];
    if let Some(fixed) = newer
        .into_iter()
        .find(|key| spec.parameters.contains_key(*key))
    {
        return fixed;
    }
    let host = host_of(&spec.base_url);
    let is_openai = host == "api.openai.com" || host.ends_with(".openai.azure.com");
    if is_openai { newer[0] } else { newer[1] }
}

/// The host of a URL that was checked before: it is asked for with every request, and parsed with none.
fn host_of(url: &str) -> &str {
    let behind_scheme = url.split_once("://").map_or(url, |(_, behind)| behind);
    let authority = behind_scheme.split(['/', '?', '#']).next();
    let place = authority.and_then(|authority| authority.rsplit('@').next());
    place
        .and_then(|place| place.split(':').next())
        .unwrap_or_default()
}

/// The body that asks a model to mend its answer: the conversation in `body`, the answer, and what is
/// wrong with it. The repaired answer is asked for whole, not as a stream, and once.
///
/// # Errors
/// If `body` is not a chat request.
pub fn repair_body(body: &[u8], answer: &str, problems: &[String]) -> Result<Bytes, ModelError> {
    let unfit = || ModelError::new(Code::Internal, "the request to be repaired has no messages");
    let mut request: Map<String, Value> = serde_json::from_slice(body).map_err(|_| unfit())?;
    let messages = request.get_mut("messages").and_then(Value::as_array_mut);
    let messages = messages.ok_or_else(unfit)?;
    messages.push(json!({ "role": "assistant", "content": answer }));
    messages.push(json!({ "role": "user", "content": complaint(problems) }));
    for name in ["stream", "stream_options", "n"] {
        request.shift_remove(name);
    }
    Ok(Value::Object(request).to_string().into())
}

fn complaint(problems: &[String]) -> String {
    let mut text = String::from("Your answer cannot be used:\n");
    for problem in problems.iter().take(PROBLEMS_MAX) {
        text.push_str("- ");
        text.push_str(problem);
        text.push('\n');
    }
    if problems.len() > PROBLEMS_MAX {
        text.push_str("- and more of the same\n");
    }
    text.push_str("Answer again, with the whole corrected answer and nothing else.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(base_url: &str) -> OpenaiSpec {
        let spec = json!({
            "provider": "p", "base_url": base_url, "model": "gpt-5-mini",
            "parameters": {"temperature": 0}, "max_output_tokens": 800,
        });
        serde_json::from_value(spec).unwrap()
    }

    fn parsed(body: &[u8]) -> Value {
        serde_json::from_slice(body).unwrap()
    }

    #[test]
    fn a_prompt_becomes_a_chat_request() {
        let body = chat_body(
            &spec("https://api.openai.com/v1"),
            "user",
            "Hi \"you\"",
            false,
        );
        let golden = include_str!("../../tests/fixtures/openai/request.json");
        assert_eq!(parsed(&body), parsed(golden.as_bytes()));
        let streamed = parsed(&chat_body(
            &spec("http://localhost:1/v1"),
            "user",
            "Hi",
            true,
        ));
        assert_eq!(streamed["stream"], true);
        assert_eq!(streamed["stream_options"]["include_usage"], true);
        assert_eq!(streamed["max_tokens"], 800);
        assert!(streamed.get("max_completion_tokens").is_none());
    }

    #[test]
    fn a_limit_that_the_operator_fixed_stays() {
        let mut spec = spec("https://api.openai.com/v1");
        spec.parameters.insert("max_tokens".into(), 10.into());
        spec.parameters.insert("stream".into(), true.into());
        let body = parsed(&chat_body(&spec, "user", "Hi", false));
        assert_eq!(body["max_tokens"], 10);
        assert!(body.get("stream").is_none());
        assert!(body.get("max_completion_tokens").is_none());
    }

    #[test]
    fn a_repair_goes_on_with_the_same_conversation() {
        let body = br#"{"model":"m","stream":true,"n":2,"seed":1,
            "messages":[{"role":"user","content":"q"}]}"#;
        let problems = ["`/score` is not a number".to_owned()];
        let repaired = parsed(&repair_body(body, "{bad", &problems).unwrap());
        assert_eq!(repaired["seed"], 1);
        assert!(repaired.get("stream").is_none() && repaired.get("n").is_none());
        let messages = repaired["messages"].as_array().unwrap();
        assert_eq!(messages.len(), 3);
        assert_eq!(messages[1], json!({"role": "assistant", "content": "{bad"}));
        let asked = messages[2]["content"].as_str().unwrap();
        assert!(asked.contains("- `/score` is not a number\n"), "{asked}");
    }

    #[test]
    fn what_is_no_chat_request_is_not_repaired() {
        for body in ["", "[]", "{}", "{\"messages\":1}"] {
            assert!(repair_body(body.as_bytes(), "a", &[]).is_err(), "{body}");
        }
    }
}
