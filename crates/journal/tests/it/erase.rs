//! An erased payload is gone: from every file, over every crash, while others are written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use plimsoll_core::DecisionId;
use plimsoll_core::decision::PayloadRef;
use plimsoll_journal::{
    Disk, Erased, Journal, JournalError, PayloadFound, Payloads, RealDisk, verify,
};
use proptest::prelude::*;

use crate::cut::{CutDisk, Loss};
use crate::sample::{decision, large, served};
use crate::support::{
    FaultyDisk, clock, config, contains, copy_folder, files, keep, keep_payload, node, open,
    read_all, tenant,
};

const SECRET: &[u8] = br#"{"input":{"name":"Ada Lovelace"},"output":null}"#;
/// The bytes before the first frame of a file.
const FILE_HEADER: usize = 128;
/// The bytes before a frame's body.
const FRAME_HEADER: usize = 32;

type Kept = (DecisionId, PayloadRef, Vec<u8>);

/// A frame of a payload file.
struct Frame {
    offset: usize,
    kind: u8,
    id: DecisionId,
    body: Vec<u8>,
}

impl Frame {
    /// What nobody may find any more: wrapped key, salt and payload, piece by piece.
    fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        let begin = 32 + 7 + 1 + tenant().as_str().len();
        self.body[begin..].chunks_exact(24)
    }
}

/// The frames of a payload file, none of which was changed.
fn frames(path: &Path) -> Vec<Frame> {
    let bytes = std::fs::read(path).unwrap();
    let mut frames = Vec::new();
    let mut offset = FILE_HEADER;
    while bytes.len() > offset && bytes[offset] != 0 {
        let length = u32::from_le_bytes(bytes[offset + 4..offset + 8].try_into().unwrap());
        let body = offset + FRAME_HEADER;
        let end = body + usize::try_from(length).unwrap();
        frames.push(Frame {
            offset,
            kind: bytes[offset + 12],
            id: DecisionId::from_bytes(bytes[offset + 16..body].try_into().unwrap()),
            body: bytes[body..end].to_vec(),
        });
        offset = end;
    }
    frames
}

fn all_frames(root: &Path) -> Vec<Frame> {
    let paths = files(&root.join("payloads"), "pay");
    paths.iter().flat_map(|path| frames(path)).collect()
}

/// Makes sure that nothing of `frames` is in any file under `root`.
fn are_gone<'a>(root: &Path, frames: impl Iterator<Item = &'a Frame>) {
    let mut pieces: Vec<&[u8]> = frames.flat_map(Frame::secrets).collect();
    pieces.sort_unstable();
    for path in crate::support::all_files(root) {
        let content = std::fs::read(&path).unwrap();
        for window in content.windows(24) {
            let found = pieces.binary_search(&window);
            assert!(found.is_err(), "still in {}", path.display());
        }
    }
}

fn read(payloads: &Payloads, (id, reference, _): &Kept) -> Result<PayloadFound, JournalError> {
    payloads.read(*id, reference)
}

/// Keeps this many decisions with payloads, over several segments.
fn keep_some(journal: &Journal, count: usize) -> Vec<Kept> {
    let keep = |number: usize| {
        let payload = [SECRET, &vec![b'0'; number * 150]].concat();
        let (id, reference) = keep_payload(journal, clock().now(), &payload);
        (id, reference, payload)
    };
    (0..count).map(keep).collect()
}

#[test]
fn an_erased_payload_is_in_no_file_and_is_told_as_erased() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let kept = keep_some(&journal, 30);
    assert!(files(&root.path().join("payloads"), "pay").len() > 2);
    let before = all_frames(root.path());
    let payloads = journal.payloads();
    // In ended files and in the one that is written.
    let chosen = [&kept[0], &kept[13], &kept[29]];
    let ids = chosen.map(|kept| kept.0);
    let erased = payloads.erase(&ids).unwrap();
    let expected = Erased {
        payloads: 3,
        ..Erased::default()
    };
    assert_eq!(erased, expected);
    are_gone(root.path(), before.iter().filter(|f| ids.contains(&f.id)));

    let check = |payloads: &Payloads| {
        for one in &kept {
            let expected = if ids.contains(&one.0) {
                PayloadFound::Erased
            } else {
                PayloadFound::Kept(one.2.clone())
            };
            assert_eq!(read(payloads, one).unwrap(), expected);
        }
    };
    check(&payloads);
    check(&Payloads::open(root.path()));
    let after = all_frames(root.path());
    assert!(before.iter().zip(&after).all(|(b, a)| b.offset == a.offset));
    for frame in after.iter().filter(|frame| ids.contains(&frame.id)) {
        assert_eq!(frame.kind, 2);
        let one = chosen.iter().find(|one| one.0 == frame.id).unwrap();
        assert_eq!(frame.body[..32], *one.1.commitment.as_bytes());
        assert!(frame.body[32..].iter().all(|byte| *byte == 0));
    }
    keep_some(&journal, 5);
    drop((payloads, journal));
    check(&open(root.path()).journal.payloads());
    assert!(verify(root.path()).unwrap().1.is_empty());
}

#[test]
fn erasing_again_finds_nothing_to_do_and_what_is_not_here_is_told() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let kept = keep_some(&journal, 2);
    let stranger = DecisionId::new(clock().now());
    let payloads = journal.payloads();
    assert_eq!(payloads.erase(&[]).unwrap(), Erased::default());
    let both = [kept[0].0, stranger];
    let erased = payloads.erase(&both).unwrap();
    assert_eq!((erased.payloads, erased.already), (1, 0));
    assert_eq!(erased.missing, [stranger]);
    let again = payloads.erase(&both).unwrap();
    assert_eq!((again.payloads, again.already), (0, 1));
    assert_eq!(again.missing, [stranger]);
}

#[test]
fn all_payloads_of_a_decision_are_erased() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let mut decision = decision(clock().now(), "unit");
    let id = decision.id;
    let mut references: Vec<PayloadRef> = Vec::new();
    for round in 0..3_u8 {
        let (reference, sealed) = journal.seal(&tenant(), id, &[round; 900]).unwrap();
        decision.payload = Some(reference);
        let record = served(decision.clone());
        journal
            .append(&record, Some(sealed))
            .unwrap()
            .wait()
            .unwrap();
        references.push(reference);
        keep_some(&journal, 5);
    }
    let before = all_frames(root.path());
    let payloads = journal.payloads();
    assert_eq!(payloads.erase(&[id]).unwrap().payloads, 3);
    for reference in &references {
        let found = payloads.read(id, reference).unwrap();
        assert_eq!(found, PayloadFound::Erased);
    }
    are_gone(root.path(), before.iter().filter(|frame| frame.id == id));
}

#[test]
fn what_was_appended_before_and_is_not_on_disk_yet_is_erased_too() {
    let root = tempfile::tempdir().unwrap();
    let slow = plimsoll_journal::JournalConfig {
        buffered_window: std::time::Duration::from_secs(3600),
        ..config(root.path())
    };
    let journal = Journal::open(slow, node(), clock()).unwrap().journal;
    let mut decision = decision(clock().now(), "unit");
    let id = decision.id;
    let (reference, sealed) = journal.seal(&tenant(), id, SECRET).unwrap();
    decision.payload = Some(reference);
    journal.append(&served(decision), Some(sealed)).unwrap();
    assert_eq!(journal.payloads().erase(&[id]).unwrap().payloads, 1);
    let found = journal.payloads().read(id, &reference).unwrap();
    assert_eq!(found, PayloadFound::Erased);
}

#[test]
fn only_the_process_that_writes_the_folder_erases() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let kept = keep_some(&journal, 1);
    let error = Payloads::open(root.path()).erase(&[kept[0].0]).unwrap_err();
    assert!(
        matches!(error, JournalError::NotTheWriter { .. }),
        "{error}"
    );
}

/// Changes a byte of each frame of `ids`, counted from its begin.
fn change(root: &Path, ids: &[DecisionId], at: usize) {
    for path in files(&root.join("payloads"), "pay") {
        let mut bytes = std::fs::read(&path).unwrap();
        for frame in frames(&path).iter().filter(|f| ids.contains(&f.id)) {
            bytes[frame.offset + at] ^= 1;
        }
        std::fs::write(&path, &bytes).unwrap();
    }
}

#[test]
fn a_payload_that_was_changed_on_disk_is_erased_all_the_same() {
    // The magic, the length, the checksum, the kind, the id, the commitment, the wrapped key, the content.
    for at in [0, 4, 5, 8, 12, 20, 40, 100, 250] {
        for restarted in [false, true] {
            let root = tempfile::tempdir().unwrap();
            let mut journal = open(root.path()).journal;
            let kept = keep_some(&journal, 12);
            let before = all_frames(root.path());
            let chosen = [&kept[2], &kept[8]];
            let ids = chosen.map(|kept| kept.0);
            change(root.path(), &ids, at);
            if restarted {
                drop(journal);
                journal = open(root.path()).journal;
            }
            let erased = journal.payloads().erase(&ids).unwrap();
            let whose =
                |frame: &&Frame| ids.contains(&frame.id) && !erased.missing.contains(&frame.id);
            are_gone(root.path(), before.iter().filter(whose));
            // Where a changed header hides whose a frame was, a start finds it by the index of an ended
            // file alone.
            let hidden = restarted && (at < 8 || (16..32).contains(&at));
            assert!(erased.missing.is_empty() || hidden, "{at}: {erased:?}");
            let others = kept.iter().filter(|kept| !ids.contains(&kept.0));
            for one in others {
                let found = read(&journal.payloads(), one).unwrap();
                assert_eq!(found, PayloadFound::Kept(one.2.clone()), "byte {at}");
            }
        }
    }
}

#[test]
fn a_disk_that_refuses_leaves_an_erasure_to_be_ended_by_the_next_try() {
    for extension in ["pay", "space"] {
        let root = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::default();
        let opened = Journal::open_on(Arc::new(disk.clone()), config(root.path()), node(), clock());
        let journal = opened.unwrap().journal;
        let kept = keep_some(&journal, 6);
        let before = all_frames(root.path());
        let ids = [kept[1].0, kept[5].0];
        disk.set(|faults| match extension {
            "pay" => faults.unsyncable = Some("pay"),
            _ => faults.space = Some(700),
        });
        let refused = journal.payloads().erase(&ids).unwrap_err();
        assert!(matches!(refused, JournalError::Io { .. }), "{refused}");
        disk.set(|faults| (faults.unsyncable, faults.space) = (None, None));
        let erased = journal.payloads().erase(&ids).unwrap();
        assert_eq!(erased.payloads + erased.already, 2);
        assert!(erased.missing.is_empty());
        are_gone(root.path(), before.iter().filter(|f| ids.contains(&f.id)));
        assert!(!root.path().join("payloads/erasing").exists());
        // The writer's own retries went on at their own places.
        let later = keep_some(&journal, 6);
        for one in kept
            .iter()
            .chain(&later)
            .filter(|one| !ids.contains(&one.0))
        {
            let found = read(&journal.payloads(), one).unwrap();
            assert_eq!(found, PayloadFound::Kept(one.2.clone()));
        }
    }
}

/// The states in which a power cut may leave an erasure: `after` operations, with this loss. True if it
/// ended before.
fn cut_an_erasure(base: &Path, kept: &[Kept], before: &[Frame], after: u64, loss: Loss) -> bool {
    let root = tempfile::tempdir().unwrap();
    copy_folder(base, root.path());
    let disk = CutDisk::default();
    let opened = Journal::open_on(Arc::new(disk.clone()), config(root.path()), node(), clock());
    let journal = opened.unwrap().journal;
    let ids: Vec<_> = kept.iter().step_by(3).map(|kept| kept.0).collect();
    disk.cut_after(after);
    let result = journal.payloads().erase(&ids);
    let ended = !disk.is_dead();
    disk.cut_after(0);
    drop(journal);
    disk.lose(loss);
    let written_down = root.path().join("payloads/erasing").exists();

    let opened = open(root.path());
    assert!(opened.damage.is_empty(), "{:?}", opened.damage);
    assert!(!root.path().join("payloads/erasing").exists());
    let payloads = opened.journal.payloads();
    for one in kept {
        let found = read(&payloads, one).unwrap();
        let whole = PayloadFound::Kept(one.2.clone());
        if ids.contains(&one.0) {
            assert!(found == PayloadFound::Erased || found == whole);
            assert!(found == PayloadFound::Erased || !(written_down || result.is_ok()));
        } else {
            assert_eq!(found, whole);
        }
    }
    let again = payloads.erase(&ids).unwrap();
    assert_eq!(again.payloads + again.already, ids.len() as u64);
    are_gone(root.path(), before.iter().filter(|f| ids.contains(&f.id)));
    ended
}

#[test]
fn a_power_cut_between_any_two_writes_of_an_erasure_is_mended_by_the_next_start() {
    let base = tempfile::tempdir().unwrap();
    let journal = open(base.path()).journal;
    let kept = keep_some(&journal, 14);
    drop(journal);
    let before = all_frames(base.path());
    for loss in Loss::ALL {
        let mut after = 1;
        while !cut_an_erasure(base.path(), &kept, &before, after, loss) {
            after += 1;
        }
        assert!(after > 12, "it was cut at {after} places only");
    }
}

#[test]
fn payloads_are_erased_while_others_are_appended_and_read() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path()).journal;
    let (kept, erased) = (Mutex::new(Vec::<Kept>::new()), Mutex::new(BTreeSet::new()));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let appenders: Vec<_> = (0..3_usize)
            .map(|thread| {
                let (journal, kept) = (&journal, &kept);
                scope.spawn(move || {
                    for number in 0..60_usize {
                        let payload = [SECRET, &vec![b'x'; (number * 97 + thread) % 2000]].concat();
                        let (id, reference) = keep_payload(journal, clock().now(), &payload);
                        kept.lock().push((id, reference, payload));
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let other = Payloads::open(root.path());
            while !stop.load(Ordering::Relaxed) {
                let some: Vec<_> = kept.lock().iter().rev().take(5).cloned().collect();
                for one in &some {
                    let found = read(&other, one).unwrap();
                    assert!(found == PayloadFound::Erased || found.kept().as_ref() == Some(&one.2));
                }
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let some: Vec<_> = {
                    let kept = kept.lock();
                    let latest = kept.iter().rev().step_by(4).take(2);
                    latest.map(|one| one.0).collect()
                };
                let done = journal.payloads().erase(&some).unwrap();
                assert!(done.missing.is_empty());
                erased.lock().extend(some);
            }
        });
        for appender in appenders {
            appender.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    let (kept, erased) = (kept.into_inner(), erased.into_inner());
    assert!(!erased.is_empty() && erased.len() < kept.len());
    drop(journal);
    let opened = open(root.path());
    assert!(opened.damage.is_empty(), "{:?}", opened.damage);
    for one in &kept {
        let expected = if erased.contains(&one.0) {
            PayloadFound::Erased
        } else {
            PayloadFound::Kept(one.2.clone())
        };
        assert_eq!(read(&opened.journal.payloads(), one).unwrap(), expected);
    }
    let (records, errors) = read_all(root.path(), 0);
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(records.len(), 180);
}

/// One step of a node's life.
#[derive(Clone, Debug)]
enum Step {
    Append {
        bytes: usize,
    },
    Record,
    Erase {
        every: usize,
        from: usize,
    },
    Restart,
    CutWhileErasing {
        every: usize,
        after: u64,
        loss: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        5 => (0..4000_usize).prop_map(|bytes| Step::Append { bytes }),
        2 => Just(Step::Record),
        2 => (1..6_usize, 0..6_usize).prop_map(|(every, from)| Step::Erase { every, from }),
        1 => Just(Step::Restart),
        1 => (1..4_usize, 1..20_u64, 0..4_usize)
            .prop_map(|(every, after, loss)| Step::CutWhileErasing { every, after, loss }),
    ];
    proptest::collection::vec(one, 1..40)
}

/// A node, and what must be true of each payload.
struct Life<'a> {
    root: &'a Path,
    journal: Option<Journal>,
    kept: Vec<Kept>,
    /// True if it is certainly erased, false if it may be.
    erased: BTreeMap<DecisionId, bool>,
}

impl Life<'_> {
    fn open_on(&mut self, disk: Arc<dyn Disk>) {
        self.journal = None;
        let opened = Journal::open_on(disk, config(self.root), node(), clock()).unwrap();
        assert!(opened.damage.is_empty(), "{:?}", opened.damage);
        self.journal = Some(opened.journal);
    }

    fn journal(&self) -> &Journal {
        self.journal.as_ref().unwrap()
    }

    fn chosen(&self, every: usize, from: usize) -> Vec<DecisionId> {
        let ids = self.kept.iter().map(|one| one.0);
        ids.skip(from).step_by(every).collect()
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Append { bytes } => {
                let payload = vec![b'p'; bytes];
                let (id, reference) = keep_payload(self.journal(), clock().now(), &payload);
                self.kept.push((id, reference, payload));
            }
            Step::Record => {
                keep(self.journal(), &large(clock().now()));
            }
            Step::Erase { every, from } => {
                let ids = self.chosen(every, from);
                let erased = self.journal().payloads().erase(&ids).unwrap();
                assert!(erased.missing.is_empty(), "{erased:?}");
                self.erased.extend(ids.into_iter().map(|id| (id, true)));
            }
            Step::Restart => self.open_on(Arc::new(RealDisk)),
            Step::CutWhileErasing { every, after, loss } => {
                let disk = CutDisk::default();
                self.open_on(Arc::new(disk.clone()));
                let ids = self.chosen(every, 0);
                disk.cut_after(after);
                let ended = self.journal().payloads().erase(&ids).is_ok();
                disk.cut_after(0);
                self.journal = None;
                disk.lose(Loss::ALL[loss]);
                for id in ids {
                    *self.erased.entry(id).or_default() |= ended;
                }
                self.open_on(Arc::new(RealDisk));
            }
        }
    }

    fn check(&self) {
        let payloads = self.journal().payloads();
        for one in &self.kept {
            let found = read(&payloads, one).unwrap();
            let whole = PayloadFound::Kept(one.2.clone());
            match self.erased.get(&one.0) {
                None => assert_eq!(found, whole),
                Some(true) => assert_eq!(found, PayloadFound::Erased),
                Some(false) => assert!(found == whole || found == PayloadFound::Erased),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_happens_each_payload_is_kept_or_erased_and_never_in_between(steps in steps()) {
        let root = tempfile::tempdir().unwrap();
        let mut life = Life {
            root: root.path(),
            journal: None,
            kept: Vec::new(),
            erased: BTreeMap::new(),
        };
        life.open_on(Arc::new(RealDisk));
        for step in &steps {
            life.take(step);
        }
        life.check();
        let all = life.chosen(1, 0);
        let before = all_frames(root.path());
        life.journal().payloads().erase(&all).unwrap();
        are_gone(root.path(), before.iter().filter(|frame| frame.kind == 1));
        assert!(!contains(root.path(), SECRET));
        drop(life);
        prop_assert!(verify(root.path()).unwrap().1.is_empty());
    }
}
