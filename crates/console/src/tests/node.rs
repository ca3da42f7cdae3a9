//! A node that notes what it was asked, and has next to nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use plimsoll_control::bar::Report;
use plimsoll_control::watch::MonitorView;
use plimsoll_core::access::DataClass;
use plimsoll_core::account::AccountChange;
use plimsoll_core::decision::Payload;
use plimsoll_core::deployment::Halt;
use plimsoll_core::governance::{
    Access, Approval, DeploymentReview, HoldEvent, Refusal, Verification,
};
use plimsoll_core::monitor::Alarm;
use plimsoll_core::record::{Deployment, Drill, ReleaseRecord, RunbookRun};
use plimsoll_core::review::Review;
use plimsoll_core::{
    Code, Decision, DecisionId, Digest, EnvironmentName, EventId, FailureKind, KeyName, ReleaseId,
    Stakes, SystemName, Tenancy, TenantName, Timestamp,
};
use plimsoll_guard::access_policy::AccessPolicies;
use plimsoll_spec::{ApprovalRule, Role};
use plimsoll_store::{AccessEntry, AccessFilter, DecisionFilter, LabelFilter, StoredLabel};
use serde_json::{Value, json};

use crate::operations::Answer;
use crate::*;

/// What it was asked, and the little that it has.
#[derive(Default)]
pub(super) struct Noting {
    pub(super) asked: Mutex<Vec<String>>,
    pub(super) decision: Option<Decision>,
    /// A decision of which nothing is known.
    pub(super) unknown: Option<DecisionId>,
    pub(super) review: Option<Review>,
    pub(super) payload: Option<Payload>,
    pub(super) keys: Vec<KeyView>,
    /// Whether the journal takes up nothing.
    pub(super) is_full: bool,
    /// The approvals that were given, by whom and in which role.
    pub(super) approved: Vec<(&'static str, Role)>,
    /// What holds beside what always does.
    pub(super) policies: Arc<AccessPolicies>,
    pub(super) data_class: DataClass,
    /// What policies refused.
    pub(super) refused: Mutex<Vec<Refusal>>,
    pub(super) systems: Vec<SystemSummary>,
    pub(super) silence: Option<SilenceView>,
    pub(super) hold: Option<HoldEvent>,
    pub(super) deployment: Option<Deployment>,
    /// Who made the one release, if there is one to be told.
    pub(super) release: Option<ReleaseRecord>,
    /// Whether it has no such decision, rather than no database.
    pub(super) knows_nothing: bool,
    /// Without a permit of it, what happens to accounts is not on disk yet.
    pub(super) disk: Option<Arc<tokio::sync::Semaphore>>,
}

/// Who made the one release.
pub(super) const AUTHOR: &str = "ada";

impl Noting {
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn note<T: Send + 'static>(&self, what: String, answer: Result<T, ApiError>) -> Answer<'_, T> {
        self.asked.lock().unwrap().push(what);
        Box::pin(async move { answer })
    }

    fn approvals_of(&self) -> Approvals {
        let release = ReleaseId(Digest::of(b"release"));
        let (system, environment) = (
            SystemName::new("x").unwrap(),
            EnvironmentName::new("production").unwrap(),
        );
        let given = |(actor, role): &(&str, Role)| Approval {
            id: EventId::new(Timestamp::from_micros(1)),
            system: system.clone(),
            environment: environment.clone(),
            release,
            actor: (*actor).to_owned(),
            role: role.to_string(),
            note: None,
            at: Timestamp::from_micros(1),
        };
        Approvals {
            release,
            given: self.approved.iter().map(given).collect(),
            author: AUTHOR.to_owned(),
            rule: ApprovalRule {
                count: 1,
                role: Role::Approver,
            },
            system,
            environment,
        }
    }
}

pub(super) fn nothing<T>() -> Result<T, ApiError> {
    Err(ApiError::of(Code::StoreUnavailable, "nothing here"))
}

fn some<T>(what: Option<&T>) -> Result<T, ApiError>
where
    T: Clone,
{
    what.cloned().map_or_else(nothing, Ok)
}

impl Operations for Noting {
    fn readiness(&self) -> Readiness {
        Readiness {
            ready: false,
            detail: json!({"why": "test"}),
        }
    }
    fn metrics(&self) -> String {
        "# EOF\n".into()
    }
    fn reload<'a>(&'a self, _permit: &'a Permit) -> Answer<'a, Value> {
        self.note("reload".into(), Ok(json!({"changed": []})))
    }
    fn grounds(&self) -> Grounds {
        Grounds {
            policies: Arc::clone(&self.policies),
            environment: EnvironmentName::new("production").unwrap(),
            now: Timestamp::from_micros(2),
        }
    }
    fn facts(&self, system: &SystemName) -> Option<(Stakes, DataClass)> {
        (system.as_str() == "x").then_some((Stakes::High, self.data_class))
    }
    fn record_account(
        &self,
        (account, change, _): (Option<String>, AccountChange, Option<String>),
        actor: String,
    ) -> Answer<'_, ()> {
        let account = account.unwrap_or_else(|| "nobody".into());
        let noted = self.note(format!("account {account} {change:?} by {actor}"), Ok(()));
        let disk = self.disk.clone();
        Box::pin(async move {
            if let Some(disk) = disk {
                disk.acquire().await.unwrap().forget();
            }
            noted.await
        })
    }
    fn keep_accounts<'a>(&'a self, accounts: Vec<Account>, _permit: &'a Permit) -> Answer<'a, ()> {
        self.note(format!("keep {} accounts", accounts.len()), Ok(()))
    }
    fn record_refusal(&self, refusal: Refusal) -> Answer<'_, ()> {
        self.refused.lock().unwrap().push(refusal);
        Box::pin(async move { Ok(()) })
    }
    fn systems(&self) -> Vec<SystemSummary> {
        self.systems.clone()
    }
    fn bar<'a>(&'a self, system: &'a SystemName) -> Answer<'a, Report> {
        let none = Err(ApiError::no_system(system.as_str()));
        self.note(format!("bar {system}"), none)
    }
    fn drill<'a>(
        &'a self,
        system: &'a SystemName,
        kind: Option<FailureKind>,
        permit: &'a Permit,
    ) -> Answer<'a, Vec<Drill>> {
        let actor = permit.actor();
        self.note(format!("drill {system} {kind:?} {actor}"), Ok(Vec::new()))
    }
    fn ask_for_eval<'a>(
        &'a self,
        system: &'a SystemName,
        question: EvalQuestion,
        _permit: &'a Permit,
    ) -> Answer<'a, EvalAnswer> {
        self.note(format!("ask {system} for {}", question.run), nothing())
    }
    fn eval_runs<'a>(
        &'a self,
        system: &'a SystemName,
        limit: u32,
    ) -> Answer<'a, Vec<plimsoll_core::eval::EvalRun>> {
        self.note(format!("evals {system} {limit}"), nothing())
    }
    fn record_eval<'a>(
        &'a self,
        run: plimsoll_core::eval::EvalRun,
        permit: &'a Permit,
    ) -> Answer<'a, plimsoll_core::eval::EvalRun> {
        let actor = permit.actor();
        self.note(format!("eval {} {actor}", run.system), nothing())
    }
    fn datasets<'a>(
        &'a self,
        system: &'a SystemName,
        limit: u32,
    ) -> Answer<'a, Vec<plimsoll_core::dataset::DatasetExport>> {
        self.note(format!("datasets {system} {limit}"), nothing())
    }
    fn record_dataset<'a>(
        &'a self,
        export: plimsoll_core::dataset::DatasetExport,
        permit: &'a Permit,
    ) -> Answer<'a, plimsoll_core::dataset::DatasetExport> {
        let actor = permit.actor();
        self.note(format!("dataset {} {actor}", export.system), nothing())
    }
    fn runbook<'a>(&'a self, system: &'a SystemName) -> Answer<'a, RunbookView> {
        self.note(format!("runbook {system}"), nothing())
    }
    fn record_runbook_run<'a>(
        &'a self,
        system: &'a SystemName,
        run: RunbookRunRequest,
        permit: &'a Permit,
    ) -> Answer<'a, RunbookRun> {
        let actor = permit.actor();
        let what = format!("run {system} {} {actor}", run.steps.len());
        self.note(what, nothing())
    }
    fn standing<'a>(&'a self, system: &'a SystemName) -> Answer<'a, StandingView> {
        self.note(format!("standing {system}"), nothing())
    }
    fn as_of<'a>(
        &'a self,
        system: &'a SystemName,
        environment: Option<&'a EnvironmentName>,
        at: Timestamp,
    ) -> Answer<'a, AsOfView> {
        let environment = environment.map_or("here", EnvironmentName::as_str);
        self.note(format!("as of {system} {environment} {at}"), nothing())
    }
    fn deploy<'a>(
        &'a self,
        system: &'a SystemName,
        request: DeploymentRequest,
        permit: &'a Permit,
    ) -> Answer<'a, Deployment> {
        let actor = permit.actor();
        let (release, slot) = (request.release, request.slot);
        self.note(
            format!("deploy {system} {release} {slot:?} {actor}"),
            nothing(),
        )
    }
    fn roll_back<'a>(
        &'a self,
        system: &'a SystemName,
        request: RollbackRequest,
        permit: &'a Permit,
    ) -> Answer<'a, Deployment> {
        let actor = permit.actor();
        let what = format!("roll back {system} {:?} {actor}", request.to);
        self.note(what, nothing())
    }
    fn intervene<'a>(
        &'a self,
        system: &'a SystemName,
        to: Halt,
        reason: String,
        permit: &'a Permit,
    ) -> Answer<'a, Deployment> {
        let actor = permit.actor();
        let what = format!("{} {system} {actor}: {reason}", to.as_str());
        self.note(what, nothing())
    }
    fn deployment<'a>(&'a self, id: &'a str) -> Answer<'a, Deployment> {
        self.note(format!("deployment {id}"), some(self.deployment.as_ref()))
    }
    fn review_deployment<'a>(
        &'a self,
        id: &'a str,
        request: DeploymentReviewRequest,
        permit: &'a Permit,
    ) -> Answer<'a, DeploymentReview> {
        let actor = permit.actor();
        let what = format!("review deployment {id} {} {actor}", request.justified);
        self.note(what, nothing())
    }
    fn monitors<'a>(&'a self, system: Option<&'a SystemName>) -> Answer<'a, Vec<MonitorView>> {
        self.note(format!("monitors {system:?}"), Ok(Vec::new()))
    }
    fn alarms<'a>(&'a self, system: Option<&'a SystemName>, limit: u32) -> Answer<'a, Vec<Alarm>> {
        self.note(format!("alarms {system:?} {limit}"), Ok(Vec::new()))
    }
    fn receivers(&self) -> Answer<'_, Vec<ReceiverView>> {
        self.note("receivers".into(), Ok(Vec::new()))
    }
    fn test_receiver<'a>(&'a self, receiver: &'a str, permit: &'a Permit) -> Answer<'a, ()> {
        let actor = permit.actor();
        self.note(format!("test {receiver} {actor}"), nothing())
    }
    fn silences(&self) -> Answer<'_, Vec<SilenceView>> {
        let silences = self.silence.iter().cloned().collect();
        self.note("silences".into(), Ok(silences))
    }
    fn silence<'a>(
        &'a self,
        request: SilenceRequest,
        permit: &'a Permit,
    ) -> Answer<'a, SilenceView> {
        let actor = permit.actor();
        self.note(format!("silence {} {actor}", request.seconds), nothing())
    }
    fn lift_silence<'a>(&'a self, id: &'a str, permit: &'a Permit) -> Answer<'a, SilenceView> {
        let actor = permit.actor();
        self.note(format!("lift silence {id} {actor}"), nothing())
    }
    fn labels<'a>(
        &'a self,
        tenancy: &'a Tenancy,
        filter: LabelFilter,
    ) -> Answer<'a, Vec<StoredLabel>> {
        let what = format!("labels of {tenancy} {}", filter.waiting);
        self.note(what, Ok(Vec::new()))
    }
    fn record_labels<'a>(
        &'a self,
        tenancy: &'a Tenancy,
        request: LabelsRequest,
        permit: &'a Permit,
    ) -> Answer<'a, LabelsReport> {
        let actor = permit.actor();
        let what = format!("label {} of {tenancy} {actor}", request.labels.len());
        self.note(what, nothing())
    }
    fn releases<'a>(&'a self, system: Option<&'a SystemName>) -> Answer<'a, Vec<ReleaseRecord>> {
        self.note(format!("releases {system:?}"), Ok(Vec::new()))
    }
    fn release<'a>(&'a self, id: &'a str) -> Answer<'a, ReleaseRecord> {
        self.note(format!("release {id}"), some(self.release.as_ref()))
    }
    fn make_release<'a>(
        &'a self,
        system: &'a SystemName,
        note: String,
        author: &'a str,
        _permit: &'a Permit,
    ) -> Answer<'a, ReleaseRecord> {
        self.note(format!("make {system} {author}: {note}"), nothing())
    }
    fn export_release<'a>(&'a self, id: &'a str) -> Answer<'a, ReleaseBundle> {
        self.note(format!("export {id}"), nothing())
    }
    fn import_release<'a>(
        &'a self,
        bundle: ReleaseBundle,
        permit: &'a Permit,
    ) -> Answer<'a, ReleaseRecord> {
        let actor = permit.actor();
        let what = format!("import {} parts {actor}", bundle.blobs.len());
        self.note(what, Ok(bundle.release))
    }
    fn approvals<'a>(&'a self, id: &'a str) -> Answer<'a, Approvals> {
        self.note(format!("approvals {id}"), Ok(self.approvals_of()))
    }
    fn approve<'a>(
        &'a self,
        release: ReleaseId,
        role: Role,
        _note: Option<String>,
        permit: &'a Permit,
    ) -> Answer<'a, Approval> {
        let what = format!("approve {} {role} {}", release.short(), permit.actor());
        self.note(what, nothing())
    }
    fn tenants<'a>(&'a self, tenancy: &'a Tenancy) -> Answer<'a, Vec<TenantView>> {
        self.note(format!("tenants of {tenancy}"), Ok(Vec::new()))
    }
    fn make_tenant<'a>(
        &'a self,
        request: TenantRequest,
        permit: &'a Permit,
    ) -> Answer<'a, TenantView> {
        let actor = permit.actor();
        self.note(format!("make tenant {} {actor}", request.tenant), nothing())
    }
    fn keys<'a>(&'a self, tenancy: &'a Tenancy) -> Answer<'a, Vec<KeyView>> {
        self.note(format!("keys of {tenancy}"), Ok(self.keys.clone()))
    }
    fn give_key<'a>(
        &'a self,
        tenant: &'a TenantName,
        request: KeyRequest,
        permit: &'a Permit,
    ) -> Answer<'a, GivenKey> {
        let actor = permit.actor();
        let what = format!("give {tenant}/{} {actor}", request.name);
        self.note(what, nothing())
    }
    fn rotate_key<'a>(
        &'a self,
        tenant: &'a TenantName,
        key: &'a KeyName,
        request: RotationRequest,
        permit: &'a Permit,
    ) -> Answer<'a, GivenKey> {
        let actor = permit.actor();
        let overlap = request.overlap_seconds;
        let what = format!("rotate {tenant}/{key} overlap {overlap} {actor}");
        self.note(what, nothing())
    }
    fn revoke_key<'a>(
        &'a self,
        tenant: &'a TenantName,
        key: &'a KeyName,
        reason: String,
        permit: &'a Permit,
    ) -> Answer<'a, KeyView> {
        let actor = permit.actor();
        let what = format!("revoke {tenant}/{key} {actor}: {reason}");
        self.note(what, nothing())
    }
    fn decisions<'a>(
        &'a self,
        tenancy: &'a Tenancy,
        filter: DecisionFilter,
    ) -> Answer<'a, Vec<Decision>> {
        let what = format!("decisions of {tenancy} {filter:?}");
        self.note(what, Ok(Vec::new()))
    }
    fn decision<'a>(&'a self, tenancy: &'a Tenancy, id: &'a str) -> Answer<'a, Decision> {
        let theirs = |decision: &&Decision| tenancy.covers(&decision.tenant);
        let decision = self.decision.as_ref().filter(theirs);
        if self.knows_nothing {
            let unknown = ApiError::of(Code::DecisionNotFound, "no such decision");
            return self.note(format!("decision {id} of {tenancy}"), Err(unknown));
        }
        self.note(format!("decision {id} of {tenancy}"), some(decision))
    }
    fn reviews<'a>(
        &'a self,
        tenancy: &'a Tenancy,
        filter: ReviewFilter,
    ) -> Answer<'a, Vec<Review>> {
        let theirs = |review: &&Review| tenancy.covers(&review.decision.tenant);
        let reviews = self.review.iter().filter(theirs).cloned().collect();
        self.note(format!("reviews of {tenancy} {filter:?}"), Ok(reviews))
    }
    fn review<'a>(&'a self, tenancy: &'a Tenancy, id: &'a str) -> Answer<'a, Review> {
        let theirs = |review: &&Review| tenancy.covers(&review.decision.tenant);
        let review = self.review.as_ref().filter(theirs);
        self.note(format!("review {id} of {tenancy}"), some(review))
    }
    fn answer_review<'a>(
        &'a self,
        tenancy: &'a Tenancy,
        id: &'a str,
        answer: ReviewAnswer,
        permit: &'a Permit,
    ) -> Answer<'a, Decision> {
        let actor = permit.actor();
        let answer = answer.answer;
        self.note(
            format!("answer {id} of {tenancy} {answer} {actor}"),
            nothing(),
        )
    }
    fn record_access<'a>(
        &'a self,
        access: AccessRequest,
        permit: &'a Permit,
    ) -> Answer<'a, Access> {
        let actor = permit.actor();
        let AccessRequest {
            decision,
            tenant,
            purpose,
            through,
        } = access;
        let because = permit.because().to_owned();
        let what = format!("access {through} {actor}: {purpose}");
        if self.is_full {
            let full = ApiError::of(Code::RecordUnavailable, "the disk is full");
            return self.note(what, Err(full));
        }
        let at = Timestamp::from_micros(2);
        let access = Access {
            id: EventId::new(at),
            decision,
            tenant,
            actor: actor.to_owned(),
            purpose,
            through: through.to_owned(),
            because: Some(because),
            at,
        };
        self.note(what, Ok(access))
    }
    fn payload<'a>(&'a self, decision: &'a Decision, _permit: &'a Permit) -> Answer<'a, Payload> {
        let gone = || Err(ApiError::of(Code::PayloadGone, "it was erased"));
        let payload = self.payload.clone().map_or_else(gone, Ok);
        self.note(format!("payload {}", decision.id), payload)
    }
    fn audit_status(&self) -> Answer<'_, AuditStatus> {
        self.note("audit status".into(), nothing())
    }
    fn checkpoint<'a>(
        &'a self,
        leaves: Option<u64>,
        _permit: &'a Permit,
    ) -> Answer<'a, SignedCheckpoint> {
        self.note(format!("checkpoint {leaves:?}"), nothing())
    }
    fn proof<'a>(&'a self, tenancy: &'a Tenancy, id: &'a str) -> Answer<'a, DecisionProof> {
        self.note(format!("proof {id} of {tenancy}"), nothing())
    }
    fn accesses<'a>(
        &'a self,
        tenancy: &'a Tenancy,
        filter: AccessFilter,
    ) -> Answer<'a, Vec<AccessEntry>> {
        let what = format!("accesses of {tenancy} {filter:?}");
        self.note(what, Ok(Vec::new()))
    }
    fn erasable<'a>(
        &'a self,
        request: &'a ErasureRequest,
    ) -> Answer<'a, Vec<(DecisionId, Option<Decision>)>> {
        let known = self.decision.iter().map(|known| (known.id, Some(known)));
        let unknown = self.unknown.iter().map(|id| (*id, None));
        let decisions = known.chain(unknown);
        let decisions = decisions.map(|(id, known)| (id, known.cloned())).collect();
        self.note(format!("erasable {}", request.basis), Ok(decisions))
    }
    fn erase<'a>(
        &'a self,
        request: ErasureRequest,
        _permitted: &'a BTreeSet<DecisionId>,
        permit: &'a Permit,
    ) -> Answer<'a, ErasureReport> {
        let actor = permit.actor();
        let what = format!("erase {} dry {} {actor}", request.basis, request.dry_run);
        self.note(what, nothing())
    }
    fn holds(&self) -> Answer<'_, Vec<HoldEvent>> {
        self.note("holds".into(), Ok(self.hold.iter().cloned().collect()))
    }
    fn hold<'a>(&'a self, request: HoldRequest, permit: &'a Permit) -> Answer<'a, HoldEvent> {
        let actor = permit.actor();
        let what = format!("hold {:?} {} {actor}", request.kind, request.reason);
        self.note(what, nothing())
    }
    fn lift_hold<'a>(
        &'a self,
        id: &'a str,
        reason: String,
        permit: &'a Permit,
    ) -> Answer<'a, HoldEvent> {
        let actor = permit.actor();
        self.note(format!("lift {id} {actor}: {reason}"), nothing())
    }
    fn record_verification<'a>(
        &'a self,
        request: VerificationRequest,
        permit: &'a Permit,
    ) -> Answer<'a, Verification> {
        let actor = permit.actor();
        let what = format!(
            "verified {} faults {} {actor}",
            request.size, request.faults
        );
        self.note(what, nothing())
    }
}
