//! Measures what the audit log promises, on this machine:
//!
//! ```text
//! cargo run --release -p plimsoll-journal --example audit-bench [FOLDER [LEAVES]]
//! ```
//!
//! - what a record costs more, in CPU time of all threads, with the log than without;
//! - how many leaves a second become tiles under a signed checkpoint while records are appended;
//! - how long a proof takes out of LEAVES leaves (10,000,000 unless said; they take about 4 GB);
//! - how many leaves a second are verified from the files and the public key alone.

use std::fmt::Arguments;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::{Clock, NodeName, Record, SystemClock};
use plimsoll_journal::audit::{self, VerifyOptions};
use plimsoll_journal::{AuditConfig, Journal, JournalConfig, Retention};

#[expect(clippy::unwrap_used, reason = "shared with the tests")]
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/it/sample.rs"]
mod sample;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const LEAVES: u64 = 10_000_000;
/// An appender that waits for the disk once in so many records stays within the queue's bound.
const RECORDS_UNWAITED: u64 = 4096;

fn say(line: Arguments<'_>) {
    // Without anybody to read it there is nobody to tell.
    writeln!(std::io::stdout(), "{line}").ok();
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let leaves = arguments.next().map_or(Ok(LEAVES), |text| text.parse())?;
    let root = folder.join(format!("audit-bench-{}", std::process::id()));
    let clock = Arc::new(SystemClock::new());
    let result = overhead(&root, &clock).and_then(|()| log(&root.join("log"), &clock, leaves));
    std::fs::remove_dir_all(&root)?;
    result
}

fn open(root: &Path, clock: &Arc<SystemClock>, is_audited: bool) -> Result<Journal, Failure> {
    let config = JournalConfig {
        audit: is_audited.then(|| AuditConfig::new("plimsoll.invalid/bench")),
        retention: Retention {
            bytes: u64::MAX,
            ..Retention::default()
        },
        ..JournalConfig::new(root)
    };
    let opened = Journal::open(config, NodeName::new("bench")?, Arc::clone(clock) as _)?;
    Ok(opened.journal)
}

/// CPU seconds of this process, all threads: from `/proc`, in nanoseconds.
fn cpu_seconds() -> Result<f64, Failure> {
    let mut nanos = 0.0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        let on_cpu: f64 = text.split(' ').next().unwrap_or_default().parse()?;
        nanos += on_cpu;
    }
    Ok(nanos / 1e9)
}

fn append(journal: &Journal, record: &Record, records: u64) -> Result<(), Failure> {
    for number in 1..=records {
        let ticket = journal.append(record, None)?;
        if number % RECORDS_UNWAITED == 0 || number == records {
            ticket.wait()?;
        }
    }
    Ok(())
}

/// What the log costs a record, in rounds with and without in turn.
fn overhead(root: &Path, clock: &Arc<SystemClock>) -> Result<(), Failure> {
    const ROUNDS: usize = 7;
    const RECORDS: u64 = 100_000;
    let record = sample::large(clock.now());
    let bytes = serde_json::to_vec(&record)?.len();
    let mut costs = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for (number, costs) in costs.iter_mut().enumerate() {
            let folder = root.join(format!("overhead-{round}-{number}"));
            let journal = open(&folder, clock, number == 1)?;
            let before = cpu_seconds()?;
            append(&journal, &record, RECORDS)?;
            if let Some(log) = journal.audit() {
                log.checkpoint(RECORDS)?;
            }
            costs.push((cpu_seconds()? - before) * 1e6 / RECORDS as f64);
            journal.close()?;
            drop(journal);
            std::fs::remove_dir_all(&folder)?;
        }
    }
    let [without, with] = costs.map(|mut costs| {
        costs.sort_by(f64::total_cmp);
        costs[costs.len() / 2]
    });
    say(format_args!(
        "record of {bytes} bytes: {without:.2} µs of CPU without the log, {with:.2} µs with it, \
         {:.2} µs more",
        with - without
    ));
    Ok(())
}

fn log(root: &Path, clock: &Arc<SystemClock>, leaves: u64) -> Result<(), Failure> {
    let journal = open(root, clock, true)?;
    let record = Record::Recovery(Box::default());
    let (before, begun) = (cpu_seconds()?, clock.elapsed());
    append(&journal, &record, leaves)?;
    let log = journal.audit().ok_or("there is a log")?;
    let signed = log.checkpoint(leaves)?;
    let spent = (clock.elapsed() - begun).as_secs_f64();
    say(format_args!(
        "{} leaves appended, hashed, in tiles and signed: {:.0} leaves/s, {:.2} µs of CPU each, \
         {:.1} s",
        signed.size(),
        leaves as f64 / spent,
        (cpu_seconds()? - before) * 1e6 / leaves as f64,
        spent
    ));
    proofs(root, clock, leaves)?;
    journal.close()?;
    drop(journal);
    verify(root, clock)
}

fn proofs(root: &Path, clock: &Arc<SystemClock>, leaves: u64) -> Result<(), Failure> {
    const PROOFS: u64 = 2_000;
    let key = audit::verifier_key(root)?;
    let mut times: Vec<Duration> = Vec::new();
    for number in 0..PROOFS {
        // Spread over the whole log, each in a tile and a segment of its own.
        let sequence = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % leaves;
        let begun = clock.elapsed();
        let proof = audit::prove(root, sequence)?;
        times.push(clock.elapsed() - begun);
        proof.check(&key)?;
    }
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 1000].as_secs_f64() * 1e3;
    say(format_args!(
        "proof out of {leaves} leaves: p50 {:.2} ms, p99 {:.2} ms, worst {:.2} ms of {PROOFS}",
        at(500),
        at(990),
        at(1000)
    ));
    Ok(())
}

fn verify(root: &Path, clock: &Arc<SystemClock>) -> Result<(), Failure> {
    let begun = clock.elapsed();
    let report = audit::verify(root, &VerifyOptions::default(), &mut |_, _| {})?;
    let spent = (clock.elapsed() - begun).as_secs_f64();
    let leaves = report.records.intact;
    say(format_args!(
        "verified {leaves} leaves: {:.0} leaves/s, {} faults",
        leaves as f64 / spent,
        report.faults.len()
    ));
    if report.passed() {
        Ok(())
    } else {
        Err("what was just written does not verify".into())
    }
}
