//! Segments end and begin; sequences go on.

use plimsoll_journal::{Journal, JournalError};

use crate::sample::large;
use crate::support::{clock, config, files, keep, keep_many, node, open, read_all};

#[test]
fn records_go_on_in_the_next_segment_and_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let opened = open(root.path());
        assert!(opened.damage.is_empty());
        assert_eq!(opened.recovery.torn_bytes, 0);
        for number in 0..20 {
            assert_eq!(
                keep(&opened.journal, &large(clock().now())),
                round * 20 + number
            );
        }
    }
    let segments = files(&root.path().join("journal"), "seg");
    assert!(segments.len() > 5, "{segments:?}");
    let indexes = files(&root.path().join("journal"), "idx");
    assert_eq!(indexes.len(), segments.len() - 1);
    let (records, errors) = read_all(root.path(), 0);
    assert!(errors.is_empty());
    assert!(records.iter().map(|(sequence, _)| *sequence).eq(0..60));
}

#[test]
fn a_missing_index_is_made_again() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    keep_many(&journal, 20);
    drop(journal);
    let indexes = files(&root.path().join("journal"), "idx");
    for index in &indexes[1..] {
        std::fs::remove_file(index).unwrap();
    }
    std::fs::write(&indexes[0], "nonsense").unwrap();
    assert!(open(root.path()).damage.is_empty());
    assert_eq!(files(&root.path().join("journal"), "idx"), indexes);
}

#[test]
fn another_version_of_the_format_is_refused_and_left_alone() {
    let root = tempfile::tempdir().unwrap();
    drop(open(root.path()));
    let segment = &files(&root.path().join("journal"), "seg")[0];
    let mut bytes = std::fs::read(segment).unwrap();
    bytes[8] = 9;
    std::fs::write(segment, &bytes).unwrap();
    let error = Journal::open(config(root.path()), node(), clock()).unwrap_err();
    assert!(matches!(
        error,
        JournalError::Version {
            found: 9,
            known: 1,
            ..
        }
    ));
    assert!(
        error.to_string().contains("run the version that wrote it"),
        "{error}"
    );
    assert_eq!(std::fs::read(segment).unwrap(), bytes);
}

#[test]
fn a_segment_whose_header_never_reached_the_disk_is_begun_again() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    keep_many(&journal, 9);
    drop(journal);
    let half = root.path().join("journal").join(format!("{:020}.seg", 9));
    std::fs::write(&half, [0; 100]).unwrap();
    let opened = open(root.path());
    assert_eq!(opened.recovery.torn_segment, Some(9));
    assert!(opened.damage.is_empty());
    assert_eq!(
        keep(&opened.journal, &large(clock().now())),
        10,
        "after the recovery record"
    );
    assert!(read_all(root.path(), 0).1.is_empty());
}
