//! Verification finds whatever was changed, cut or removed, and says what is gone by authority.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_core::{Clock as _, DecisionId};
use plimsoll_journal::audit::{
    self, FaultKind, PayloadCounts, RecordCounts, VerificationReport, VerifyOptions,
};
use plimsoll_journal::{AuditError, Journal, JournalConfig, Retention};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRng, TestRunner};

use crate::audit_sample::{
    audited, erasure, march, open_audited, retire, rich, sign, verified, verify,
};
use crate::sample::{decision, large, served};
use crate::support::{all_files, clock, copy_folder, files, keep, keep_many, keep_payload, node};

fn is_found(root: &Path) -> bool {
    match audit::verify(root, &VerifyOptions::default(), &mut |_, _| {}) {
        Ok(report) => !report.passed(),
        Err(AuditError::Checkpoint { .. } | AuditError::Key { .. } | AuditError::NoLog { .. }) => {
            true
        }
        Err(error) => panic!("{error}"),
    }
}

/// The files of a data folder whose every byte is vouched for.
fn vouched_for(root: &Path) -> Vec<PathBuf> {
    let mut paths = all_files(root);
    paths.retain(|path| {
        let name = path.file_name().unwrap();
        let is_state = ["lock", "key", "minimum"]
            .iter()
            .any(|state| name == *state);
        !is_state && path.extension().is_none_or(|extension| extension != "key")
    });
    paths
}

fn kind_of(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap();
    let first = path.components().next().unwrap().as_os_str();
    let name = path.extension().unwrap_or_default();
    format!("{}/{}", first.display(), name.display())
}

#[test]
fn a_folder_with_a_bit_of_everything_is_in_order() {
    let root = tempfile::tempdir().unwrap();
    rich(root.path());
    let report = verified(root.path());
    assert!(
        report.payload_minimum > 0 && report.minimum == 0,
        "{report:?}"
    );
    let records = RecordCounts {
        intact: report.size,
        ..RecordCounts::default()
    };
    assert_eq!(report.records, records);
    assert_eq!((report.blobs, report.releases, report.history), (2, 1, 5));
    assert_eq!(report.payloads.erased, 2);
    assert!(report.payloads.let_go > 0 && report.payloads.intact > 0);
    let payloads = PayloadCounts {
        intact: 31 - 2 - report.payloads.let_go,
        erased: 2,
        let_go: report.payloads.let_go,
        ..PayloadCounts::default()
    };
    assert_eq!(report.payloads, payloads);
    let kinds: std::collections::BTreeSet<_> = vouched_for(root.path())
        .iter()
        .map(|path| kind_of(root.path(), path))
        .collect();
    for kind in [
        "audit/",
        "audit/checkpoint",
        "audit/vkey",
        "audit/p",
        "journal/seg",
        "journal/idx",
        "payloads/pay",
        "payloads/pix",
        "blobs/",
    ] {
        let is_there = kinds.contains(kind) || kind == "audit/p";
        assert!(is_there, "{kind} of {kinds:?}");
    }
}

#[test]
fn any_flipped_bit_anywhere_is_found() {
    const FLIPS_PER_FILE: u32 = 50;
    let root = tempfile::tempdir().unwrap();
    rich(root.path());
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let mut flips = 0;
    for path in vouched_for(root.path()) {
        let whole = fs::read(&path).unwrap();
        for _ in 0..FLIPS_PER_FILE.min(u32::try_from(whole.len()).unwrap() * 8) {
            let place = (0..whole.len(), 0..8_u8);
            let (at, bit) = place.new_tree(&mut runner).unwrap().current();
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            fs::write(&path, &changed).unwrap();
            assert!(
                is_found(root.path()),
                "{} at {at}, bit {bit}",
                path.display()
            );
            flips += 1;
        }
        fs::write(&path, &whole).unwrap();
    }
    assert!(flips >= 2000, "{flips}");
    verified(root.path());
}

#[test]
fn every_cut_and_every_removed_file_is_found() {
    let root = tempfile::tempdir().unwrap();
    rich(root.path());
    let last_segment = files(&root.path().join("journal"), "seg").pop().unwrap();
    for path in vouched_for(root.path()) {
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let is_history = path.parent().unwrap().ends_with("history");
        // Of histories nobody says how many there are.
        assert!(
            is_found(root.path()) || is_history,
            "without {}",
            path.display()
        );
        let step = (whole.len() / 12).max(1);
        for length in (0..whole.len()).step_by(step).chain([whole.len() - 1]) {
            fs::write(&path, &whole[..length]).unwrap();
            // The mark at the very end vouches for nothing that the checkpoint does not.
            let mark_alone = path == last_segment && length == whole.len() - 32;
            assert!(
                is_found(root.path()) || mark_alone,
                "{} cut to {length}",
                path.display()
            );
        }
        let mut longer = whole.clone();
        longer.push(1);
        fs::write(&path, &longer).unwrap();
        assert!(is_found(root.path()), "more in {}", path.display());
        fs::write(&path, &whole).unwrap();
    }
    verified(root.path());
}

fn only_fault(report: &VerificationReport) -> &audit::Fault {
    assert_eq!(report.fault_count, 1, "{:#?}", report.faults);
    &report.faults[0]
}

#[test]
fn a_record_that_was_forged_with_a_new_checksum_is_found() {
    let root = tempfile::tempdir().unwrap();
    let journal = open_audited(root.path());
    keep_many(&journal, 3);
    drop(journal);
    let segment = files(&root.path().join("journal"), "seg").pop().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    // The outcome of the first record, behind header and mark: the same length, another text.
    let served = bytes
        .windows(8)
        .position(|text| text == b"\"served\"")
        .unwrap();
    bytes[served..served + 8].copy_from_slice(b"\"failed\"");
    let frame = 128 + 32;
    let length = u32::from_le_bytes(bytes[frame + 4..frame + 8].try_into().unwrap());
    let end = frame + 32 + usize::try_from(length).unwrap();
    let checksum = crc32c_of(&bytes[frame + 4..frame + 8], &bytes[frame + 12..end]);
    bytes[frame + 8..frame + 12].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&segment, bytes).unwrap();

    assert_eq!(plimsoll_journal::verify(root.path()).unwrap(), (3, vec![]));
    let report = verify(root.path());
    let fault = only_fault(&report);
    assert_eq!((fault.kind, fault.sequence), (FaultKind::Changed, Some(0)));
    assert_eq!((report.records.changed, report.records.intact), (1, 2));
}

/// CRC-32C, bit by bit: the tests have no other way to forge one.
fn crc32c_of(first: &[u8], rest: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in first.iter().chain(rest) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[test]
fn records_are_let_go_by_a_record_and_a_published_minimum_together() {
    let root = tempfile::tempdir().unwrap();
    let config = JournalConfig {
        retention: Retention {
            bytes: 1,
            ..Retention::default()
        },
        ..audited(root.path())
    };
    let journal = Journal::open(config, node(), clock()).unwrap().journal;
    keep_many(&journal, 20);
    keep_payload(&journal, clock().now(), b"goes with its record");
    keep_many(&journal, 10);
    sign(&journal);
    let before = tempfile::tempdir().unwrap();
    copy_folder(root.path(), before.path());
    retire(&journal, clock().now());
    journal.close().unwrap();
    let report = verified(root.path());
    assert_eq!(report.records.let_go, report.minimum);
    assert_eq!(report.records.intact, report.size - report.minimum);
    assert!(report.minimum > 20, "{report:?}");
    assert_eq!(report.payloads, PayloadCounts::default());

    // Without the minimum that is published, or with another, it does not agree.
    let path = root.path().join("journal/minimum");
    let published = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let report = verify(root.path());
    assert_eq!(only_fault(&report).kind, FaultKind::Missing);
    let minimum = report.minimum;
    let other = published.replace(&format!(":{minimum},"), &format!(":{},", minimum + 1));
    fs::write(&path, other).unwrap();
    let report = verify(root.path());
    assert_eq!(only_fault(&report).kind, FaultKind::Unauthorized);

    // What goes without a record is missing.
    let segment = before.path().join("journal").join(format!("{:020}.seg", 0));
    fs::remove_file(&segment).unwrap();
    fs::remove_file(segment.with_extension("idx")).unwrap();
    let report = verify(before.path());
    let next = files(&before.path().join("journal"), "seg")[0].clone();
    let next: u64 = next.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    assert_eq!(report.records.missing, next);
    assert_eq!(only_fault(&report).sequence, Some(0));
    assert!(
        only_fault(&report)
            .to_string()
            .starts_with("MISSING: records 0 to ")
    );
}

#[test]
fn a_payload_is_erased_by_a_record_that_names_its_decision() {
    let root = tempfile::tempdir().unwrap();
    let journal = open_audited(root.path());
    let now = clock().now();
    let ids: Vec<DecisionId> = (0..3)
        .map(|_| keep_payload(&journal, now, &[b'x'; 100]).0)
        .collect();
    keep(&journal, &erasure(&ids[..1], now));
    sign(&journal);
    let report = verified(root.path());
    assert_eq!((report.payloads.intact, report.payloads.to_erase), (3, 1));
    journal.payloads().erase(&ids[..1]).unwrap();
    let report = verified(root.path());
    assert_eq!((report.payloads.intact, report.payloads.erased), (2, 1));
    assert_eq!(report.payloads.to_erase, 0);

    journal.payloads().erase(&ids[1..2]).unwrap();
    let report = verify(root.path());
    let fault = only_fault(&report);
    assert_eq!(fault.kind, FaultKind::Unauthorized);
    assert_eq!(fault.decision, Some(ids[1]));
    keep(&journal, &erasure(&ids[1..2], now));
    assert_eq!(verified(root.path()).records.unsigned, 1);
}

#[test]
fn a_payload_whose_key_is_gone_is_unreadable_and_one_whose_file_is_gone_is_missing() {
    let root = tempfile::tempdir().unwrap();
    let journal = open_audited(root.path());
    let now = clock().now();
    let ids: Vec<_> = (0..3)
        .map(|_| keep_payload(&journal, now, &[b'x'; 100]).0)
        .collect();
    // What the caller was told differs from what was first recorded: the same payload, named again.
    let mut again = decision(now, "again");
    again.id = ids[0];
    drop(journal);
    let keys = root.path().join("payloads/keys/acme");
    let key = fs::read_dir(&keys).unwrap().next().unwrap().unwrap().path();
    let text = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let report = verified(root.path());
    assert_eq!((report.payloads.intact, report.payloads.unreadable), (0, 3));

    let mut other = text.clone();
    let last = other.len() - 2;
    other[last] = if other[last] == b'0' { b'1' } else { b'0' };
    fs::write(&key, other).unwrap();
    assert_eq!(verify(root.path()).payloads.changed, 3);
    fs::write(&key, text).unwrap();

    fs::remove_file(&files(&root.path().join("payloads"), "pay")[0]).unwrap();
    let report = verify(root.path());
    assert_eq!((report.payloads.missing, report.fault_count), (3, 3));
    assert_eq!(report.faults[0].kind, FaultKind::Missing);
    assert_eq!(report.faults[0].decision, Some(ids[0]));
}

#[test]
fn a_payload_that_a_later_record_names_again_is_one_payload() {
    let root = tempfile::tempdir().unwrap();
    let journal = open_audited(root.path());
    let now = clock().now();
    let (id, reference) = keep_payload(&journal, now, b"once");
    keep_many(&journal, 20);
    let mut again = decision(now, "withheld");
    (again.id, again.payload) = (id, Some(reference));
    keep(&journal, &served(again));
    drop(journal);
    let payloads = PayloadCounts {
        intact: 1,
        ..PayloadCounts::default()
    };
    assert_eq!(verified(root.path()).payloads, payloads);
}

#[test]
fn a_release_is_there_with_all_its_parts() {
    let root = tempfile::tempdir().unwrap();
    rich(root.path());
    for path in all_files(&root.path().join("blobs")) {
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let report = verify(root.path());
        let fault = &report.faults[0];
        assert_eq!(fault.kind, FaultKind::Missing, "{fault}");
        assert_eq!((report.blobs, report.releases), (1, 0));
        fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn another_log_with_the_same_records_does_not_pass_for_the_first() {
    let root = tempfile::tempdir().unwrap();
    let journal = open_audited(root.path());
    keep_many(&journal, 20);
    let kept = sign(&journal);
    drop(journal);
    let key = audit::verifier_key(root.path()).unwrap();

    // Who can write to the folder changes a record and signs everything anew, under a key of their own.
    fs::remove_dir_all(root.path().join("audit")).unwrap();
    let segment = files(&root.path().join("journal"), "seg").pop().unwrap();
    fs::remove_file(&segment).unwrap();
    let journal = open_audited(root.path());
    keep_many(&journal, 20);
    drop(journal);
    verified(root.path());
    let with_key = VerifyOptions {
        key: Some(key.clone()),
        against: None,
    };
    let error = audit::verify(root.path(), &with_key, &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, AuditError::Checkpoint { .. }), "{error}");

    // With the first key it takes a checkpoint that was kept elsewhere.
    let rewritten = tempfile::tempdir().unwrap();
    let own_key = rewritten.path().join("audit");
    fs::create_dir_all(&own_key).unwrap();
    let journal = open_audited(rewritten.path());
    keep_many(&journal, 30);
    drop(journal);
    let own = audit::verifier_key(rewritten.path()).unwrap();
    let against = VerifyOptions {
        key: Some(own),
        against: Some(kept.note().to_owned()),
    };
    let report = audit::verify(rewritten.path(), &against, &mut |_, _| {}).unwrap();
    assert_eq!(
        only_fault(&report).kind,
        FaultKind::Changed,
        "signed by another key"
    );
}

#[test]
fn a_tree_that_was_signed_anew_with_its_own_key_is_rewritten() {
    let root = tempfile::tempdir().unwrap();
    let journal = open_audited(root.path());
    keep_many(&journal, 20);
    let kept = sign(&journal);
    drop(journal);
    // The operator has the key, and makes another history with it.
    for name in ["checkpoint", "tile", "history"] {
        let path = root.path().join("audit").join(name);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }
    fs::remove_dir_all(root.path().join("journal")).unwrap();
    let journal = open_audited(root.path());
    keep_many(&journal, 30);
    drop(journal);
    verified(root.path());
    let against = VerifyOptions {
        key: None,
        against: Some(kept.note().to_owned()),
    };
    let report = audit::verify(root.path(), &against, &mut |_, _| {}).unwrap();
    assert_eq!(only_fault(&report).kind, FaultKind::Rewritten);
}

#[test]
fn a_folder_is_verified_while_its_node_writes() {
    let root = tempfile::tempdir().unwrap();
    let journal = Arc::new(open_audited(root.path()));
    keep_many(&journal, 10);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                keep(&journal, &large(clock().now()));
                keep_payload(&journal, clock().now(), &[b'x'; 700]);
                sign(&journal);
            }
        });
        let reports: Vec<_> = (0..20).map(|_| verify(root.path())).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for report in reports {
            assert!(report.passed(), "{:#?}", report.faults);
        }
    });
    let mut told = Vec::new();
    let options = VerifyOptions::default();
    audit::verify(root.path(), &options, &mut |done, of| told.push((done, of))).unwrap();
    let (done, of) = *told.last().unwrap();
    assert!(done == of && of > 0, "{told:?}");
}

#[test]
fn an_old_checkpoint_of_a_clock_that_stands_still_is_history_too() {
    let root = tempfile::tempdir().unwrap();
    let clock = march();
    let opened = Journal::open(audited(root.path()), node(), Arc::clone(&clock) as _);
    let journal = opened.unwrap().journal;
    keep(&journal, &large(clock.now()));
    sign(&journal);
    clock.advance(std::time::Duration::from_secs(3600));
    keep(&journal, &large(clock.now()));
    sign(&journal);
    drop(journal);
    let history = root.path().join("audit/history");
    let path = history.join("2026-03-14T09.checkpoint");
    let text = fs::read_to_string(&path).unwrap();
    fs::rename(&path, history.join("2026-03-14T08.checkpoint")).unwrap();
    let report = verify(root.path());
    assert_eq!(only_fault(&report).kind, FaultKind::Changed, "{text}");
}
