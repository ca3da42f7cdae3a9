//! The frame around every record and payload: 32 bytes, then the body.
//!
//! ```text
//!  0  magic      4 bytes   "PLMF" in a segment, "PLMP" in a payload file
//!  4  length     u32 LE    bytes of the body
//!  8  checksum   u32 LE    CRC-32C of bytes 4..8 and 12..32+length
//! 12  kind       u8        0 a mark, else the record's kind number
//! 13  flags      u8        see `REVIEW_OPENED`, `REVIEW_ENDED`
//! 14  zero       2 bytes
//! 16  id         16 bytes  the decision's id, or zeros; of a mark: first sequence and time
//! 32  body
//! ```
//!
//! A mark begins every batch. A batch is written only after the one before it is on disk, so a whole
//! mark vouches for everything before it: that is how a torn tail is told from damage.

use plimsoll_core::record::{Record, RecordRef, ReviewChange};
use plimsoll_core::{DecisionId, Timestamp};

use crate::record_json;

/// The bytes before a body.
pub(crate) const HEADER_BYTES: usize = 32;
/// The largest body.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 20;
/// Begins every frame of a segment.
pub(crate) const RECORD_MAGIC: [u8; 4] = *b"PLMF";
/// Begins every frame of a payload file.
pub(crate) const PAYLOAD_MAGIC: [u8; 4] = *b"PLMP";
/// The kind of a mark, which is no record and has no sequence.
pub(crate) const MARK: u8 = 0;
/// Flag: the decision waits for a person from here on.
pub(crate) const REVIEW_OPENED: u8 = 1;
/// Flag: the decision no longer waits for a person.
pub(crate) const REVIEW_ENDED: u8 = 2;

/// What stands before a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    /// Bytes of the body.
    pub length: usize,
    /// What the frame holds.
    pub kind: u8,
    /// See [`REVIEW_OPENED`].
    pub flags: u8,
    /// The decision it is about, or zeros.
    pub id: [u8; 16],
}

impl Header {
    /// Reads the header; `None` if these bytes begin no frame.
    pub(crate) fn parse(magic: [u8; 4], bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        if bytes[..4] != magic || bytes[14..16] != [0, 0] {
            return None;
        }
        let length = usize::try_from(le_u32(&bytes[4..8])).ok()?;
        if length > BODY_BYTES_MAX {
            return None;
        }
        let mut id = [0; 16];
        id.copy_from_slice(&bytes[16..32]);
        Some(Self {
            length,
            kind: bytes[12],
            flags: bytes[13],
            id,
        })
    }

    /// Header and body together.
    pub(crate) const fn frame_bytes(&self) -> usize {
        HEADER_BYTES + self.length
    }

    /// The first sequence of the batch, if this is a mark.
    pub(crate) fn mark_sequence(&self) -> u64 {
        le_u64(&self.id[..8])
    }
}

pub(crate) fn le_u32(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |n, b| n << 8 | u32::from(*b))
}

pub(crate) fn le_u64(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b))
}

/// Whether the checksum of a whole frame fits its bytes.
pub(crate) fn checksum_fits(frame: &[u8]) -> bool {
    le_u32(&frame[8..12]) == checksum(frame)
}

fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[4..8]), &frame[12..])
}

/// Fills in the header of `frame`, whose body is in place.
pub(crate) fn finish(frame: &mut [u8], magic: [u8; 4], kind: u8, flags: u8, id: [u8; 16]) {
    let length = u32::try_from(frame.len() - HEADER_BYTES).expect("bodies are bounded before");
    frame[..4].copy_from_slice(&magic);
    frame[4..8].copy_from_slice(&length.to_le_bytes());
    frame[12] = kind;
    frame[13] = flags;
    frame[14..16].copy_from_slice(&[0, 0]);
    frame[16..32].copy_from_slice(&id);
    let checksum = checksum(frame);
    frame[8..12].copy_from_slice(&checksum.to_le_bytes());
}

/// Writes the frame of `record` into `buffer`, in place of what was there.
pub(crate) fn encode<'r>(
    buffer: &mut Vec<u8>,
    record: impl Into<RecordRef<'r>>,
) -> Result<(), serde_json::Error> {
    let record = record.into();
    buffer.clear();
    buffer.resize(HEADER_BYTES, 0);
    record_json::write(buffer, &record)?;
    if buffer.len() <= HEADER_BYTES + BODY_BYTES_MAX {
        let (flags, id) = about(record);
        finish(buffer, RECORD_MAGIC, record.kind_number(), flags, id);
    }
    Ok(())
}

/// What it says about waiting, and which decision a record is about: all that recovery needs.
pub(crate) fn about<'r>(record: impl Into<RecordRef<'r>>) -> (u8, [u8; 16]) {
    let id = |id: DecisionId| id.to_bytes();
    let record = match record.into() {
        RecordRef::Opened { decision, .. } | RecordRef::Closed(decision) => {
            return (0, id(decision.id));
        }
        RecordRef::Whole(record) => record,
    };
    match record {
        Record::Opened(opened) => (0, id(opened.decision.id)),
        Record::Closed(decision) => (0, id(decision.id)),
        Record::Review(review) => {
            let flags = match review.event {
                ReviewChange::Opened => REVIEW_OPENED,
                ReviewChange::Answered | ReviewChange::Expired => REVIEW_ENDED,
            };
            (flags, id(review.decision))
        }
        Record::Access(access) => (0, id(access.decision)),
        Record::Refusal(refusal) => (0, refusal.decision.map_or([0; 16], id)),
        Record::Label(label) => (0, id(label.decision)),
        Record::Release(_)
        | Record::Deployment(_)
        | Record::Drill(_)
        | Record::RunbookRun(_)
        | Record::Node(_)
        | Record::Recovery(_)
        | Record::Uncounted(_)
        | Record::Erasure(_)
        | Record::Hold(_)
        | Record::Retirement(_)
        | Record::Policy(_)
        | Record::Approval(_)
        | Record::DeploymentReview(_)
        | Record::Verification(_)
        | Record::Tenant(_)
        | Record::Key(_)
        | Record::Alarm(_)
        | Record::Alert(_)
        | Record::Account(_)
        | Record::Eval(_)
        | Record::Dataset(_) => (0, [0; 16]),
    }
}

/// The mark of a batch whose first record has `sequence`, written at `at`.
pub(crate) fn mark(sequence: u64, at: Timestamp) -> [u8; HEADER_BYTES] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&sequence.to_le_bytes());
    id[8..].copy_from_slice(&at.as_micros().to_le_bytes());
    let mut frame = [0; HEADER_BYTES];
    finish(&mut frame, RECORD_MAGIC, MARK, 0, id);
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framed() -> Vec<u8> {
        let mut buffer = vec![1, 2, 3];
        encode(&mut buffer, &Record::Recovery(Box::default())).unwrap();
        buffer
    }

    #[test]
    fn a_frame_reads_back_as_it_was_written() {
        let frame = framed();
        let header = Header::parse(RECORD_MAGIC, &frame).unwrap();
        assert_eq!(header.frame_bytes(), frame.len());
        assert_eq!(header.kind, 9);
        assert!(checksum_fits(&frame));
        assert!(Header::parse(PAYLOAD_MAGIC, &frame).is_none());
    }

    #[test]
    fn a_mark_tells_the_sequence_of_its_batch() {
        let mark = mark(0x0102_0304_0506, Timestamp::from_micros(7));
        let header = Header::parse(RECORD_MAGIC, &mark).unwrap();
        assert_eq!((header.kind, header.length), (MARK, 0));
        assert_eq!(header.mark_sequence(), 0x0102_0304_0506);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_flipped_bit_of_a_frame_is_found(at in 0_usize..10_000, bit in 0_u8..8) {
            let mut frame = framed();
            let at = at % frame.len();
            frame[at] ^= 1 << bit;
            let whole = Header::parse(RECORD_MAGIC, &frame)
                .is_some_and(|header| header.frame_bytes() == frame.len() && checksum_fits(&frame));
            prop_assert!(!whole);
        }
    }
}
