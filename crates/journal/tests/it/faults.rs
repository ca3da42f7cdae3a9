//! The disk is full, or fails: callers are told, nothing acknowledged is lost, and it recovers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::TenantName;
use plimsoll_journal::{AppendError, Health, Journal, JournalConfig, JournalError, PayloadFound};

use crate::sample::{decision, large, served};
use crate::support::{FaultyDisk, IO_ERROR, NO_SPACE, clock, config, keep, node, read_all};

fn open_on(disk: &FaultyDisk, config: JournalConfig) -> Journal {
    let disk = Arc::new(disk.clone());
    Journal::open_on(disk, config, node(), clock())
        .unwrap()
        .journal
}

fn os_error(error: &AppendError) -> Option<i32> {
    match error {
        AppendError::Failed { source, .. } => source.raw_os_error(),
        _ => None,
    }
}

fn wait_for_commit(journal: &Journal, sequence: u64) {
    for _ in 0..1000 {
        if journal.committed() > sequence {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nothing was committed: {:?}", journal.figures());
}

/// Runs through a fault of `disk` that `begin` causes and `end` ends.
fn survives(root: &Path, expected: i32, begin: impl Fn(&FaultyDisk), end: impl Fn(&FaultyDisk)) {
    let disk = FaultyDisk::default();
    let journal = open_on(&disk, config(root));
    for _ in 0..7 {
        keep(&journal, &large(clock().now()));
    }
    begin(&disk);
    let ticket = journal.append(&large(clock().now()), None).unwrap();
    let error = ticket.wait().unwrap_err();
    assert_eq!(os_error(&error), Some(expected), "{error}");
    assert!(matches!(journal.health(), Health::Failing(_)));
    let buffered = journal.append(&large(clock().now()), None).unwrap();
    assert_eq!(journal.committed(), 7);
    assert_eq!(journal.reader(0).count(), 7, "what failed is not read");

    end(&disk);
    wait_for_commit(&journal, buffered.sequence());
    buffered.wait().unwrap();
    ticket.wait().unwrap();
    assert!(matches!(journal.health(), Health::Healthy));
    for _ in 0..7 {
        keep(&journal, &large(clock().now()));
    }
    journal.close().unwrap();
    drop(journal);
    let (records, errors) = read_all(root, 0);
    assert!(errors.is_empty(), "{errors:?}");
    assert!(records.iter().map(|(sequence, _)| *sequence).eq(0..16));
}

#[test]
fn a_full_disk_fails_who_waits_and_recovers_with_the_space() {
    for space in [0, 10, 500] {
        let root = tempfile::tempdir().unwrap();
        let begin = |disk: &FaultyDisk| disk.set(|faults| faults.space = Some(space));
        let end = |disk: &FaultyDisk| disk.set(|faults| faults.space = None);
        survives(root.path(), NO_SPACE, begin, end);
    }
}

#[test]
fn a_failed_sync_fails_who_waits_and_is_never_taken_for_a_success() {
    let root = tempfile::tempdir().unwrap();
    let begin = |disk: &FaultyDisk| disk.set(|faults| faults.syncs_fail = true);
    let end = |disk: &FaultyDisk| disk.set(|faults| faults.syncs_fail = false);
    survives(root.path(), IO_ERROR, begin, end);
}

#[test]
fn memory_stays_bounded_while_the_disk_refuses() {
    let root = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let tight = JournalConfig {
        queue_bytes: 32 << 10,
        ..config(root.path())
    };
    let journal = open_on(&disk, tight);
    disk.set(|faults| faults.space = Some(0));
    let mut taken = 0;
    let full = loop {
        match journal.append(&large(clock().now()), None) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, AppendError::QueueFull { .. }), "{full}");
    std::thread::sleep(Duration::from_millis(50));
    let again = journal.append(&large(clock().now()), None);
    assert!(
        matches!(again, Err(AppendError::QueueFull { .. })),
        "also after failed tries"
    );
    assert!(journal.figures().queued_bytes <= 32 << 10);
    disk.set(|faults| faults.space = None);
    wait_for_commit(&journal, taken - 1);
    assert_eq!(journal.reader(0).count() as u64, taken);
}

#[test]
fn a_disk_that_is_full_for_payloads_keeps_payload_and_record_together() {
    let root = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let journal = open_on(&disk, config(root.path()));
    disk.set(|faults| faults.space = Some(300));
    let mut decision = decision(clock().now(), "unit");
    let id = decision.id;
    let tenant = TenantName::new("acme").unwrap();
    let (reference, sealed) = journal.seal(&tenant, id, &[7; 1000]).unwrap();
    decision.payload = Some(reference);
    let ticket = journal.append(&served(decision), Some(sealed)).unwrap();
    assert_eq!(os_error(&ticket.wait().unwrap_err()), Some(NO_SPACE));
    assert_eq!(
        journal.payloads().read(id, &reference).unwrap(),
        PayloadFound::NotKept
    );
    disk.set(|faults| faults.space = None);
    wait_for_commit(&journal, ticket.sequence());
    assert_eq!(
        journal.payloads().read(id, &reference).unwrap(),
        PayloadFound::Kept(vec![7; 1000])
    );
}

#[test]
fn nothing_is_acknowledged_while_either_of_its_two_files_cannot_be_synced() {
    for extension in ["pay", "seg"] {
        let root = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::default();
        let journal = open_on(&disk, config(root.path()));
        let tenant = TenantName::new("acme").unwrap();
        let mut kept = Vec::new();
        for round in 0..3 {
            let mut decision = decision(clock().now(), "unit");
            let id = decision.id;
            let (reference, sealed) = journal.seal(&tenant, id, &[round; 300]).unwrap();
            decision.payload = Some(reference);
            // The first round begins both files.
            disk.set(|faults| faults.unsyncable = (round > 0).then_some(extension));
            let ticket = journal.append(&served(decision), Some(sealed)).unwrap();
            if round > 0 {
                assert_eq!(os_error(&ticket.wait().unwrap_err()), Some(IO_ERROR));
                assert_eq!(journal.committed(), ticket.sequence());
            }
            disk.set(|faults| faults.unsyncable = None);
            wait_for_commit(&journal, ticket.sequence());
            kept.push((id, reference, vec![round; 300]));
        }
        drop(journal);
        let (records, errors) = read_all(root.path(), 0);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(records.len(), 3);
        let payloads = plimsoll_journal::Payloads::open(root.path());
        for (id, reference, payload) in kept {
            let found = payloads.read(id, &reference).unwrap();
            assert_eq!(found, PayloadFound::Kept(payload));
        }
    }
}

#[test]
fn closing_while_the_disk_refuses_says_how_much_is_lost() {
    let root = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let journal = open_on(&disk, config(root.path()));
    keep(&journal, &large(clock().now()));
    disk.set(|faults| faults.syncs_fail = true);
    let ticket = journal.append(&large(clock().now()), None).unwrap();
    let closed = journal.close();
    assert!(
        matches!(closed, Err(JournalError::Unwritten { records: 1 })),
        "{closed:?}"
    );
    assert!(ticket.wait().is_err());
}
