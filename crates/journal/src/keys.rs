//! The keys that payloads' data keys are wrapped with: one per tenant and month, each in a file of its
//! own under `payloads/keys/`, readable by its owner alone.
//!
//! Who removes a key file makes all payloads of that tenant and month unreadable, also those in
//! backups. Retention does so once they are all gone here. The keys lie on the same machine as what they protect: they guard against a payload file
//! that goes astray, not against whoever reads the whole data folder.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use plimsoll_core::{TenantName, Timestamp};

use crate::disk::{Disk, replace_file};
use crate::error::JournalError;
use crate::segment::create_folder;

const TITLE: &str = "plimsoll-payload-key 1 ";
const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;
/// More keys than this in memory, and all are read again when needed.
const CACHED_MAX: usize = 10_000;

/// A month as it stands in frames and file names: `2026-03`.
pub(crate) type Month = [u8; 7];

/// A key. It does not print.
pub(crate) struct TenantKey(pub [u8; 32]);

#[derive(Default)]
struct Cache {
    /// Days since 1970, and the month they are in: so that the calendar is asked once a day.
    day: Option<(i64, Month)>,
    keys: HashMap<TenantName, HashMap<Month, Arc<TenantKey>>>,
    count: usize,
}

/// All keys of a data folder, those used lately in memory.
pub(crate) struct KeyRing {
    folder: PathBuf,
    cache: RwLock<Cache>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRing")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl KeyRing {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            cache: RwLock::default(),
        }
    }

    /// The tenant's key of the month of `now`, made if there is none yet.
    pub(crate) fn current(
        &self,
        tenant: &TenantName,
        now: Timestamp,
    ) -> Result<(Month, Arc<TenantKey>), JournalError> {
        let day = now.as_micros().div_euclid(DAY_MICROS);
        {
            let cache = self.cache.read();
            if let Some((_, month)) = cache.day.filter(|(cached, _)| *cached == day)
                && let Some(key) = cache.keys.get(tenant).and_then(|keys| keys.get(&month))
            {
                return Ok((month, Arc::clone(key)));
            }
        }
        let mut month = Month::default();
        month.copy_from_slice(&now.month().as_bytes()[..7]);
        let mut cache = self.cache.write();
        cache.day = Some((day, month));
        let path = self.path(tenant, month);
        let key = match cache.get(tenant, month) {
            Some(key) => key,
            None => match read(&path)? {
                Some(key) => cache.keep(tenant, month, key),
                None => cache.keep(tenant, month, make(&path)?),
            },
        };
        Ok((month, key))
    }

    /// The tenant's key of `month`.
    pub(crate) fn get(
        &self,
        tenant: &TenantName,
        month: Month,
    ) -> Result<Arc<TenantKey>, JournalError> {
        let cached = self.cache.read().get(tenant, month);
        if let Some(key) = cached {
            return Ok(key);
        }
        let path = self.path(tenant, month);
        let Some(key) = read(&path)? else {
            let what = "is gone: what it encrypted cannot be read any more";
            return Err(JournalError::Key { path, what });
        };
        Ok(self.cache.write().keep(tenant, month, key))
    }

    /// Removes the keys of all tenants for months before `month`, which is written `2026-03`; how many.
    /// They are overwritten first.
    pub(crate) fn remove_before(&self, month: &str, disk: &dyn Disk) -> Result<u64, JournalError> {
        let mut removed = 0;
        for tenant in children(&self.folder)? {
            let before = removed;
            for path in children(&tenant)? {
                let is_key = path.extension().is_some_and(|extension| extension == "key");
                let own = path.file_stem().and_then(|stem| stem.to_str());
                if is_key && own.is_some_and(|own| is_month(own) && own < month) {
                    destroy(&path, disk)?;
                    removed += 1;
                }
            }
            if removed > before {
                disk.sync_folder(&tenant)
                    .map_err(JournalError::io("sync", &tenant))?;
            }
        }
        let mut cache = self.cache.write();
        for keys in cache.keys.values_mut() {
            keys.retain(|own, _| own[..] >= *month.as_bytes());
        }
        Ok(removed)
    }

    /// `keys/<tenant>/<month>.key`; a tenant's name is a safe path segment by its type.
    fn path(&self, tenant: &TenantName, month: Month) -> PathBuf {
        let month = String::from_utf8_lossy(&month);
        self.folder
            .join(tenant.as_str())
            .join(format!("{month}.key"))
    }
}

impl Cache {
    fn get(&self, tenant: &TenantName, month: Month) -> Option<Arc<TenantKey>> {
        self.keys.get(tenant)?.get(&month).cloned()
    }

    fn keep(&mut self, tenant: &TenantName, month: Month, key: TenantKey) -> Arc<TenantKey> {
        if self.count >= CACHED_MAX {
            self.keys.clear();
            self.count = 0;
        }
        self.count += 1;
        let key = Arc::new(key);
        let keys = self.keys.entry(tenant.clone()).or_default();
        keys.insert(month, Arc::clone(&key));
        key
    }
}

/// What is in a folder; nothing if it is not there or is a file.
fn children(folder: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let entries = match fs::read_dir(folder) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        entries => entries.map_err(JournalError::io("list", folder))?,
    };
    let paths: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
    paths.map_err(JournalError::io("list", folder))
}

/// Whether `text` is written as `2026-03`.
fn is_month(text: &str) -> bool {
    text.len() == 7
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// Overwrites a key file and removes it.
fn destroy(path: &Path, disk: &dyn Disk) -> Result<(), JournalError> {
    let length = fs::metadata(path)
        .map_err(JournalError::io("read", path))?
        .len();
    let zeros = vec![0; usize::try_from(length).unwrap_or(0)];
    let mut file = disk.open(path).map_err(JournalError::io("open", path))?;
    file.write_at(&zeros, 0)
        .and_then(|()| file.sync())
        .map_err(JournalError::io("overwrite", path))?;
    disk.remove(path).map_err(JournalError::io("remove", path))
}

fn read(path: &Path) -> Result<Option<TenantKey>, JournalError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(JournalError::io("read", path)(error)),
    };
    let key = text
        .strip_prefix(TITLE)
        .and_then(|hex| from_hex(hex.trim_end()));
    key.map(|key| Some(TenantKey(key)))
        .ok_or_else(|| JournalError::Key {
            path: path.to_owned(),
            what: "is not a payload key of this version",
        })
}

fn make(path: &Path) -> Result<TenantKey, JournalError> {
    let folder = path.parent().unwrap_or(path);
    create_folder(folder)?;
    let mut key = [0; 32];
    getrandom::fill(&mut key).expect("the operating system always has random bytes");
    let text = format!("{TITLE}{}\n", plimsoll_core::Digest::from_bytes(key));
    replace_file(path, text.as_bytes(), 0o600).map_err(JournalError::io("write", path))?;
    let above = folder.parent().unwrap_or(folder);
    fs::File::open(above)
        .and_then(|folder| folder.sync_all())
        .map_err(JournalError::io("sync", above))?;
    Ok(TenantKey(key))
}

/// A key file spells its key as digests are spelled.
fn from_hex(hex: &str) -> Option<[u8; 32]> {
    let digest: plimsoll_core::Digest = hex.parse().ok()?;
    Some(*digest.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_tenant_has_one_key_a_month_which_only_the_owner_can_read() {
        let folder = tempfile::tempdir().unwrap();
        let ring = KeyRing::new(folder.path().to_owned());
        let tenant = TenantName::new("acme").unwrap();
        let march = Timestamp::parse("2026-03-31T23:59:59Z").unwrap();
        let april = Timestamp::parse("2026-04-01T00:00:00Z").unwrap();
        let (month, key) = ring.current(&tenant, march).unwrap();
        assert_eq!(&month, b"2026-03");
        assert_eq!(ring.current(&tenant, march).unwrap().1.0, key.0);
        assert_ne!(ring.current(&tenant, april).unwrap().1.0, key.0);
        let other = KeyRing::new(folder.path().to_owned());
        assert_eq!(other.get(&tenant, month).unwrap().0, key.0);
        let mode = fs::metadata(folder.path().join("acme/2026-03.key"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_is_gone_is_not_made_again_for_reading() {
        let folder = tempfile::tempdir().unwrap();
        let ring = KeyRing::new(folder.path().to_owned());
        let error = ring.get(&TenantName::new("acme").unwrap(), *b"2026-03");
        assert!(matches!(error, Err(JournalError::Key { .. })));
    }
}
