//! A file that grows by batches, with zeros written ahead of its end.
//!
//! A sync of bytes that lie in blocks which the file has already costs the disk half of one that has
//! to write the file's new size and blocks too. So now and then a longer stretch of zeros is written
//! behind the last batch, and the next batches are written over it. Zeros begin no frame: whoever reads
//! finds the end where they begin. They are given back when the file is ended.

use std::io;

use crate::disk::DiskFile;

/// Zeros are written in pieces of this many bytes.
const PIECE: usize = 64 << 10;
static ZEROS: [u8; PIECE] = [0; PIECE];
/// The most bytes of zeros behind the end.
const AHEAD_MAX: u64 = 1 << 20;
/// Behind batches of up to this many bytes zeros are written: a good thirty of them fit over the most.
const SMALL_BATCH: usize = 32 << 10;

/// How far ahead zeros may be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ahead {
    limit: u64,
    bytes: u64,
}

impl Ahead {
    /// None are written.
    pub(crate) const NONE: Self = Self { limit: 0, bytes: 0 };

    /// For a file that grows to `limit` bytes.
    pub(crate) fn up_to(limit: u64) -> Self {
        let bytes = (limit / 4).min(AHEAD_MAX);
        Self { limit, bytes }
    }
}

/// A file, where its good bytes end, and where the zeros behind them end.
#[derive(Debug)]
pub(crate) struct Output {
    file: Box<dyn DiskFile>,
    end: u64,
    room: u64,
}

impl Output {
    /// A file whose good bytes end at `end`, and nothing is behind them.
    pub(crate) const fn new(file: Box<dyn DiskFile>, end: u64) -> Self {
        Self {
            file,
            end,
            room: end,
        }
    }

    /// Where the good bytes end.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// Writes `bytes` at the end, which stays where it is until [`Output::advance`].
    pub(crate) fn write(&mut self, bytes: &[u8], ahead: Ahead) -> io::Result<()> {
        self.file.write_at(bytes, self.end)?;
        let after = self.end + bytes.len() as u64;
        if after > self.room {
            self.room = after;
        }
        if bytes.len() <= SMALL_BATCH && after == self.room {
            let until = (after + ahead.bytes).min(ahead.limit.max(after));
            // Zeros make syncs cheaper and nothing else: a disk without room for them may have room
            // for the batches still.
            self.room = self.write_zeros(after, until).map_or(after, |()| until);
        }
        Ok(())
    }

    fn write_zeros(&mut self, from: u64, until: u64) -> io::Result<()> {
        let mut at = from;
        while at < until {
            let piece = usize::try_from(until - at).map_or(PIECE, |left| left.min(PIECE));
            self.file.write_at(&ZEROS[..piece], at)?;
            at += piece as u64;
        }
        Ok(())
    }

    /// Waits until what was written is on the medium.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.file.sync().inspect_err(|_| {
            // What became of the zeros is not known either.
            self.room = self.end;
        })
    }

    /// Says that this many bytes at the end are good.
    pub(crate) const fn advance(&mut self, bytes: usize) {
        self.end += bytes as u64;
    }

    /// Cuts off what lies behind the good bytes. May be repeated.
    pub(crate) fn give_back(&mut self) -> io::Result<()> {
        self.file.truncate(self.end)?;
        self.file.sync()?;
        self.room = self.end;
        Ok(())
    }
}
