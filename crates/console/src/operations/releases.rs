//! What is said of releases: made, approved, and carried from one installation to another.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plimsoll_core::governance::Approval;
use plimsoll_core::record::ReleaseRecord;
use plimsoll_core::{Digest, EnvironmentName, ReleaseId, SystemName};
use plimsoll_spec::ApprovalRule;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Makes a release from the workspace's files as they are.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// What changed.
    pub note: String,
    /// Who made the change, if that is not who asks; only the owner may name somebody else.
    #[serde(default)]
    pub author: Option<String>,
}

/// Approves a release.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRequest {
    /// What is to be said of it.
    #[serde(default)]
    pub note: Option<String>,
}

/// How a release stands with its approvals, in this node's environment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Approvals {
    /// Which release.
    pub release: ReleaseId,
    /// Of which system.
    pub system: SystemName,
    /// Where.
    pub environment: EnvironmentName,
    /// Who made it, and so cannot approve it.
    pub author: String,
    /// What the system asks for.
    pub rule: ApprovalRule,
    /// Who approved it, the earliest first.
    pub given: Vec<Approval>,
}

impl Approvals {
    /// How many people's approval counts: those in the role that is asked for, each once, but for the
    /// author.
    pub fn counted(&self) -> usize {
        let fits = |approval: &&Approval| {
            approval.role == self.rule.role.as_str() && approval.actor != self.author
        };
        let people = self.given.iter().filter(fits).map(|given| &given.actor);
        people.collect::<BTreeSet<_>>().len()
    }
}

/// A release with its parts, whole enough for another installation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseBundle {
    /// The release.
    pub release: ReleaseRecord,
    /// The parts that its manifest names.
    pub blobs: BTreeMap<Digest, Blob>,
}

/// A part of a release; base64 (RFC 4648, section 4) in JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blob(pub Vec<u8>);

/// What is wrong with a bundle.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BundleFault {
    /// The id is not that of the manifest.
    #[error("the release's id is not the digest of its manifest: one of them was changed")]
    Id,
    /// A part is not what its digest says.
    #[error("the part {0} was changed: its bytes have another digest")]
    Changed(Digest),
    /// The manifest names no such part.
    #[error("the part {0} belongs to something else: the manifest does not name it")]
    Foreign(Digest),
}

impl ReleaseBundle {
    /// Holds every byte against the digest that names it.
    ///
    /// # Errors
    /// With the first thing that is not as it was named. A part that is missing is none: it may be there
    /// already.
    pub fn check(&self) -> Result<(), BundleFault> {
        let manifest = &self.release.manifest;
        if manifest.release_id() != self.release.id {
            return Err(BundleFault::Id);
        }
        let named: BTreeSet<Digest> = manifest.blobs().into_iter().collect();
        for (digest, blob) in &self.blobs {
            if !named.contains(digest) {
                return Err(BundleFault::Foreign(*digest));
            }
            if Digest::of(&blob.0) != *digest {
                return Err(BundleFault::Changed(*digest));
            }
        }
        Ok(())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text.as_bytes());
        let unfit = |error| serde::de::Error::custom(format!("a part is not base64: {error}"));
        bytes.map(Self).map_err(unfit)
    }
}
