//! Whether somebody may do what they ask, here and now, by policies on attributes.
//!
//! A [`Permit`] has private fields and is made in this file alone, after the policies were asked; what reads
//! a payload or changes anything takes one ([`Operations`](crate::Operations)). So nothing is read or changed
//! past the policies, and every refusal is recorded with what decided it.

use std::sync::Arc;

use http::HeaderMap;
use plimsoll_core::access::{Asker, ControlAction, DataClass, Judgement, Question, Resource};
use plimsoll_core::governance::Refusal;
use plimsoll_core::stakes::Stakes;
use plimsoll_core::{
    Code, Decision, DecisionId, EnvironmentName, EventId, SystemName, Tenancy, TenantName,
    Timestamp,
};
use plimsoll_guard::access_policy::AccessPolicies;

use crate::access::Actor;
use crate::error::{ApiError, POLICY_DENIED};
use crate::reading::{PHRASE_MAX, said};
use crate::routes::Control;

/// Microseconds of a day.
const DAY_MICROS: f64 = 86_400e6;

/// What policies are decided on.
#[derive(Clone, Debug)]
pub struct Grounds {
    /// Those in force.
    pub policies: Arc<AccessPolicies>,
    /// Where.
    pub environment: EnvironmentName,
    /// When.
    pub now: Timestamp,
}

impl Grounds {
    /// The judgement on what `actor` asks.
    pub fn judge(
        &self,
        actor: &Actor,
        action: ControlAction,
        resource: &Resource,
        purpose: Option<&str>,
    ) -> Judgement {
        self.policies.decide(&Question {
            actor: Asker {
                name: &actor.name,
                kind: actor.kind,
                roles: &actor.roles,
                tenant: actor.tenancy.tenant(),
            },
            action,
            resource,
            purpose: purpose.unwrap_or_default(),
            environment: &self.environment,
            at: self.now,
        })
    }
}

impl Grounds {
    /// Where no server runs: why `actor` may read what is kept of `decision`, of a `system` with these
    /// attributes.
    ///
    /// # Errors
    /// With the refusal, to be recorded.
    pub fn read(
        self,
        actor: &Actor,
        decision: &Decision,
        system: Resource,
        purpose: &str,
    ) -> Result<String, Box<Refusal>> {
        let action = ControlAction::GetPayload;
        let resource = of_decision(system, decision, self.now);
        let judgement = self.judge(actor, action, &resource, Some(purpose));
        if judgement.allowed {
            return Ok(judgement.because);
        }
        let asked = (action, Some(purpose.to_owned()));
        let refusal = self.refusal(actor, asked, (resource, Some(decision.id)), judgement);
        Err(Box::new(refusal))
    }

    fn refusal(
        self,
        actor: &Actor,
        (action, purpose): (ControlAction, Option<String>),
        (resource, decision): (Resource, Option<DecisionId>),
        judgement: Judgement,
    ) -> Refusal {
        Refusal {
            id: EventId::new(self.now),
            action,
            actor: actor.name.clone(),
            kind: actor.kind,
            tenant: resource.tenant,
            system: resource.system,
            decision,
            environment: self.environment,
            purpose,
            judgement,
            at: self.now,
        }
    }
}

/// What somebody wants to do something with, as far as it is known.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) resource: Resource,
    /// Which decision it is.
    pub(crate) decision: Option<DecisionId>,
    /// Where it is, if not where this node is.
    pub(crate) environment: Option<EnvironmentName>,
}

impl From<Resource> for Object {
    fn from(resource: Resource) -> Self {
        Self {
            resource,
            decision: None,
            environment: None,
        }
    }
}

/// Somebody who has the role asks to do something; the policies were not asked yet.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    actor: Actor,
    action: ControlAction,
    purpose: Option<String>,
}

/// The policies let somebody do something.
#[derive(Clone, Debug)]
pub struct Permit {
    actor: Actor,
    because: String,
}

impl Permit {
    /// Who, as records call them.
    pub fn actor(&self) -> &str {
        &self.actor.name
    }

    /// Who, with what they may do.
    pub const fn who(&self) -> &Actor {
        &self.actor
    }

    /// Why they may.
    pub fn because(&self) -> &str {
        &self.because
    }
}

impl Asking {
    /// `actor` asks to do `action`, for `purpose` if they said so.
    pub(crate) const fn new(actor: Actor, action: ControlAction, purpose: Option<String>) -> Self {
        Self {
            actor,
            action,
            purpose,
        }
    }

    /// Who asks.
    pub(crate) const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What for, as the header said.
    pub(crate) fn purpose(&self) -> Option<&str> {
        self.purpose.as_deref()
    }

    /// The same, for this purpose.
    pub(crate) fn for_purpose(self, purpose: String) -> Self {
        Self {
            purpose: Some(purpose),
            ..self
        }
    }

    /// Asks whether they may do it with what is nobody's in particular.
    pub(crate) async fn permit(self, control: &Control) -> Result<Permit, ApiError> {
        self.permit_with(control, Resource::default()).await
    }

    /// Asks whether they may do it with what is this system's.
    pub(crate) async fn permit_of(
        self,
        control: &Control,
        system: &SystemName,
    ) -> Result<Permit, ApiError> {
        let resource = control.of_system(system);
        self.permit_with(control, resource).await
    }

    /// Asks whether they may do it with what is this tenant's.
    pub(crate) async fn permit_for(
        self,
        control: &Control,
        tenant: Option<TenantName>,
    ) -> Result<Permit, ApiError> {
        let resource = Resource {
            tenant,
            ..Resource::default()
        };
        self.permit_with(control, resource).await
    }

    /// Asks whether they may do it with this.
    pub(crate) async fn permit_with(
        self,
        control: &Control,
        resource: Resource,
    ) -> Result<Permit, ApiError> {
        self.judged(control, resource.into()).await
    }

    /// Asks whether they may do it with each of these. Where nothing is known of what it is, it counts as what
    /// is guarded most.
    pub(crate) async fn permit_with_each(
        self,
        control: &Control,
        objects: Vec<Object>,
    ) -> Result<Permit, ApiError> {
        let mut permit = None;
        for object in objects {
            permit = Some(self.clone().judged(control, object).await?);
        }
        match permit {
            Some(permit) => Ok(permit),
            None => self.permit_with(control, guarded_most(None)).await,
        }
    }

    /// Asks whether they may do it with what is kept of this decision.
    pub(crate) async fn permit_on(
        self,
        control: &Control,
        decision: &Decision,
    ) -> Result<Permit, ApiError> {
        self.judged(control, control.of_decision(decision)).await
    }

    async fn judged(self, control: &Control, object: Object) -> Result<Permit, ApiError> {
        let mut grounds = control.operations.grounds();
        let Object {
            resource,
            decision,
            environment,
        } = object;
        grounds.environment = environment.unwrap_or(grounds.environment);
        let purpose = self.purpose.as_deref();
        let judgement = grounds.judge(&self.actor, self.action, &resource, purpose);
        if judgement.allowed {
            return Ok(Permit {
                actor: self.actor,
                because: judgement.because,
            });
        }
        let because = judgement.because.clone();
        let asked = (self.action, self.purpose);
        let refusal = grounds.refusal(&self.actor, asked, (resource, decision), judgement);
        // They are refused in any case.
        if let Err(error) = control.operations.record_refusal(refusal).await {
            let (actor, action) = (&self.actor.name, self.action.as_str());
            tracing::error!(%error, actor, action, "a refusal by policy could not be recorded");
        }
        let hint = "`plimsoll policy explain` says what would have to be otherwise";
        Err(ApiError::own(POLICY_DENIED, because).hint(hint))
    }
}

/// What nothing is known of but perhaps whose it is.
pub(crate) fn guarded_most(tenant: Option<TenantName>) -> Resource {
    Resource {
        tenant,
        stakes: Some(Stakes::High),
        data_class: DataClass::Special,
        ..Resource::default()
    }
}

/// A decision as what somebody wants to read, with what is known of its system.
fn of_decision(system: Resource, decision: &Decision, now: Timestamp) -> Resource {
    #[expect(
        clippy::cast_precision_loss,
        reason = "days, to far more than a second"
    )]
    let age = now
        .as_micros()
        .saturating_sub(decision.opened_at.as_micros()) as f64;
    Resource {
        tenant: Some(decision.tenant.clone()),
        age_days: Some(age.max(0.0) / DAY_MICROS),
        ..system
    }
}

impl Control {
    /// What is known of a system. Of one that is served no more its data may be kept still: it counts as
    /// what is guarded most.
    pub(crate) fn of_system(&self, system: &SystemName) -> Resource {
        let facts = self.operations.facts(system);
        Resource {
            system: Some(system.clone()),
            stakes: Some(facts.map_or(Stakes::High, |(stakes, _)| stakes)),
            data_class: facts.map_or(DataClass::Special, |(_, class)| class),
            ..Resource::default()
        }
    }

    /// What is known of a decision.
    pub(crate) fn of_decision(&self, decision: &Decision) -> Object {
        let now = self.operations.grounds().now;
        Object {
            resource: of_decision(self.of_system(&decision.system), decision, now),
            decision: Some(decision.id),
            environment: Some(decision.environment.clone()),
        }
    }

    /// What is known of the decision with this id, which may be nobody's yet.
    pub(crate) async fn of_decision_named(
        &self,
        tenancy: &Tenancy,
        id: DecisionId,
    ) -> Result<Object, ApiError> {
        match self.operations.decision(tenancy, &id.to_string()).await {
            Ok(decision) => Ok(self.of_decision(&decision)),
            Err(error) if error.code == Code::DecisionNotFound.as_str() => {
                let unknown = guarded_most(tenancy.tenant().cloned());
                Ok(Object {
                    decision: Some(id),
                    ..unknown.into()
                })
            }
            Err(error) => Err(error),
        }
    }

    /// What is known of what is about `system`, or about each one, and was made by `author`.
    pub(crate) fn of_system_or_each(
        &self,
        system: Option<&SystemName>,
        author: Option<&str>,
    ) -> Vec<Object> {
        let systems = match system {
            Some(system) => vec![system.clone()],
            None => {
                let all = self.operations.systems();
                all.into_iter().map(|summary| summary.name).collect()
            }
        };
        let mut resources: Vec<Resource> = systems
            .iter()
            .map(|system| self.of_system(system))
            .collect();
        if resources.is_empty() {
            resources.push(guarded_most(None));
        }
        let by_author = |resource| Resource {
            author: author.map(str::to_owned),
            ..resource
        };
        resources
            .into_iter()
            .map(by_author)
            .map(Object::from)
            .collect()
    }
}

/// What somebody says in `plimsoll-purpose` that they do it for.
pub(crate) fn purpose_of(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("plimsoll-purpose") else {
        return Ok(None);
    };
    let unfit = || ApiError::unfit("header `plimsoll-purpose` is not text in UTF-8");
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| unfit())?;
    said("plimsoll-purpose", text, PHRASE_MAX)?;
    Ok(Some(text.trim().to_owned()))
}
