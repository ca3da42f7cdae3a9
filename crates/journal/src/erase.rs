//! Erasing payloads in place: what stood in a frame is overwritten, the frame keeps its length, and all
//! that lies before and behind it stays where it is, while the writer goes on.
//!
//! Which frames are overwritten is written down first, in `payloads/erasing`, and that file is removed
//! when they are: a frame that a crash leaves half overwritten is found there, and the next start, or
//! the next erasure, overwrites it again. Of frames that are listed nothing is worth keeping, so that
//! doing it twice does no harm.
//!
//! Only what is committed is overwritten. The writer writes behind that, and a try that it repeats is
//! repeated there as well: the two never touch the same bytes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use plimsoll_core::{DecisionId, Digest};
use serde::{Deserialize, Serialize};

use crate::checked;
use crate::cursor::{Cursor, Step};
use crate::disk::Disk;
use crate::error::JournalError;
use crate::frame::{BODY_BYTES_MAX, HEADER_BYTES, Header, PAYLOAD_MAGIC};
use crate::payload_frame::{self, ERASED, ERASED_BYTES_MIN, SEALED};
use crate::payloads::Payloads;
use crate::segment::Layout;
use crate::ticket::Ticket;

const TITLE: &str = "plimsoll-erasing 1 ";
/// The most frames that are written down and overwritten at once.
const ROUND_MAX: usize = 4_096;
const FRAME_BYTES_MAX: usize = HEADER_BYTES + BODY_BYTES_MAX;

/// What an erasure did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Erased {
    /// How many payloads were overwritten.
    pub payloads: u64,
    /// How many were erased before.
    pub already: u64,
    /// The decisions of which there is no payload here: there was none, it was let go, or another node
    /// has it.
    pub missing: Vec<DecisionId>,
}

/// One frame that is to be overwritten, with all that the new one needs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Overwrite {
    /// The payload file, by its number.
    file: u64,
    offset: u64,
    /// The frame's length, header included.
    bytes: usize,
    decision: DecisionId,
    commitment: Digest,
}

impl Payloads {
    /// Removes all payloads of `decisions`, with their salts and data keys, for good: they are
    /// overwritten, and that is on disk when this returns. What was appended before it was called is
    /// found; what is appended later for one of these decisions is not erased. May be repeated. Blocks
    /// on files, and for a commit.
    ///
    /// # Errors
    /// [`JournalError::NotTheWriter`] if these are not the payloads of an open journal. If a file cannot
    /// be read or written; what was begun is then ended by the next erasure or the next start.
    pub fn erase(&self, decisions: &[DecisionId]) -> Result<Erased, JournalError> {
        let Some(writing) = &self.writing else {
            let path = self.layout.payloads.clone();
            return Err(JournalError::NotTheWriter { path });
        };
        let (next, _, _) = writing.queue.look();
        if let Some(last) = next.checked_sub(1) {
            let last = Ticket::beside(Arc::clone(&writing.queue), last);
            last.wait().map_err(JournalError::Unsynced)?;
        }
        let _alone = writing.changing.lock();
        let disk = &*writing.disk;
        finish(&self.layout, disk)?;
        let (erased, frames) = self.frames_of(decisions)?;
        for round in frames.chunks(ROUND_MAX) {
            write_down(&self.layout, disk, round)?;
            overwrite(&self.layout, disk, round)?;
            strike_out(&self.layout, disk)?;
        }
        Ok(erased)
    }

    /// The frames of `decisions` that are to be overwritten, and what will have been done then.
    fn frames_of(
        &self,
        decisions: &[DecisionId],
    ) -> Result<(Erased, Vec<Overwrite>), JournalError> {
        let mut erased = Erased::default();
        let mut frames = Vec::new();
        let mut missing: BTreeSet<DecisionId> = decisions.iter().copied().collect();
        let wanted: Vec<_> = missing.iter().map(|id| id.to_bytes()).collect();
        let Some(earliest) = missing.first() else {
            return Ok((erased, frames));
        };
        let files = self.layout.payload_files()?;
        let from = self.first_candidate(&files, earliest.made_at())?;
        for first in files[from..].iter().copied() {
            let entries = self.entries_of(first, &wanted)?;
            if entries.is_empty() {
                continue;
            }
            let mut file = PayloadFile::open(self, first)?;
            for (id, offset) in entries {
                let decision = DecisionId::from_bytes(id);
                missing.remove(&decision);
                match file.frame(decision, offset)? {
                    Some(frame) => frames.push(frame),
                    None => erased.already += 1,
                }
            }
        }
        erased.payloads = frames.len() as u64;
        erased.missing = missing.into_iter().collect();
        Ok((erased, frames))
    }
}

/// A payload file in which frames are looked at before they are overwritten.
struct PayloadFile<'a> {
    payloads: &'a Payloads,
    first: u64,
    path: PathBuf,
    file: File,
    cursor: Cursor,
}

impl<'a> PayloadFile<'a> {
    fn open(payloads: &'a Payloads, first: u64) -> Result<Self, JournalError> {
        let path = payloads.layout.payload(first);
        let (file, own) = File::open(&path)
            .and_then(|file| Ok((file.try_clone()?, file)))
            .map_err(JournalError::io("open", &path))?;
        Ok(Self {
            payloads,
            first,
            path,
            file,
            cursor: Cursor::new(own, PAYLOAD_MAGIC, 0),
        })
    }

    /// What to overwrite at `offset`; none if it is erased. A frame that was changed on disk is
    /// overwritten like any other: most of it is still there.
    fn frame(
        &mut self,
        decision: DecisionId,
        offset: u64,
    ) -> Result<Option<Overwrite>, JournalError> {
        let wrong = |what| JournalError::Payload { decision, what };
        self.cursor.seek(offset);
        let step = self.cursor.step();
        let step = step.map_err(JournalError::io("read", &self.path))?;
        let bytes = match step {
            Step::Frame(found) if found.header.kind == ERASED => return Ok(None),
            Step::Frame(found) if found.header.kind == SEALED => found.header.frame_bytes(),
            Step::Frame(_) => {
                return Err(wrong("is of a kind that this version cannot erase"));
            }
            Step::Broken | Step::End => self.length_of_changed(offset)?.ok_or_else(|| {
                wrong("was changed on disk, and nobody can tell yet where it ends")
            })?,
        };
        if !(ERASED_BYTES_MIN..=FRAME_BYTES_MAX).contains(&bytes) {
            return Err(wrong(
                "was changed on disk, and where it lies no payload can be",
            ));
        }
        let mut commitment = [0; 32];
        self.file
            .read_exact_at(&mut commitment, offset + HEADER_BYTES as u64)
            .map_err(JournalError::io("read", &self.path))?;
        Ok(Some(Overwrite {
            file: self.first,
            offset,
            bytes,
            decision,
            commitment: Digest::from_bytes(commitment),
        }))
    }

    /// How long the frame at `offset` is, whose checksum does not fit: its header is believed if a
    /// frame or nothing stands where it says that it ends; else it reaches to the next that is known.
    /// None if neither tells, which is so for the last one of the file that is written.
    fn length_of_changed(&self, offset: u64) -> Result<Option<usize>, JournalError> {
        let read = |at| {
            self.bytes_at(at)
                .map_err(JournalError::io("read", &self.path))
        };
        if let Some(header) = Header::parse(PAYLOAD_MAGIC, &read(offset)?) {
            let behind = read(offset + header.frame_bytes() as u64)?;
            let ends = behind.iter().all(|byte| *byte == 0);
            if ends || Header::parse(PAYLOAD_MAGIC, &behind).is_some() {
                return Ok(Some(header.frame_bytes()));
            }
        }
        let end = self.payloads.next_behind(self.first, offset)?;
        Ok(end.and_then(|end| usize::try_from(end - offset).ok()))
    }

    /// The bytes of a header at `at`; fewer where the file ends.
    fn bytes_at(&self, at: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; HEADER_BYTES];
        let mut filled = 0;
        while filled < HEADER_BYTES {
            match self.file.read_at(&mut bytes[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

/// Writes down which frames are about to be overwritten.
fn write_down(layout: &Layout, disk: &dyn Disk, frames: &[Overwrite]) -> Result<(), JournalError> {
    let path = layout.erasing();
    let json = serde_json::to_string(frames).expect("numbers and digests always are JSON");
    let text = checked::to_text(TITLE, &json);
    disk.replace(&path, text.as_bytes())
        .map_err(JournalError::io("write", &path))
}

/// What is written down; nothing if it cannot be trusted: who asked for the erasure asks again.
fn written_down(layout: &Layout) -> Result<Vec<Overwrite>, JournalError> {
    let path = layout.erasing();
    let text = match fs::read(&path) {
        Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(JournalError::io("read", &path)(error)),
    };
    let frames = checked::parse(TITLE, &text).and_then(|json| serde_json::from_str(json).ok());
    Ok(frames.unwrap_or_default())
}

/// Whether the frame at `offset` of the payload file `first` is being overwritten.
pub(crate) fn is_under_way(layout: &Layout, first: u64, offset: u64) -> Result<bool, JournalError> {
    let frames = written_down(layout)?;
    Ok(frames
        .iter()
        .any(|frame| (frame.file, frame.offset) == (first, offset)))
}

/// Ends what was begun and written down.
pub(crate) fn finish(layout: &Layout, disk: &dyn Disk) -> Result<(), JournalError> {
    let path = layout.erasing();
    if !path.try_exists().map_err(JournalError::io("read", &path))? {
        return Ok(());
    }
    overwrite(layout, disk, &written_down(layout)?)?;
    strike_out(layout, disk)
}

/// Overwrites frames, which are written down, and waits until that is on the medium.
fn overwrite(layout: &Layout, disk: &dyn Disk, frames: &[Overwrite]) -> Result<(), JournalError> {
    for frames in frames.chunk_by(|one, next| one.file == next.file) {
        let path = layout.payload(frames[0].file);
        let length = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(JournalError::io("read", &path)(error)),
        };
        let mut file = disk.open(&path).map_err(JournalError::io("open", &path))?;
        for frame in frames {
            if frame.offset + frame.bytes as u64 <= length {
                let id = frame.decision.to_bytes();
                let bytes = payload_frame::erased(id, &frame.commitment, frame.bytes);
                file.write_at(&bytes, frame.offset)
                    .map_err(JournalError::io("overwrite a payload in", &path))?;
            }
        }
        file.sync().map_err(JournalError::io("sync", &path))?;
    }
    Ok(())
}

/// Says that all that was written down is done.
fn strike_out(layout: &Layout, disk: &dyn Disk) -> Result<(), JournalError> {
    let path = layout.erasing();
    disk.remove(&path)
        .map_err(JournalError::io("remove", &path))?;
    disk.sync_folder(&layout.payloads)
        .map_err(JournalError::io("sync", &layout.payloads))
}
