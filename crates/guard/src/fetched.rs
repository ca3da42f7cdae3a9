//! Addresses that a message has a model's server fetch: pictures, sound, films, files.
//!
//! Nothing is fetched here. But whoever runs the model fetches on a caller's word, and a server of one's own
//! stands within one's own network (CWE-918): an address that is not public as it is written, that carries a
//! name and password, or that two readers could understand differently, reaches no model. A *name* may still
//! lead anywhere for whoever looks it up: a model of one's own needs a list of the hosts that it may fetch from.

use memchr::memmem;
use serde_json::Value;

use crate::url_policy::{UrlPolicy, UrlRefusal};

/// An address that may not be fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfetchable {
    /// Where it stands, by the protocol's own names.
    pub part: String,
    /// Why not.
    pub refusal: UrlRefusal,
}

/// How deep a part of a message is looked into; the protocol nests two members. What is deeper is refused: it
/// was not looked at.
const DEPTH_MAX: usize = 16;

/// Members of a message's part that hold its own text, in which an address is only told.
const TEXTS: [&str; 2] = ["text", "type"];

/// The first address in a chat request's body that may not be fetched: in the parts of messages, and of the
/// servers of tools.
pub fn unfetchable(body: &Value) -> Option<Unfetchable> {
    in_messages(body.get("messages")).or_else(|| {
        let refusal = in_value(body.get("tools")?, Look::Addresses, 0)?;
        let part = "tools".to_owned();
        Some(Unfetchable { part, refusal })
    })
}

fn in_messages(messages: Option<&Value>) -> Option<Unfetchable> {
    let messages = messages.and_then(Value::as_array);
    let mut messages = messages.into_iter().flatten().enumerate();
    messages.find_map(|(number, message)| {
        let content = message.get("content")?;
        let parts = content
            .as_array()
            .map_or_else(|| std::slice::from_ref(content), Vec::as_slice);
        let mut parts = parts.iter().enumerate();
        parts.find_map(|(place, part)| {
            // A text by itself is what is said.
            let refusal = (!part.is_string())
                .then(|| in_value(part, Look::Everything, 0))
                .flatten()?;
            let part = format!("messages[{number}].content[{place}]");
            Some(Unfetchable { part, refusal })
        })
    })
}

/// Whether a body could have an address at all: a member's name that ends in `url`, or something that looks
/// like an address, is written out, or hidden behind an escape.
pub fn may_have_addresses(body: &[u8]) -> bool {
    [&b"url"[..], b"://", b":\\/", b"\\u"]
        .iter()
        .any(|sign| memmem::find(body, sign).is_some())
}

/// Which texts are judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Those of members that are named as addresses: schemas of tools hold addresses that nobody fetches.
    Addresses,
    /// Those too that look like an address, whatever their member is called: servers differ.
    Everything,
}

fn in_value(value: &Value, look: Look, depth: usize) -> Option<UrlRefusal> {
    if depth > DEPTH_MAX {
        return Some(UrlRefusal::Confusing);
    }
    match value {
        Value::Object(members) => members
            .iter()
            .find_map(|(key, value)| in_member(key, value, look, depth)),
        Value::Array(items) => items
            .iter()
            .find_map(|item| in_member("", item, look, depth)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn in_member(key: &str, value: &Value, look: Look, depth: usize) -> Option<UrlRefusal> {
    let is_address = key.ends_with("url");
    match value {
        Value::String(text) => {
            let is_told = TEXTS.contains(&key);
            let looks_like_one = look == Look::Everything && !is_told && text.contains("://");
            (is_address || looks_like_one)
                .then(|| judge(text).err())
                .flatten()
        }
        Value::Array(items) => items.iter().find_map(|item| match item {
            Value::Array(_) => in_value(item, look, depth + 1),
            item => in_member(key, item, look, depth + 1),
        }),
        value => in_value(value, look, depth + 1),
    }
}

/// Whether a server may fetch this on a caller's word.
fn judge(address: &str) -> Result<(), UrlRefusal> {
    // What it holds itself is fetched from nowhere.
    if address
        .get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
    {
        return Ok(());
    }
    let public = UrlPolicy {
        schemes: vec!["https".to_owned(), "http".to_owned()],
        hosts: None,
        ports: Vec::new(),
    };
    public.judge(address).map(|_| ())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(part: &Value) -> Option<UrlRefusal> {
        let body = json!({"messages": [{"role": "user", "content": "hi"}, {"role": "user", "content": [
            {"type": "text", "text": "what is this? http://127.0.0.1/"}, part,
        ]}]});
        assert!(may_have_addresses(body.to_string().as_bytes()));
        let found = unfetchable(&body)?;
        assert_eq!(found.part, "messages[1].content[1]");
        Some(found.refusal)
    }

    #[test]
    fn no_private_address_is_fetched_in_whatever_dress_and_member() {
        for address in [
            "http://169.254.169.254/latest/meta-data/",
            "http://127.0.0.1:8081/api/v1/keys",
            "https://localhost/x",
            "http://10.0.0.7/",
            "http://192.168.1.1/",
            "http://100.64.0.1/",
            "http://[::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[fd00::1]/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://0x7f.1/",
            "http://127.1/",
            "HTTP://127.0.0.1/",
            "http://0.0.0.0/",
            "https://example.com@169.254.169.254/",
            "https://example.com\\@169.254.169.254/",
            "http://ⓛocalhost/",
            " http://127.0.0.1/",
            "//127.0.0.1/x",
            "file:///etc/passwd",
            "gopher://example.com/",
            "unix:/run/x",
            "/etc/passwd",
            "https://example.com:6379/",
        ] {
            for part in [
                json!({"type": "image_url", "image_url": {"url": address}}),
                json!({"type": "image_url", "image_url": address}),
                json!({"type": "audio_url", "audio_url": {"url": address}}),
                json!({"type": "video_url", "video_url": {"url": address}}),
                json!({"type": "input_file", "file_url": address}),
                json!({"type": "file", "file": {"file_url": address}}),
            ] {
                assert!(of(&part).is_some(), "{part}");
            }
        }
    }

    #[test]
    fn what_is_public_or_there_already_passes() {
        for address in [
            "https://example.com/cat.png?size=2",
            "http://example.org/cat.png",
            "https://8.8.8.8/cat.png",
            "data:image/png;base64,AAAA",
            "DATA:image/png;base64,AAAA",
        ] {
            let part = json!({"type": "image_url", "image_url": {"url": address, "detail": "low"}});
            assert_eq!(of(&part), None, "{address}");
        }
    }

    #[test]
    fn a_name_behind_escapes_is_seen() {
        let body = br#"{"messages":[{"role":"user","content":[{"type":"x","image_\u0075rl":"http://127.0.0.1/"}]}]}"#;
        assert!(may_have_addresses(body));
        assert!(unfetchable(&serde_json::from_slice(body).unwrap()).is_some());
        assert!(!may_have_addresses(
            br#"{"messages":[{"content":"hello"}]}"#
        ));
    }

    #[test]
    fn no_shape_and_no_name_hides_an_address() {
        let deep = (0..40).fold(json!("http://10.0.0.1/"), |inner, _| json!([inner]));
        for part in [
            json!({"type": "video_url", "video_url": ["https://example.com/a", "http://10.0.0.1/b"]}),
            json!({"type": "image_url", "image_url": [{"url": "http://10.0.0.1/"}]}),
            json!({"type": "image", "image": "http://10.0.0.1/"}),
            json!({"type": "audio", "source": {"uri": "http://10.0.0.1/"}}),
            json!({"type": "image_url", "image_url": deep}),
            json!({"type": "image_url", "image_url": "http://metadata/computeMetadata/v1/"}),
            json!({"type": "image_url", "image_url": "http://kubernetes.default.svc/"}),
        ] {
            assert!(of(&part).is_some(), "{part}");
        }
        let single = json!({"messages": [{"content": {"image_url": "http://10.0.0.1/"}}]});
        assert!(unfetchable(&single).is_some());
        let of_tool = |url: &str| {
            json!({"tools": [{"type": "mcp", "server_url": url},
            {"function": {"parameters": {"$schema": "http://localhost/schema"}}}]})
        };
        assert_eq!(unfetchable(&of_tool("https://example.com/mcp")), None);
        assert_eq!(
            unfetchable(&of_tool("http://10.0.0.1/mcp")).unwrap().part,
            "tools"
        );
        let told = json!({"messages": [{"content": "see http://10.0.0.1/"}]});
        assert_eq!(unfetchable(&told), None);
        assert!(may_have_addresses(br#"{"image":"http:\/\/10.0.0.1"}"#));
    }

    #[test]
    fn what_is_no_chat_request_has_none() {
        for body in [
            json!(null),
            json!({"messages": 3}),
            json!({"messages": [3, {"content": {"url": 1}}]}),
        ] {
            assert_eq!(unfetchable(&body), None);
        }
    }
}
