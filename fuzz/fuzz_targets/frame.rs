//! Strict JSON: what passes is read alike by another parser and is within the limits; what is refused
//! is refused for something that parsers disagree about, or is no JSON to them either.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_guard::frame::{self, FrameLimits};
use serde_json::Value;

const LIMITS: FrameLimits = FrameLimits {
    bytes_max: 1 << 16,
    depth_max: 32,
    values_max: 1000,
};

fuzz_target!(|bytes: &[u8]| {
    let parsed: Result<Value, _> = serde_json::from_slice(bytes);
    match frame::scan(bytes, &LIMITS) {
        Ok(frame) => {
            let parsed = parsed.expect("what is strict is JSON to everybody");
            assert_eq!(frame.value(), parsed);
            assert!(depth(&parsed) <= LIMITS.depth_max && count(&parsed) <= LIMITS.values_max);
            if let Value::Object(members) = &parsed {
                assert_eq!(members.len(), frame.members().len(), "a key stands twice");
                for member in frame.members() {
                    assert_eq!(members[member.key.as_ref()], frame.parsed(member));
                    assert_eq!(bytes[member.key_start], b'"');
                    let text = members[member.key.as_ref()].as_str();
                    assert_eq!(frame.text(member).as_deref(), text);
                }
            }
        }
        Err(error) => {
            assert!(error.offset <= bytes.len());
            let is_syntax = error.code.as_str() == "json_syntax";
            assert!(!is_syntax || parsed.is_err(), "refused as no JSON: {error}");
        }
    }
});

fn depth(value: &Value) -> u32 {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn count(value: &Value) -> u32 {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<u32>(),
        Value::Object(members) => 1 + members.values().map(count).sum::<u32>(),
        _ => 1,
    }
}
