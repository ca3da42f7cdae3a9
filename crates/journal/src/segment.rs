//! Where segments and payload files lie, what they are called, and the 128 bytes that begin each.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

use plimsoll_core::{NodeName, Timestamp};

use crate::error::JournalError;
use crate::frame::{le_u32, le_u64};

/// The version of the format that this code reads and writes.
pub(crate) const FORMAT_VERSION: u32 = 1;
/// The bytes before the first frame of a file.
pub(crate) const FILE_HEADER_BYTES: u64 = 128;
const FILE_HEADER_LENGTH: usize = 128;
const SEGMENT_MAGIC: [u8; 8] = *b"PLIMSEG\n";
const PAYLOAD_MAGIC: [u8; 8] = *b"PLIMPAY\n";

/// The folders and file names of one data folder.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// `journal/`.
    pub journal: PathBuf,
    /// `payloads/`.
    pub payloads: PathBuf,
}

impl Layout {
    /// The layout of the data folder `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            journal: root.join("journal"),
            payloads: root.join("payloads"),
        }
    }

    /// Makes the folders, readable by their owner alone.
    pub(crate) fn create(&self) -> Result<(), JournalError> {
        create_folder(&self.journal)?;
        create_folder(&self.payloads)?;
        create_folder(&self.keys())?;
        let root = self.journal.parent().unwrap_or(&self.journal);
        File::open(root)
            .and_then(|folder| folder.sync_all())
            .map_err(JournalError::io("sync", root))
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.payloads.join("keys")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.journal.join("lock")
    }

    pub(crate) fn minimum(&self) -> PathBuf {
        self.journal.join("minimum")
    }

    pub(crate) fn segment(&self, first: u64) -> PathBuf {
        self.journal.join(format!("{first:020}.seg"))
    }

    pub(crate) fn index(&self, first: u64) -> PathBuf {
        self.journal.join(format!("{first:020}.idx"))
    }

    pub(crate) fn payload(&self, first: u64) -> PathBuf {
        self.payloads.join(format!("{first:020}.pay"))
    }

    pub(crate) fn payload_index(&self, first: u64) -> PathBuf {
        self.payloads.join(format!("{first:020}.pix"))
    }

    /// Which frames are being overwritten.
    pub(crate) fn erasing(&self) -> PathBuf {
        self.payloads.join("erasing")
    }

    /// The first sequences of all segments, ascending.
    pub(crate) fn segments(&self) -> Result<Vec<u64>, JournalError> {
        numbered(&self.journal, "seg")
    }

    /// The first sequences of all payload files, ascending.
    pub(crate) fn payload_files(&self) -> Result<Vec<u64>, JournalError> {
        numbered(&self.payloads, "pay")
    }
}

/// Makes a folder and those above it, readable by its owner alone.
pub(crate) fn create_folder(path: &Path) -> Result<(), JournalError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(JournalError::io("create", path))
}

/// The numbers of the files `<number>.<extension>` in `folder`; none if there is no folder.
fn numbered(folder: &Path, extension: &str) -> Result<Vec<u64>, JournalError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(JournalError::io("list", folder)(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(JournalError::io("list", folder))?.file_name();
        let number = name.to_str().and_then(|name| {
            let (stem, end) = name.split_once('.')?;
            let fits = end == extension && stem.len() == 20;
            stem.parse::<u64>().ok().filter(|_| fits)
        });
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Which of the two kinds of file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FileKind {
    /// Records.
    Segment,
    /// Payloads of the segment with the same number.
    Payloads,
}

impl FileKind {
    const fn magic(self) -> [u8; 8] {
        match self {
            Self::Segment => SEGMENT_MAGIC,
            Self::Payloads => PAYLOAD_MAGIC,
        }
    }
}

/// What stands in the first 128 bytes of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FileHeader {
    /// The first sequence of the segment.
    pub first: u64,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Who writes it.
    pub node: String,
}

/// What the first bytes of a file turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum HeaderFound {
    /// A header of this version.
    Whole(FileHeader),
    /// A header of another version.
    OtherVersion(u32),
    /// Not a whole header.
    Broken,
}

impl FileHeader {
    pub(crate) fn to_bytes(&self, kind: FileKind) -> [u8; FILE_HEADER_LENGTH] {
        let mut bytes = [0; FILE_HEADER_LENGTH];
        bytes[..8].copy_from_slice(&kind.magic());
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.created_at.as_micros().to_le_bytes());
        let node = self.node.as_bytes();
        bytes[32] = u8::try_from(node.len()).expect("a name has at most 64 bytes");
        bytes[33..33 + node.len()].copy_from_slice(node);
        let checksum = header_checksum(&bytes);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(crate) fn parse(kind: FileKind, bytes: &[u8]) -> HeaderFound {
        let Some(bytes) = bytes.get(..FILE_HEADER_LENGTH) else {
            return HeaderFound::Broken;
        };
        if bytes[..8] != kind.magic() {
            return HeaderFound::Broken;
        }
        let version = le_u32(&bytes[8..12]);
        if version != FORMAT_VERSION {
            return HeaderFound::OtherVersion(version);
        }
        let node = bytes.get(33..33 + usize::from(bytes[32]));
        let node = node.and_then(|node| std::str::from_utf8(node).ok());
        match node {
            Some(node) if le_u32(&bytes[12..16]) == header_checksum(bytes) => {
                HeaderFound::Whole(Self {
                    first: le_u64(&bytes[16..24]),
                    created_at: Timestamp::from_micros(le_u64(&bytes[24..32]).cast_signed()),
                    node: node.to_owned(),
                })
            }
            _ => HeaderFound::Broken,
        }
    }

    /// Reads the header of the file at `path`.
    pub(crate) fn read(kind: FileKind, path: &Path) -> Result<HeaderFound, JournalError> {
        let mut bytes = [0; FILE_HEADER_LENGTH];
        let whole = File::open(path).and_then(|file| file.read_exact_at(&mut bytes, 0));
        match whole {
            Ok(()) => Ok(Self::parse(kind, &bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(HeaderFound::Broken),
            Err(error) => Err(JournalError::io("read", path)(error)),
        }
    }
}

impl HeaderFound {
    /// The header, if it is whole, of this version and of `node`.
    pub(crate) fn of_node(
        self,
        path: &Path,
        node: &NodeName,
    ) -> Result<Option<FileHeader>, JournalError> {
        match self {
            Self::Whole(header) if header.node != node.as_str() => Err(JournalError::OtherNode {
                path: path.to_owned(),
                found: header.node,
                expected: node.clone(),
            }),
            Self::Whole(header) => Ok(Some(header)),
            Self::OtherVersion(found) => Err(JournalError::Version {
                path: path.to_owned(),
                found,
                known: FORMAT_VERSION,
            }),
            Self::Broken => Ok(None),
        }
    }
}

fn header_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..FILE_HEADER_LENGTH])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> FileHeader {
        FileHeader {
            first: 42,
            created_at: Timestamp::from_micros(1_773_478_920_000_000),
            node: "node-1".into(),
        }
    }

    #[test]
    fn a_file_header_reads_back_and_any_flipped_byte_is_found() {
        let bytes = header().to_bytes(FileKind::Segment);
        assert_eq!(
            FileHeader::parse(FileKind::Segment, &bytes),
            HeaderFound::Whole(header())
        );
        assert_eq!(
            FileHeader::parse(FileKind::Payloads, &bytes),
            HeaderFound::Broken
        );
        for at in 0..bytes.len() {
            let mut changed = bytes;
            changed[at] ^= 0x10;
            let found = FileHeader::parse(FileKind::Segment, &changed);
            assert!(!matches!(found, HeaderFound::Whole(_)), "byte {at}");
        }
    }

    #[test]
    fn another_version_is_told_as_such() {
        let mut bytes = header().to_bytes(FileKind::Segment);
        bytes[8] = 2;
        let found = FileHeader::parse(FileKind::Segment, &bytes);
        assert_eq!(found, HeaderFound::OtherVersion(2));
        let node = NodeName::new("node-1").unwrap();
        let error = found.of_node(Path::new("x.seg"), &node).unwrap_err();
        assert!(matches!(
            error,
            JournalError::Version {
                found: 2,
                known: 1,
                ..
            }
        ));
    }
}
