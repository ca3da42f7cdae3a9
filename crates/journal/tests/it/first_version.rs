//! Data folders that version 0.1 wrote are opened, read whole, and continued.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_core::decision::PayloadRef;
use plimsoll_core::{DecisionId, Digest, Record};
use plimsoll_journal::{Blobs, PayloadFound, Payloads, verify};
use tempfile::TempDir;

use crate::sample::large;
use crate::support::{clock, copy_folder, files, keep, open, read_all};

fn fixture(name: &str) -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    crates.join("plimsoll/tests/fixtures/data-v0.1").join(name)
}

/// A copy of the fixture, to be written to.
fn data(name: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    copy_folder(&fixture(name), root.path());
    root
}

/// How many records there are of each kind, by the kind's number.
fn kinds(records: &[(u64, Record)]) -> BTreeMap<u8, usize> {
    let mut kinds = BTreeMap::new();
    for (_, record) in records {
        *kinds.entry(record.kind_number()).or_default() += 1;
    }
    kinds
}

fn payloads_of(records: &[(u64, Record)]) -> Vec<(DecisionId, PayloadRef)> {
    let closed = records.iter().filter_map(|(_, record)| match record {
        Record::Closed(decision) => Some((decision.id, decision.payload?)),
        _ => None,
    });
    closed.collect()
}

#[test]
fn a_data_folder_of_the_first_version_is_opened_and_read_whole() {
    // opened, closed, release, deployment, review, drill, runbook run, node, recovery.
    let killed = [
        (1, 11),
        (2, 34),
        (3, 3),
        (4, 3),
        (5, 13),
        (6, 8),
        (7, 1),
        (8, 1),
    ];
    let mended = [(2, 35), (9, 1)];
    let stopped = [
        (1, 11),
        (2, 36),
        (3, 3),
        (4, 5),
        (5, 13),
        (6, 8),
        (7, 1),
        (8, 3),
        (9, 1),
    ];
    for (name, before, after, orphans) in [
        ("killed", &killed[..], &mended[..], 1),
        ("stopped", &stopped[..], &[], 0),
    ] {
        let mut expected = BTreeMap::from_iter(before.iter().copied());
        let root = data(name);
        let (records, errors) = read_all(root.path(), 0);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(kinds(&records), expected, "{name}");

        let opened = open(root.path());
        assert!(opened.damage.is_empty(), "{:?}", opened.damage);
        assert_eq!(
            (opened.recovery.orphans, opened.recovery.torn_bytes),
            (orphans, 0)
        );
        drop(opened);
        expected.extend(after.iter().copied());
        let (records, errors) = read_all(root.path(), 0);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(kinds(&records), expected, "{name}");
        assert_eq!(verify(root.path()).unwrap(), (records.len() as u64, vec![]));
    }
}

#[test]
fn payloads_and_blobs_of_the_first_version_are_what_they_were() {
    for name in ["killed", "stopped"] {
        let root = data(name);
        let (records, _) = read_all(root.path(), 0);
        let references = payloads_of(&records);
        assert!(references.len() > 25, "{}", references.len());
        let payloads = Payloads::open(root.path());
        for (id, reference) in &references {
            let PayloadFound::Kept(bytes) = payloads.read(*id, reference).unwrap() else {
                panic!("the payload of {id} is gone");
            };
            let payload: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            assert!(payload.get("input").is_some());
        }
        let blobs = Blobs::open(root.path()).unwrap();
        for (_, record) in &records {
            if let Record::Release(release) = record {
                let manifest = blobs.get(release.id.0).unwrap().unwrap();
                assert_eq!(Digest::of(&manifest), release.id.0);
            }
        }
    }
}

#[test]
fn a_data_folder_of_the_first_version_is_continued_and_its_payloads_can_be_erased() {
    for name in ["killed", "stopped"] {
        let root = data(name);
        let journal = open(root.path()).journal;
        let (records, _) = read_all(root.path(), 0);
        let references = payloads_of(&records);
        let next = keep(&journal, &large(clock().now()));
        assert_eq!(next, records.len() as u64);
        let (erased, kept) = references.split_at(5);
        let ids: Vec<_> = erased.iter().map(|(id, _)| *id).collect();
        assert_eq!(journal.payloads().erase(&ids).unwrap().payloads, 5);
        // Every segment is full for the small ones that tests have: the next record begins another.
        assert!(files(&root.path().join("journal"), "seg").len() > 1);
        drop(journal);
        let again = open(root.path());
        assert!(again.damage.is_empty(), "{:?}", again.damage);
        let payloads = again.journal.payloads();
        for (id, reference) in erased {
            assert_eq!(payloads.read(*id, reference).unwrap(), PayloadFound::Erased);
        }
        for (id, reference) in kept {
            assert!(payloads.read(*id, reference).unwrap().kept().is_some());
        }
    }
}
