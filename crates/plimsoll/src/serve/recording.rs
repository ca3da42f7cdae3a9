//! What is done with a running node's records: read, proved, erased, held, checked.

use std::collections::BTreeSet;

use plimsoll_console::{
    AccessRequest, ApiError, AuditStatus, DecisionProof, ErasureReport, ErasureRequest,
    HoldRequest, Permit, SignedCheckpoint, VerificationRequest,
};
use plimsoll_core::decision::Payload;
use plimsoll_core::governance::{Access, Chosen, HoldChange, HoldEvent, Verification};
use plimsoll_core::record::Record;
use plimsoll_core::{Code, Decision, DecisionId, EventId, Tenancy};
use plimsoll_journal::PayloadFound;
use plimsoll_journal::audit::verifier_key;
use plimsoll_store::DecisionMark;

use super::erasing::{EraseError, Order};
use super::live_node::{LiveNode, not_recorded};

impl LiveNode {
    pub(super) async fn note_access(
        &self,
        request: AccessRequest,
        permit: &Permit,
    ) -> Result<Access, ApiError> {
        let now = self.clock.now();
        let access = Access {
            id: EventId::new(now),
            decision: request.decision,
            tenant: request.tenant,
            actor: permit.actor().to_owned(),
            purpose: request.purpose,
            through: request.through.to_owned(),
            because: Some(permit.because().to_owned()),
            at: now,
        };
        self.write(Record::Access(Box::new(access.clone()))).await?;
        Ok(access)
    }

    pub(super) async fn kept(&self, decision: &Decision) -> Result<Payload, ApiError> {
        let gone = |message: String| ApiError::of(Code::PayloadGone, message);
        let reference = decision.payload;
        let reference = reference.ok_or_else(|| gone("nothing was kept of the decision".into()))?;
        if let Some(erasure) = self.store.erasure_of(decision.id).await? {
            let (basis, at) = (erasure.basis, erasure.at);
            return Err(gone(format!(
                "input and output were erased at {at}: {basis}"
            )));
        }
        let (payloads, id) = (self.journal.payloads(), decision.id);
        let reading = tokio::task::spawn_blocking(move || payloads.read(id, &reference));
        let found = reading.await.map_err(internal)?;
        let found = found.map_err(|error| ApiError::of(Code::Internal, error.to_string()))?;
        match found {
            PayloadFound::Kept(bytes) => serde_json::from_slice(&bytes).map_err(internal),
            PayloadFound::Erased => Err(gone("input and output were erased".into())),
            PayloadFound::LetGo => Err(gone(
                "input and output were let go: their time was over".into(),
            )),
            PayloadFound::NotKept => Err(gone(
                "input and output are not on this node: another one may have them".into(),
            )),
        }
    }

    pub(super) async fn log_status(&self) -> Result<AuditStatus, ApiError> {
        let last_verification = self.store.last_verification(&self.name).await?;
        let node = self.name.clone();
        let Some(log) = self.journal.audit() else {
            return Ok(AuditStatus {
                enabled: false,
                node,
                origin: None,
                key: None,
                size: 0,
                root: None,
                checkpoint_at: None,
                behind: 0,
                defect: None,
                copy_failing: None,
                last_verification,
            });
        };
        let status = log.status();
        let key = verifier_key(self.data()).ok();
        Ok(AuditStatus {
            enabled: true,
            node,
            origin: key.as_ref().map(|key| key.origin().to_owned()),
            key: key.map(|key| key.to_string()),
            size: status.size,
            root: status.checkpoint_at.map(|_| status.root),
            checkpoint_at: status.checkpoint_at,
            behind: status.behind,
            defect: status.defect.or(status.failing),
            copy_failing: status.copy_failing,
            last_verification,
        })
    }

    pub(super) async fn sign(&self, leaves: Option<u64>) -> Result<SignedCheckpoint, ApiError> {
        let journal = std::sync::Arc::clone(&self.journal);
        let signing = tokio::task::spawn_blocking(move || {
            let log = journal.audit()?;
            Some(log.checkpoint(leaves.unwrap_or_else(|| journal.committed())))
        });
        let signed = signing.await.map_err(internal)?;
        let signed = signed.ok_or_else(no_log)?;
        let checkpoint = signed.map_err(|error| ApiError::audit_unavailable(error.to_string()))?;
        let origin = checkpoint.note().lines().next().unwrap_or_default();
        Ok(SignedCheckpoint {
            origin: origin.to_owned(),
            size: checkpoint.size(),
            root: checkpoint.root(),
            note: checkpoint.note().to_owned(),
        })
    }

    pub(super) async fn prove(
        &self,
        tenancy: &Tenancy,
        id: &str,
    ) -> Result<DecisionProof, ApiError> {
        let decision = self.decision_of(tenancy.tenant(), id).await?;
        let place = self.store.place(decision.id).await?;
        let unknown = || ApiError::audit_unavailable("it is not known where it is recorded");
        let place = place.ok_or_else(unknown)?;
        if place.node != self.name {
            let message = format!("it is in the log of node `{}`: ask that node", place.node);
            return Err(ApiError::audit_unavailable(message));
        }
        self.sign(Some(place.sequence + 1)).await?;
        let proof = self.proof_text(&place).await;
        let unproved = || ApiError::audit_unavailable("the record could not be proved");
        Ok(DecisionProof {
            decision: decision.id,
            proof: proof.ok_or_else(unproved)?,
            node: place.node,
            sequence: place.sequence,
        })
    }

    /// Waits until the database holds all that this node has recorded: whoever is to be forgotten is found
    /// there, and what is found too early would leave something behind.
    async fn view_is_current(&self) -> Result<(), ApiError> {
        let behind = self.lacking(self.journal.figures().appended).await?;
        if behind > 0 {
            let message = format!(
                "the database is {behind} records behind the journal, so not everything is known yet that \
                 is to be erased: nothing was, ask again in a moment"
            );
            return Err(ApiError::of(Code::StoreUnavailable, message));
        }
        Ok(())
    }

    /// The decisions that an erasure is about, each with what is known of it, if anything is.
    pub(super) async fn to_be_erased(
        &self,
        request: &ErasureRequest,
    ) -> Result<Vec<(DecisionId, Option<Decision>)>, ApiError> {
        self.view_is_current().await?;
        let mut decisions = Vec::new();
        for mark in self.marked(request).await? {
            decisions.push((mark.id, self.store.decision(mark.id).await?));
        }
        Ok(decisions)
    }

    pub(super) async fn erase_kept(
        &self,
        request: ErasureRequest,
        permitted: &BTreeSet<DecisionId>,
        actor: &str,
    ) -> Result<ErasureReport, ApiError> {
        let chosen = match request.subject {
            Some(_) => Chosen::Subject,
            None => Chosen::Decision,
        };
        self.view_is_current().await?;
        let mut marks = self.marked(&request).await?;
        // Of what came meanwhile nobody was asked whether it may be erased.
        marks.retain(|mark| permitted.contains(&mark.id));
        let decisions = marks.len() as u64;
        let nothing = ErasureReport {
            request: None,
            dry_run: request.dry_run,
            chosen,
            decisions,
            payloads: 0,
            elsewhere: 0,
            empty: 0,
        };
        if request.dry_run || marks.is_empty() {
            let held = self.eraser.check_holds(&marks).await;
            held.map_err(erase_error)?;
            return Ok(nothing);
        }
        let mut elsewhere = 0;
        for mark in &marks {
            let place = self.store.place(mark.id).await?;
            elsewhere += u64::from(place.is_some_and(|place| place.node != self.name));
        }
        let order = Order {
            marks,
            chosen,
            basis: request.basis,
            reason: request.reason,
            actor: actor.to_owned(),
        };
        let (event, erased) = self.eraser.erase(order).await.map_err(erase_error)?;
        let touched = erased.payloads + elsewhere;
        Ok(ErasureReport {
            request: Some(event),
            payloads: erased.payloads,
            elsewhere,
            empty: decisions.saturating_sub(touched),
            ..nothing
        })
    }

    /// The decisions that are meant.
    async fn marked(&self, request: &ErasureRequest) -> Result<Vec<DecisionMark>, ApiError> {
        if let Some(subject) = &request.subject {
            let tenant = request.tenant.as_ref();
            let marks = self
                .eraser
                .about(self.node.subject(subject), tenant)
                .await?;
            return Ok(marks);
        }
        let mut marks = Vec::with_capacity(request.decisions.len());
        for id in &request.decisions {
            let mark = self.store.decision_mark(*id).await?;
            let unknown = || {
                let message = format!("there is no decision `{id}`");
                ApiError::of(Code::DecisionNotFound, message)
            };
            marks.push(mark.ok_or_else(unknown)?);
        }
        Ok(marks)
    }

    pub(super) async fn place_hold(
        &self,
        request: HoldRequest,
        actor: &str,
    ) -> Result<HoldEvent, ApiError> {
        let now = self.clock.now();
        let id = EventId::new(now);
        let subject = request.subject.as_deref();
        let subject = subject.map(|subject| self.node.subject(subject));
        let event = HoldEvent {
            id,
            hold: id,
            change: HoldChange::Placed,
            kind: request.kind,
            covers: request.covers(subject),
            reason: request.reason,
            actor: actor.to_owned(),
            at: now,
        };
        self.write_and_project(Record::Hold(Box::new(event.clone())))
            .await?;
        Ok(event)
    }

    pub(super) async fn lift(
        &self,
        id: &str,
        reason: String,
        actor: &str,
    ) -> Result<HoldEvent, ApiError> {
        let placed = self.store.hold_by_prefix(id).await?;
        let now = self.clock.now();
        let event = HoldEvent {
            id: EventId::new(now),
            change: HoldChange::Lifted,
            reason,
            actor: actor.to_owned(),
            at: now,
            ..placed
        };
        self.write_and_project(Record::Hold(Box::new(event.clone())))
            .await?;
        Ok(event)
    }

    pub(super) async fn note_verification(
        &self,
        request: VerificationRequest,
        actor: &str,
    ) -> Result<Verification, ApiError> {
        let now = self.clock.now();
        let verification = Verification {
            id: EventId::new(now),
            node: self.name.clone(),
            size: request.size,
            root: request.root,
            intact: request.intact,
            gone: request.gone,
            faults: request.faults,
            passed: request.faults == 0,
            actor: actor.to_owned(),
            at: now,
        };
        let record = Record::Verification(Box::new(verification.clone()));
        self.write(record).await?;
        Ok(verification)
    }
}

fn no_log() -> ApiError {
    ApiError::audit_unavailable("this node keeps no audit log")
        .hint("remove `enabled = false` under `[audit]` in plimsoll.toml")
}

fn internal(error: impl std::fmt::Display) -> ApiError {
    ApiError::of(Code::Internal, error.to_string())
}

fn erase_error(error: EraseError) -> ApiError {
    match error {
        EraseError::Held { .. } => ApiError::of(Code::ErasureHeld, error.to_string())
            .hint("`plimsoll audit hold list` shows the holds that stand"),
        EraseError::Record(error) => not_recorded(&error),
        EraseError::Files(_) => ApiError::of(Code::RecordUnavailable, error.to_string()),
        EraseError::Store(error) => error.into(),
    }
}
