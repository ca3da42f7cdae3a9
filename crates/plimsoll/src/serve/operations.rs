//! The console's [`Operations`] over a running node, in the order of the table of routes.

use std::collections::BTreeSet;
use std::sync::Arc;

use plimsoll_console::{
    AccessRequest, Account, Answer, ApiError, Approvals, AsOfView, AuditStatus, DecisionProof,
    DeploymentRequest, DeploymentReviewRequest, ErasureReport, ErasureRequest, EvalAnswer,
    EvalQuestion, GivenKey, Grounds, HoldRequest, KeyRequest, KeyView, LabelsReport, LabelsRequest,
    Operations, Permit, Readiness, ReleaseBundle, ReviewAnswer, ReviewFilter, RollbackRequest,
    RotationRequest, RunbookRunRequest, RunbookView, SignedCheckpoint, StandingView, SystemSummary,
    TenantRequest, TenantView, VerificationRequest,
};
use plimsoll_console::{ReceiverView, SilenceRequest, SilenceView};
use plimsoll_control::bar::Report;
use plimsoll_control::watch::MonitorView;
use plimsoll_core::access::DataClass;
use plimsoll_core::account::{AccountChange, AccountEvent};
use plimsoll_core::dataset::DatasetExport;
use plimsoll_core::decision::Payload;
use plimsoll_core::deployment::Halt;
use plimsoll_core::eval::EvalRun;
use plimsoll_core::governance::{
    Access, Approval, DeploymentReview, HoldEvent, Refusal, Verification,
};
use plimsoll_core::monitor::Alarm;
use plimsoll_core::record::{Deployment, Drill, Record, ReleaseRecord, RunbookRun};
use plimsoll_core::review::Review;
use plimsoll_core::{
    Code, Decision, DecisionId, EnvironmentName, EventId, FailureKind, KeyName, ReleaseId, Stakes,
    SystemName, Tenancy, TenantName, Timestamp,
};
use plimsoll_gateway::SystemStatus;
use plimsoll_spec::Role;
use plimsoll_store::{AccessEntry, AccessFilter, DecisionFilter, LabelFilter, StoredLabel};
use serde_json::Value;

use crate::serve::live_node::{LiveNode, view};
use crate::serve::scheduling::Owner;

impl Operations for LiveNode {
    fn readiness(&self) -> Readiness {
        let readiness = self.node.readiness();
        Readiness {
            ready: readiness.ready,
            detail: readiness.detail,
        }
    }

    fn metrics(&self) -> String {
        self.node.metrics()
    }

    fn systems(&self) -> Vec<SystemSummary> {
        let summary = |status: SystemStatus| SystemSummary {
            name: status.system.name.clone(),
            purpose: status.system.purpose.clone(),
            stakes: status.system.stakes,
            unit: status.system.unit.clone(),
            team: status.system.owner.team.clone(),
            environment: status.deployment.environment.clone(),
            release: status.deployment.release,
            deployed_at: status.deployment.at,
            pending_release: status.pending,
            broken: status.broken,
        };
        self.node.systems().into_iter().map(summary).collect()
    }

    fn bar<'a>(&'a self, system: &'a SystemName) -> Answer<'a, Report> {
        Box::pin(self.judge(system))
    }

    fn tenants<'a>(&'a self, tenancy: &'a Tenancy) -> Answer<'a, Vec<TenantView>> {
        Box::pin(async move { Ok(self.known_tenants(tenancy).await) })
    }

    fn make_tenant<'a>(
        &'a self,
        request: TenantRequest,
        permit: &'a Permit,
    ) -> Answer<'a, TenantView> {
        Box::pin(self.make_one(request, permit.actor()))
    }

    fn keys<'a>(&'a self, tenancy: &'a Tenancy) -> Answer<'a, Vec<KeyView>> {
        Box::pin(async move { Ok(self.known_keys(tenancy).await) })
    }

    fn give_key<'a>(
        &'a self,
        tenant: &'a TenantName,
        request: KeyRequest,
        permit: &'a Permit,
    ) -> Answer<'a, GivenKey> {
        Box::pin(self.give(tenant, request, permit.actor()))
    }

    fn rotate_key<'a>(
        &'a self,
        tenant: &'a TenantName,
        key: &'a KeyName,
        request: RotationRequest,
        permit: &'a Permit,
    ) -> Answer<'a, GivenKey> {
        Box::pin(self.rotate(tenant, key, request, permit.actor()))
    }

    fn revoke_key<'a>(
        &'a self,
        tenant: &'a TenantName,
        key: &'a KeyName,
        reason: String,
        permit: &'a Permit,
    ) -> Answer<'a, KeyView> {
        Box::pin(self.revoke(tenant, key, reason, permit.actor()))
    }

    fn decisions<'a>(
        &'a self,
        tenancy: &'a Tenancy,
        mut filter: DecisionFilter,
    ) -> Answer<'a, Vec<Decision>> {
        filter.tenant = tenancy.tenant().cloned();
        Box::pin(async move { Ok(self.store.decisions(&filter).await?) })
    }

    fn decision<'a>(&'a self, tenancy: &'a Tenancy, id: &'a str) -> Answer<'a, Decision> {
        let tenant = tenancy.tenant();
        Box::pin(async move { Ok(self.decision_of(tenant, id).await?) })
    }

    fn reviews<'a>(
        &'a self,
        tenancy: &'a Tenancy,
        filter: ReviewFilter,
    ) -> Answer<'a, Vec<Review>> {
        Box::pin(self.open_reviews(tenancy, filter))
    }

    fn review<'a>(&'a self, tenancy: &'a Tenancy, id: &'a str) -> Answer<'a, Review> {
        let tenant = tenancy.tenant();
        Box::pin(async move { Ok(self.store.review_by_prefix(tenant, id).await?) })
    }

    fn answer_review<'a>(
        &'a self,
        tenancy: &'a Tenancy,
        id: &'a str,
        answer: ReviewAnswer,
        permit: &'a Permit,
    ) -> Answer<'a, Decision> {
        Box::pin(self.answer(tenancy, id, answer, permit.actor()))
    }

    fn drill<'a>(
        &'a self,
        system: &'a SystemName,
        kind: Option<FailureKind>,
        permit: &'a Permit,
    ) -> Answer<'a, Vec<Drill>> {
        Box::pin(self.drill_kinds(system, kind, permit.actor()))
    }

    fn ask_for_eval<'a>(
        &'a self,
        system: &'a SystemName,
        question: EvalQuestion,
        _permit: &'a Permit,
    ) -> Answer<'a, EvalAnswer> {
        Box::pin(async move { self.ask_case(system, question, &Owner::nobody()).await })
    }

    fn eval_runs<'a>(&'a self, system: &'a SystemName, limit: u32) -> Answer<'a, Vec<EvalRun>> {
        Box::pin(self.runs_of_evals(system, limit))
    }

    fn record_eval<'a>(&'a self, run: EvalRun, permit: &'a Permit) -> Answer<'a, EvalRun> {
        Box::pin(self.keep_eval(run, permit.actor()))
    }

    fn datasets<'a>(
        &'a self,
        system: &'a SystemName,
        limit: u32,
    ) -> Answer<'a, Vec<DatasetExport>> {
        Box::pin(self.sets_taken_out(system, limit))
    }

    fn record_dataset<'a>(
        &'a self,
        export: DatasetExport,
        permit: &'a Permit,
    ) -> Answer<'a, DatasetExport> {
        Box::pin(self.keep_dataset(export, permit.actor()))
    }

    fn runbook<'a>(&'a self, system: &'a SystemName) -> Answer<'a, RunbookView> {
        Box::pin(async move { self.runbook_text(system).map(|text| view(&text)) })
    }

    fn record_runbook_run<'a>(
        &'a self,
        system: &'a SystemName,
        run: RunbookRunRequest,
        permit: &'a Permit,
    ) -> Answer<'a, RunbookRun> {
        Box::pin(self.keep_run(system, run, permit.actor()))
    }

    fn releases<'a>(&'a self, system: Option<&'a SystemName>) -> Answer<'a, Vec<ReleaseRecord>> {
        Box::pin(self.all_releases(system))
    }

    fn release<'a>(&'a self, id: &'a str) -> Answer<'a, ReleaseRecord> {
        Box::pin(async move { Ok(self.release_of(id).await?) })
    }

    fn deploy<'a>(
        &'a self,
        system: &'a SystemName,
        request: DeploymentRequest,
        permit: &'a Permit,
    ) -> Answer<'a, Deployment> {
        Box::pin(self.point(system, request, permit.actor()))
    }

    fn standing<'a>(&'a self, system: &'a SystemName) -> Answer<'a, StandingView> {
        Box::pin(async move { self.standing_now(system) })
    }

    fn as_of<'a>(
        &'a self,
        system: &'a SystemName,
        environment: Option<&'a EnvironmentName>,
        at: Timestamp,
    ) -> Answer<'a, AsOfView> {
        Box::pin(self.stood(system, environment, at))
    }

    fn roll_back<'a>(
        &'a self,
        system: &'a SystemName,
        request: RollbackRequest,
        permit: &'a Permit,
    ) -> Answer<'a, Deployment> {
        Box::pin(self.point_back(system, request, permit.actor()))
    }

    fn intervene<'a>(
        &'a self,
        system: &'a SystemName,
        to: Halt,
        reason: String,
        permit: &'a Permit,
    ) -> Answer<'a, Deployment> {
        Box::pin(self.step_in(system, to, reason, permit.actor()))
    }

    fn deployment<'a>(&'a self, id: &'a str) -> Answer<'a, Deployment> {
        Box::pin(async move { Ok(self.store.deployment_by_prefix(id).await?) })
    }

    fn review_deployment<'a>(
        &'a self,
        id: &'a str,
        request: DeploymentReviewRequest,
        permit: &'a Permit,
    ) -> Answer<'a, DeploymentReview> {
        Box::pin(self.review_of_deployment(id, request, permit.actor()))
    }

    fn make_release<'a>(
        &'a self,
        system: &'a SystemName,
        note: String,
        author: &'a str,
        _permit: &'a Permit,
    ) -> Answer<'a, ReleaseRecord> {
        Box::pin(self.made_release(system, note, author))
    }

    fn export_release<'a>(&'a self, id: &'a str) -> Answer<'a, ReleaseBundle> {
        Box::pin(self.export(id))
    }

    fn import_release<'a>(
        &'a self,
        bundle: ReleaseBundle,
        permit: &'a Permit,
    ) -> Answer<'a, ReleaseRecord> {
        Box::pin(self.import(bundle, permit.actor()))
    }

    fn approvals<'a>(&'a self, id: &'a str) -> Answer<'a, Approvals> {
        Box::pin(self.approvals_of(id))
    }

    fn approve<'a>(
        &'a self,
        release: ReleaseId,
        role: Role,
        note: Option<String>,
        permit: &'a Permit,
    ) -> Answer<'a, Approval> {
        Box::pin(self.note_approval(release, role, note, permit.who()))
    }

    fn monitors<'a>(&'a self, system: Option<&'a SystemName>) -> Answer<'a, Vec<MonitorView>> {
        let views = self.monitors.views(system, self.clock.now());
        Box::pin(async move { Ok(views) })
    }

    fn alarms<'a>(&'a self, system: Option<&'a SystemName>, limit: u32) -> Answer<'a, Vec<Alarm>> {
        Box::pin(async move { Ok(self.store.alarms(system, limit).await?) })
    }

    fn receivers(&self) -> Answer<'_, Vec<ReceiverView>> {
        let receivers = self.known_receivers();
        Box::pin(async move { Ok(receivers) })
    }

    fn test_receiver<'a>(&'a self, receiver: &'a str, permit: &'a Permit) -> Answer<'a, ()> {
        Box::pin(self.try_receiver(receiver, permit.actor()))
    }

    fn silences(&self) -> Answer<'_, Vec<SilenceView>> {
        Box::pin(async move { Ok(self.known_silences().await) })
    }

    fn silence<'a>(
        &'a self,
        request: SilenceRequest,
        permit: &'a Permit,
    ) -> Answer<'a, SilenceView> {
        Box::pin(self.hold_back(request, permit.actor()))
    }

    fn lift_silence<'a>(&'a self, id: &'a str, permit: &'a Permit) -> Answer<'a, SilenceView> {
        Box::pin(self.end_silence(id, permit.actor()))
    }

    fn labels<'a>(
        &'a self,
        tenancy: &'a Tenancy,
        mut filter: LabelFilter,
    ) -> Answer<'a, Vec<StoredLabel>> {
        filter.tenant = tenancy.tenant().cloned();
        Box::pin(async move { Ok(self.store.labels(&filter).await?) })
    }

    fn record_labels<'a>(
        &'a self,
        tenancy: &'a Tenancy,
        request: LabelsRequest,
        permit: &'a Permit,
    ) -> Answer<'a, LabelsReport> {
        Box::pin(self.take_labels(tenancy, request, permit.actor()))
    }

    fn record_access<'a>(
        &'a self,
        access: AccessRequest,
        permit: &'a Permit,
    ) -> Answer<'a, Access> {
        Box::pin(self.note_access(access, permit))
    }

    fn payload<'a>(&'a self, decision: &'a Decision, _permit: &'a Permit) -> Answer<'a, Payload> {
        Box::pin(self.kept(decision))
    }

    fn audit_status(&self) -> Answer<'_, AuditStatus> {
        Box::pin(self.log_status())
    }

    fn checkpoint<'a>(
        &'a self,
        leaves: Option<u64>,
        _permit: &'a Permit,
    ) -> Answer<'a, SignedCheckpoint> {
        Box::pin(self.sign(leaves))
    }

    fn proof<'a>(&'a self, tenancy: &'a Tenancy, id: &'a str) -> Answer<'a, DecisionProof> {
        Box::pin(self.prove(tenancy, id))
    }

    fn accesses<'a>(
        &'a self,
        tenancy: &'a Tenancy,
        mut filter: AccessFilter,
    ) -> Answer<'a, Vec<AccessEntry>> {
        filter.tenant = tenancy.tenant().cloned();
        Box::pin(async move { Ok(self.store.accesses(&filter).await?) })
    }

    fn erasable<'a>(
        &'a self,
        request: &'a ErasureRequest,
    ) -> Answer<'a, Vec<(DecisionId, Option<Decision>)>> {
        Box::pin(self.to_be_erased(request))
    }

    fn erase<'a>(
        &'a self,
        request: ErasureRequest,
        permitted: &'a BTreeSet<DecisionId>,
        permit: &'a Permit,
    ) -> Answer<'a, ErasureReport> {
        Box::pin(self.erase_kept(request, permitted, permit.actor()))
    }

    fn holds(&self) -> Answer<'_, Vec<HoldEvent>> {
        Box::pin(async move { Ok(self.store.holds().await?) })
    }

    fn hold<'a>(&'a self, request: HoldRequest, permit: &'a Permit) -> Answer<'a, HoldEvent> {
        Box::pin(self.place_hold(request, permit.actor()))
    }

    fn lift_hold<'a>(
        &'a self,
        id: &'a str,
        reason: String,
        permit: &'a Permit,
    ) -> Answer<'a, HoldEvent> {
        Box::pin(self.lift(id, reason, permit.actor()))
    }

    fn record_verification<'a>(
        &'a self,
        request: VerificationRequest,
        permit: &'a Permit,
    ) -> Answer<'a, Verification> {
        Box::pin(self.note_verification(request, permit.actor()))
    }

    fn reload<'a>(&'a self, _permit: &'a Permit) -> Answer<'a, Value> {
        Box::pin(self.reload_now())
    }

    fn grounds(&self) -> Grounds {
        Grounds {
            policies: Arc::clone(&self.served().access),
            environment: self.started.server.environment.clone(),
            now: self.clock.now(),
        }
    }

    fn facts(&self, system: &SystemName) -> Option<(Stakes, DataClass)> {
        let served = self.served();
        let stakes = served.systems.get(system)?.stakes;
        Some((stakes, served.folders.get(system)?.data_class))
    }

    fn record_account(
        &self,
        (account, change, address): (Option<String>, AccountChange, Option<String>),
        actor: String,
    ) -> Answer<'_, ()> {
        let now = self.clock.now();
        let event = AccountEvent {
            id: EventId::new(now),
            account,
            change,
            node: self.name.clone(),
            address,
            actor,
            at: now,
        };
        Box::pin(async move {
            self.write(Record::Account(Box::new(event))).await?;
            Ok(())
        })
    }

    fn keep_accounts<'a>(&'a self, accounts: Vec<Account>, _permit: &'a Permit) -> Answer<'a, ()> {
        let file = Arc::clone(&self.people_file);
        // Here, as whoever calls lets no account change meanwhile; not when the writing begins.
        let number = file.number();
        Box::pin(async move {
            let writing = tokio::task::spawn_blocking(move || file.write(number, &accounts));
            let written = writing.await.map_err(std::io::Error::other).flatten();
            written.map_err(|error| {
                let message =
                    "the change holds until the next start: it could not be kept in `people.json`";
                tracing::error!(%error, "{message}");
                ApiError::of(Code::RecordUnavailable, format!("{message}: {error}"))
            })
        })
    }

    fn record_refusal(&self, refusal: Refusal) -> Answer<'_, ()> {
        Box::pin(async move {
            self.write(Record::Refusal(Box::new(refusal))).await?;
            Ok(())
        })
    }
}
