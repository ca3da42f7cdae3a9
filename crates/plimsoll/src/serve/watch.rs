//! Whether the workspace's files changed: a stamp over names, sizes and times, taken once a second.
//!
//! Polling needs no watches that run out, and sees changes on network and container mounts too.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// The most files that a stamp looks at.
const FILES_MAX: usize = 20_000;
/// How deep folders are followed.
const DEPTH_MAX: usize = 8;

/// The state of a workspace's files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamp(u64);

/// Looks at the files of the workspace in `root`, but not into `data`, nor into hidden folders. Blocks on the disk.
pub(crate) fn stamp(root: &Path, data: &Path) -> Stamp {
    let mut hasher = DefaultHasher::new();
    let mut files = Vec::new();
    for name in ["plimsoll.toml", "prices.toml"] {
        files.push(root.join(name));
    }
    collect(&root.join("systems"), data, 0, &mut files);
    files.sort_unstable();
    for file in files {
        file.hash(&mut hasher);
        if let Ok(metadata) = std::fs::metadata(&file) {
            metadata.len().hash(&mut hasher);
            metadata.modified().ok().hash(&mut hasher);
        }
    }
    Stamp(hasher.finish())
}

fn collect(folder: &Path, data: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if hidden || path == data || files.len() >= FILES_MAX {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < DEPTH_MAX => {
                collect(&path, data, depth + 1, files);
            }
            Ok(kind) if !kind.is_dir() => files.push(path),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_stamp_changes_with_the_files_and_with_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let data = root.join("systems/data");
        fs::create_dir_all(root.join("systems/loan")).unwrap();
        fs::create_dir_all(&data).unwrap();
        fs::write(root.join("plimsoll.toml"), "a").unwrap();
        fs::write(root.join("systems/loan/system.toml"), "b").unwrap();
        let first = stamp(root, &data);
        fs::write(data.join("plimsoll.db"), "x").unwrap();
        fs::write(root.join("systems/loan/.system.toml.swp"), "x").unwrap();
        assert_eq!(stamp(root, &data), first);
        fs::write(root.join("systems/loan/system.toml"), "bb").unwrap();
        let second = stamp(root, &data);
        assert_ne!(second, first);
        fs::write(root.join("systems/loan/rules.toml"), "").unwrap();
        assert_ne!(stamp(root, &data), second);
    }
}
