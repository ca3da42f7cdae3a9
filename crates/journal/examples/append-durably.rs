//! Appends durably from eight tasks until it is killed, and prints each acknowledged sequence with its
//! unit, one a line, ended by a full stop: what the SIGKILL test looks for afterwards. With the name of a
//! log it keeps an audit log too, and signs it fifty times a second.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::{Clock as _, NodeName, SystemClock};
use plimsoll_journal::{AuditConfig, Journal, JournalConfig};

#[expect(dead_code, clippy::unwrap_used, reason = "shared with the tests")]
#[path = "../tests/it/sample.rs"]
mod sample;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let root = arguments.next().map(PathBuf::from);
    let root = root.ok_or("a data folder is missing")?;
    let audit = arguments.next().map(|origin| AuditConfig {
        every: Duration::from_millis(20),
        ..AuditConfig::new(origin)
    });
    let config = JournalConfig {
        segment_bytes: 256 << 10,
        audit,
        ..JournalConfig::new(root)
    };
    let clock = Arc::new(SystemClock::new());
    let opened = Journal::open(config, NodeName::new("node-1")?, Arc::clone(&clock) as _)?;
    let journal = Arc::new(opened.journal);
    let life = clock.now().as_micros();
    let mut tasks = Vec::new();
    for task in 0..8 {
        let (journal, clock) = (Arc::clone(&journal), Arc::clone(&clock));
        tasks.push(tokio::spawn(async move {
            for number in 0_u64.. {
                let unit = format!("{life}/{task}/{number}");
                let record = sample::served(sample::decision(clock.now(), &unit));
                let Ok(ticket) = journal.append_waiting(&record, None).await else {
                    return;
                };
                if ticket.durable().await.is_err() {
                    return;
                }
                let line = format!("{} {unit}.\n", ticket.sequence());
                if std::io::stdout().write_all(line.as_bytes()).is_err() {
                    return;
                }
            }
        }));
    }
    for task in tasks {
        task.await?;
    }
    Ok(())
}
