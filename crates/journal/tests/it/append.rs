//! Appending, waiting, reading while it is written.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::NodeName;
use plimsoll_journal::{AppendError, Journal, JournalConfig, JournalError};

use crate::sample::{decision, large, served};
use crate::support::{clock, config, keep, node, open, read_all};

#[test]
fn a_durable_record_is_read_back_with_its_sequence() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let record = large(clock().now());
    assert_eq!(keep(&journal, &record), 0);
    assert_eq!(journal.committed(), 1);
    let read: Vec<_> = journal.reader(0).map(Result::unwrap).collect();
    assert_eq!(read, [(0, record.clone())]);
    assert_eq!(read_all(root.path(), 0).0, read);
}

#[tokio::test]
async fn a_buffered_record_is_on_disk_within_the_window() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let ticket = journal.append(&large(clock().now()), None).unwrap();
    let committed = journal.committed_past(ticket.sequence());
    let committed = tokio::time::timeout(Duration::from_secs(5), committed).await;
    assert_eq!(committed.unwrap(), 1);
    ticket.durable().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_callers_share_commits_and_get_every_sequence_once() {
    let root = tempfile::tempdir().unwrap();
    let journal = Arc::new(open(root.path()).journal);
    let callers = (0..32).map(|caller| {
        let journal = Arc::clone(&journal);
        tokio::spawn(async move {
            let mut sequences = Vec::new();
            for number in 0..20 {
                let record = served(decision(clock().now(), &format!("{caller}/{number}")));
                let ticket = journal.append(&record, None).unwrap();
                ticket.durable().await.unwrap();
                sequences.push(ticket.sequence());
            }
            sequences
        })
    });
    let mut sequences = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        sequences.extend(caller.await.unwrap());
    }
    sequences.sort_unstable();
    assert!(sequences.into_iter().eq(0..640));
    assert!(journal.figures().commits < 640, "{:?}", journal.figures());
    let read: Vec<_> = journal.reader(0).map(|item| item.unwrap().0).collect();
    assert!(read.into_iter().eq(0..640));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_sheds_or_waits_and_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let tight = JournalConfig {
        queue_bytes: 16 << 10,
        ..config(root.path())
    };
    let journal = Journal::open(tight, node(), clock()).unwrap().journal;
    let record = large(clock().now());
    let mut shed = 0;
    let mut taken = 0;
    for _ in 0..200 {
        match journal.append(&record, None) {
            Ok(_) => taken += 1,
            Err(AppendError::QueueFull { .. }) => {
                shed += 1;
                journal.append_waiting(&record, None).await.unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(shed > 0);
    journal.close().unwrap();
    assert_eq!(read_all(root.path(), 0).0.len(), taken + shed);
}

#[test]
fn a_closed_journal_has_written_everything_and_takes_nothing_more() {
    let root = tempfile::tempdir().unwrap();
    let slow = JournalConfig {
        buffered_window: Duration::from_secs(3600),
        ..config(root.path())
    };
    let journal = Journal::open(slow, node(), clock()).unwrap().journal;
    let ticket = journal.append(&large(clock().now()), None).unwrap();
    journal.close().unwrap();
    ticket.wait().unwrap();
    let refused = journal.append(&large(clock().now()), None);
    assert!(matches!(refused, Err(AppendError::Closed)));
    assert_eq!(read_all(root.path(), 0).0.len(), 1);
}

#[test]
fn a_reader_goes_on_where_it_stopped() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let mut own = journal.reader(0);
    let mut other = plimsoll_journal::Reader::open(root.path(), 0).unwrap();
    for expected in 0..30 {
        assert!(own.next().is_none());
        assert!(other.next().is_none());
        keep(&journal, &large(clock().now()));
        assert_eq!(own.next().unwrap().unwrap().0, expected);
        assert_eq!(other.next().unwrap().unwrap().0, expected);
    }
    let later: Vec<_> = journal.reader(17).map(|item| item.unwrap().0).collect();
    assert!(later.into_iter().eq(17..30));
}

#[test]
fn one_process_and_one_node_write_a_journal() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let second = Journal::open(config(root.path()), node(), clock());
    assert!(matches!(second, Err(JournalError::Locked { .. })));
    drop(journal);
    let other = NodeName::new("node-2").unwrap();
    let other = Journal::open(config(root.path()), other, clock());
    assert!(matches!(other, Err(JournalError::OtherNode { .. })));
    assert_eq!(open(root.path()).journal.committed(), 0);
}
