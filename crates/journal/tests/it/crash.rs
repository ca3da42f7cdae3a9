//! The power goes: of what was not synced, any part may be there, in any order.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use plimsoll_core::decision::PayloadRef;
use plimsoll_core::{DecisionId, Record, TenantName};
use plimsoll_journal::{Journal, JournalConfig, Payloads, RealDisk, verify};
use proptest::prelude::*;

use crate::sample::{decision, served};
use crate::support::{FaultyDisk, Unsynced, clock, config, keep, node, read_all};

/// One step of a node's life.
#[derive(Clone, Debug)]
struct Append {
    unit_bytes: usize,
    payload_bytes: Option<usize>,
    durable: bool,
}

fn appends() -> impl Strategy<Value = Vec<Append>> {
    let one = (
        0..3000_usize,
        proptest::option::of(0..3000_usize),
        any::<bool>(),
    );
    let one = one.prop_map(|(unit_bytes, payload_bytes, durable)| Append {
        unit_bytes,
        payload_bytes,
        durable,
    });
    proptest::collection::vec(one, 1..25)
}

/// How the unsynced part of a file is left: a share of it, with a share of that as if it had never been
/// written.
#[derive(Clone, Debug)]
struct Loss {
    kept: f64,
    zeroed_from: f64,
    zeroed_to: f64,
}

fn loss() -> impl Strategy<Value = Loss> {
    (0.0..=1.0, 0.0..=1.0, 0.0..=1.0).prop_map(|(kept, zeroed_from, zeroed_to)| Loss {
        kept,
        zeroed_from,
        zeroed_to,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a small number of bytes"
)]
fn share(of: u64, share: f64) -> usize {
    (of as f64 * share) as usize
}

/// What was synced lies before the first byte written since, but for zeros: to lose a write is to find
/// zeros again, or the file's end.
fn lose(path: &Path, unsynced: &Unsynced, loss: &Loss) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = |offset: u64| usize::try_from(offset).unwrap();
    let Some(begin) = unsynced.writes.iter().map(|write| write.start).min() else {
        return;
    };
    // Mostly the batch, and sometimes the zeros behind it too.
    let batch = unsynced.writes.first().map_or(0, |write| write.end);
    let end = if loss.zeroed_to < 0.5 {
        batch
    } else {
        unsynced.written_length
    };
    let kept = at(begin) + share(end - begin, loss.kept);
    bytes.truncate(kept);
    let length = at(unsynced.length).max(kept);
    let tail = &mut bytes[at(begin)..];
    let from = share(tail.len() as u64, loss.zeroed_from);
    let to = share(tail.len() as u64, loss.zeroed_to);
    if from < to {
        tail[from..to].fill(0);
    }
    bytes.resize(length, 0);
    std::fs::write(path, bytes).unwrap();
}

type Kept = BTreeMap<u64, (Record, DecisionId, Option<PayloadRef>)>;

/// Appends, cuts the power in the middle of a commit, and returns what was acknowledged.
fn live_and_die(root: &Path, appends: &[Append], last: &[Append]) -> (FaultyDisk, Kept) {
    let disk = FaultyDisk::default();
    let slow = JournalConfig {
        // What nobody waits for gathers in batches of several records.
        buffered_window: std::time::Duration::from_millis(20),
        segment_bytes: 40 << 10,
        ..config(root)
    };
    let opened = Journal::open_on(Arc::new(disk.clone()), slow, node(), clock()).unwrap();
    let journal = opened.journal;
    let mut appended = Vec::new();
    for (number, append) in appends.iter().chain(last).enumerate() {
        if number == appends.len() {
            // From here on bytes reach the page cache and never the medium.
            disk.set(|faults| faults.syncs_fail = true);
        }
        let mut decision = decision(clock().now(), &"u".repeat(append.unit_bytes));
        let id = decision.id;
        let sealed = append.payload_bytes.map(|bytes| {
            let tenant = TenantName::new("acme").unwrap();
            let (reference, sealed) = journal.seal(&tenant, id, &vec![9; bytes]).unwrap();
            decision.payload = Some(reference);
            sealed
        });
        let reference = decision.payload;
        let record = served(decision);
        let ticket = journal.append(&record, sealed).unwrap();
        if append.durable && number < appends.len() {
            ticket.wait().unwrap();
        }
        appended.push((ticket, record, id, reference));
    }
    if let Some((ticket, ..)) = appended.last() {
        assert!(last.is_empty() || ticket.wait().is_err());
    }
    disk.set(|faults| faults.dead = true);
    let committed = journal.committed();
    journal.close().ok();
    let kept = appended
        .into_iter()
        .filter(|(ticket, ..)| ticket.sequence() < committed);
    let kept =
        kept.map(|(ticket, record, id, reference)| (ticket.sequence(), (record, id, reference)));
    (disk, kept.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_a_power_cut_leaves_all_that_was_acknowledged_is_there(
        first in appends(),
        last in appends(),
        losses in proptest::collection::vec(loss(), 8),
    ) {
        let root = tempfile::tempdir().unwrap();
        let (disk, kept) = live_and_die(root.path(), &first, &last);
        let mut files: Vec<_> = disk.0.lock().unsynced.clone().into_iter().collect();
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        for ((path, unsynced), loss) in files.iter().zip(losses.iter().cycle()) {
            lose(path, unsynced, loss);
        }

        let reopened = Journal::open_on(Arc::new(RealDisk), config(root.path()), node(), clock());
        let reopened = reopened.unwrap();
        prop_assert!(reopened.damage.is_empty(), "{:?}", reopened.damage);
        let next = keep(&reopened.journal, &served(decision(clock().now(), "after")));
        drop(reopened);
        let (read, errors) = read_all(root.path(), 0);
        prop_assert!(errors.is_empty(), "{errors:?}");
        prop_assert!(read.iter().map(|(sequence, _)| *sequence).eq(0..=next));
        prop_assert_eq!(verify(root.path()).unwrap(), (next + 1, vec![]));
        let payloads = Payloads::open(root.path());
        for (sequence, (record, id, reference)) in &kept {
            prop_assert_eq!(&read[usize::try_from(*sequence).unwrap()].1, record);
            if let Some(reference) = reference {
                prop_assert!(payloads.read(*id, reference).unwrap().kept().is_some());
            }
        }
    }
}
