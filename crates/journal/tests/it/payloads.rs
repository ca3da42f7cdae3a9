//! Payloads lie apart, encrypted, and are what their record committed to.

use plimsoll_core::decision::PayloadRef;
use plimsoll_core::{DecisionId, Digest, Record};
use plimsoll_journal::{Journal, JournalError, PayloadFound, Payloads};

use crate::support::{clock, contains, files, keep_payload, open};

const SECRET: &[u8] = br#"{"input":{"name":"Ada Lovelace"},"output":null}"#;

fn keep_with(journal: &Journal, payload: &[u8]) -> (DecisionId, PayloadRef) {
    keep_payload(journal, clock().now(), payload)
}

#[test]
fn a_payload_is_read_back_at_once_after_rotation_and_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let mut kept = Vec::new();
    for number in 0..60_usize {
        let payload = vec![u8::try_from(number).unwrap(); 100 * number];
        let (id, reference) = keep_with(&journal, &payload);
        assert_eq!(reference.bytes, payload.len() as u64);
        kept.push((id, reference, payload));
    }
    let check = |payloads: &Payloads| {
        for (id, reference, payload) in &kept {
            assert_eq!(
                payloads.read(*id, reference).unwrap(),
                PayloadFound::Kept(payload.clone())
            );
        }
    };
    check(&journal.payloads());
    check(&Payloads::open(root.path()));
    drop(journal);
    check(&open(root.path()).journal.payloads());
    assert!(files(&root.path().join("payloads"), "pix").len() > 2);
    for index in files(&root.path().join("payloads"), "pix") {
        std::fs::remove_file(index).unwrap();
    }
    check(&Payloads::open(root.path()));
}

#[test]
fn nothing_of_a_payload_is_on_disk_in_clear() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    keep_with(&journal, SECRET);
    drop(journal);
    assert!(!contains(root.path(), b"Lovelace"));
    assert!(contains(root.path(), b"loan-default"), "the record is");
}

#[test]
fn the_commitment_is_salted() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let (_, one) = keep_with(&journal, SECRET);
    let (_, other) = keep_with(&journal, SECRET);
    assert_ne!(one.commitment, other.commitment);
}

#[test]
fn a_payload_is_bound_to_its_decision_and_its_commitment() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let (id, reference) = keep_with(&journal, SECRET);
    let (other, _) = keep_with(&journal, b"another");
    let payloads = journal.payloads();
    let not_kept = PayloadFound::NotKept;
    assert_eq!(payloads.read(other, &reference).unwrap(), not_kept);
    let forged = PayloadRef {
        commitment: Digest::of(b"forged"),
        ..reference
    };
    assert_eq!(payloads.read(id, &forged).unwrap(), not_kept);
    let longer = PayloadRef {
        bytes: reference.bytes + 1,
        ..reference
    };
    assert!(matches!(
        payloads.read(id, &longer),
        Err(JournalError::Payload { .. })
    ));
}

#[test]
fn a_changed_payload_is_refused_and_without_the_key_none_can_be_read() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let (id, reference) = keep_with(&journal, SECRET);
    let (second, second_reference) = keep_with(&journal, SECRET);
    let path = &files(&root.path().join("payloads"), "pay")[0];
    let mut bytes = std::fs::read(path).unwrap();
    bytes[128 + 200] ^= 1;
    std::fs::write(path, &bytes).unwrap();
    let changed = journal.payloads().read(id, &reference);
    assert!(matches!(changed, Err(JournalError::Payload { .. })));
    assert!(
        journal
            .payloads()
            .read(second, &second_reference)
            .unwrap()
            .kept()
            .is_some()
    );

    std::fs::remove_dir_all(root.path().join("payloads/keys/acme")).unwrap();
    let gone = Payloads::open(root.path()).read(second, &second_reference);
    assert!(matches!(gone, Err(JournalError::Key { .. })));
}

#[test]
fn the_record_says_no_more_than_the_commitment() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let (_, reference) = keep_with(&journal, SECRET);
    let (_, record) = journal.reader(0).next().unwrap().unwrap();
    let Record::Closed(decision) = record else {
        panic!("{record:?}");
    };
    assert_eq!(decision.payload, Some(reference));
}
