//! Reads the frames of one file in order, from a window over it.
//!
//! It knows where a file stops making sense and where it makes sense again; what that means, a torn
//! tail, damage, or bytes that are still being written, its callers decide.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::frame::{HEADER_BYTES, Header, checksum_fits};

const WINDOW_BYTES: usize = 256 << 10;

/// What stands at a place of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// A whole frame.
    Frame(Found),
    /// Nothing: the file ends here.
    End,
    /// Bytes that are no whole frame.
    Broken,
}

/// A whole frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    /// Where it begins.
    pub offset: u64,
    /// Its header.
    pub header: Header,
    body: Range<usize>,
}

/// A place in a file.
#[derive(Debug)]
pub(crate) struct Cursor {
    file: File,
    magic: [u8; 4],
    offset: u64,
    window: Vec<u8>,
    /// How many bytes of the window were read.
    filled: usize,
    window_at: u64,
}

impl Cursor {
    pub(crate) const fn new(file: File, magic: [u8; 4], offset: u64) -> Self {
        Self {
            file,
            magic,
            offset,
            window: Vec::new(),
            filled: 0,
            window_at: 0,
        }
    }

    /// Where the next frame is looked for.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) const fn seek(&mut self, offset: u64) {
        self.offset = offset;
    }

    /// Reads from the file again what it may have read before.
    pub(crate) const fn forget(&mut self) {
        self.filled = 0;
    }

    /// How many bytes stand here and behind, without the zeros at the file's end: those the writer
    /// writes ahead.
    pub(crate) fn rest(&self) -> io::Result<u64> {
        let mut piece = vec![0; WINDOW_BYTES];
        let (mut at, mut end) = (self.offset, self.offset);
        loop {
            let count = match self.file.read_at(&mut piece, at) {
                Ok(0) => return Ok(end - self.offset),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if let Some(last) = piece[..count].iter().rposition(|byte| *byte != 0) {
                end = at + last as u64 + 1;
            }
            at += count as u64;
        }
    }

    /// The body of a frame that the last [`Cursor::step`] found.
    pub(crate) fn body(&self, found: &Found) -> &[u8] {
        &self.window[found.body.clone()]
    }

    /// Looks at the next frame and, if it is whole, goes behind it.
    pub(crate) fn step(&mut self) -> io::Result<Step> {
        let mut step = self.look(self.offset)?;
        if step == Step::Broken {
            // The window may hold bytes from before the writer had finished with them.
            self.forget();
            step = self.look(self.offset)?;
        }
        if let Step::Frame(found) = &step {
            self.offset += found.header.frame_bytes() as u64;
        }
        Ok(step)
    }

    /// What stands here as a header, if that can be one: of a frame that is not whole.
    pub(crate) fn claimed(&mut self) -> io::Result<Option<Header>> {
        let (magic, at) = (self.magic, self.offset);
        Ok(Header::parse(magic, self.bytes(at, HEADER_BYTES)?))
    }

    /// The offset of the first whole frame of this kind behind the current place; any kind if none.
    pub(crate) fn resync(&mut self, kind: Option<u8>) -> io::Result<Option<u64>> {
        let magic = self.magic;
        let mut at = self.offset + 1;
        loop {
            let bytes = self.bytes(at, HEADER_BYTES)?;
            if bytes.len() < HEADER_BYTES {
                return Ok(None);
            }
            let Some(skip) = bytes.windows(4).position(|four| four == magic) else {
                at += bytes.len() as u64 - 3;
                continue;
            };
            at += skip as u64;
            match self.look(at)? {
                Step::Frame(found) if kind.is_none_or(|kind| kind == found.header.kind) => {
                    return Ok(Some(at));
                }
                Step::Frame(found) => at += found.header.frame_bytes() as u64,
                Step::End | Step::Broken => at += 1,
            }
        }
    }

    fn look(&mut self, at: u64) -> io::Result<Step> {
        let magic = self.magic;
        let bytes = self.bytes(at, HEADER_BYTES)?;
        if bytes.is_empty() {
            return Ok(Step::End);
        }
        let Some(header) = Header::parse(magic, bytes) else {
            return Ok(Step::Broken);
        };
        let length = header.frame_bytes();
        let bytes = self.bytes(at, length)?;
        if bytes.len() < length || !checksum_fits(&bytes[..length]) {
            return Ok(Step::Broken);
        }
        let begin = usize::try_from(at - self.window_at).expect("it lies in the window");
        Ok(Step::Frame(Found {
            offset: at,
            header,
            body: begin + HEADER_BYTES..begin + length,
        }))
    }

    /// The bytes from `at` on: at least `least`, unless the file ends before.
    fn bytes(&mut self, at: u64, least: usize) -> io::Result<&[u8]> {
        let skip = at
            .checked_sub(self.window_at)
            .and_then(|skip| usize::try_from(skip).ok());
        if let Some(skip) = skip.filter(|skip| skip + least <= self.filled) {
            return Ok(&self.window[skip..self.filled]);
        }
        let wanted = least.max(WINDOW_BYTES);
        if self.window.len() < wanted {
            self.window = vec![0; wanted];
        }
        self.window_at = at;
        self.filled = 0;
        let mut filled = 0;
        while filled < wanted {
            match self
                .file
                .read_at(&mut self.window[filled..], at + filled as u64)
            {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.filled = filled;
        Ok(&self.window[..filled])
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use plimsoll_core::Record;

    use super::*;
    use crate::frame::{self, MARK, RECORD_MAGIC};

    fn frame() -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::encode(&mut bytes, &Record::Recovery(Box::default())).unwrap();
        bytes
    }

    #[test]
    fn bytes_that_were_being_written_are_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let whole = frame();
        let mut half = whole.clone();
        half[40..].fill(0);
        fs::write(file.path(), &half).unwrap();
        let mut cursor = Cursor::new(File::open(file.path()).unwrap(), RECORD_MAGIC, 0);
        assert_eq!(cursor.step().unwrap(), Step::Broken);
        file.as_file().write_all_at(&whole, 0).unwrap();
        let Step::Frame(found) = cursor.step().unwrap() else {
            panic!("still broken");
        };
        assert_eq!(cursor.body(&found), &whole[HEADER_BYTES..]);
        assert_eq!(cursor.step().unwrap(), Step::End);
    }

    #[test]
    fn the_next_whole_frame_is_found_behind_anything() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mark = frame::mark(7, plimsoll_core::Timestamp::from_micros(1));
        // Half a frame whose magic and length promise more, then far more than a window of noise.
        let mut bytes = frame()[..60].to_vec();
        bytes.resize(bytes.len() + WINDOW_BYTES * 2 + 1, b'P');
        let next = bytes.len() as u64;
        bytes.extend(frame());
        let last = bytes.len() as u64;
        bytes.extend(mark);
        fs::write(file.path(), &bytes).unwrap();
        let mut cursor = Cursor::new(File::open(file.path()).unwrap(), RECORD_MAGIC, 0);
        assert_eq!(cursor.resync(None).unwrap(), Some(next));
        assert_eq!(cursor.resync(Some(MARK)).unwrap(), Some(last));
        cursor.seek(last);
        assert_eq!(cursor.resync(None).unwrap(), None);
    }
}
