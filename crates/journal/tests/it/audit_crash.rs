//! The power goes, or the process is killed, between any two operations: what was signed stays signed,
//! and the log goes on from there.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use plimsoll_core::Clock as _;
use plimsoll_journal::audit::{self, Checkpoint, VerifyOptions};
use plimsoll_journal::{Disk, DiskFile, Journal, RealDisk};

use crate::audit_sample::{ORIGIN, audited, march, open_audited, sign};
use crate::sample::large;
use crate::support::{IO_ERROR, clock, copy_folder, keep_many, node};

/// What a power cut does to what was written and not synced.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// It is there.
    Nothing,
    /// It is not there, and files whose folder was not synced are not either.
    Everything,
    /// Half of it is there.
    Half,
    /// The files have their length, and zeros in them.
    Zeros,
}

const LOSSES: [Loss; 4] = [Loss::Nothing, Loss::Everything, Loss::Half, Loss::Zeros];

#[derive(Debug, Default)]
struct Power {
    left: u64,
    /// Of files with unsynced writes, what of them is on the medium.
    synced: HashMap<PathBuf, Vec<u8>>,
    /// New files whose folder was not synced.
    unnamed: HashSet<PathBuf>,
}

/// The real disk, until its power is cut.
#[derive(Clone, Debug)]
struct PowerDisk(Arc<Mutex<Power>>);

#[derive(Debug)]
struct PowerFile {
    inner: Box<dyn DiskFile>,
    path: PathBuf,
    disk: PowerDisk,
}

impl PowerDisk {
    fn cut_after(operations: u64) -> Self {
        let power = Power {
            left: operations,
            ..Power::default()
        };
        Self(Arc::new(Mutex::new(power)))
    }

    fn is_dead(&self) -> bool {
        self.0.lock().left == 0
    }

    fn operate(&self) -> io::Result<()> {
        let mut power = self.0.lock();
        power.left = power.left.saturating_sub(1);
        if power.left == 0 {
            return Err(io::Error::from_raw_os_error(IO_ERROR));
        }
        Ok(())
    }

    fn wrap(&self, path: &Path, inner: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let (path, disk) = (path.to_owned(), self.clone());
        Box::new(PowerFile { inner, path, disk })
    }

    fn lose(&self, loss: Loss) {
        let power = self.0.lock();
        for (path, synced) in &power.synced {
            let now = fs::read(path).unwrap_or_default();
            let left = match loss {
                Loss::Nothing => continue,
                Loss::Everything => synced.clone(),
                Loss::Half => {
                    let half = usize::midpoint(synced.len(), now.len());
                    now[..half.min(now.len())].to_vec()
                }
                Loss::Zeros => {
                    let mut left = synced.clone();
                    left.resize(now.len().max(synced.len()), 0);
                    left
                }
            };
            fs::write(path, left).unwrap();
        }
        for path in &power.unnamed {
            if matches!(loss, Loss::Everything) {
                fs::remove_file(path).ok();
            }
        }
    }
}

impl Disk for PowerDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.operate()?;
        let is_new = !path.exists();
        let inner = RealDisk.create(path)?;
        let mut power = self.0.lock();
        power.synced.insert(path.to_owned(), Vec::new());
        if is_new {
            power.unnamed.insert(path.to_owned());
        }
        drop(power);
        Ok(self.wrap(path, inner))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.operate()?;
        Ok(self.wrap(path, RealDisk.open(path)?))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.operate()?;
        RealDisk.replace(path, bytes)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.operate()?;
        RealDisk.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.operate()?;
        RealDisk.sync_folder(folder)?;
        let mut power = self.0.lock();
        power.unnamed.retain(|path| path.parent() != Some(folder));
        Ok(())
    }
}

impl DiskFile for PowerFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let before = fs::read(&self.path)?;
        let mut power = self.disk.0.lock();
        power.synced.entry(self.path.clone()).or_insert(before);
        drop(power);
        let whole = self.disk.operate();
        let half = if whole.is_ok() {
            bytes.len()
        } else {
            bytes.len() / 2
        };
        self.inner.write_at(&bytes[..half], offset)?;
        whole
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.operate()?;
        self.inner.sync()?;
        self.disk.0.lock().synced.remove(&self.path);
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk.operate()?;
        self.inner.truncate(length)
    }
}

/// A log of 250 records, from which on a tile will be filled; its checkpoint.
fn begun(root: &Path) -> Checkpoint {
    let journal = open_audited(root);
    keep_many(&journal, 250);
    let signed = sign(&journal);
    journal.close().unwrap();
    signed
}

/// Keeps ten more, signing now and then, until the power is cut; what was signed. The clock goes on by
/// an hour, so that histories are written too.
fn live_and_die(disk: &PowerDisk, root: &Path) -> Vec<Checkpoint> {
    let clock = march();
    let disk = Arc::new(disk.clone());
    let Ok(opened) = Journal::open_on(disk, audited(root), node(), Arc::clone(&clock) as _) else {
        return Vec::new();
    };
    let journal = opened.journal;
    let mut signed = Vec::new();
    for number in 0..10 {
        let record = large(clock.now());
        let kept = journal.append(&record, None).map(|ticket| ticket.wait());
        if !matches!(kept, Ok(Ok(()))) {
            break;
        }
        if number % 3 == 2 {
            clock.advance(Duration::from_secs(40 * 60));
            let log = journal.audit().unwrap();
            signed.extend(log.checkpoint(journal.committed()));
        }
    }
    drop(journal);
    signed
}

/// The log in `root` goes on, and begins with everything that was signed.
fn goes_on(root: &Path, signed: &[Checkpoint], told: &str) {
    let journal = open_audited(root);
    let newest = signed.iter().map(Checkpoint::size).max().unwrap_or(0);
    assert!(journal.committed() >= newest, "{told}");
    keep_many(&journal, 3);
    let log = journal.audit().unwrap();
    let now = log.checkpoint(journal.committed());
    assert!(now.is_ok(), "{told}: {now:?}");
    journal.close().unwrap();
    for old in signed {
        let options = VerifyOptions {
            key: None,
            against: Some(old.note().to_owned()),
        };
        let report = audit::verify(root, &options, &mut |_, _| {}).unwrap();
        assert!(report.passed(), "{told}: {:#?}", report.faults);
        assert_eq!(report.consistent_with, Some(old.size()));
    }
}

#[test]
fn whenever_the_power_goes_what_was_signed_is_gone_on_with() {
    let base = tempfile::tempdir().unwrap();
    let first = begun(base.path());
    let mut cuts = 0;
    for operations in 1.. {
        let loss = LOSSES[usize::try_from(operations % 4).unwrap()];
        let root = tempfile::tempdir().unwrap();
        copy_folder(base.path(), root.path());
        let disk = PowerDisk::cut_after(operations);
        let mut signed = live_and_die(&disk, root.path());
        if !disk.is_dead() {
            break;
        }
        disk.lose(loss);
        signed.push(first.clone());
        goes_on(root.path(), &signed, &format!("{operations}, {loss:?}"));
        cuts += 1;
    }
    assert!(cuts > 60, "{cuts}");
}

#[test]
fn a_log_whose_birth_is_cut_short_is_born_by_the_next_start() {
    for operations in 1..40 {
        let loss = LOSSES[usize::try_from(operations % 4).unwrap()];
        let root = tempfile::tempdir().unwrap();
        let disk = PowerDisk::cut_after(operations);
        let signed = live_and_die(&disk, root.path());
        disk.lose(loss);
        goes_on(root.path(), &signed, &format!("{operations}, {loss:?}"));
    }
}

#[test]
fn what_was_signed_before_sigkill_is_gone_on_with() {
    let root = tempfile::tempdir().unwrap();
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().unwrap().parent().unwrap();
    let child = folder.join("examples/append-durably");
    let newest = || {
        let key = audit::verifier_key(root.path()).ok()?;
        audit::newest_checkpoint(root.path(), &key).ok()
    };
    let mut signed: Vec<Checkpoint> = Vec::new();
    for _ in 0..4 {
        let before = signed.last().map_or(0, Checkpoint::size);
        let mut running = Command::new(&child)
            .arg(root.path())
            .arg(ORIGIN)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let has_signed_more = || newest().is_some_and(|checkpoint| checkpoint.size() > before);
        while !has_signed_more() && running.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        running.kill().unwrap();
        running.wait().unwrap();
        let checkpoint = newest().unwrap();
        assert!(checkpoint.size() > before);
        signed.push(checkpoint);
    }
    let opened = Journal::open(audited(root.path()), node(), clock()).unwrap();
    assert!(opened.damage.is_empty());
    drop(opened);
    goes_on(root.path(), &signed, "killed");
}
