//! What is too old or too much goes, in whole files; the minima are published; what is held stays.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::decision::PayloadRef;
use plimsoll_core::{Clock as _, DecisionId, ManualClock, Timestamp};
use plimsoll_journal::{
    Disk, Journal, JournalConfig, PayloadFound, Payloads, RealDisk, Retention, RetentionLimits,
    Retired,
};
use proptest::prelude::*;

use crate::cut::{CutDisk, Loss};

use crate::sample::large;
use crate::support::{
    config, copy_folder, files, keep, keep_many, keep_payload, node, open, read_all,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const FOR_EVER: Retention = Retention {
    age: Duration::MAX,
    bytes: u64::MAX,
    payloads: Duration::MAX,
    least: Duration::ZERO,
};

/// Lets go of all that may go; none if nothing may.
fn retire(journal: &Journal, held: &[(Timestamp, Timestamp)]) -> Option<Retired> {
    let limits = RetentionLimits {
        keep_from: u64::MAX,
        held,
    };
    let plan = journal.plan_retirement(limits).unwrap()?;
    let retired = journal.retire(&plan).unwrap();
    assert_eq!(
        (retired.minimum, retired.payload_minimum),
        (plan.minimum, plan.payload_minimum)
    );
    Some(retired)
}

fn with(root: &Path, retention: Retention) -> JournalConfig {
    JournalConfig {
        retention,
        ..config(root)
    }
}

#[test]
fn old_segments_go_and_readers_begin_with_what_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(
        1_773_478_920_000_000,
    )));
    let retention = Retention {
        age: DAY * 10,
        ..FOR_EVER
    };
    let config = with(root.path(), retention);
    let journal = Journal::open(config, node(), Arc::clone(&clock) as _)
        .unwrap()
        .journal;
    for _ in 0..20 {
        keep(&journal, &large(Timestamp::from_micros(0)));
        clock.advance(DAY);
    }
    let unread = RetentionLimits {
        keep_from: 0,
        held: &[],
    };
    assert_eq!(
        journal.plan_retirement(unread).unwrap(),
        None,
        "the projection has read nothing yet"
    );
    let retired = retire(&journal, &[]).unwrap();
    assert!(retired.segments > 1, "{retired:?}");
    assert!((5..=10).contains(&retired.minimum), "{retired:?}");
    assert_eq!(journal.minimum(), retired.minimum);
    assert_eq!(retire(&journal, &[]), None);
    let read: Vec<_> = journal.reader(0).map(|item| item.unwrap().0).collect();
    assert!(read.into_iter().eq(retired.minimum..20));
    let published = std::fs::read_to_string(root.path().join("journal/minimum")).unwrap();
    assert!(
        published.contains(&format!("\"minimum\":{}", retired.minimum)),
        "{published}"
    );
    drop(journal);
    let again = open(root.path()).journal;
    assert_eq!(again.minimum(), retired.minimum);
    assert_eq!(keep(&again, &large(Timestamp::from_micros(0))), 20);
}

#[test]
fn too_many_bytes_go_but_never_the_segment_that_is_written() {
    let root = tempfile::tempdir().unwrap();
    let retention = Retention {
        age: DAY,
        bytes: 20 << 10,
        ..FOR_EVER
    };
    let config = with(root.path(), retention);
    let journal = Journal::open(config, node(), crate::support::clock())
        .unwrap()
        .journal;
    keep_many(&journal, 40);
    let mut slow = journal.reader(0);
    assert_eq!(slow.next().unwrap().unwrap().0, 0);
    let retired = retire(&journal, &[]).unwrap();
    let left = files(&root.path().join("journal"), "seg");
    let bytes: u64 = left.iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(bytes <= 20 << 10, "{bytes}");
    assert!(!left.is_empty());
    assert!(
        read_all(root.path(), 0).1.is_empty(),
        "retired is not damaged"
    );
    let rest: Vec<_> = slow.map(|item| item.unwrap().0).collect();
    assert_eq!(
        rest.last(),
        Some(&39),
        "a slow reader goes on with what is kept"
    );
    assert!(rest.contains(&retired.minimum));
}

#[test]
fn what_a_law_asks_for_stays_though_the_disk_is_to_hold_less() {
    let root = tempfile::tempdir().unwrap();
    let retention = Retention {
        bytes: 20 << 10,
        least: DAY,
        ..FOR_EVER
    };
    let config = with(root.path(), retention);
    let journal = Journal::open(config, node(), crate::support::clock())
        .unwrap()
        .journal;
    keep_many(&journal, 40);
    let limits = RetentionLimits {
        keep_from: u64::MAX,
        held: &[],
    };
    assert_eq!(journal.plan_retirement(limits).unwrap(), None);
}

/// 14 March 2026, and a journal whose clock the test sets forward.
fn journal_at_pi_day(root: &Path, retention: Retention) -> (Journal, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(
        Timestamp::parse("2026-03-14T09:00:00Z").unwrap(),
    ));
    let config = with(root, retention);
    let opened = Journal::open(config, node(), Arc::clone(&clock) as _).unwrap();
    (opened.journal, clock)
}

/// Keeps a payload a day.
fn keep_daily(
    journal: &Journal,
    clock: &ManualClock,
    days: usize,
) -> Vec<(Timestamp, DecisionId, PayloadRef)> {
    let mut kept = Vec::new();
    for _ in 0..days {
        let at = clock.now();
        let (id, reference) = keep_payload(journal, at, &[7; 6000]);
        kept.push((at, id, reference));
        keep(journal, &large(at));
        clock.advance(DAY);
    }
    kept
}

fn keys(root: &Path) -> Vec<String> {
    let paths = files(&root.join("payloads/keys/acme"), "key");
    let name = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(name).collect()
}

#[test]
fn payloads_go_before_their_records_and_with_the_last_of_a_month_its_key() {
    let root = tempfile::tempdir().unwrap();
    let retention = Retention {
        age: DAY * 400,
        payloads: DAY * 90,
        ..FOR_EVER
    };
    let (journal, clock) = journal_at_pi_day(root.path(), retention);
    let kept = keep_daily(&journal, &clock, 160);
    let months = [
        "2026-03", "2026-04", "2026-05", "2026-06", "2026-07", "2026-08",
    ];
    assert_eq!(keys(root.path()), months);
    // Half a year is over: what is older than 90 days was begun before 23 May.
    let retired = retire(&journal, &[]).unwrap();
    assert_eq!((retired.segments, retired.minimum), (0, 0));
    assert!(retired.payload_files > 10, "{retired:?}");
    assert_eq!(retired.keys, 2, "of March and April");
    assert_eq!(keys(root.path()), months[2..]);
    assert_eq!(retire(&journal, &[]), None);

    let payloads = journal.payloads();
    let kept_from = clock.now().minus(DAY * 90);
    for (at, id, reference) in &kept {
        match payloads.read(*id, reference).unwrap() {
            PayloadFound::Kept(_) => assert!(*at > kept_from.minus(DAY * 7), "{at} is kept"),
            PayloadFound::LetGo => assert!(*at < kept_from, "{at} was let go"),
            found => panic!("{found:?}"),
        }
    }
    assert_eq!(read_all(root.path(), 0).0.len(), 320);
    drop((payloads, journal));
    let published = std::fs::read_to_string(root.path().join("journal/minimum")).unwrap();
    let expected = format!(
        "{{\"minimum\":0,\"payload_minimum\":{},",
        retired.payload_minimum
    );
    assert!(published.starts_with(&expected), "{published}");
    let opened = open(root.path());
    assert!(opened.damage.is_empty());
    let (_, id, reference) = &kept[0];
    let found = opened.journal.payloads().read(*id, reference).unwrap();
    assert_eq!(found, PayloadFound::LetGo);
}

#[test]
fn without_any_payload_left_only_the_key_of_the_month_stays() {
    let root = tempfile::tempdir().unwrap();
    let retention = Retention {
        payloads: DAY,
        ..FOR_EVER
    };
    let (journal, clock) = journal_at_pi_day(root.path(), retention);
    keep_daily(&journal, &clock, 20);
    assert_eq!(keys(root.path()), ["2026-03", "2026-04"]);
    for _ in 0..9 {
        keep(&journal, &large(clock.now()));
    }
    clock.advance(DAY * 2);
    assert_eq!(retire(&journal, &[]).unwrap().keys, 1);
    assert_eq!(keys(root.path()), ["2026-04"]);
    assert_eq!(files(&root.path().join("payloads"), "pay").len(), 0);
    let (id, reference) = keep_payload(&journal, clock.now(), b"sealed under the key that stayed");
    let found = Payloads::open(root.path()).read(id, &reference).unwrap();
    assert!(found.kept().is_some());
}

#[test]
fn what_is_held_stays_and_everything_after_it() {
    let root = tempfile::tempdir().unwrap();
    let retention = Retention {
        age: DAY * 20,
        payloads: DAY * 10,
        ..FOR_EVER
    };
    let (journal, clock) = journal_at_pi_day(root.path(), retention);
    let begun = clock.now();
    let kept = keep_daily(&journal, &clock, 60);
    let payloads = journal.payloads();
    let is_kept = |(_, id, reference): &(Timestamp, DecisionId, PayloadRef)| {
        payloads.read(*id, reference).unwrap().kept().is_some()
    };
    let day = |day: u32| begun.plus(DAY * day);
    let held = (day(12), day(14));
    let retired = retire(&journal, &[(day(50), day(51)), held]).unwrap();
    assert!(
        retired.segments > 0 && retired.payload_files > 0,
        "{retired:?}"
    );
    assert_eq!(retired.minimum, retired.payload_minimum);
    let first_kept = journal.reader(0).next().unwrap().unwrap().0;
    assert_eq!(first_kept, retired.minimum);
    assert!(first_kept <= 2 * 12, "{first_kept}");
    assert!(kept[12..].iter().all(is_kept));
    // An hour's difference of clocks does not free it.
    let minutes = Duration::from_secs(60 * 30);
    let before = (day(0).minus(DAY), day(12).minus(minutes));
    assert_eq!(retire(&journal, &[before]), None);

    let lifted = retire(&journal, &[]).unwrap();
    assert!(lifted.minimum < lifted.payload_minimum, "{lifted:?}");
    assert!(!is_kept(&kept[20]) && is_kept(&kept[55]));
}

#[test]
fn a_minimum_of_the_first_version_is_read_and_one_that_was_changed_removes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (journal, clock) = journal_at_pi_day(root.path(), FOR_EVER);
    keep_daily(&journal, &clock, 12);
    drop(journal);
    let minimum = root.path().join("journal/minimum");
    for text in ["{\"minimum\":7,\"at\":1}\n", "{\"minimum\":999,\"at\":1}\n"] {
        std::fs::write(&minimum, text).unwrap();
        assert_eq!(read_all(root.path(), 0).0.len(), 24);
        drop(open(root.path()));
        assert_eq!(
            read_all(root.path(), 0).0.len(),
            24,
            "no segment begins there"
        );
    }
    let second = files(&root.path().join("journal"), "seg")[1].clone();
    let second: u64 = second
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    std::fs::write(&minimum, format!("{{\"minimum\":{second},\"at\":1}}\n")).unwrap();
    let opened = open(root.path());
    assert_eq!(opened.journal.minimum(), second);
    assert!(opened.damage.is_empty());
    let payload_files = files(&root.path().join("payloads"), "pay");
    assert!(!payload_files[0].ends_with("00000000000000000000.pay"));
}

#[test]
fn a_power_cut_between_any_two_steps_of_letting_go_is_mended_by_the_next_start() {
    let base = tempfile::tempdir().unwrap();
    let retention = Retention {
        age: DAY * 20,
        payloads: DAY * 12,
        ..FOR_EVER
    };
    let (journal, clock) = journal_at_pi_day(base.path(), retention);
    let kept = keep_daily(&journal, &clock, 32);
    drop(journal);
    let all = read_all(base.path(), 0).0;
    for loss in [Loss::Everything, Loss::EveryOther] {
        let mut after = 0;
        loop {
            after += 1;
            let root = tempfile::tempdir().unwrap();
            copy_folder(base.path(), root.path());
            let disk = CutDisk::default();
            let config = with(root.path(), retention);
            let reopen = |disk: Arc<dyn Disk>| {
                Journal::open_on(disk, config.clone(), node(), Arc::clone(&clock) as _).unwrap()
            };
            let journal = reopen(Arc::new(disk.clone())).journal;
            let limits = RetentionLimits {
                keep_from: u64::MAX,
                held: &[],
            };
            let plan = journal.plan_retirement(limits).unwrap().unwrap();
            disk.cut_after(after);
            let result = journal.retire(&plan);
            let ended = !disk.is_dead();
            disk.cut_after(0);
            drop(journal);
            disk.lose(loss);

            let opened = reopen(Arc::new(RealDisk));
            assert!(opened.damage.is_empty(), "{:?}", opened.damage);
            let journal = opened.journal;
            let begun = journal.minimum() == plan.minimum;
            assert!(begun || result.is_err());
            let left: Vec<_> = journal.reader(0).map(Result::unwrap).collect();
            let first = if begun { plan.minimum } else { 0 };
            assert_eq!(left, all[usize::try_from(first).unwrap()..]);
            if begun {
                let leftover = files(&root.path().join("payloads"), "pay").len();
                assert!(leftover < files(&base.path().join("payloads"), "pay").len());
                assert_eq!(journal.plan_retirement(limits).unwrap(), None);
            }
            let (_, id, reference) = &kept[30];
            assert!(
                journal
                    .payloads()
                    .read(*id, reference)
                    .unwrap()
                    .kept()
                    .is_some()
            );
            if ended {
                assert!(after > 20, "it was cut at {after} places only");
                break;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_goes_that_is_held_young_or_unread_and_all_else_goes(
        age in 1..60_u32,
        payload_age in 1..60_u32,
        holds in proptest::collection::vec((0..70_u32, 0..10_u32), 0..3),
        keep_from in 0..90_u64,
    ) {
        let root = tempfile::tempdir().unwrap();
        let retention = Retention {
            age: DAY * age,
            payloads: DAY * payload_age,
            ..FOR_EVER
        };
        let (journal, clock) = journal_at_pi_day(root.path(), retention);
        let begun = clock.now();
        keep_daily(&journal, &clock, 40);
        let day = |day: u32| begun.plus(DAY * day);
        let held: Vec<_> = holds.iter().map(|(from, days)| (day(*from), day(from + days))).collect();
        let limits = RetentionLimits { keep_from, held: &held };
        let plan = journal.plan_retirement(limits).unwrap();
        let firsts: Vec<u64> = files(&root.path().join("journal"), "seg")
            .iter()
            .map(|path| path.file_stem().unwrap().to_str().unwrap().parse().unwrap())
            .collect();
        let slack = Duration::from_secs(60 * 60);
        // Two records a day: those of sequence n were written on day n / 2.
        let written = |sequence: u64| day(u32::try_from(sequence / 2).unwrap());
        let may_go = |first: u64, next: u64, age: u32| {
            let (from, to) = (written(first), written(next));
            next <= keep_from
                && to < clock.now().minus(DAY * age)
                && !held.iter().any(|(since, until)| {
                    from.minus(slack) <= *until && to.plus(slack) >= *since
                })
        };
        let expected = |age: u32| {
            let pairs = firsts.windows(2).take_while(|pair| may_go(pair[0], pair[1], age));
            pairs.last().map_or(0, |pair| pair[1])
        };
        let (minimum, payload_minimum) = plan.map_or((0, 0), |plan| (plan.minimum, plan.payload_minimum));
        prop_assert_eq!(minimum, expected(age));
        prop_assert_eq!(payload_minimum, expected(age.min(payload_age)));
        if let Some(plan) = plan {
            journal.retire(&plan).unwrap();
            prop_assert_eq!(journal.plan_retirement(limits).unwrap(), None);
        }
    }
}
