//! `monitors.json` of the data folder: what the monitors of this node know, so that a restart goes on where it
//! was, and so that the bar can be asked with the server down.
//!
//! It is written whole, aside, synced and renamed: half of it is never read. One that cannot be read is set
//! aside and said so; the monitors learn anew.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use plimsoll_control::watch::{MonitorView, SpentOnEvals, SystemWatch};
use plimsoll_core::{SystemName, Timestamp};
use serde::{Deserialize, Serialize};

/// The version of the file: another one is not read.
const FORMAT: u32 = 1;

/// What is known.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    format: u32,
    /// When the monitors were looked at last.
    pub(crate) at: Timestamp,
    /// What each system's monitors know.
    pub(crate) systems: BTreeMap<SystemName, SystemWatch>,
    /// What runs of each system's eval set have cost, also of systems without monitors.
    #[serde(default)]
    pub(crate) spent_on_evals: BTreeMap<SystemName, SpentOnEvals>,
}

impl Kept {
    pub(crate) const fn new(
        at: Timestamp,
        systems: BTreeMap<SystemName, SystemWatch>,
        spent_on_evals: BTreeMap<SystemName, SpentOnEvals>,
    ) -> Self {
        Self {
            format: FORMAT,
            at,
            systems,
            spent_on_evals,
        }
    }

    /// How the monitors of a system stood then; none if nothing of it is watched.
    pub(crate) fn views(&self, system: &SystemName) -> Option<Vec<MonitorView>> {
        let watch = self.systems.get(system)?;
        Some(watch.views(self.at))
    }
}

fn path(data: &Path) -> PathBuf {
    data.join("monitors.json")
}

/// What is kept in a data folder; none if nothing is, or nothing that can be read.
pub(crate) fn read(data: &Path) -> Option<Kept> {
    let bytes = std::fs::read(path(data)).ok()?;
    let kept = serde_json::from_slice::<Kept>(&bytes);
    let reason = match kept {
        Ok(kept) if kept.format == FORMAT => return Some(kept),
        Ok(kept) => format!("it is of version {}", kept.format),
        Err(error) => error.to_string(),
    };
    tracing::warn!(
        reason,
        "monitors.json cannot be read: the monitors learn anew"
    );
    None
}

/// Writes what is known.
pub(crate) fn write(data: &Path, kept: &Kept) -> std::io::Result<()> {
    let bytes = serde_json::to_vec(kept)?;
    let aside = data.join("monitors.json.new");
    let mut file = File::create(&aside)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(aside, path(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_broken_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_none());
        let kept = Kept::new(Timestamp::from_micros(7), BTreeMap::new(), BTreeMap::new());
        write(folder.path(), &kept).unwrap();
        assert_eq!(read(folder.path()), Some(kept));
        std::fs::write(path(folder.path()), b"{\"format\":1").unwrap();
        assert!(read(folder.path()).is_none());
    }
}
