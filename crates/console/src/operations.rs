//! What the routes ask of a node. The binary fills it.
//!
//! The types of what is asked and answered stand in files by subject.

pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod deployments;
pub(crate) mod evals;
pub(crate) mod keys;
pub(crate) mod labels;
pub(crate) mod people;
pub(crate) mod releases;
pub(crate) mod reviews;
pub(crate) mod systems;

use std::collections::BTreeSet;

use plimsoll_control::bar::Report;
use plimsoll_control::watch::MonitorView;
use plimsoll_core::access::DataClass;
use plimsoll_core::account::AccountChange;
use plimsoll_core::dataset::DatasetExport;
use plimsoll_core::decision::Payload;
use plimsoll_core::deployment::Halt;
use plimsoll_core::eval::EvalRun;
use plimsoll_core::governance::{
    Access, Approval, DeploymentReview, HoldEvent, Refusal, Verification,
};
use plimsoll_core::monitor::Alarm;
use plimsoll_core::ports::Boxed;
use plimsoll_core::record::{Deployment, Drill, ReleaseRecord, RunbookRun};
use plimsoll_core::review::Review;
use plimsoll_core::{
    Decision, DecisionId, EnvironmentName, FailureKind, KeyName, ReleaseId, Stakes, SystemName,
    Tenancy, TenantName, Timestamp,
};
use plimsoll_spec::Role;
use plimsoll_store::{AccessEntry, AccessFilter, DecisionFilter, LabelFilter, StoredLabel};
use serde_json::Value;

use crate::error::ApiError;
use crate::people::Account;
use crate::permit::{Grounds, Permit};
use alerts::{ReceiverView, SilenceRequest, SilenceView};
use audit::{
    AccessRequest, AuditStatus, DecisionProof, ErasureReport, ErasureRequest, HoldRequest,
    SignedCheckpoint, VerificationRequest,
};
use deployments::{
    AsOfView, DeploymentRequest, DeploymentReviewRequest, RollbackRequest, StandingView,
};
use evals::{EvalAnswer, EvalQuestion};
use keys::{GivenKey, KeyRequest, KeyView, RotationRequest, TenantRequest, TenantView};
use labels::{LabelsReport, LabelsRequest};
use releases::{Approvals, ReleaseBundle};
use reviews::{ReviewAnswer, ReviewFilter};
use systems::{Readiness, RunbookRunRequest, RunbookView, SystemSummary};

/// What an operation gives.
pub type Answer<'a, T> = Boxed<'a, Result<T, ApiError>>;

/// What a node answers that does not offer an operation.
fn not_offered<'a, T: Send + 'a>(operation: &'static str) -> Answer<'a, T> {
    Box::pin(async move { Err(ApiError::not_offered(operation)) })
}

/// A node, as its operators see it. Whatever reads a payload or changes anything takes a [`Permit`], which
/// only the policies give; it says who asks, as records call them. The routes have checked the bounds of what
/// they say.
pub trait Operations: Send + Sync {
    // The node.

    /// Whether it can serve, and what stands in the way.
    fn readiness(&self) -> Readiness;

    /// Its figures, in Prometheus' text format.
    fn metrics(&self) -> String;

    /// Reads the workspace again and serves it, if it has no problems.
    fn reload<'a>(&'a self, permit: &'a Permit) -> Answer<'a, Value>;

    // Who may.

    /// What policies are decided on, now.
    fn grounds(&self) -> Grounds;

    /// How much depends on a system, and how sensitive is what it is asked; none if there is no such system.
    fn facts(&self, system: &SystemName) -> Option<(Stakes, DataClass)>;

    /// Records what happened to an account, and comes back when it is on disk: to which (none if it is
    /// nobody's), what, and from which address.
    fn record_account(
        &self,
        _event: (Option<String>, AccountChange, Option<String>),
        _actor: String,
    ) -> Answer<'_, ()> {
        not_offered("record_account")
    }

    /// Keeps the accounts for the next start.
    fn keep_accounts<'a>(&'a self, _accounts: Vec<Account>, _permit: &'a Permit) -> Answer<'a, ()> {
        not_offered("keep_accounts")
    }

    /// Records that policies refused somebody something.
    fn record_refusal(&self, _refusal: Refusal) -> Answer<'_, ()> {
        not_offered("record_refusal")
    }

    // Systems.

    /// Its systems, by name.
    fn systems(&self) -> Vec<SystemSummary>;

    /// A system held against the bar.
    fn bar<'a>(&'a self, system: &'a SystemName) -> Answer<'a, Report>;

    /// Causes failures of `kind`, or of every kind, and tells what happened.
    fn drill<'a>(
        &'a self,
        system: &'a SystemName,
        kind: Option<FailureKind>,
        permit: &'a Permit,
    ) -> Answer<'a, Vec<Drill>>;

    /// Asks a case for a run of an eval: it is answered as a caller would be, and counts in no figure.
    fn ask_for_eval<'a>(
        &'a self,
        _system: &'a SystemName,
        _question: EvalQuestion,
        _permit: &'a Permit,
    ) -> Answer<'a, EvalAnswer> {
        not_offered("ask_for_eval")
    }

    /// The runs of evals of a system, in this node's environment, the latest first.
    fn eval_runs<'a>(&'a self, _system: &'a SystemName, _limit: u32) -> Answer<'a, Vec<EvalRun>> {
        not_offered("eval_runs")
    }

    /// Records what came of a run of an eval.
    fn record_eval<'a>(&'a self, _run: EvalRun, _permit: &'a Permit) -> Answer<'a, EvalRun> {
        not_offered("record_eval")
    }

    /// The sets that were taken out of a system's decisions, in this node's environment, the latest first.
    fn datasets<'a>(
        &'a self,
        _system: &'a SystemName,
        _limit: u32,
    ) -> Answer<'a, Vec<DatasetExport>> {
        not_offered("datasets")
    }

    /// Records that a set was taken out.
    fn record_dataset<'a>(
        &'a self,
        _export: DatasetExport,
        _permit: &'a Permit,
    ) -> Answer<'a, DatasetExport> {
        not_offered("record_dataset")
    }

    /// A system's runbook.
    fn runbook<'a>(&'a self, system: &'a SystemName) -> Answer<'a, RunbookView>;

    /// Records that somebody walked through the runbook.
    fn record_runbook_run<'a>(
        &'a self,
        system: &'a SystemName,
        run: RunbookRunRequest,
        permit: &'a Permit,
    ) -> Answer<'a, RunbookRun>;

    // What stands where.

    /// What stands in a system's slots, in this node's environment.
    fn standing<'a>(&'a self, _system: &'a SystemName) -> Answer<'a, StandingView> {
        not_offered("standing")
    }

    /// What stood at `at`, in this node's environment unless another is named, and where that is written.
    fn as_of<'a>(
        &'a self,
        _system: &'a SystemName,
        _environment: Option<&'a EnvironmentName>,
        _at: Timestamp,
    ) -> Answer<'a, AsOfView> {
        not_offered("as_of")
    }

    /// Points a slot of the system at a release: never the slot `halt`.
    fn deploy<'a>(
        &'a self,
        system: &'a SystemName,
        request: DeploymentRequest,
        permit: &'a Permit,
    ) -> Answer<'a, Deployment>;

    /// Points the stable slot back.
    fn roll_back<'a>(
        &'a self,
        _system: &'a SystemName,
        _request: RollbackRequest,
        _permit: &'a Permit,
    ) -> Answer<'a, Deployment> {
        not_offered("roll_back")
    }

    /// Halts a system, puts it on its fallback, or lets it go on as usual. Needs no database.
    fn intervene<'a>(
        &'a self,
        _system: &'a SystemName,
        _to: Halt,
        _reason: String,
        _permit: &'a Permit,
    ) -> Answer<'a, Deployment> {
        not_offered("intervene")
    }

    /// The one deployment event whose id begins with `id`.
    fn deployment<'a>(&'a self, _id: &'a str) -> Answer<'a, Deployment> {
        not_offered("deployment")
    }

    /// Records what somebody says of a deployment that overrode its approvals, the one event whose id
    /// begins with `id`. Whoever made that deployment cannot.
    fn review_deployment<'a>(
        &'a self,
        _id: &'a str,
        _request: DeploymentReviewRequest,
        _permit: &'a Permit,
    ) -> Answer<'a, DeploymentReview> {
        not_offered("review_deployment")
    }

    // Releases.

    /// A system's releases, the latest first; of all systems, if none is named.
    fn releases<'a>(&'a self, system: Option<&'a SystemName>) -> Answer<'a, Vec<ReleaseRecord>>;

    /// The one release whose id begins with `id`.
    fn release<'a>(&'a self, id: &'a str) -> Answer<'a, ReleaseRecord>;

    /// Makes a release from the workspace's files as they are, and deploys nothing.
    fn make_release<'a>(
        &'a self,
        _system: &'a SystemName,
        _note: String,
        _author: &'a str,
        _permit: &'a Permit,
    ) -> Answer<'a, ReleaseRecord> {
        not_offered("make_release")
    }

    /// The one release whose id begins with `id`, with all its parts.
    fn export_release<'a>(&'a self, _id: &'a str) -> Answer<'a, ReleaseBundle> {
        not_offered("export_release")
    }

    /// Takes in a release that another installation made. Its bytes were held against their digests; a
    /// part that is missing must be kept here already. `actor` answers for it here, so that they cannot
    /// approve it: they are its author in this node's record, and who made it stands in the note.
    fn import_release<'a>(
        &'a self,
        _bundle: ReleaseBundle,
        _permit: &'a Permit,
    ) -> Answer<'a, ReleaseRecord> {
        not_offered("import_release")
    }

    /// How the one release whose id begins with `id` stands with its approvals.
    fn approvals<'a>(&'a self, _id: &'a str) -> Answer<'a, Approvals> {
        not_offered("approvals")
    }

    /// Records an approval in `role`, which `actor` has and the system asks for; they are not the
    /// release's author and have not approved it before.
    fn approve<'a>(
        &'a self,
        _release: ReleaseId,
        _role: Role,
        _note: Option<String>,
        _permit: &'a Permit,
    ) -> Answer<'a, Approval> {
        not_offered("approve")
    }

    // Tenants and keys.

    /// The tenants that `tenancy` covers, by name.
    fn tenants<'a>(&'a self, _tenancy: &'a Tenancy) -> Answer<'a, Vec<TenantView>> {
        not_offered("tenants")
    }

    /// Makes a tenant.
    fn make_tenant<'a>(
        &'a self,
        _request: TenantRequest,
        _permit: &'a Permit,
    ) -> Answer<'a, TenantView> {
        not_offered("make_tenant")
    }

    /// The keys of those whom `tenancy` covers, by tenant and name.
    fn keys<'a>(&'a self, _tenancy: &'a Tenancy) -> Answer<'a, Vec<KeyView>> {
        not_offered("keys")
    }

    /// Gives a key to a tenant. Needs no database.
    fn give_key<'a>(
        &'a self,
        _tenant: &'a TenantName,
        _request: KeyRequest,
        _permit: &'a Permit,
    ) -> Answer<'a, GivenKey> {
        not_offered("give_key")
    }

    /// Gives a key a new secret; the one before stays good for a while. Needs no database.
    fn rotate_key<'a>(
        &'a self,
        _tenant: &'a TenantName,
        _key: &'a KeyName,
        _request: RotationRequest,
        _permit: &'a Permit,
    ) -> Answer<'a, GivenKey> {
        not_offered("rotate_key")
    }

    /// Takes a key back for ever. Needs no database.
    fn revoke_key<'a>(
        &'a self,
        _tenant: &'a TenantName,
        _key: &'a KeyName,
        _reason: String,
        _permit: &'a Permit,
    ) -> Answer<'a, KeyView> {
        not_offered("revoke_key")
    }

    // Decisions and reviews. What is another tenant's is not there.

    /// The decisions that `filter` lets through, the latest first.
    fn decisions<'a>(
        &'a self,
        tenancy: &'a Tenancy,
        filter: DecisionFilter,
    ) -> Answer<'a, Vec<Decision>>;

    /// The one decision whose id begins with `id`.
    fn decision<'a>(&'a self, tenancy: &'a Tenancy, id: &'a str) -> Answer<'a, Decision>;

    /// Open reviews, the soonest due first.
    fn reviews<'a>(&'a self, tenancy: &'a Tenancy, filter: ReviewFilter)
    -> Answer<'a, Vec<Review>>;

    /// The one review whose id begins with `id`.
    fn review<'a>(&'a self, tenancy: &'a Tenancy, id: &'a str) -> Answer<'a, Review>;

    /// Answers an open review and closes its decision.
    fn answer_review<'a>(
        &'a self,
        tenancy: &'a Tenancy,
        id: &'a str,
        answer: ReviewAnswer,
        permit: &'a Permit,
    ) -> Answer<'a, Decision>;

    /// Records that a payload is about to be read, and comes back when that is on disk. The routes call it
    /// before they answer with any input or output, and answer with none if it fails.
    fn record_access<'a>(
        &'a self,
        _access: AccessRequest,
        _permit: &'a Permit,
    ) -> Answer<'a, Access> {
        not_offered("record_access")
    }

    /// What is kept of the decision's input and output; `payload_gone` if it is there no longer.
    fn payload<'a>(&'a self, _decision: &'a Decision, _permit: &'a Permit) -> Answer<'a, Payload> {
        not_offered("payload")
    }

    // Labels.

    /// The labels that `filter` lets through, the latest first.
    fn labels<'a>(
        &'a self,
        _tenancy: &'a Tenancy,
        _filter: LabelFilter,
    ) -> Answer<'a, Vec<StoredLabel>> {
        not_offered("labels")
    }

    /// Records labels about decisions that `tenancy` covers, and comes back when they are on disk.
    fn record_labels<'a>(
        &'a self,
        _tenancy: &'a Tenancy,
        _request: LabelsRequest,
        _permit: &'a Permit,
    ) -> Answer<'a, LabelsReport> {
        not_offered("record_labels")
    }

    // Monitors and alerts.

    /// How the monitors stand, of one system or of all.
    fn monitors<'a>(&'a self, _system: Option<&'a SystemName>) -> Answer<'a, Vec<MonitorView>> {
        not_offered("monitors")
    }

    /// Events of alarms, of one system or of all, the latest first.
    fn alarms<'a>(
        &'a self,
        _system: Option<&'a SystemName>,
        _limit: u32,
    ) -> Answer<'a, Vec<Alarm>> {
        not_offered("alarms")
    }

    /// Who is told of alarms.
    fn receivers(&self) -> Answer<'_, Vec<ReceiverView>> {
        not_offered("receivers")
    }

    /// Sends a receiver a test, and comes back when it took it.
    fn test_receiver<'a>(&'a self, _receiver: &'a str, _permit: &'a Permit) -> Answer<'a, ()> {
        not_offered("test_receiver")
    }

    /// The silences that stand.
    fn silences(&self) -> Answer<'_, Vec<SilenceView>> {
        not_offered("silences")
    }

    /// Holds alerts back for a while.
    fn silence<'a>(
        &'a self,
        _request: SilenceRequest,
        _permit: &'a Permit,
    ) -> Answer<'a, SilenceView> {
        not_offered("silence")
    }

    /// Ends the one silence whose id begins with `id`.
    fn lift_silence<'a>(&'a self, _id: &'a str, _permit: &'a Permit) -> Answer<'a, SilenceView> {
        not_offered("lift_silence")
    }

    // The audit log.

    /// How this node's log stands.
    fn audit_status(&self) -> Answer<'_, AuditStatus> {
        not_offered("audit_status")
    }

    /// Waits until a signed checkpoint covers `leaves` leaves, or all that are recorded now.
    fn checkpoint<'a>(
        &'a self,
        _leaves: Option<u64>,
        _permit: &'a Permit,
    ) -> Answer<'a, SignedCheckpoint> {
        not_offered("checkpoint")
    }

    /// The proof of the one decision whose id begins with `id`.
    fn proof<'a>(&'a self, _tenancy: &'a Tenancy, _id: &'a str) -> Answer<'a, DecisionProof> {
        not_offered("proof")
    }

    /// Who read payloads or was refused something by a policy, the latest first.
    fn accesses<'a>(
        &'a self,
        _tenancy: &'a Tenancy,
        _filter: AccessFilter,
    ) -> Answer<'a, Vec<AccessEntry>> {
        not_offered("accesses")
    }

    /// The decisions that an erasure is about, each with what is known of it, if anything is.
    fn erasable<'a>(
        &'a self,
        _request: &'a ErasureRequest,
    ) -> Answer<'a, Vec<(DecisionId, Option<Decision>)>> {
        not_offered("erasable")
    }

    /// Erases what is kept of those decisions that are `permitted`, or tells what would be erased; `erasure_held` if a hold covers any
    /// of it, and then nothing is.
    fn erase<'a>(
        &'a self,
        _request: ErasureRequest,
        _permitted: &'a BTreeSet<DecisionId>,
        _permit: &'a Permit,
    ) -> Answer<'a, ErasureReport> {
        not_offered("erase")
    }

    /// The holds that stand, by the events that placed them.
    fn holds(&self) -> Answer<'_, Vec<HoldEvent>> {
        not_offered("holds")
    }

    /// Places a hold.
    fn hold<'a>(&'a self, _request: HoldRequest, _permit: &'a Permit) -> Answer<'a, HoldEvent> {
        not_offered("hold")
    }

    /// Lifts the one standing hold whose id begins with `id`.
    fn lift_hold<'a>(
        &'a self,
        _id: &'a str,
        _reason: String,
        _permit: &'a Permit,
    ) -> Answer<'a, HoldEvent> {
        not_offered("lift_hold")
    }

    /// Records what somebody found who checked this node's log.
    fn record_verification<'a>(
        &'a self,
        _request: VerificationRequest,
        _permit: &'a Permit,
    ) -> Answer<'a, Verification> {
        not_offered("record_verification")
    }
}
