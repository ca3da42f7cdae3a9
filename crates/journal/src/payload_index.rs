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

    /// The entries of the decisions `wanted`, which ascend, if `first` is the file that is written.
    pub(crate) fn entries_of(&self, first: u64, wanted: &[[u8; 16]]) -> Option<Vec<Entry>> {
        let active = self.0.read();
        (active.0 == first).then(|| {
            let own = |id: &[u8; 16]| active.1.range((*id, 0)..=(*id, u64::MAX)).copied();
            wanted.iter().flat_map(own).collect()
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

/// The entries of the decisions `wanted`, which ascend, by the index file `bytes`; `None` if it cannot
/// be trusted.
pub(crate) fn entries_of(bytes: &[u8], wanted: &[[u8; 16]]) -> Option<Vec<Entry>> {
    let entries = raw_entries(bytes)?;
    let own = |id: &[u8; 16]| {
        let begin = entries.partition_point(|entry| entry[..16] < id[..]);
        let id = *id;
        let own = entries[begin..].iter();
        own.take_while(move |entry| entry[..16] == id).map(entry)
    };
    Some(wanted.iter().flat_map(own).collect())
}

/// All entries of the index file `bytes`, ascending; `None` if it cannot be trusted.
pub(crate) fn entries(bytes: &[u8]) -> Option<Vec<Entry>> {
    Some(raw_entries(bytes)?.iter().map(entry).collect())
}

fn entry(raw: &[u8; ENTRY_BYTES]) -> Entry {
    let mut id = [0; 16];
    id.copy_from_slice(&raw[..16]);
    (id, le_u64(&raw[16..]))
}

fn raw_entries(bytes: &[u8]) -> Option<&[[u8; ENTRY_BYTES]]> {
    let header = bytes.get(..HEADER_BYTES)?;
    let entries = &bytes[HEADER_BYTES..];
    let trusted = header[..8] == MAGIC
        && le_u32(&header[8..12]) == FORMAT_VERSION
        && le_u32(&header[12..16]) == crc32c::crc32c(&bytes[16..])
        && le_u64(&header[16..24]) * ENTRY_BYTES as u64 == entries.len() as u64;
    if !trusted {
        return None;
    }
    Some(entries.as_chunks::<ENTRY_BYTES>().0)
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
            let expected: Vec<_> = expected.into_iter().map(|at| ([id; 16], at)).collect();
            assert_eq!(entries_of(&bytes, &[[id; 16]]).unwrap(), expected);
            assert_eq!(active.entries_of(7, &[[id; 16]]).unwrap(), expected);
        }
        let both = entries_of(&bytes, &[[1; 16], [3; 16], [9; 16]]).unwrap();
        assert_eq!(both, [([1; 16], 100), ([9; 16], 400)]);
        assert_eq!(super::entries(&bytes), active.entries(7));
        assert_eq!(active.entries_of(8, &[[1; 16]]), None);
    }

    #[test]
    fn a_changed_index_is_not_trusted() {
        let bytes = to_bytes(&[([1; 16], 100), ([2; 16], 200)]);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(entries_of(&changed, &[[1; 16]]), None, "byte {at}");
        }
        assert_eq!(entries_of(&bytes[..30], &[[1; 16]]), None);
    }
}
