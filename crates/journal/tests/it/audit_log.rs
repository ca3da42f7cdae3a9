//! The running audit log: what it signs, when, and when it stops.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::{Clock as _, Digest};
use plimsoll_journal::audit::{self, Checkpoint, VerifyOptions};
use plimsoll_journal::{
    AuditConfig, AuditError, AuditStatus, Journal, JournalConfig, JournalError, RealDisk,
};

use crate::audit_sample::{audited, march, open_audited, sign, verified, verify};
use crate::sample::{decision, large, served};
use crate::support::{FaultyDisk, clock, config, copy_folder, files, keep, keep_many, node, open};

fn checkpoint_in(root: &Path) -> Checkpoint {
    let key = audit::verifier_key(root).unwrap();
    audit::newest_checkpoint(root, &key).unwrap()
}

/// Waits until the log says so.
fn status_when(journal: &Journal, fits: impl Fn(&AuditStatus) -> bool) -> AuditStatus {
    for _ in 0..2000 {
        let status = journal.audit().unwrap().status();
        if fits(&status) {
            return status;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{:?}", journal.audit().unwrap().status());
}

fn defect(journal: &Journal) -> String {
    let status = status_when(journal, |status| status.defect.is_some());
    status.defect.unwrap()
}

#[test]
fn what_is_appended_is_signed_when_asked_and_when_closed() {
    let root = tempfile::tempdir().unwrap();
    let journal = open_audited(root.path());
    assert_eq!(sign(&journal).size(), 0);
    keep_many(&journal, 3);
    let three = sign(&journal);
    assert_eq!(three.size(), 3);
    assert_eq!(three, checkpoint_in(root.path()));
    let log = journal.audit().unwrap();
    assert_eq!(log.checkpoint(2).unwrap(), three, "it covers two as well");
    assert!(matches!(
        log.checkpoint(4),
        Err(AuditError::Ahead {
            sequence: 3,
            size: 3
        })
    ));
    keep_many(&journal, 2);
    let status = log.status();
    assert_eq!((status.size, status.root), (3, three.root()));
    assert_eq!((status.behind, status.dropped), (2, 0));
    assert_eq!(status.checkpoint_at, three.at());
    journal.close().unwrap();
    assert_eq!(checkpoint_in(root.path()).size(), 5);
    let report = verified(root.path());
    assert_eq!((report.size, report.records.intact), (5, 5));
}

#[test]
fn a_checkpoint_is_signed_by_itself_while_there_is_something_new() {
    let root = tempfile::tempdir().unwrap();
    let config = JournalConfig {
        audit: Some(AuditConfig {
            every: Duration::from_millis(20),
            ..AuditConfig::new("plimsoll.invalid/node-1")
        }),
        ..config(root.path())
    };
    let journal = Journal::open(config, node(), clock()).unwrap().journal;
    keep_many(&journal, 2);
    status_when(&journal, |status| status.size == 2);
    let first = checkpoint_in(root.path());
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(checkpoint_in(root.path()), first, "nothing is new");
    keep_many(&journal, 1);
    status_when(&journal, |status| status.size == 3);
}

#[test]
fn the_tree_is_the_same_however_it_grew() {
    let roots: Vec<Digest> = [9_u64, 100, 600]
        .into_iter()
        .map(|step| {
            let root = tempfile::tempdir().unwrap();
            let journal = open_audited(root.path());
            let at = march().now();
            let mut record = decision(at, "the same");
            record.id = plimsoll_core::DecisionId::from_bytes([7; 16]);
            record.request = plimsoll_core::RequestId::from_bytes([7; 16]);
            record.deployment = plimsoll_core::DeploymentId::from_bytes([7; 16]);
            for number in 0..600 {
                let ticket = journal.append(&served(record.clone()), None).unwrap();
                if number % step == step - 1 {
                    ticket.wait().unwrap();
                    sign(&journal);
                }
            }
            journal.close().unwrap();
            let report = verified(root.path());
            assert_eq!(report.size, 600);
            let full = fs::read_dir(root.path().join("audit/tile/0")).unwrap();
            let names: Vec<_> = full.map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names.len(), 3, "superseded tiles are removed: {names:?}");
            report.root
        })
        .collect();
    assert!(roots.iter().all(|root| *root == roots[0]));
}

#[test]
fn a_log_goes_on_after_a_restart_with_its_key() {
    let root = tempfile::tempdir().unwrap();
    let mut checkpoints = Vec::new();
    for _ in 0..4 {
        let journal = open_audited(root.path());
        keep_many(&journal, 70);
        checkpoints.push(sign(&journal));
        keep_many(&journal, 3);
    }
    let key = audit::verifier_key(root.path()).unwrap();
    for old in &checkpoints {
        assert_eq!(&Checkpoint::verify(old.note(), &key).unwrap(), old);
        let options = VerifyOptions {
            key: Some(key.clone()),
            against: Some(old.note().to_owned()),
        };
        let report = audit::verify(root.path(), &options, &mut |_, _| {}).unwrap();
        assert!(report.passed(), "{:?}", report.faults);
        assert_eq!(report.consistent_with, Some(old.size()));
        let (new, proof) = audit::prove_consistency(root.path(), old.size()).unwrap();
        let (old, new) = ((old.size(), old.root()), (new.size(), new.root()));
        assert!(audit::is_consistent(old, new, &proof));
    }
}

#[test]
fn a_journal_that_had_no_log_gets_one_from_its_first_record_on() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    keep_many(&journal, 40);
    drop(journal);
    let journal = open_audited(root.path());
    keep(&journal, &large(clock().now()));
    assert_eq!(sign(&journal).size(), 41);
    let report = verified(root.path());
    assert_eq!(report.records.intact, 41);
}

#[test]
fn what_was_let_go_before_there_was_a_log_is_empty_and_said_to_be_gone() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    keep_many(&journal, 40);
    drop(journal);
    // As the first version let go of things: a published minimum and no record.
    let second = files(&root.path().join("journal"), "seg")[1].clone();
    let minimum: u64 = second
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let first = root.path().join("journal").join(format!("{:020}.seg", 0));
    fs::remove_file(&first).unwrap();
    fs::remove_file(first.with_extension("idx")).unwrap();
    let published = format!("{{\"minimum\":{minimum},\"at\":1}}\n");
    fs::write(root.path().join("journal/minimum"), published).unwrap();

    drop(open_audited(root.path()));
    let report = verified(root.path());
    assert_eq!((report.size, report.minimum), (40, minimum));
    assert_eq!(report.records.let_go, minimum);
    assert_eq!(report.records.intact, 40 - minimum);
}

#[test]
fn a_record_that_was_lost_before_it_was_logged_is_missing() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    keep_many(&journal, 40);
    drop(journal);
    let segment = files(&root.path().join("journal"), "seg")[1].clone();
    let mut bytes = fs::read(&segment).unwrap();
    bytes[300] ^= 1;
    fs::write(&segment, bytes).unwrap();
    drop(open_audited(root.path()));
    let report = verify(root.path());
    assert_eq!((report.size, report.records.missing), (40, 1));
    assert_eq!(report.records.intact, 39);
    assert_eq!(report.fault_count, 2, "the bytes and the record");
}

#[test]
fn a_journal_that_was_set_back_is_never_signed_again() {
    let (root, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let journal = open_audited(root.path());
    keep_many(&journal, 10);
    drop(journal);
    copy_folder(root.path(), old.path());
    let journal = open_audited(root.path());
    keep_many(&journal, 10);
    let signed = sign(&journal);
    drop(journal);

    // The journal alone comes back from a backup.
    fs::remove_dir_all(root.path().join("journal")).unwrap();
    copy_folder(&old.path().join("journal"), &root.path().join("journal"));
    let journal = open_audited(root.path());
    let why = defect(&journal);
    assert!(why.contains("set back"), "{why}");
    keep_many(&journal, 30);
    let error = journal.audit().unwrap().checkpoint(30).unwrap_err();
    assert!(matches!(error, AuditError::Stopped(_)), "{error}");
    let status = journal.audit().unwrap().status();
    assert_eq!(status.size, 0, "nothing is claimed");
    drop(journal);
    assert_eq!(checkpoint_in(root.path()), signed, "it is left as it was");

    // By now the journal is longer than what was signed, with other records in it.
    let journal = open_audited(root.path());
    let why = defect(&journal);
    assert!(why.contains("not the one that was signed"), "{why}");
    drop(journal);
    let report = verify(root.path());
    assert_eq!(report.records.changed, 10);
}

#[test]
fn whatever_does_not_fit_together_stops_the_log_and_nothing_else() {
    type Change = (&'static str, fn(&Path));
    let changes: [Change; 7] = [
        ("`audit/key` is gone", |audit| {
            fs::remove_file(audit.join("key")).unwrap();
        }),
        ("`audit/checkpoint` is gone", |audit| {
            fs::remove_file(audit.join("checkpoint")).unwrap();
        }),
        ("log.vkey", |audit| {
            let other = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n";
            fs::write(audit.join("log.vkey"), other).unwrap();
        }),
        ("the checkpoint was changed", |audit| {
            let text = fs::read_to_string(audit.join("checkpoint")).unwrap();
            fs::write(audit.join("checkpoint"), text.replace("\n30\n", "\n29\n")).unwrap();
        }),
        ("is missing", |audit| {
            fs::remove_file(audit.join("tile/0/000.p/30")).unwrap();
        }),
        ("one of them was changed", |audit| {
            let path = audit.join("tile/0/000.p/30");
            let mut bytes = fs::read(&path).unwrap();
            bytes[5] ^= 1;
            fs::write(path, bytes).unwrap();
        }),
        ("`audit/key` cannot be used", |audit| {
            fs::write(audit.join("key"), "PRIVATE+KEY+a+b+c\n").unwrap();
        }),
    ];
    for (expected, change) in changes {
        let root = tempfile::tempdir().unwrap();
        let journal = open_audited(root.path());
        keep_many(&journal, 30);
        drop(journal);
        change(&root.path().join("audit"));
        let journal = open_audited(root.path());
        let why = defect(&journal);
        assert!(why.contains(expected), "{why}");
        keep_many(&journal, 1);
        journal.close().unwrap();
    }
}

#[test]
fn a_log_keeps_its_origin() {
    let root = tempfile::tempdir().unwrap();
    keep_many(&open_audited(root.path()), 1);
    let other = JournalConfig {
        audit: Some(AuditConfig::new("example.com/other")),
        ..config(root.path())
    };
    let journal = Journal::open(other, node(), clock()).unwrap().journal;
    let why = defect(&journal);
    assert!(why.contains("set `[audit] origin` back"), "{why}");
    drop(journal);
    let root = tempfile::tempdir().unwrap();
    let impossible = JournalConfig {
        audit: Some(AuditConfig::new("two words")),
        ..config(root.path())
    };
    let journal = Journal::open(impossible, node(), clock()).unwrap().journal;
    assert!(defect(&journal).contains("cannot be the origin"));
}

#[test]
fn a_checkpoint_that_somebody_replaced_while_it_ran_is_not_written_over() {
    let root = tempfile::tempdir().unwrap();
    let journal = open_audited(root.path());
    keep_many(&journal, 1);
    let one = sign(&journal);
    keep_many(&journal, 1);
    sign(&journal);
    let path = root.path().join("audit/checkpoint");
    fs::write(&path, one.note()).unwrap();
    keep_many(&journal, 1);
    let error = journal.audit().unwrap().checkpoint(3).unwrap_err();
    assert!(
        error.to_string().contains("was changed or removed"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), one.note());
}

#[test]
fn the_last_checkpoint_of_each_hour_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let clock = march();
    let opened = Journal::open(audited(root.path()), node(), Arc::clone(&clock) as _);
    let journal = opened.unwrap().journal;
    let mut last = Vec::new();
    for _ in 0..3 {
        keep_many(&journal, 2);
        sign(&journal);
        keep_many(&journal, 2);
        last.push(sign(&journal));
        clock.advance(Duration::from_secs(60 * 60));
    }
    journal.close().unwrap();
    let kept = files(&root.path().join("audit/history"), "checkpoint");
    let names: Vec<_> = kept.iter().map(|path| path.file_name().unwrap()).collect();
    assert_eq!(
        names,
        ["2026-03-14T09.checkpoint", "2026-03-14T10.checkpoint"]
    );
    for (path, checkpoint) in kept.iter().zip(&last) {
        assert_eq!(fs::read_to_string(path).unwrap(), checkpoint.note());
    }
    assert_eq!(verified(root.path()).history, 2);
}

#[test]
fn a_second_place_gets_every_checkpoint_and_notices_a_folder_that_was_set_back() {
    let (root, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = tempfile::tempdir().unwrap();
    let with_copy = |root: &Path| JournalConfig {
        audit: Some(AuditConfig {
            copy_to: Some(second.path().to_owned()),
            ..AuditConfig::new("plimsoll.invalid/node-1")
        }),
        ..config(root)
    };
    let open = || {
        Journal::open(with_copy(root.path()), node(), clock())
            .unwrap()
            .journal
    };
    let journal = open();
    keep_many(&journal, 5);
    drop(journal);
    let place = second.path().join("plimsoll.invalid_node-1");
    let copied = || fs::read_to_string(place.join("checkpoint")).unwrap();
    assert_eq!(copied(), checkpoint_in(root.path()).note());
    let key = audit::verifier_key(root.path()).unwrap();
    let vkey = fs::read_to_string(place.join("log.vkey")).unwrap();
    assert_eq!(vkey, format!("{key}\n"));

    copy_folder(root.path(), old.path());
    let journal = open();
    keep_many(&journal, 5);
    drop(journal);
    let newest = checkpoint_in(root.path());
    assert_eq!(copied(), newest.note());

    // The whole data folder comes back from a backup: in itself it agrees.
    fs::remove_dir_all(root.path()).unwrap();
    copy_folder(old.path(), root.path());
    let journal = open();
    let why = defect(&journal);
    assert!(why.contains("this data folder was set back"), "{why}");
    drop(journal);
    assert_eq!(copied(), newest.note());
    let options = VerifyOptions {
        key: Some(key),
        against: Some(newest.note().to_owned()),
    };
    let report = audit::verify(root.path(), &options, &mut |_, _| {}).unwrap();
    assert_eq!(report.fault_count, 1);
    assert_eq!(report.consistent_with, None);
}

#[test]
fn a_second_place_that_fails_is_told_and_holds_up_nothing() {
    let (root, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // A file stands where the folder should be.
    let place = second.path().join("plimsoll.invalid_node-1");
    fs::write(&place, "in the way").unwrap();
    let config = JournalConfig {
        audit: Some(AuditConfig {
            copy_to: Some(second.path().to_owned()),
            ..AuditConfig::new("plimsoll.invalid/node-1")
        }),
        ..config(root.path())
    };
    let journal = Journal::open(config, node(), clock()).unwrap().journal;
    keep_many(&journal, 3);
    assert_eq!(sign(&journal).size(), 3);
    let status = status_when(&journal, |status| status.copy_failing.is_some());
    assert!(status.defect.is_none() && status.failing.is_none());
    fs::remove_file(&place).unwrap();
    keep_many(&journal, 1);
    sign(&journal);
    journal.close().unwrap();
    drop(journal);
    verified(root.path());
}

#[test]
fn what_the_disk_does_not_take_is_signed_when_it_takes_it() {
    let root = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::default();
    let opened = Journal::open_on(
        Arc::new(disk.clone()),
        audited(root.path()),
        node(),
        clock(),
    );
    let journal = opened.unwrap().journal;
    keep_many(&journal, 3);
    let three = sign(&journal);
    keep_many(&journal, 300);
    // Tiles and checkpoints have names without these endings: only the log is hit.
    disk.set(|faults| faults.unsyncable = Some("p"));
    let path = root.path().join("audit/tile/0/001.p");
    fs::write(&path, "in the way").unwrap();
    let log = journal.audit().unwrap();
    let error = log.checkpoint(303).unwrap_err();
    assert!(matches!(error, AuditError::Failing(_)), "{error}");
    assert!(log.status().failing.is_some());
    assert_eq!(log.status().size, 3);
    keep_many(&journal, 1);
    assert_eq!(checkpoint_in(root.path()), three);
    fs::remove_file(&path).unwrap();
    status_when(&journal, |status| {
        status.failing.is_none() && status.size >= 303
    });
    assert_eq!(sign(&journal).size(), 304);
    drop(journal);
    verified(root.path());
}

#[test]
fn a_record_that_is_not_signed_yet_is_not_let_go() {
    let root = tempfile::tempdir().unwrap();
    let config = JournalConfig {
        retention: plimsoll_journal::Retention {
            bytes: 1,
            ..plimsoll_journal::Retention::default()
        },
        ..audited(root.path())
    };
    let journal = Journal::open(config, node(), clock()).unwrap().journal;
    keep_many(&journal, 10);
    let ten = sign(&journal);
    keep_many(&journal, 10);
    let limits = plimsoll_journal::RetentionLimits {
        keep_from: u64::MAX,
        held: &[],
    };
    let plan = journal.plan_retirement(limits).unwrap().unwrap();
    assert!(plan.minimum > 0 && plan.minimum <= ten.size(), "{plan:?}");
    sign(&journal);
    let later = journal.plan_retirement(limits).unwrap().unwrap();
    assert!(later.minimum > plan.minimum);
}

#[test]
fn a_record_is_proved_by_its_file_and_the_key_alone() {
    let root = tempfile::tempdir().unwrap();
    let journal = open_audited(root.path());
    keep_many(&journal, 300);
    sign(&journal);
    let key = audit::verifier_key(root.path()).unwrap();
    for sequence in [0, 1, 255, 256, 299] {
        let proof = audit::prove(root.path(), sequence).unwrap();
        let proof: audit::Proof = proof.to_string().parse().unwrap();
        let entry = proof.check(&key).unwrap();
        let record: plimsoll_core::Record = serde_json::from_slice(&entry).unwrap();
        let read = journal.reader(sequence).next().unwrap().unwrap();
        assert_eq!((proof.index(), record), read);
    }
    keep_many(&journal, 1);
    assert!(matches!(
        audit::prove(root.path(), 300),
        Err(AuditError::Ahead {
            sequence: 300,
            size: 300
        })
    ));
    let without = tempfile::tempdir().unwrap();
    assert!(matches!(
        audit::prove(without.path(), 0),
        Err(AuditError::NoLog { .. })
    ));
}

#[test]
fn a_journal_without_a_log_has_none() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    keep_many(&journal, 1);
    assert!(journal.audit().is_none());
    assert!(!root.path().join("audit").exists());
    let result: Result<(), JournalError> = journal.close();
    result.unwrap();
    let _: RealDisk = RealDisk;
}
