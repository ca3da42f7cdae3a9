//! A journal in a temporary folder, and a disk that fails when told to.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use plimsoll_core::decision::PayloadRef;
use plimsoll_core::{Clock, DecisionId, NodeName, Record, SystemClock, TenantName, Timestamp};
use plimsoll_journal::{
    Disk, DiskFile, Journal, JournalConfig, JournalError, Opened, Reader, RealDisk,
};

pub(crate) const NO_SPACE: i32 = 28;
pub(crate) const IO_ERROR: i32 = 5;

pub(crate) fn node() -> NodeName {
    NodeName::new("node-1").unwrap()
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

/// Small and quick: segments of 8 KiB.
pub(crate) fn config(root: &Path) -> JournalConfig {
    JournalConfig {
        segment_bytes: 8 << 10,
        buffered_window: Duration::from_millis(5),
        linger: Duration::from_micros(50),
        ..JournalConfig::new(root)
    }
}

pub(crate) fn open(root: &Path) -> Opened {
    Journal::open(config(root), node(), clock()).unwrap()
}

/// Appends and waits until it is on disk; the sequence.
pub(crate) fn keep(journal: &Journal, record: &Record) -> u64 {
    let ticket = journal.append(record, None).unwrap();
    ticket.wait().unwrap();
    ticket.sequence()
}

/// Keeps this many large records, one after the other.
pub(crate) fn keep_many(journal: &Journal, count: u64) {
    for _ in 0..count {
        keep(journal, &crate::sample::large(clock().now()));
    }
}

pub(crate) fn tenant() -> TenantName {
    TenantName::new("acme").unwrap()
}

/// Keeps a decision made at `at` with this payload.
pub(crate) fn keep_payload(
    journal: &Journal,
    at: Timestamp,
    payload: &[u8],
) -> (DecisionId, PayloadRef) {
    let mut decision = crate::sample::decision(at, "unit");
    let id = decision.id;
    let (reference, sealed) = journal.seal(&tenant(), id, payload).unwrap();
    decision.payload = Some(reference);
    let record = crate::sample::served(decision);
    journal
        .append(&record, Some(sealed))
        .unwrap()
        .wait()
        .unwrap();
    (id, reference)
}

/// All files under `folder`.
pub(crate) fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Whether these bytes stand in any file under `folder`.
pub(crate) fn contains(folder: &Path, bytes: &[u8]) -> bool {
    all_files(folder).iter().any(|path| {
        let content = std::fs::read(path).unwrap();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

/// Makes a copy of a folder.
pub(crate) fn copy_folder(from: &Path, into: &Path) {
    for path in all_files(from) {
        let target = into.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&path, &target).unwrap();
    }
}

/// All that can be read, and what cannot.
pub(crate) fn read_all(root: &Path, from: u64) -> (Vec<(u64, Record)>, Vec<JournalError>) {
    let (mut records, mut errors) = (Vec::new(), Vec::new());
    for item in Reader::open(root, from).unwrap() {
        match item {
            Ok(item) => records.push(item),
            Err(error) => errors.push(error),
        }
    }
    (records, errors)
}

/// The files of a folder with this extension, sorted.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension() == Some(extension.as_ref()))
        .collect();
    paths.sort();
    paths
}

/// What a [`FaultyDisk`] does and what it saw.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// How many bytes may still be written; none: as many as one likes.
    pub(crate) space: Option<u64>,
    /// Whether syncs fail.
    pub(crate) syncs_fail: bool,
    /// Files with this extension alone cannot be synced.
    pub(crate) unsyncable: Option<&'static str>,
    /// Whether the power is cut: nothing is done any more.
    pub(crate) dead: bool,
    /// Per file, what of it is not on the medium.
    pub(crate) unsynced: HashMap<PathBuf, Unsynced>,
}

/// What a power cut may take from a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unsynced {
    /// How long it is on the medium.
    pub(crate) length: u64,
    /// How long it is for those who read it now.
    pub(crate) written_length: u64,
    /// The writes since the last sync, in order.
    pub(crate) writes: Vec<Range<u64>>,
}

/// The real disk, with faults.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultyDisk(pub(crate) Arc<Mutex<Faults>>);

#[derive(Debug)]
struct FaultyFile {
    inner: Box<dyn DiskFile>,
    path: PathBuf,
    disk: FaultyDisk,
}

impl FaultyDisk {
    pub(crate) fn set(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.0.lock());
    }

    fn living(&self) -> io::Result<()> {
        if self.0.lock().dead {
            return Err(io::Error::from_raw_os_error(IO_ERROR));
        }
        Ok(())
    }

    /// How many of `wanted` bytes there is room for.
    fn take_space(&self, wanted: u64) -> u64 {
        let mut faults = self.0.lock();
        let Some(space) = &mut faults.space else {
            return wanted;
        };
        let taken = wanted.min(*space);
        *space -= taken;
        taken
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.living()?;
        let inner = RealDisk.create(path)?;
        self.0
            .lock()
            .unsynced
            .insert(path.to_owned(), Unsynced::default());
        let (path, disk) = (path.to_owned(), self.clone());
        Ok(Box::new(FaultyFile { inner, path, disk }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.living()?;
        let inner = RealDisk.open(path)?;
        let length = std::fs::metadata(path)?.len();
        let unsynced = Unsynced {
            length,
            written_length: length,
            writes: Vec::new(),
        };
        // Whoever else has it open may have written what is not synced yet.
        let mut faults = self.0.lock();
        faults.unsynced.entry(path.to_owned()).or_insert(unsynced);
        drop(faults);
        let (path, disk) = (path.to_owned(), self.clone());
        Ok(Box::new(FaultyFile { inner, path, disk }))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.living()?;
        if self.take_space(bytes.len() as u64) < bytes.len() as u64 {
            return Err(io::Error::from_raw_os_error(NO_SPACE));
        }
        RealDisk.replace(path, bytes)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.living()?;
        RealDisk.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.living()?;
        RealDisk.sync_folder(folder)
    }
}

impl DiskFile for FaultyFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.living()?;
        let room = self.disk.take_space(bytes.len() as u64);
        let fitting = &bytes[..usize::try_from(room).unwrap()];
        self.inner.write_at(fitting, offset)?;
        let mut faults = self.disk.0.lock();
        let unsynced = faults.unsynced.entry(self.path.clone()).or_default();
        unsynced.written_length = unsynced.written_length.max(offset + room);
        unsynced.writes.push(offset..offset + room);
        if fitting.len() < bytes.len() {
            return Err(io::Error::from_raw_os_error(NO_SPACE));
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.living()?;
        let mut faults = self.disk.0.lock();
        let extension = self
            .path
            .extension()
            .and_then(|extension| extension.to_str());
        let unsyncable = faults.unsyncable.is_some() && faults.unsyncable == extension;
        if faults.syncs_fail || unsyncable {
            return Err(io::Error::from_raw_os_error(IO_ERROR));
        }
        let unsynced = faults.unsynced.entry(self.path.clone()).or_default();
        unsynced.length = unsynced.written_length;
        unsynced.writes.clear();
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk.living()?;
        self.inner.truncate(length)?;
        let mut faults = self.disk.0.lock();
        let unsynced = faults.unsynced.entry(self.path.clone()).or_default();
        unsynced.written_length = length;
        unsynced.length = unsynced.length.min(length);
        Ok(())
    }
}
