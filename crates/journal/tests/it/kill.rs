//! SIGKILL, again and again: what a child process said was durable is there.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{open, read_all};

/// Examples are built beside the test's own folder.
fn child() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples/append-durably");
    assert!(
        path.exists(),
        "`{}` is missing: `cargo build -p plimsoll-journal --example append-durably`",
        path.display()
    );
    path
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test may be told to try harder"
)]
fn rounds() -> u64 {
    std::env::var("PLIMSOLL_KILL_ROUNDS")
        .ok()
        .map_or(5, |rounds| rounds.parse().unwrap())
}

/// Runs the child for a while, kills it, and returns what it acknowledged: sequence and unit.
fn run_and_kill(root: &Path, life: Duration) -> Vec<(u64, String)> {
    let mut child = Command::new(child())
        .arg(root)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let lines = out.lines().map_while(Result::ok);
        let whole = lines.filter_map(|line| {
            let (sequence, unit) = line.strip_suffix('.')?.split_once(' ')?;
            Some((sequence.parse().ok()?, unit.to_owned()))
        });
        whole.collect()
    });
    std::thread::sleep(life);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

#[test]
fn what_was_acknowledged_survives_sigkill() {
    let root = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..rounds() {
        let life = Duration::from_millis(150 + round * 37 % 200);
        acknowledged.extend(run_and_kill(root.path(), life));
        let opened = open(root.path());
        assert!(opened.damage.is_empty(), "{:?}", opened.damage);
    }
    assert!(!acknowledged.is_empty());
    let (records, errors) = read_all(root.path(), 0);
    assert!(errors.is_empty(), "{errors:?}");
    assert!(
        records
            .iter()
            .map(|(sequence, _)| *sequence)
            .eq(0..records.len() as u64)
    );
    for (sequence, unit) in &acknowledged {
        let plimsoll_core::Record::Closed(decision) =
            &records[usize::try_from(*sequence).unwrap()].1
        else {
            panic!("record {sequence} is another");
        };
        assert_eq!(
            decision.unit.as_deref(),
            Some(unit.as_str()),
            "record {sequence}"
        );
    }
}
