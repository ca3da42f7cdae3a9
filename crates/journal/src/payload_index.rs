//! Where in a payload file the payload of a decision lies: in memory for the file that is written, in
//! a sorted file beside it once it is ended.
//!
//! ```text
//!  0  magic     8 bytes  "PLIMPIX\n"
//!  8  version   u32 LE   1
//! 12  checksum  u32 LE   CRC-32C of everything from byte 16 on
//! 16  count     u64 LE
//! 24  entries   24 bytes each, ascending: decision id 16, offset u64 LE
//! ```

use std::collections::BTreeSet;

use parking_lot::RwLock;

use crate::frame::{le_u32, le_u64};
use crate::segment::FORMAT_VERSION;

const MAGIC: [u8; 8] = *b"PLIMPIX\n";
const HEADER_BYTES: usize = 24;
const ENTRY_BYTES: usize = 24;

/// A decision's id and the offset of a frame of its.
pub(crate) type Entry = ([u8; 16], u64);

/// The payloads of the segment that is written.
#[derive(Debug, Default)]
pub(crate) struct ActivePayloads(RwLock<(u64, BTreeSet<Entry>)>);

impl ActivePayloads {
    /// Begins the index of a new file.
    pub(crate) fn begin(&self, first: u64) {
        *self.0.write() = (first, BTreeSet::new());
    }

    /// Adds frames of the file `first`.
    pub(crate) fn extend(&self, first: u64, entries: impl Iterator<Item = Entry>) {
        let mut active = self.0.write();
        active.0 = first;
        active.1.extend(entries);
    }

    /// All entries, if `first` is the file that is written and has any.
    pub(crate) fn entries(&self, first: u64) -> Option<Vec<Entry>> {
        let active = self.0.read();
        (active.0 == first && !active.1.is_empty()).then(|| active.1.iter().copied().collect())
    }

    /// The offsets of a decision's payloads, if `first` is the file that is written.
    pub(crate) fn offsets(&self, first: u64, id: [u8; 16]) -> Option<Vec<u64>> {
        let active = self.0.read();
        (active.0 == first).then(|| {
            let range = active.1.range((id, 0)..=(id, u64::MAX));
            range.map(|(_, offset)| *offset).collect()
        })
    }
}

/// The index file of `entries`, which ascend.
pub(crate) fn to_bytes(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + entries.len() * ENTRY_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    for (id, offset) in entries {
        bytes.extend_from_slice(id);
        bytes.extend_from_slice(&offset.to_le_bytes());
    }
    let checksum = crc32c::crc32c(&bytes[16..]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The offsets of a decision's payloads by the index file `bytes`; `None` if it cannot be trusted.
pub(crate) fn offsets(bytes: &[u8], id: [u8; 16]) -> Option<Vec<u64>> {
    let header = bytes.get(..HEADER_BYTES)?;
    let entries = &bytes[HEADER_BYTES..];
    let trusted = header[..8] == MAGIC
        && le_u32(&header[8..12]) == FORMAT_VERSION
        && le_u32(&header[12..16]) == crc32c::crc32c(&bytes[16..])
        && le_u64(&header[16..24]) * ENTRY_BYTES as u64 == entries.len() as u64;
    if !trusted {
        return None;
    }
    let (entries, _) = entries.as_chunks::<ENTRY_BYTES>();
    let begin = entries.partition_point(|entry| entry[..16] < id[..]);
    let own = entries[begin..]
        .iter()
        .take_while(|entry| entry[..16] == id);
    Some(own.map(|entry| le_u64(&entry[16..])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_finds_all_payloads_of_a_decision_and_no_others() {
        let active = ActivePayloads::default();
        active.begin(7);
        let entries = [
            ([2; 16], 300),
            ([1; 16], 100),
            ([2; 16], 200),
            ([9; 16], 400),
        ];
        active.extend(7, entries.into_iter());
        let bytes = to_bytes(&active.entries(7).unwrap());
        for (id, expected) in [
            (1, vec![100]),
            (2, vec![200, 300]),
            (3, vec![]),
            (9, vec![400]),
        ] {
            assert_eq!(offsets(&bytes, [id; 16]).unwrap(), expected);
            assert_eq!(active.offsets(7, [id; 16]).unwrap(), expected);
        }
        assert_eq!(active.offsets(8, [1; 16]), None);
    }

    #[test]
    fn a_changed_index_is_not_trusted() {
        let bytes = to_bytes(&[([1; 16], 100), ([2; 16], 200)]);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(offsets(&changed, [1; 16]), None, "byte {at}");
        }
        assert_eq!(offsets(&bytes[..30], [1; 16]), None);
    }
}
