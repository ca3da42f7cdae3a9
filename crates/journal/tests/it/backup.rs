//! A backup that was taken while others wrote is whole, says so, and can be lived on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use plimsoll_core::decision::PayloadRef;
use plimsoll_core::{DecisionId, NodeName, Record, Timestamp};
use plimsoll_journal::audit::{self, VerifyOptions};
use plimsoll_journal::backup::{Backup, BackupOptions, check};
use plimsoll_journal::{
    AuditConfig, Blobs, Journal, JournalConfig, JournalError, PayloadFound, Payloads, Retention,
    backup, restore,
};

use crate::audit_sample::{erasure, keep_release, open_audited, retire, rich, sign, verified};
use crate::sample::large;
use crate::support::{
    all_files, clock, config, contains, files, keep, keep_payload, node, open, read_all,
};

/// With everything in it.
fn whole() -> BackupOptions {
    BackupOptions {
        at: Timestamp::from_micros(1_773_478_920_000_000),
        keys: true,
        secrets: true,
        extra: Vec::new(),
    }
}

fn take(root: &Path, into: &Path, options: &BackupOptions) -> Backup {
    let mut last = (0, 0);
    let taken = backup(root, into, options, &mut |done, of| {
        assert!(done >= last.0 && done <= of);
        last = (done, of);
    });
    let taken = taken.unwrap();
    assert!(taken.missing.is_empty(), "{:?}", taken.missing);
    taken
}

fn put_back(from: &Path, into: &Path) -> Backup {
    restore(from, into, None, &mut |done, of| assert!(done <= of)).unwrap()
}

/// Every file with its content, by its path from `root`; without what only a live node has.
fn content(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = all_files(root).into_iter();
    let content = paths.map(|path| {
        let bytes = std::fs::read(&path).unwrap();
        (path.strip_prefix(root).unwrap().to_owned(), bytes)
    });
    content
        .filter(|(path, _)| !path.ends_with("journal/lock") && !path.ends_with("backup.sha256"))
        .collect()
}

#[test]
fn a_backup_of_a_folder_at_rest_is_the_folder_and_so_is_what_is_restored() {
    let (root, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    rich(root.path());
    std::fs::write(root.path().join("pepper"), "pepper\n").unwrap();
    std::fs::write(root.path().join("operator.token"), "token\n").unwrap();
    std::fs::write(root.path().join("people.json"), "{}").unwrap();
    std::fs::write(root.path().join("plimsoll.db"), "a view").unwrap();
    let into = kept.path().join("backup");
    let taken = take(root.path(), &into, &whole());
    let (records, _) = read_all(root.path(), 0);
    assert_eq!(taken.records, 0..records.len() as u64);
    assert_eq!(taken.signed, Some(records.len() as u64));
    assert_eq!(taken.node.as_deref(), Some("node-1"));
    let mut expected = content(root.path());
    expected.remove(Path::new("plimsoll.db")).unwrap();
    assert_eq!(content(&into), expected);
    assert_eq!(taken.files, expected.len() as u64);
    assert_eq!(check(&into, &mut |_, _| {}).unwrap(), taken);
    verified(&into);

    let back = tempfile::tempdir().unwrap();
    assert_eq!(put_back(&into, back.path()), taken);
    assert_eq!(content(back.path()), expected);
    let journal = open_audited(back.path());
    keep(&journal, &large(clock().now()));
    sign(&journal);
    assert_eq!(journal.audit().unwrap().status().defect, None);
    drop(journal);
    verified(back.path());
}

#[test]
fn only_who_asks_for_them_gets_keys_and_secrets() {
    let (root, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    rich(root.path());
    std::fs::write(root.path().join("pepper"), "pepper\n").unwrap();
    std::fs::write(root.path().join("operator.token"), "token\n").unwrap();
    std::fs::write(root.path().join("people.json"), "{}").unwrap();
    let bare = BackupOptions {
        keys: false,
        secrets: false,
        ..whole()
    };
    take(root.path(), kept.path(), &bare);
    let has = |name: &str| kept.path().join(name).exists();
    assert!(has("audit/log.vkey") && has("audit/checkpoint"));
    for name in [
        "payloads/keys",
        "audit/key",
        "pepper",
        "operator.token",
        "people.json",
    ] {
        assert!(!has(name), "{name}");
    }
    let report = audit::verify(kept.path(), &VerifyOptions::default(), &mut |_, _| {}).unwrap();
    assert!(report.passed(), "{:#?}", report.faults);
    assert!(report.payloads.unreadable > 0 && report.payloads.intact == 0);
    let key = std::fs::read(files(&root.path().join("payloads/keys/acme"), "key")[0].clone());
    assert!(!contains(kept.path(), &key.unwrap()[30..60]));
}

#[test]
fn what_the_caller_adds_is_in_the_backup_under_its_name() {
    let (root, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    rich(root.path());
    let database = kept.path().join("vacuumed");
    std::fs::write(&database, "control state").unwrap();
    let with = |name: &str, path: &Path| BackupOptions {
        extra: vec![(name.to_owned(), path.to_owned())],
        ..whole()
    };
    let into = kept.path().join("backup");
    take(root.path(), &into, &with("plimsoll.db", &database));
    let back = kept.path().join("back");
    put_back(&into, &back);
    let restored = std::fs::read_to_string(back.join("plimsoll.db")).unwrap();
    assert_eq!(restored, "control state");

    for (number, (name, path)) in [
        ("../plimsoll.db", database.as_path()),
        ("backup.sha256", &database),
        ("audit/checkpoint", &database),
        ("plimsoll.db", Path::new("/nowhere")),
    ]
    .into_iter()
    .enumerate()
    {
        let into = kept.path().join(format!("refused-{number}"));
        let refused = backup(root.path(), &into, &with(name, path), &mut |_, _| {});
        assert!(
            matches!(refused, Err(JournalError::Backup { .. })),
            "{name}"
        );
        assert!(check(&into, &mut |_, _| {}).is_err(), "it was not finished");
    }
}

#[test]
fn a_backup_that_was_changed_or_not_finished_is_not_restored() {
    let (root, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    rich(root.path());
    let from = kept.path().join("backup");
    take(root.path(), &from, &whole());
    let into = kept.path().join("into");
    let refused = |why: &str| {
        let error = restore(&from, &into, None, &mut |_, _| {}).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        let left = std::fs::read_dir(&into).unwrap().count();
        assert_eq!(left, 0, "nothing was written");
    };
    for path in all_files(&from) {
        let bytes = std::fs::read(&path).unwrap();
        let mut changed = bytes.clone();
        let middle = bytes.len() / 2;
        changed[middle] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        refused(if path.ends_with("backup.sha256") {
            "changed"
        } else {
            "damaged"
        });
        std::fs::remove_file(&path).unwrap();
        refused(if path.ends_with("backup.sha256") {
            "finished"
        } else {
            "missing"
        });
        std::fs::write(&path, &bytes).unwrap();
    }
    std::fs::write(from.join("journal/99999999999999999999.seg"), "slipped in").unwrap();
    put_back(&from, &into);
    assert!(!into.join("journal/99999999999999999999.seg").exists());
    let again = restore(&from, &into, None, &mut |_, _| {}).unwrap_err();
    assert!(matches!(again, JournalError::NotEmpty { .. }), "{again}");
    let again = backup(root.path(), &from, &whole(), &mut |_, _| {}).unwrap_err();
    assert!(matches!(again, JournalError::NotEmpty { .. }), "{again}");
}

#[test]
fn sha256sum_agrees_with_a_backup() {
    let (root, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    rich(root.path());
    take(root.path(), kept.path(), &whole());
    let checked = std::process::Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "backup.sha256"])
        .current_dir(kept.path())
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn a_backup_of_what_a_crash_left_starts_as_that_would() {
    let base = tempfile::tempdir().unwrap();
    let journal = open(base.path()).journal;
    for _ in 0..8 {
        keep_payload(&journal, clock().now(), &[9; 500]);
    }
    let live = tempfile::tempdir().unwrap();
    crate::support::copy_folder(base.path(), live.path());
    drop(journal);
    let segment = files(&live.path().join("journal"), "seg").pop().unwrap();
    // The beginning of a record's frame, in place of the zeros: behind header and mark stands one.
    let mut bytes = std::fs::read(&segment).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let half = bytes[160..202].to_vec();
    bytes[end..end + 42].copy_from_slice(&half);
    std::fs::write(&segment, &bytes).unwrap();
    let kept = tempfile::tempdir().unwrap();
    let taken = take(live.path(), kept.path(), &whole());
    assert_eq!(taken.records, 0..8);
    let opened = open(kept.path());
    assert_eq!((opened.recovery.torn_bytes, opened.damage.len()), (0, 0));
    assert_eq!(read_all(kept.path(), 0).0.len(), 8);
}

/// What a busy node kept, and what was told before the backup was begun.
#[derive(Default)]
struct Seen {
    kept: Vec<(u64, DecisionId, PayloadRef, Vec<u8>)>,
    erased: Vec<DecisionId>,
}

/// Appends, erases and lets go, as long as `stop` is not set.
fn be_busy(journal: &Journal, root: &Path, seen: &Mutex<Seen>, stop: &AtomicBool) {
    let blobs = Blobs::open(root).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..2_u64 {
            scope.spawn(move || {
                let mut number = thread;
                while !stop.load(Ordering::Relaxed) {
                    number += 2;
                    let payload = format!("payload {number} of a busy node").repeat(20);
                    let payload = payload.into_bytes();
                    let (id, reference) = keep_payload(journal, clock().now(), &payload);
                    keep(journal, &large(clock().now()));
                    std::thread::sleep(Duration::from_millis(3));
                    seen.lock()
                        .kept
                        .push((journal.committed(), id, reference, payload));
                }
            });
        }
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let some: Vec<_> = {
                    let seen = seen.lock();
                    let latest = seen.kept.iter().rev().step_by(7).take(3);
                    latest.map(|one| one.1).collect()
                };
                keep(journal, &erasure(&some, clock().now()));
                journal.payloads().erase(&some).unwrap();
                seen.lock().erased.extend(some);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                keep_release(journal, &blobs, clock().now());
                std::thread::sleep(Duration::from_millis(15));
            }
        });
    });
}

fn busy_config(root: &Path) -> JournalConfig {
    let audit = AuditConfig {
        every: Duration::from_millis(15),
        ..AuditConfig::new("plimsoll.invalid/node-1")
    };
    JournalConfig {
        audit: Some(audit),
        segment_bytes: 64 << 10,
        ..config(root)
    }
}

#[test]
fn a_backup_taken_while_others_append_erase_and_sign_is_verified_and_restored_equal() {
    let root = tempfile::tempdir().unwrap();
    let opened = Journal::open(busy_config(root.path()), node(), clock()).unwrap();
    let journal = opened.journal;
    let (seen, stop) = (Mutex::new(Seen::default()), AtomicBool::new(false));
    let taken = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| be_busy(&journal, root.path(), &seen, &stop));
        let backups = scope.spawn(|| {
            for _ in 0..4 {
                std::thread::sleep(Duration::from_millis(100));
                let kept = tempfile::tempdir().unwrap();
                let told = seen.lock().kept.clone();
                let taken_now = take(root.path(), kept.path(), &whole());
                let last_told = told.iter().map(|one| one.0).max().unwrap_or(0);
                assert!(
                    taken_now.records.end >= last_told,
                    "all that was told is in it"
                );
                assert!(taken_now.signed.unwrap() <= taken_now.records.end);
                verified(kept.path());
                live_on(kept.path(), &told);
                taken.fetch_add(1, Ordering::Relaxed);
            }
        });
        let result = backups.join();
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
    assert_eq!(taken.into_inner(), 4);
}

/// Restores a backup, and finds in it what was told before; it can be gone on with.
fn live_on(from: &Path, told: &[(u64, DecisionId, PayloadRef, Vec<u8>)]) {
    let back = tempfile::tempdir().unwrap();
    put_back(from, back.path());
    let (before, errors) = read_all(from, 0);
    assert!(errors.is_empty(), "{errors:?}");
    let opened = Journal::open(busy_config(back.path()), node(), clock()).unwrap();
    assert!(opened.damage.is_empty(), "{:?}", opened.damage);
    let journal = opened.journal;
    let next = keep(&journal, &large(clock().now()));
    assert_eq!(next, before.len() as u64);
    sign(&journal);
    assert_eq!(journal.audit().unwrap().status().defect, None);
    let after: Vec<_> = journal.reader(0).map(Result::unwrap).collect();
    assert_eq!(after[..before.len()], before);
    for (_, id, reference, payload) in told.iter().rev().take(200) {
        match journal.payloads().read(*id, reference).unwrap() {
            PayloadFound::Kept(found) => assert_eq!(found, *payload),
            found => assert_eq!(found, PayloadFound::Erased),
        }
    }
    drop(journal);
    verified(back.path());
}

#[test]
fn a_backup_taken_while_things_are_let_go_holds_together() {
    let root = tempfile::tempdir().unwrap();
    let config = JournalConfig {
        retention: Retention {
            bytes: 500 << 10,
            payloads: Duration::from_millis(300),
            ..Retention::default()
        },
        ..busy_config(root.path())
    };
    let journal = Journal::open(config, node(), clock()).unwrap().journal;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                keep_payload(&journal, clock().now(), &[5; 700]);
                keep(&journal, &large(clock().now()));
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                sign(&journal);
                let limits = plimsoll_journal::RetentionLimits {
                    keep_from: u64::MAX,
                    held: &[],
                };
                if journal.plan_retirement(limits).unwrap().is_some() {
                    retire(&journal, clock().now());
                }
                std::thread::sleep(Duration::from_millis(30));
            }
        });
        let backups = scope.spawn(|| {
            let mut begins = Vec::new();
            for _ in 0..6 {
                std::thread::sleep(Duration::from_millis(200));
                let kept = tempfile::tempdir().unwrap();
                let taken = take(root.path(), kept.path(), &whole());
                verified(kept.path());
                assert_eq!(read_all(kept.path(), 0).1.len(), 0);
                begins.push(taken.records.start);
            }
            begins
        });
        let result = backups.join();
        stop.store(true, Ordering::Relaxed);
        let begins = result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert!(
            begins.last() > Some(&0),
            "something was let go meanwhile: {begins:?}"
        );
    });
}

#[test]
fn a_log_that_was_set_back_by_an_older_backup_refuses_and_another_node_takes_over() {
    let (root, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let second_place = kept.path().join("second");
    let with_copy = |root: &Path, name: &str| {
        let audit = AuditConfig {
            copy_to: Some(second_place.clone()),
            ..AuditConfig::new(format!("plimsoll.invalid/{name}"))
        };
        JournalConfig {
            audit: Some(audit),
            ..config(root)
        }
    };
    let journal = Journal::open(with_copy(root.path(), "node-1"), node(), clock());
    let journal = journal.unwrap().journal;
    let (id, reference) = keep_payload(&journal, clock().now(), b"kept before");
    sign(&journal);
    let from = kept.path().join("backup");
    take(root.path(), &from, &whole());
    for _ in 0..5 {
        keep(&journal, &large(clock().now()));
    }
    sign(&journal);
    journal.close().unwrap();
    drop(journal);

    let older = kept.path().join("older");
    put_back(&from, &older);
    let opened = Journal::open(with_copy(&older, "node-1"), node(), clock()).unwrap();
    keep(&opened.journal, &large(clock().now()));
    let refused = opened.journal.audit().unwrap().checkpoint(2);
    assert!(refused.is_err(), "{refused:?}");
    drop(opened);

    let other = NodeName::new("node-1b").unwrap();
    let taken_over = kept.path().join("taken-over");
    let restored = restore(&from, &taken_over, Some(&other), &mut |_, _| {}).unwrap();
    assert_eq!(restored.node.as_deref(), Some("node-1b"));
    let opened = Journal::open(with_copy(&taken_over, "node-1b"), other, clock()).unwrap();
    let journal = opened.journal;
    assert!(opened.damage.is_empty());
    keep(&journal, &large(clock().now()));
    let checkpoint = sign(&journal);
    assert_eq!(checkpoint.size(), 2);
    let found = journal.payloads().read(id, &reference).unwrap();
    assert_eq!(found, PayloadFound::Kept(b"kept before".to_vec()));
    drop(journal);
    verified(&taken_over);
    assert!(taken_over.join("audit-of-node-1/checkpoint").exists());
}

#[test]
fn a_folder_of_the_first_version_is_backed_up_and_restored() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let fixture = crates.join("plimsoll/tests/fixtures/data-v0.1/stopped");
    let kept = tempfile::tempdir().unwrap();
    let from = kept.path().join("backup");
    let taken = take(&fixture, &from, &whole());
    assert_eq!((taken.records.end, taken.signed), (81, None));
    let back = kept.path().join("back");
    put_back(&from, &back);
    let (records, errors) = read_all(&back, 0);
    assert_eq!((records.len(), errors.len()), (81, 0));
    let first = records.iter().find_map(|(_, record)| match record {
        Record::Closed(decision) => Some((decision.id, decision.payload?)),
        _ => None,
    });
    let (id, reference) = first.unwrap();
    let found = Payloads::open(&back).read(id, &reference).unwrap();
    assert!(found.kept().is_some());
}

#[test]
fn nothing_at_all_can_be_backed_up_too() {
    let (root, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let taken = take(root.path(), kept.path(), &whole());
    assert_eq!((taken.node, taken.records, taken.files), (None, 0..0, 0));
    let back = tempfile::tempdir().unwrap();
    put_back(kept.path(), back.path());
    assert_eq!(keep(&open(back.path()).journal, &large(clock().now())), 0);
}
