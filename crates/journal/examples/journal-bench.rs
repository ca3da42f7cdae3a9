//! Measures what the journal promises, on this machine:
//!
//! ```text
//! cargo run --release -p plimsoll-journal --example journal-bench [FOLDER]
//! ```
//!
//! - what appending costs the caller, with and without sealing a payload;
//! - durable records a second with 1, 32, 128 and 512 callers on two threads, without payloads and with;
//! - how long a start takes with 1 GiB of journal.

use std::fmt::Arguments;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::{Clock, DecisionId, NodeName, Record, SystemClock, TenantName};
use plimsoll_journal::{Journal, JournalConfig, verify};

#[expect(clippy::unwrap_used, reason = "shared with the tests")]
#[path = "../tests/it/sample.rs"]
mod sample;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn say(line: Arguments<'_>) {
    // Without anybody to read it there is nobody to tell.
    writeln!(std::io::stdout(), "{line}").ok();
}

fn open(root: &Path, clock: &Arc<SystemClock>) -> Result<Journal, Failure> {
    let clock = Arc::clone(clock);
    let opened = Journal::open(JournalConfig::new(root), NodeName::new("bench")?, clock)?;
    Ok(opened.journal)
}

fn main() -> Result<(), Failure> {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let root = folder.join(format!("journal-bench-{}", std::process::id()));
    let clock = Arc::new(SystemClock::new());
    let result = all(&root, &clock);
    std::fs::remove_dir_all(&root)?;
    result
}

fn all(root: &Path, clock: &Arc<SystemClock>) -> Result<(), Failure> {
    let record = sample::large(clock.now());
    let bytes = serde_json::to_vec(&record)?.len();
    say(format_args!("record: {bytes} bytes of JSON"));
    buffered(&root.join("buffered"), clock, &record)?;
    sealed(&root.join("sealed"), clock)?;
    for callers in [1, 32, 128, 512] {
        for payload_bytes in [None, Some(2048)] {
            let name = format!("durable-{callers}-{}", payload_bytes.is_some());
            durable(&root.join(name), clock, (callers, payload_bytes), &record)?;
        }
    }
    start(&root.join("start"), clock, &record)
}

/// CPU seconds of this process, from `/proc`; hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit(") ")
        .next()
        .unwrap_or_default()
        .split(' ')
        .skip(11)
        .take(2);
    fields
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

fn buffered(root: &Path, clock: &Arc<SystemClock>, record: &Record) -> Result<(), Failure> {
    const ROUNDS: u32 = 400;
    const RECORDS: u32 = 250;
    let journal = open(root, clock)?;
    let cpu = cpu_seconds();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let begun = clock.elapsed();
        for _ in 0..RECORDS - 1 {
            journal.append(record, None)?;
        }
        rounds.push(clock.elapsed() - begun);
        journal.append(record, None)?.wait()?;
    }
    rounds.sort_unstable();
    let each = |share: usize| {
        let round = rounds[(rounds.len() - 1) * share / 100];
        round.as_secs_f64() * 1e6 / f64::from(RECORDS - 1)
    };
    say(format_args!(
        "append, buffered: p5 {:.2} µs, p50 {:.2} µs, p95 {:.2} µs of the caller's time; \
         {:.2} µs of CPU in all, per record",
        each(5),
        each(50),
        each(95),
        (cpu_seconds() - cpu) * 1e6 / f64::from(ROUNDS * RECORDS),
    ));
    Ok(())
}

fn sealed(root: &Path, clock: &Arc<SystemClock>) -> Result<(), Failure> {
    const RECORDS: u32 = 50_000;
    let journal = open(root, clock)?;
    let tenant = TenantName::default_tenant();
    let payload = vec![b'x'; 2048];
    let begun = clock.elapsed();
    for _ in 0..RECORDS {
        journal.seal(&tenant, DecisionId::new(clock.now()), &payload)?;
    }
    let spent = clock.elapsed() - begun;
    let each = spent.as_secs_f64() * 1e6 / f64::from(RECORDS);
    say(format_args!("seal a payload of 2 KiB: {each:.2} µs"));
    Ok(())
}

/// The callers share two threads with a runtime each, as in the gateway.
const THREADS: u32 = 2;
const LIFE: Duration = Duration::from_secs(3);

type Waits = Vec<Duration>;

async fn call(
    journal: Arc<Journal>,
    clock: Arc<SystemClock>,
    record: Record,
    payload: Option<Vec<u8>>,
) -> Result<Waits, Failure> {
    let tenant = TenantName::default_tenant();
    let begun = clock.elapsed();
    let mut waits = Vec::new();
    while clock.elapsed() - begun < LIFE {
        let sealed = match &payload {
            Some(payload) => {
                let id = DecisionId::new(clock.now());
                Some(journal.seal(&tenant, id, payload)?.1)
            }
            None => None,
        };
        let asked = clock.elapsed();
        journal.append(&record, sealed)?.durable().await?;
        waits.push(clock.elapsed() - asked);
    }
    Ok(waits)
}

fn durable(
    root: &Path,
    clock: &Arc<SystemClock>,
    (callers, payload_bytes): (u32, Option<usize>),
    record: &Record,
) -> Result<(), Failure> {
    let journal = Arc::new(open(root, clock)?);
    let cpu = cpu_seconds();
    let begun = clock.elapsed();
    let threads = (0..THREADS.min(callers)).map(|thread| {
        let (journal, clock, record) = (Arc::clone(&journal), Arc::clone(clock), record.clone());
        std::thread::spawn(move || -> Result<Waits, Failure> {
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            let own = (thread..callers).step_by(THREADS as usize);
            let tasks: Vec<_> = own
                .map(|_| {
                    let payload = payload_bytes.map(|bytes| vec![b'x'; bytes]);
                    let (journal, clock) = (Arc::clone(&journal), Arc::clone(&clock));
                    runtime.spawn(call(journal, clock, record.clone(), payload))
                })
                .collect();
            let mut waits = Vec::new();
            for task in tasks {
                waits.extend(runtime.block_on(task)??);
            }
            Ok(waits)
        })
    });
    let threads: Vec<_> = threads.collect();
    let mut waits = Vec::new();
    for thread in threads {
        waits.extend(
            thread
                .join()
                .map_err(|_| "a thread of callers panicked")??,
        );
    }
    let spent = (clock.elapsed() - begun).as_secs_f64();
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() - 1) * share / 100].as_micros();
    let records = f64::from(u32::try_from(waits.len())?);
    let payload = payload_bytes.map_or("no payload", |_| "payload of 2 KiB");
    say(format_args!(
        "durable, {callers} callers, {payload}: {:.0} records/s, p50 {} µs, p99 {} µs, {:.1} µs of CPU and 1/{:.0} commit per record",
        records / spent,
        at(50),
        at(99),
        (cpu_seconds() - cpu) * 1e6 / records,
        records / f64::from(u32::try_from(journal.figures().commits)?),
    ));
    Ok(())
}

fn start(root: &Path, clock: &Arc<SystemClock>, record: &Record) -> Result<(), Failure> {
    let journal = open(root, clock)?;
    let bytes = serde_json::to_vec(record)?.len() as u64 + 32;
    let records = (1 << 30) / bytes;
    for number in 0..records {
        let ticket = journal.append(record, None)?;
        if number % 4096 == 0 {
            ticket.wait()?;
        }
    }
    // The sequences of open decisions make the start read their records back, and close them.
    for _ in 0..100 {
        let decision = sample::decision(clock.now(), "orphan");
        journal
            .append(&sample::opened(decision, plimsoll_core::Money::ZERO), None)?
            .wait()?;
    }
    journal.close()?;
    drop(journal);
    let begun = clock.elapsed();
    let opened = Journal::open(
        JournalConfig::new(root),
        NodeName::new("bench")?,
        Arc::clone(clock) as _,
    )?;
    let spent = clock.elapsed() - begun;
    say(format_args!(
        "start with 1 GiB ({records} records), {} orphans: {} ms",
        opened.recovery.orphans,
        spent.as_millis()
    ));
    let begun = clock.elapsed();
    let (whole, damage) = verify(root)?;
    let spent = clock.elapsed() - begun;
    say(format_args!(
        "verify {whole} records: {} ms, {} damaged",
        spent.as_millis(),
        damage.len()
    ));
    let begun = clock.elapsed();
    let read = opened
        .journal
        .reader(0)
        .take(100_000)
        .filter(Result::is_ok)
        .count();
    let each = (clock.elapsed() - begun).as_secs_f64() * 1e6 / f64::from(u32::try_from(read)?);
    say(format_args!("read and parse: {each:.2} µs per record"));
    Ok(())
}
