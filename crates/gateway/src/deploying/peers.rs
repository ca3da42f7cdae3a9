//! Following what other nodes say: their events, and that they are heard at all.

use plimsoll_core::deployment::{Slot, Standing};
use plimsoll_core::record::Deployment;
use plimsoll_core::{Digest, ReleaseId, SystemName};
use plimsoll_journal::JournalError;

use crate::deploying::Running;
use crate::node::Node;
use crate::snapshot::Slots;

/// What stands could not be made to run here. The event itself was taken in; once what is missing is
/// mended, applying it again makes it run.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Parts of a release are not kept here: a manifest, by its release's digest, or blobs that a
    /// manifest names. Fetch them and apply the event again.
    #[error("{} part(s) of a release are not in data/blobs", .0.len())]
    MissingBlobs(Vec<Digest>),
    /// The release cannot be built; what runs goes on.
    #[error("release cannot be built: {0}")]
    Broken(String),
    /// The blobs could not be read.
    #[error("the release's parts could not be read")]
    Blobs(#[from] JournalError),
}

impl Node {
    /// Takes in a deployment event that another node wrote, and makes run what stands with it; writes
    /// nothing. An event may come more than once and in any order: what stands is the fold over all in
    /// their own order. `true` if it was news.
    ///
    /// # Errors
    /// If what stands cannot be made to run; see [`ApplyError`].
    pub async fn apply(&self, event: &Deployment) -> Result<bool, ApplyError> {
        if event.environment != self.snapshot.load().environment {
            return Ok(false);
        }
        let is_news = self.standings.note(event);
        if !matches!(event.slot, Slot::Halt { .. }) {
            self.follow(&event.system).await?;
        }
        Ok(is_news)
    }

    /// The parts of a release that are not kept here: its manifest, by the release's digest, or else the
    /// blobs that it names.
    ///
    /// # Errors
    /// If blobs cannot be read.
    pub fn missing_parts(&self, release: ReleaseId) -> Result<Vec<Digest>, JournalError> {
        self.builder(&self.served()).missing(release)
    }

    /// Notes that the node has heard from its control plane just now.
    pub fn heard(&self) {
        self.control.heard(self.clock.elapsed());
    }

    /// Makes what runs of `system` what stands.
    async fn follow(&self, system: &SystemName) -> Result<(), ApplyError> {
        let _one_at_a_time = self.changing.lock().await;
        let (served, old) = (self.served(), self.snapshot.load_full());
        let Some(described) = served.systems.get(system) else {
            return Ok(());
        };
        let standing = self.standings.standing(system);
        let before = old.systems.get(system);
        if before.is_some_and(|slots| slots.are(&standing)) {
            return Ok(());
        }
        let builder = self.builder(&served);
        let canary = standing.canary.as_ref().map(|canary| &canary.deployment);
        let mut missing = Vec::new();
        for standing in standing.stable.iter().chain(canary) {
            missing.extend(builder.missing(standing.release)?);
        }
        if !missing.is_empty() {
            return Err(ApplyError::MissingBlobs(missing));
        }
        let running = Running {
            slots: before,
            ..Running::default()
        };
        let Some(slots) = builder.slots(described, &standing, running)? else {
            return Ok(());
        };
        if let Some(defect) = slots.defect() {
            return Err(ApplyError::Broken(defect));
        }
        self.swap(described, slots);
        Ok(())
    }
}

impl Slots {
    /// Whether they are filled as `standing` says, whole.
    fn are(&self, standing: &Standing) -> bool {
        let stable = standing.stable.as_ref();
        let canary = match (&self.canary, &standing.canary) {
            (None, None) => true,
            (Some(runs), Some(stands)) => {
                runs.slot.runs(stands.deployment.release)
                    && (runs.weight, runs.first) == (stands.weight, stands.first)
            }
            (None, Some(_)) | (Some(_), None) => false,
        };
        canary && stable.is_some_and(|stable| self.stable.runs(stable.release))
    }
}
