//! Releases and deployments of a running node, as its operators make them.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll_console::{
    Actor, ApiError, Approvals, AsOfView, Blob, DeploymentRequest, DeploymentReviewRequest,
    EventPlace, ReleaseBundle, RollbackRequest, StandingView,
};
use plimsoll_core::deployment::{Deployment, Halt};
use plimsoll_core::governance::{Approval, DeploymentReview};
use plimsoll_core::record::{Record, ReleaseRecord};
use plimsoll_core::{Code, EnvironmentName, EventId, ReleaseId, SystemName, Timestamp};
use plimsoll_gateway::{ApprovalRule, DeployError, InterveneError, Mandate, Order, ReleaseError};
use plimsoll_journal::audit::prove;
use plimsoll_spec::Role;
use plimsoll_store::Place;

use super::live_node::{LiveNode, not_recorded};

impl LiveNode {
    fn environment(&self) -> EnvironmentName {
        self.started.server.environment.clone()
    }

    /// Makes a release of what the files say now.
    pub(super) async fn made_release(
        &self,
        system: &SystemName,
        note: String,
        author: &str,
    ) -> Result<ReleaseRecord, ApiError> {
        let workspace = self.read_files().await?;
        let made = self
            .node
            .create_release(&workspace, system, author, Some(note));
        made.await.map_err(release_error)
    }

    pub(super) async fn export(&self, id: &str) -> Result<ReleaseBundle, ApiError> {
        let release = self.release_of(id).await?;
        let exported = self
            .node
            .export_release(release.id)
            .map_err(release_error)?;
        let blobs = exported.blobs.into_iter();
        Ok(ReleaseBundle {
            release,
            blobs: blobs.map(|(digest, bytes)| (digest, Blob(bytes))).collect(),
        })
    }

    /// Whoever brings a release in answers for it; who made it stands in the note.
    pub(super) async fn import(
        &self,
        bundle: ReleaseBundle,
        actor: &str,
    ) -> Result<ReleaseRecord, ApiError> {
        let ReleaseBundle { release, blobs } = bundle;
        let made_by = format!("made by {} elsewhere", release.author);
        let release = ReleaseRecord {
            note: Some(match release.note {
                Some(note) if release.author == actor => note,
                Some(note) => format!("{note} ({made_by})"),
                None => made_by,
            }),
            author: actor.to_owned(),
            created_at: self.clock.now(),
            ..release
        };
        let blobs: BTreeMap<_, _> = blobs
            .into_iter()
            .map(|(digest, Blob(bytes))| (digest, bytes))
            .collect();
        let imported = self.node.import_release(release.clone(), &blobs).await;
        imported.map_err(release_error)?;
        Ok(release)
    }

    /// Who must approve releases of `system`.
    fn rule(&self, system: &SystemName) -> Result<plimsoll_spec::ApprovalRule, ApiError> {
        let served = self.served();
        let folder = served.folders.get(system);
        let rule = folder.map(|folder| folder.approvals);
        rule.ok_or_else(|| ApiError::no_system(system.as_str()))
    }

    pub(super) async fn approvals_of(&self, id: &str) -> Result<Approvals, ApiError> {
        let release = self.release_of(id).await?;
        let system = release.manifest.system;
        let environment = self.environment();
        let given = self.store.approvals(&system, &environment, release.id);
        Ok(Approvals {
            release: release.id,
            rule: self.rule(&system)?,
            given: given.await?,
            author: release.author,
            environment,
            system,
        })
    }

    pub(super) async fn note_approval(
        &self,
        release: ReleaseId,
        role: Role,
        note: Option<String>,
        actor: &Actor,
    ) -> Result<Approval, ApiError> {
        let system = self.store.release(release).await?;
        let system = system.ok_or_else(|| ApiError::no_release(format!("no release {release}")))?;
        let now = self.clock.now();
        let approval = Approval {
            id: EventId::new(now),
            system: system.manifest.system,
            environment: self.environment(),
            release,
            actor: actor.name.clone(),
            role: role.as_str().to_owned(),
            note,
            at: now,
        };
        let record = Record::Approval(Box::new(approval.clone()));
        self.write(record).await?;
        Ok(approval)
    }

    /// What stands behind an order: who gives it, and who approved the release.
    async fn mandate(
        &self,
        system: &SystemName,
        release: Option<&ReleaseRecord>,
        actor: &str,
        reason: Option<String>,
    ) -> Result<Mandate, ApiError> {
        let rule = self.rule(system)?;
        let approvals = match release {
            Some(release) => {
                let environment = self.environment();
                let given = self.store.approvals(system, &environment, release.id);
                given.await?
            }
            None => Vec::new(),
        };
        Ok(Mandate {
            actor: actor.to_owned(),
            reason,
            note: release.and_then(|release| release.note.clone()),
            approvals,
            rule: Some(ApprovalRule {
                count: rule.count,
                role: Some(rule.role.as_str().to_owned()),
            }),
            author: release.map(|release| release.author.clone()),
            break_glass: false,
        })
    }

    pub(super) async fn point(
        &self,
        system: &SystemName,
        request: DeploymentRequest,
        actor: &str,
    ) -> Result<Deployment, ApiError> {
        let release = self.release_of(&request.release).await?;
        let mandate = self.mandate(system, Some(&release), actor, request.reason);
        let mandate = mandate.await?;
        let order = Order {
            system: system.clone(),
            slot: request.slot,
            release: release.id,
            rollback_of: None,
            mandate: Mandate {
                note: request.note.or(mandate.note),
                break_glass: request.break_glass,
                ..mandate
            },
        };
        let deployed = self.node.deploy(order).await;
        deployed.map_err(|error| deploy_error(error, &release.id.short()))
    }

    pub(super) async fn point_back(
        &self,
        system: &SystemName,
        request: RollbackRequest,
        actor: &str,
    ) -> Result<Deployment, ApiError> {
        let to = match request.to.as_deref() {
            Some(id) => Some(self.release_of(id).await?),
            None => None,
        };
        let mandate = self.mandate(system, to.as_ref(), actor, Some(request.reason));
        let mandate = mandate.await?;
        let to = to.map(|release| release.id);
        let shown = to.map_or("ID".to_owned(), |to| to.short());
        let deployed = self.node.rollback(system, to, mandate).await;
        deployed.map_err(|error| deploy_error(error, &shown))
    }

    pub(super) async fn step_in(
        &self,
        system: &SystemName,
        to: Halt,
        reason: String,
        actor: &str,
    ) -> Result<Deployment, ApiError> {
        let event = self.node.intervene(system, to, actor, Some(reason)).await;
        event.map_err(|error| match &error {
            InterveneError::NoSystem(name) => ApiError::no_system(name.as_str()),
            InterveneError::Record(error) => not_recorded(error),
            _ => ApiError::deployment_refused(error.to_string()),
        })
    }

    pub(super) async fn review_of_deployment(
        &self,
        id: &str,
        request: DeploymentReviewRequest,
        actor: &str,
    ) -> Result<DeploymentReview, ApiError> {
        let deployment = self.store.deployment_by_prefix(id).await?;
        if !deployment.break_glass {
            let message = "the deployment overrode no approvals: there is nothing to review";
            return Err(ApiError::deployment_refused(message));
        }
        if deployment.actor == actor {
            let message = format!("`{actor}` made the deployment: somebody else must look at it");
            return Err(ApiError::approval_refused(message));
        }
        let now = self.clock.now();
        let review = DeploymentReview {
            id: EventId::new(now),
            deployment: deployment.id,
            system: deployment.system,
            actor: actor.to_owned(),
            justified: request.justified,
            note: request.note,
            at: now,
        };
        let record = Record::DeploymentReview(Box::new(review.clone()));
        self.write(record).await?;
        Ok(review)
    }

    pub(super) fn standing_now(&self, system: &SystemName) -> Result<StandingView, ApiError> {
        let standing = self.node.standing(system);
        let standing = standing.ok_or_else(|| ApiError::no_system(system.as_str()))?;
        Ok(StandingView::of(
            system.clone(),
            self.environment(),
            standing,
        ))
    }

    pub(super) async fn stood(
        &self,
        system: &SystemName,
        environment: Option<&EnvironmentName>,
        at: Timestamp,
    ) -> Result<AsOfView, ApiError> {
        let environment = environment.cloned().unwrap_or_else(|| self.environment());
        let found = self.store.deployments_at(system, &environment, at).await?;
        let mut places = Vec::with_capacity(found.places.len());
        for (deployment, place) in found.places {
            places.push(EventPlace {
                deployment,
                proof: self.proof_text(&place).await,
                node: place.node,
                sequence: place.sequence,
            });
        }
        Ok(AsOfView {
            at,
            standing: StandingView::of(system.clone(), environment, found.standing),
            places,
        })
    }

    /// The proof of a record of this node's log, if it is under a checkpoint.
    pub(super) async fn proof_text(&self, place: &Place) -> Option<String> {
        if place.node != self.name || self.journal.audit().is_none() {
            return None;
        }
        let (root, sequence) = (self.data().to_owned(), place.sequence);
        let proving = tokio::task::spawn_blocking(move || prove(&root, sequence));
        let proof = proving.await.ok()?.ok()?;
        Some(proof.to_string())
    }

    async fn read_files(&self) -> Result<Arc<plimsoll_spec::Workspace>, ApiError> {
        let global = self.global.clone();
        let loading = tokio::task::spawn_blocking(move || crate::workspace::load_again(&global));
        let loaded = loading
            .await
            .map_err(|error| ApiError::of(Code::Internal, error.to_string()))?;
        let workspace = loaded.map_err(|problems| {
            ApiError::workspace_unusable(problems.to_string())
                .hint("`plimsoll check` prints every problem with its place")
        })?;
        Ok(Arc::new(workspace))
    }
}

fn release_error(error: ReleaseError) -> ApiError {
    let message = plimsoll_control::table::printable(&error.to_string());
    match error {
        ReleaseError::NoSystem(name) => ApiError::no_system(name.as_str()),
        ReleaseError::NoRelease(_) => ApiError::no_release(message),
        ReleaseError::Renamed { .. } | ReleaseError::Changed(_) | ReleaseError::Missing(_) => {
            ApiError::bundle_unfit(message)
        }
        ReleaseError::Blobs(_) => ApiError::of(Code::RecordUnavailable, message),
        ReleaseError::Record(error) => not_recorded(&error),
    }
}

fn deploy_error(error: DeployError, release: &str) -> ApiError {
    match &error {
        DeployError::NoSystem(name) => ApiError::no_system(name.as_str()),
        DeployError::NoRelease(_) => ApiError::no_release(error.to_string()),
        DeployError::Approvals { .. } => {
            let hint = format!(
                "`plimsoll release approve {release}` by somebody else, or `--break-glass` in an emergency"
            );
            ApiError::deployment_refused(error.to_string()).hint(hint)
        }
        DeployError::Held(_) => {
            let hint = "`plimsoll monitor list` shows the alarm; roll back, or `--break-glass` in an emergency";
            ApiError::deployment_refused(error.to_string()).hint(hint)
        }
        DeployError::Blobs(_) | DeployError::Record(_) => {
            ApiError::of(Code::RecordUnavailable, error.to_string())
        }
        _ => ApiError::deployment_refused(error.to_string()),
    }
}
