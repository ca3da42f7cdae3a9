//! How the events of governance are found again: by what they are about, who did it, and when.

use plimsoll_core::account::AccountEvent;
use plimsoll_core::dataset::DatasetExport;
use plimsoll_core::eval::EvalRun;
use plimsoll_core::governance::{Approval, Refusal};
use plimsoll_core::keyring::{KeyEvent, TenantEvent};
use plimsoll_core::monitor::{AlertChange, AlertEvent};
use plimsoll_core::{Record, Timestamp};
use serde::Serialize;

use crate::error::StoreError;
use crate::sql::write_json;

/// An event of governance as a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    /// Of an access the decision, of a refusal the decision or else the action, of an account its name, of an erasure the request, of
    /// a hold the hold, of a policy its name,
    /// of an approval the release, of a deployment's review the deployment, of a retirement and of a
    /// verification the node, of a tenant its name, of a key its tenant and name, of an alarm its dedup key, of
    /// an alert the alarm's event, of a test of a receiver itself, of a silence the event that began it, of a run of an eval and of a dataset the
    /// system.
    pub(crate) about: String,
    pub(crate) at: Timestamp,
    pub(crate) actor: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) system: Option<String>,
    pub(crate) environment: Option<String>,
    /// The event itself, as JSON.
    pub(crate) record: String,
}

impl Key {
    /// None for records that are no events of governance.
    pub(crate) fn of(record: &Record) -> Result<Option<Self>, StoreError> {
        let key = match record {
            Record::Access(access) => Self {
                tenant: text(&access.tenant),
                ..Self::new("access", &access.id, &access.decision, access.at, access)?
                    .by(&access.actor)
            },
            Record::Refusal(refusal) => Self::of_refusal(refusal)?,
            Record::Account(event) => Self::of_account(event)?,
            Record::Erasure(erasure) => Self::new(
                "erasure",
                &erasure.id,
                &erasure.request,
                erasure.at,
                erasure,
            )?
            .by(&erasure.actor),
            Record::Hold(event) => {
                Self::new("hold", &event.id, &event.hold, event.at, event)?.by(&event.actor)
            }
            Record::Retirement(retirement) => Self::new(
                "retirement",
                &retirement.id,
                &retirement.node,
                retirement.at,
                retirement,
            )?,
            Record::Policy(policy) => {
                Self::new("policy", &policy.id, &policy.name, policy.at, policy)?.by(&policy.actor)
            }
            Record::Approval(approval) => Self::of_approval(approval)?,
            Record::DeploymentReview(review) => Self {
                system: text(&review.system),
                ..Self::new(
                    "deployment_review",
                    &review.id,
                    &review.deployment,
                    review.at,
                    review,
                )?
                .by(&review.actor)
            },
            Record::Verification(verification) => Self::new(
                "verification",
                &verification.id,
                &verification.node,
                verification.at,
                verification,
            )?
            .by(&verification.actor),
            Record::Tenant(event) => Self::of_tenant(event)?,
            Record::Key(event) => Self::of_key(event)?,
            Record::Alarm(alarm) => Self {
                system: text(&alarm.system),
                environment: text(&alarm.environment),
                ..Self::new("alarm", &alarm.id, &alarm.dedup_key(), alarm.at, alarm)?
            },
            Record::Alert(event) => Self::of_alert(event)?,
            Record::Eval(run) => Self::of_eval(run)?,
            Record::Dataset(export) => Self::of_dataset(export)?,
            _ => return Ok(None),
        };
        Ok(Some(key))
    }

    fn of_account(event: &AccountEvent) -> Result<Self, StoreError> {
        let about = event.account.as_deref().unwrap_or("nobody");
        Ok(Self::new("account", &event.id, &about, event.at, event)?.by(&event.actor))
    }

    fn of_refusal(refusal: &Refusal) -> Result<Self, StoreError> {
        let about = refusal.decision.map_or_else(
            || refusal.action.as_str().to_owned(),
            |decision| decision.to_string(),
        );
        let new = Self::new("refusal", &refusal.id, &about, refusal.at, refusal)?;
        Ok(Self {
            tenant: refusal.tenant.as_ref().map(ToString::to_string),
            system: refusal.system.as_ref().map(ToString::to_string),
            environment: text(&refusal.environment),
            ..new.by(&refusal.actor)
        })
    }

    fn of_eval(run: &EvalRun) -> Result<Self, StoreError> {
        Ok(Self {
            system: text(&run.system),
            environment: text(&run.environment),
            ..Self::new("eval", &run.id, &run.system, run.ended_at, run)?.by(&run.actor)
        })
    }

    fn of_approval(approval: &Approval) -> Result<Self, StoreError> {
        let Approval {
            id, release, at, ..
        } = approval;
        Ok(Self {
            system: text(&approval.system),
            environment: text(&approval.environment),
            ..Self::new("approval", id, release, *at, approval)?.by(&approval.actor)
        })
    }

    fn of_dataset(export: &DatasetExport) -> Result<Self, StoreError> {
        Ok(Self {
            system: text(&export.system),
            environment: text(&export.environment),
            ..Self::new("dataset", &export.id, &export.system, export.at, export)?.by(&export.actor)
        })
    }

    fn of_tenant(event: &TenantEvent) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: text(&event.tenant),
            ..Self::new("tenant", &event.id, &event.tenant, event.at, event)?.by(&event.actor)
        })
    }

    fn of_alert(event: &AlertEvent) -> Result<Self, StoreError> {
        let (kind, about) = match &event.event {
            AlertChange::Delivered { about, .. }
            | AlertChange::Undelivered { about, .. }
            | AlertChange::Muted { about, .. }
            | AlertChange::Acted { about, .. } => ("alert", *about),
            AlertChange::Tested { .. } => ("alert_test", event.id),
            AlertChange::Silenced { .. } => ("silence", event.id),
            AlertChange::Lifted { silence } => ("silence", *silence),
        };
        let new = Self::new(kind, &event.id, &about, event.at, event)?;
        Ok(Self {
            actor: event.actor.clone(),
            ..new
        })
    }

    fn of_key(event: &KeyEvent) -> Result<Self, StoreError> {
        let (tenant, name) = (&event.key.tenant, &event.key.name);
        let about = format!("{tenant}/{name}");
        Ok(Self {
            tenant: text(tenant),
            environment: event.key.environment.as_ref().map(ToString::to_string),
            ..Self::new("key", &event.id, &about, event.at, event)?.by(&event.actor)
        })
    }

    fn new(
        kind: &'static str,
        id: &impl ToString,
        about: &impl ToString,
        at: Timestamp,
        event: &impl Serialize,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            id: id.to_string(),
            kind,
            about: about.to_string(),
            at,
            actor: None,
            tenant: None,
            system: None,
            environment: None,
            record: write_json("event of governance", event)?,
        })
    }

    fn by(self, actor: &str) -> Self {
        Self {
            actor: Some(actor.to_owned()),
            ..self
        }
    }
}

fn text(name: &impl ToString) -> Option<String> {
    Some(name.to_string())
}
