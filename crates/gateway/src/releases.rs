//! Releases as things that are made, carried and kept, without being deployed.

use std::collections::BTreeMap;

use plimsoll_core::record::ReleaseRecord;
use plimsoll_core::{Digest, Manifest, Record, ReleaseId, SystemName};
use plimsoll_journal::{AppendError, JournalError};
use plimsoll_spec::Workspace;

use crate::node::Node;

/// A release with all of its parts.
#[derive(Clone, PartialEq, Debug)]
pub struct ExportedRelease {
    /// Its id.
    pub id: ReleaseId,
    /// Its manifest.
    pub manifest: Manifest,
    /// The blobs that the manifest names.
    pub blobs: BTreeMap<Digest, Vec<u8>>,
}

/// A release could not be made, carried in or out.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The workspace has no such system.
    #[error("there is no system `{0}`")]
    NoSystem(SystemName),
    /// The release is not kept here.
    #[error("there is no release `{0}`")]
    NoRelease(ReleaseId),
    /// The manifest is another one than the id says.
    #[error("the manifest is not that of release `{named}` but of `{found}`: it was changed")]
    Renamed {
        /// What the record says.
        named: ReleaseId,
        /// What the manifest makes.
        found: ReleaseId,
    },
    /// A part is not what its digest says.
    #[error("the part `{0}` is not what its digest says: it was changed")]
    Changed(Digest),
    /// Parts that the manifest names are neither given nor kept here.
    #[error("{} part(s) that the manifest names are missing, the first is `{}`", .0.len(), .0[0])]
    Missing(Vec<Digest>),
    /// The parts could not be kept or read.
    #[error("the release's parts could not be kept or read")]
    Blobs(#[from] JournalError),
    /// The release could not be recorded.
    #[error("the release could not be recorded")]
    Record(#[from] AppendError),
}

impl Node {
    /// Makes a release of what `workspace` says of `system`, and deploys nothing. The same behaviour
    /// makes the same release, whoever makes it.
    ///
    /// # Errors
    /// If the workspace has no such system, or parts or record cannot be kept.
    pub async fn create_release(
        &self,
        workspace: &Workspace,
        system: &SystemName,
        author: &str,
        note: Option<String>,
    ) -> Result<ReleaseRecord, ReleaseError> {
        let described = workspace.systems.get(system);
        let described = described.ok_or_else(|| ReleaseError::NoSystem(system.clone()))?;
        let builder = self.builder(workspace);
        builder.keep(described)?;
        let id = described.manifest.release_id();
        let missing = builder.missing(id)?;
        if !missing.is_empty() {
            return Err(ReleaseError::Missing(missing));
        }
        let release = ReleaseRecord {
            id,
            manifest: described.manifest.clone(),
            created_at: self.clock.now(),
            author: author.to_owned(),
            note,
            parent: self.standings.view(system).stable(),
        };
        self.record(Record::Release(Box::new(release.clone())))
            .await?;
        Ok(release)
    }

    /// Keeps a release that was made elsewhere. Nothing is kept of one whose manifest or parts are not
    /// what their digests say, or whose parts are not all here.
    ///
    /// # Errors
    /// If that is so, or parts or record cannot be kept.
    pub async fn import_release(
        &self,
        release: ReleaseRecord,
        blobs: &BTreeMap<Digest, Vec<u8>>,
    ) -> Result<(), ReleaseError> {
        let (named, found) = (release.id, release.manifest.release_id());
        if named != found {
            return Err(ReleaseError::Renamed { named, found });
        }
        if let Some((digest, _)) = blobs.iter().find(|(name, part)| Digest::of(part) != **name) {
            return Err(ReleaseError::Changed(*digest));
        }
        let wanted = release.manifest.blobs();
        let mut missing = Vec::new();
        for digest in wanted.iter().filter(|digest| !blobs.contains_key(digest)) {
            if self.blobs.get(*digest)?.is_none() {
                missing.push(*digest);
            }
        }
        if !missing.is_empty() {
            return Err(ReleaseError::Missing(missing));
        }
        for part in wanted.iter().filter_map(|digest| blobs.get(digest)) {
            self.blobs.put(part)?;
        }
        self.blobs.put(&release.manifest.canonical_bytes())?;
        self.record(Record::Release(Box::new(release))).await?;
        Ok(())
    }

    /// A release with all of its parts, to be carried elsewhere. Who made it, when and why, the records
    /// say.
    ///
    /// # Errors
    /// If it or a part of it is not kept here, or was changed on disk.
    pub fn export_release(&self, id: ReleaseId) -> Result<ExportedRelease, ReleaseError> {
        let served = self.served();
        let manifest = self.builder(&served).manifest(id)?;
        let manifest = manifest.ok_or(ReleaseError::NoRelease(id))?;
        let (mut blobs, mut missing) = (BTreeMap::new(), Vec::new());
        for digest in manifest.blobs() {
            match self.blobs.get(digest)? {
                Some(bytes) => drop(blobs.insert(digest, bytes)),
                None => missing.push(digest),
            }
        }
        if !missing.is_empty() {
            return Err(ReleaseError::Missing(missing));
        }
        Ok(ExportedRelease {
            id,
            manifest,
            blobs,
        })
    }
}
