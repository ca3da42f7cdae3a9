//! Changing named members of a JSON object and no other byte.
//!
//! Where caller and provider speak the same protocol, the body passes as it came, but for a few
//! values (`model`, a clamped `max_tokens`). Each that was changed is named, for the decision.

use std::ops::Range;

use crate::frame::{Frame, Member, ValueKind};

/// Changes to be made to the members of a top-level object.
#[derive(Debug)]
pub struct Splice<'f> {
    frame: &'f Frame<'f>,
    changes: Vec<(String, Option<Vec<u8>>)>,
}

impl<'f> Splice<'f> {
    /// No changes yet. A frame that is not an object stays as it is whatever is set.
    pub const fn new(frame: &'f Frame<'f>) -> Self {
        Self {
            frame,
            changes: Vec::new(),
        }
    }

    /// Sets the member `name` to `raw_json`, which must be one JSON value; a member that is not
    /// there is put before the closing brace. Of several changes to one member the last holds.
    #[must_use]
    pub fn set(mut self, name: &str, raw_json: impl Into<Vec<u8>>) -> Self {
        let raw_json = raw_json.into();
        debug_assert!(
            serde_json::from_slice::<serde::de::IgnoredAny>(&raw_json).is_ok(),
            "`{name}` is set to what is not JSON"
        );
        self.change(name, Some(raw_json));
        self
    }

    /// Takes the member `name` out, with its comma.
    #[must_use]
    pub fn remove(mut self, name: &str) -> Self {
        self.change(name, None);
        self
    }

    fn change(&mut self, name: &str, value: Option<Vec<u8>>) {
        self.changes.retain(|(earlier, _)| earlier != name);
        self.changes.push((name.to_owned(), value));
    }

    /// The body with the changes made, and the names of the members whose bytes are different now.
    pub fn finish(self) -> (Vec<u8>, Vec<String>) {
        let bytes = self.frame.bytes();
        if self.frame.kind() != ValueKind::Object {
            return (bytes.to_vec(), Vec::new());
        }
        let mut edits = self.removals();
        let mut names = Vec::new();
        let mut added = Vec::new();
        let mut has_members = self
            .frame
            .members()
            .iter()
            .any(|member| !self.removes(member));
        for (name, value) in self.changes {
            match (self.frame.member(&name), value) {
                (Some(member), Some(raw)) if self.frame.raw(member) == raw => continue,
                (Some(member), Some(raw)) => edits.push((member.value.clone(), raw)),
                (Some(_), None) => {}
                (None, Some(raw)) => {
                    append_member(&mut added, has_members, &name, &raw);
                    has_members = true;
                }
                (None, None) => continue,
            }
            names.push(name);
        }
        let brace = self.frame.end() - 1;
        edits.push((brace..brace, added));
        edits.sort_by_key(|(range, _)| range.start);
        (apply(bytes, &edits), names)
    }

    fn removes(&self, member: &Member<'_>) -> bool {
        let mut changes = self.changes.iter();
        changes.any(|(name, value)| value.is_none() && *name == member.key)
    }

    /// The cuts that take members out: each up to the next key, and at the end from the last value
    /// that stays.
    fn removals(&self) -> Vec<Edit> {
        let members = self.frame.members();
        let mut cuts = Vec::new();
        let last_kept = members.iter().rposition(|member| !self.removes(member));
        let tail = last_kept.map_or(0, |index| index + 1);
        if let (Some(first), Some(last)) = (members.get(tail), members.last()) {
            let start = last_kept.map_or(first.key_start, |index| members[index].value.end);
            cuts.push((start..last.value.end, Vec::new()));
        }
        for pair in members[..tail].windows(2) {
            if self.removes(&pair[0]) {
                cuts.push((pair[0].key_start..pair[1].key_start, Vec::new()));
            }
        }
        cuts
    }
}

/// Bytes to be replaced, and by what.
type Edit = (Range<usize>, Vec<u8>);

fn append_member(out: &mut Vec<u8>, after_comma: bool, name: &str, raw: &[u8]) {
    if after_comma {
        out.push(b',');
    }
    let key = serde_json::Value::from(name).to_string();
    out.extend_from_slice(key.as_bytes());
    out.push(b':');
    out.extend_from_slice(raw);
}

/// Makes edits that are sorted and do not overlap.
fn apply(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let grown: usize = edits.iter().map(|(_, raw)| raw.len()).sum();
    let mut out = Vec::with_capacity(bytes.len() + grown);
    let mut at = 0;
    for (range, raw) in edits {
        out.extend_from_slice(&bytes[at..range.start]);
        out.extend_from_slice(raw);
        at = range.end;
    }
    out.extend_from_slice(&bytes[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameLimits, scan};

    fn spliced(body: &str, change: impl Fn(Splice<'_>) -> Splice<'_>) -> (String, Vec<String>) {
        let frame = scan(body.as_bytes(), &FrameLimits::default()).unwrap();
        let (bytes, names) = change(Splice::new(&frame)).finish();
        let after = scan(&bytes, &FrameLimits::default());
        assert!(after.is_ok(), "{}", String::from_utf8_lossy(&bytes));
        (String::from_utf8(bytes).unwrap(), names)
    }

    #[test]
    fn only_the_named_value_changes_and_blanks_stay() {
        let body = "\n{ \"model\" : \"a\" ,\t\"x\":[1, 2] }\n";
        let (after, names) = spliced(body, |splice| splice.set("model", "\"gpt\""));
        assert_eq!(after, "\n{ \"model\" : \"gpt\" ,\t\"x\":[1, 2] }\n");
        assert_eq!(names, ["model"]);
    }

    #[test]
    fn an_absent_member_is_put_before_the_closing_brace() {
        fn set(splice: Splice<'_>) -> Splice<'_> {
            splice.set("a", "1").set("b", "true")
        }
        assert_eq!(spliced("{}", set).0, r#"{"a":1,"b":true}"#);
        assert_eq!(spliced(r#"{"x":{}}"#, set).0, r#"{"x":{},"a":1,"b":true}"#);
    }

    #[test]
    fn the_same_bytes_are_no_change() {
        let (after, names) = spliced(r#"{"a":1}"#, |splice| splice.set("a", "1"));
        assert_eq!((after.as_str(), names.len()), (r#"{"a":1}"#, 0));
    }

    #[test]
    fn a_member_is_taken_out_with_its_comma_wherever_it_stands() {
        let body = r#"{ "a":1, "b":2 , "c":3 }"#;
        assert_eq!(spliced(body, |s| s.remove("a")).0, r#"{ "b":2 , "c":3 }"#);
        assert_eq!(spliced(body, |s| s.remove("b")).0, r#"{ "a":1, "c":3 }"#);
        assert_eq!(spliced(body, |s| s.remove("c")).0, r#"{ "a":1, "b":2 }"#);
        fn two(splice: Splice<'_>) -> Splice<'_> {
            splice.remove("b").remove("c")
        }
        assert_eq!(spliced(body, two).0, r#"{ "a":1 }"#);
        fn all(splice: Splice<'_>) -> Splice<'_> {
            two(splice).remove("a").set("d", "4")
        }
        assert_eq!(spliced(body, all).0, r#"{  "d":4}"#);
    }

    #[test]
    fn a_key_written_with_escapes_is_the_same_key() {
        let (after, _) = spliced(r#"{"mo\u0064el":1}"#, |splice| splice.set("model", "2"));
        assert_eq!(after, r#"{"mo\u0064el":2}"#);
    }

    #[test]
    fn a_body_that_is_no_object_stays() {
        let (after, names) = spliced("[1]", |splice| splice.set("a", "1"));
        assert_eq!((after.as_str(), names.len()), ("[1]", 0));
    }
}
