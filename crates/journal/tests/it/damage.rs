//! Torn tails are cut; changed bytes are found.

use std::path::Path;
use std::time::Duration;

use plimsoll_core::Record;
use plimsoll_journal::{Journal, JournalConfig, JournalError, verify};
use proptest::prelude::*;

use crate::sample::{decision, large, served};
use crate::support::{clock, config, files, keep, keep_many, node, open, read_all};

/// A journal of several segments, closed in order, and what stands in it.
fn written(root: &Path, records: u64) -> Vec<(u64, Record)> {
    let journal = open(root).journal;
    keep_many(&journal, records);
    drop(journal);
    let (records, errors) = read_all(root, 0);
    assert!(errors.is_empty());
    records
}

/// How many records of a segment end at or before the offset `cut`.
fn whole_records_before(segment: &[u8], cut: usize) -> usize {
    let (mut at, mut records) = (128, 0);
    while at < cut {
        let length = u32::from_le_bytes(segment[at + 4..at + 8].try_into().unwrap());
        let is_record = segment[at + 12] != 0;
        at += 32 + length as usize;
        records += usize::from(is_record && at <= cut);
    }
    records
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_torn_tail_is_cut_and_all_before_it_stays(cut in 0_usize..100_000, junk in 0_usize..300) {
        let root = tempfile::tempdir().unwrap();
        let before = written(root.path(), 6);
        let last = files(&root.path().join("journal"), "seg").pop().unwrap();
        let mut bytes = std::fs::read(&last).unwrap();
        let cut = 128 + cut % (bytes.len() - 127);
        let whole_records = whole_records_before(&bytes, cut);
        bytes.truncate(cut);
        bytes.extend(std::iter::repeat_n(0, junk));
        std::fs::write(&last, &bytes).unwrap();

        let opened = open(root.path());
        prop_assert!(opened.damage.is_empty(), "{:?}", opened.damage);
        let next = keep(&opened.journal, &large(clock().now()));
        drop(opened);
        let (after, errors) = read_all(root.path(), 0);
        prop_assert!(errors.is_empty());
        prop_assert!(after.iter().map(|(sequence, _)| *sequence).eq(0..=next));
        let same = after.iter().zip(&before).take_while(|(a, b)| a == b).count();
        prop_assert_eq!(verify(root.path()).unwrap(), (next + 1, vec![]));
        let first_of_last: usize = last.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        prop_assert_eq!(same, first_of_last + whole_records);
    }

    #[test]
    fn any_flipped_byte_is_found_and_costs_only_its_batch(which in 0_usize..10, at in 0_usize..100_000, bit in 0_u8..8) {
        let root = tempfile::tempdir().unwrap();
        let before = written(root.path(), 12);
        let segments = files(&root.path().join("journal"), "seg");
        let path = &segments[which % segments.len()];
        let mut bytes = std::fs::read(path).unwrap();
        // Of the final mark nothing is lost with a flip, and it is cut off as a torn tail.
        let is_last = path == segments.last().unwrap();
        let at = at % (bytes.len() - if is_last { 32 } else { 0 });
        bytes[at] ^= 1 << bit;
        std::fs::write(path, &bytes).unwrap();

        if (8..12).contains(&at) {
            let refused = matches!(verify(root.path()), Err(JournalError::Version { .. }));
            prop_assert!(refused);
            return Ok(());
        }
        let (_, found) = verify(root.path()).unwrap();
        prop_assert!(!found.is_empty(), "byte {at} of {path:?}");
        let (after, _) = read_all(root.path(), 0);
        prop_assert!(after.len() + 1 >= before.len(), "{} of {}", after.len(), before.len());
        prop_assert!(after.iter().all(|item| before.contains(item)));

        let opened = open(root.path());
        let next = keep(&opened.journal, &large(clock().now()));
        prop_assert!(next >= 12, "no sequence is given twice: {next}");
        let read: Vec<_> = opened.journal.reader(0).filter_map(Result::ok).collect();
        prop_assert_eq!(read.last().unwrap().0, next);
        prop_assert_eq!(read.len(), after.len() + 1);
    }
}

#[test]
fn zeros_written_ahead_are_no_torn_tail_and_no_damage() {
    let root = tempfile::tempdir().unwrap();
    written(root.path(), 12);
    let segments = files(&root.path().join("journal"), "seg");
    assert!(segments.len() > 1);
    // Also of a segment that is not the last: a node may die between ending it and cutting them off.
    for path in &segments {
        let mut bytes = std::fs::read(path).unwrap();
        bytes.extend([0; 5000]);
        std::fs::write(path, bytes).unwrap();
    }
    assert_eq!(verify(root.path()).unwrap(), (12, vec![]));
    let opened = open(root.path());
    assert!(opened.damage.is_empty(), "{:?}", opened.damage);
    assert_eq!(opened.recovery.torn_segment, None);
    assert_eq!(opened.recovery.torn_bytes, 0);
    assert_eq!(keep(&opened.journal, &large(clock().now())), 12);
    drop(opened);
    assert_eq!(verify(root.path()).unwrap(), (13, vec![]));
}

#[test]
fn an_ended_segment_keeps_no_zeros() {
    let root = tempfile::tempdir().unwrap();
    written(root.path(), 12);
    for path in files(&root.path().join("journal"), "seg") {
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.ends_with(&[0; 16]), "{}", path.display());
    }
}

#[test]
fn what_lay_behind_a_torn_tail_does_not_come_back() {
    let root = tempfile::tempdir().unwrap();
    let slow = JournalConfig {
        buffered_window: Duration::from_secs(3600),
        ..config(root.path())
    };
    let journal = Journal::open(slow, node(), clock()).unwrap().journal;
    for unit in ["one", "two"] {
        let record = served(decision(clock().now(), unit));
        journal.append(&record, None).unwrap();
    }
    drop(journal);
    let segment = &files(&root.path().join("journal"), "seg")[0];
    let mut bytes = std::fs::read(segment).unwrap();
    // The node died: no final mark, and of the last batch only the second record is whole.
    bytes.truncate(bytes.len() - 32);
    bytes[128 + 32 + 100] ^= 1;
    std::fs::write(segment, &bytes).unwrap();

    let opened = open(root.path());
    assert!(opened.damage.is_empty());
    // The writer is at it again, and may have written zeros ahead.
    let left = std::fs::read(segment).unwrap();
    let left = left.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    assert!(left < bytes.len(), "{left}");
    keep(&opened.journal, &served(decision(clock().now(), "six")));
    drop(opened);
    let (records, errors) = read_all(root.path(), 0);
    assert!(errors.is_empty());
    assert!(matches!(records[0].1, Record::Recovery(_)));
    assert!(
        matches!(&records[1].1, Record::Closed(decision) if decision.unit.as_deref() == Some("six"))
    );
    assert_eq!(records.len(), 2);
}

#[test]
fn a_segment_that_is_gone_is_told_by_name_and_number() {
    let root = tempfile::tempdir().unwrap();
    written(root.path(), 12);
    let segments = files(&root.path().join("journal"), "seg");
    std::fs::remove_file(&segments[1]).unwrap();
    let (records, errors) = read_all(root.path(), 0);
    assert_eq!(errors.len(), 1);
    let JournalError::Damaged(damage) = &errors[0] else {
        panic!("{errors:?}");
    };
    assert_eq!(records.len() as u64 + damage.records.unwrap(), 12);
    open(root.path());
}

#[test]
fn a_record_of_a_kind_that_is_not_known_is_stepped_over() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let marker = "replace-me";
    keep(&journal, &served(decision(clock().now(), marker)));
    keep(&journal, &large(clock().now()));
    drop(journal);
    let segment = &files(&root.path().join("journal"), "seg")[0];
    let mut bytes = std::fs::read(segment).unwrap();
    let frame = 128 + 32;
    let length = u32::from_le_bytes(bytes[frame + 4..frame + 8].try_into().unwrap()) as usize;
    let end = frame + 32 + length;
    let at = bytes
        .windows(8)
        .position(|eight| eight == b"\"closed\"")
        .unwrap();
    bytes[at..at + 8].copy_from_slice(b"\"future\"");
    let checksum = crc32c::crc32c_append(
        crc32c::crc32c(&bytes[frame + 4..frame + 8]),
        &bytes[frame + 12..end],
    );
    bytes[frame + 8..frame + 12].copy_from_slice(&checksum.to_le_bytes());
    std::fs::write(segment, &bytes).unwrap();
    let (records, errors) = read_all(root.path(), 0);
    assert!(matches!(
        errors[..],
        [JournalError::Record { sequence: 0, .. }]
    ));
    assert_eq!(records[0].0, 1);
}
