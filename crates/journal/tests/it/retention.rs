//! What is too old or too much goes, in whole segments; the minimum is published.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::{ManualClock, Timestamp};
use plimsoll_journal::{Journal, JournalConfig, Retention};

use crate::sample::large;
use crate::support::{config, files, keep, keep_many, node, open, read_all};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn with(root: &std::path::Path, retention: Retention) -> JournalConfig {
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
        bytes: u64::MAX,
    };
    let config = with(root.path(), retention);
    let journal = Journal::open(config, node(), Arc::clone(&clock) as _)
        .unwrap()
        .journal;
    for _ in 0..20 {
        keep(&journal, &large(Timestamp::from_micros(0)));
        clock.advance(DAY);
    }
    assert_eq!(
        journal.retire(0).unwrap().segments,
        0,
        "the projection has read nothing yet"
    );
    let retired = journal.retire(u64::MAX).unwrap();
    assert!(retired.segments > 1, "{retired:?}");
    assert!((5..=10).contains(&retired.minimum), "{retired:?}");
    assert_eq!(journal.minimum(), retired.minimum);
    assert_eq!(journal.retire(u64::MAX).unwrap().segments, 0);
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
    };
    let config = with(root.path(), retention);
    let journal = Journal::open(config, node(), crate::support::clock())
        .unwrap()
        .journal;
    keep_many(&journal, 40);
    let mut slow = journal.reader(0);
    assert_eq!(slow.next().unwrap().unwrap().0, 0);
    let retired = journal.retire(u64::MAX).unwrap();
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
