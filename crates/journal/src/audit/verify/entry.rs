//! What a record's JSON says, without reading all of it.
//!
//! The journal writes JSON in one way: no white space, fields in the order of their declaration, and a
//! quote within a text is always escaped. So the beginning of a decision's record is always the same, and
//! `"payload":{` with bare quotes is its field.

use memchr::memmem::Finder;
use plimsoll_core::decision::PayloadRef;
use plimsoll_core::{DecisionId, Record};

use crate::frame::{self, Header};

const OPENED: u8 = 1;
const CLOSED: u8 = 2;
const OPENED_BEGIN: &[u8] = br#"{"type":"opened","record":{"decision":{"id":""#;
const CLOSED_BEGIN: &[u8] = br#"{"type":"closed","record":{"id":""#;
const ID_DIGITS: usize = 26;
const PAYLOAD_BEGIN: &[u8] = br#","payload":{"commitment":""#;
const HASH_DIGITS: usize = 64;

/// Whether the header of a frame says what its body says.
pub(crate) fn fits(header: &Header, body: &[u8]) -> bool {
    let begin = match header.kind {
        OPENED => OPENED_BEGIN,
        CLOSED => CLOSED_BEGIN,
        _ => return fits_when_read(header, body),
    };
    let id = body
        .strip_prefix(begin)
        .and_then(|rest| rest.get(..ID_DIGITS + 1))
        .and_then(|id| id.strip_suffix(b"\""))
        .and_then(|id| std::str::from_utf8(id).ok())
        .and_then(|id| id.parse::<DecisionId>().ok());
    match id {
        Some(id) => header.flags == 0 && id.to_bytes() == header.id && body.ends_with(b"}}"),
        None => fits_when_read(header, body),
    }
}

fn fits_when_read(header: &Header, body: &[u8]) -> bool {
    let Ok(record) = serde_json::from_slice::<Record>(body) else {
        return false;
    };
    let (flags, id) = frame::about(&record);
    header.kind == record.kind_number() && header.flags == flags && header.id == id
}

/// Finds the payloads that records name.
#[derive(Debug)]
pub(crate) struct PayloadFinder(Finder<'static>);

impl PayloadFinder {
    pub(crate) fn new() -> Self {
        Self(Finder::new(PAYLOAD_BEGIN))
    }

    /// The payload that a record names.
    pub(crate) fn named_by(&self, header: &Header, body: &[u8]) -> Option<PayloadRef> {
        if !matches!(header.kind, OPENED | CLOSED) {
            return None;
        }
        let begin = self.0.find(body)? + PAYLOAD_BEGIN.len();
        let (digits, rest) = body[begin..].split_at_checked(HASH_DIGITS)?;
        let rest = rest.strip_prefix(br#"","bytes":"#)?;
        let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let text = |bytes| std::str::from_utf8(bytes).ok();
        Some(PayloadRef {
            commitment: text(digits)?.parse().ok()?,
            bytes: text(&rest[..end])?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::decision::{Cost, StageTimes};
    use plimsoll_core::record::Opened;
    use plimsoll_core::{Decision, Digest, Money};

    use super::*;
    use crate::frame::{HEADER_BYTES, RECORD_MAGIC};

    /// A decision whose texts try to look like fields.
    fn decision(payload: Option<PayloadRef>) -> Decision {
        let forged = r#"","payload":{"commitment":"00"#;
        let id = "01J9ZC6T7R8Y3V5W1X2Q4K0M9N";
        let json = serde_json::json!({
            "id": id, "request": id, "row": 0, "tenant": "acme", "environment": "production",
            "system": "loan-default", "key": null, "unit": forged, "session": forged,
            "release": Digest::of(b"release"), "deployment": id, "protocol": "decisions",
            "mode": "enforce", "opened_at": 1, "stages": StageTimes::default(), "controls": [],
            "attempts": [], "cost": Cost::FREE, "payload": payload,
        });
        serde_json::from_value(json).unwrap()
    }

    fn framed(record: &Record) -> (Header, Vec<u8>) {
        let mut frame = Vec::new();
        frame::encode(&mut frame, record).unwrap();
        let header = Header::parse(RECORD_MAGIC, &frame).unwrap();
        (header, frame.split_off(HEADER_BYTES))
    }

    #[test]
    fn the_payload_of_a_decision_is_found_whatever_its_texts_say() {
        let finder = PayloadFinder::new();
        let payload = PayloadRef {
            commitment: Digest::of(b"commitment"),
            bytes: 4711,
        };
        for payload in [None, Some(payload)] {
            let closed = Record::Closed(Box::new(decision(payload)));
            let opened = Record::Opened(Box::new(Opened {
                decision: decision(payload),
                reserved: Money::ZERO,
            }));
            for record in [closed, opened] {
                let (header, body) = framed(&record);
                assert!(fits(&header, &body));
                assert_eq!(finder.named_by(&header, &body), payload);
            }
        }
    }

    #[test]
    fn a_header_that_says_something_else_does_not_fit() {
        let (header, body) = framed(&Record::Closed(Box::new(decision(None))));
        assert!(!fits(&Header { kind: 1, ..header }, &body));
        assert!(!fits(&Header { kind: 9, ..header }, &body));
        assert!(!fits(&Header { flags: 1, ..header }, &body));
        assert!(!fits(
            &Header {
                id: [0; 16],
                ..header
            },
            &body
        ));
        assert!(!fits(&header, b"{}"));
        let (header, body) = framed(&Record::Recovery(Box::default()));
        assert!(fits(&header, &body));
        assert!(!fits(&Header { flags: 1, ..header }, &body));
    }
}
