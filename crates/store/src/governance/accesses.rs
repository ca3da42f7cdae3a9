//! The access report: who read what was kept of decisions, or was refused it or a change by a policy.

use plimsoll_core::access::ControlAction;
use plimsoll_core::governance::{Access, Refusal};
use plimsoll_core::{DecisionId, EventId, SystemName, TenantName, Timestamp};
use serde::{Deserialize, Serialize};

use super::LIST_MAX;
use crate::database::{Scope, Statement};
use crate::error::StoreError;
use crate::sql::read_json;
use crate::store::Store;

/// Which accesses. What is none lets all through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessFilter {
    /// By this person.
    pub actor: Option<String>,
    /// Of this decision's contents.
    pub decision: Option<DecisionId>,
    /// Of what is this tenant's.
    pub tenant: Option<TenantName>,
    /// That ended like this.
    pub verdict: Option<Verdict>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// At most so many, up to a thousand.
    pub limit: u32,
    /// For the next page: the last access of this one.
    pub before: Option<EventId>,
}

impl Default for AccessFilter {
    fn default() -> Self {
        Self {
            actor: None,
            decision: None,
            tenant: None,
            verdict: None,
            since: None,
            until: None,
            limit: 50,
            before: None,
        }
    }
}

/// Whether somebody got what they asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// They read it.
    Allowed,
    /// A policy refused.
    Denied,
}

impl Verdict {
    /// The name as it stands in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}

impl std::str::FromStr for Verdict {
    type Err = VerdictError;

    fn from_str(text: &str) -> Result<Self, VerdictError> {
        let mut all = [Self::Allowed, Self::Denied].into_iter();
        all.find(|known| known.as_str() == text).ok_or(VerdictError)
    }
}

/// A text that is no verdict.
#[derive(Debug, thiserror::Error)]
#[error("use allowed or denied")]
pub struct VerdictError;

/// A line of the report.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccessEntry {
    /// Names the event.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What they wanted to do.
    pub action: ControlAction,
    /// Whether they got it.
    pub verdict: Verdict,
    /// Of which decision.
    pub decision: Option<DecisionId>,
    /// Whose.
    pub tenant: Option<TenantName>,
    /// Of which system, where it was refused.
    pub system: Option<SystemName>,
    /// What for, in their words.
    pub purpose: Option<String>,
    /// How it was read: `explain`, `review`, `replay`, `export`.
    pub through: Option<String>,
    /// The policy that decided.
    pub policy: Option<String>,
    /// Why, in one sentence; none of records of before there were policies.
    pub because: Option<String>,
}

impl From<Access> for AccessEntry {
    fn from(access: Access) -> Self {
        let action = match access.through.as_str() {
            "review" => ControlAction::GetReview,
            _ => ControlAction::GetPayload,
        };
        Self {
            id: access.id,
            at: access.at,
            actor: access.actor,
            action,
            verdict: Verdict::Allowed,
            decision: Some(access.decision),
            tenant: Some(access.tenant),
            system: None,
            purpose: Some(access.purpose),
            through: Some(access.through),
            policy: None,
            because: access.because,
        }
    }
}

impl From<Refusal> for AccessEntry {
    fn from(refusal: Refusal) -> Self {
        Self {
            id: refusal.id,
            at: refusal.at,
            actor: refusal.actor,
            action: refusal.action,
            verdict: Verdict::Denied,
            decision: refusal.decision,
            tenant: refusal.tenant,
            system: refusal.system,
            purpose: refusal.purpose,
            through: None,
            policy: refusal.judgement.policy,
            because: Some(refusal.judgement.because),
        }
    }
}

impl Store {
    /// Who read what was kept of decisions or was refused something, the latest first.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn accesses(&self, filter: &AccessFilter) -> Result<Vec<AccessEntry>, StoreError> {
        let kinds = match filter.verdict {
            None => "SELECT record FROM governance_events WHERE kind IN ('access', 'refusal')",
            Some(Verdict::Allowed) => "SELECT record FROM governance_events WHERE kind = 'access'",
            Some(Verdict::Denied) => "SELECT record FROM governance_events WHERE kind = 'refusal'",
        };
        let mut query = Statement::new(kinds);
        let texts = [
            (" AND actor = ", filter.actor.clone()),
            (" AND about = ", filter.decision.map(|id| id.to_string())),
            (
                " AND tenant = ",
                filter.tenant.as_ref().map(ToString::to_string),
            ),
        ];
        for (condition, value) in texts {
            if let Some(value) = value {
                query.push(condition).push_bind(value);
            }
        }
        if let Some(since) = filter.since {
            query.push(" AND at >= ").push_bind(since.as_micros());
        }
        if let Some(until) = filter.until {
            query.push(" AND at < ").push_bind(until.as_micros());
        }
        if let Some(before) = filter.before {
            query
                .push(" AND (at, id) < (SELECT at, id FROM governance_events WHERE id = ")
                .push_bind(before.to_string())
                .push(")");
        }
        query
            .push(" ORDER BY at DESC, id DESC LIMIT ")
            .push_bind(filter.limit.clamp(1, LIST_MAX));
        let texts = self
            .texts(Scope::of(filter.tenant.as_ref()), query, "list accesses")
            .await?;
        texts.iter().map(|text| read_entry(text)).collect()
    }
}

/// A line, from either record: only a refusal has a judgement.
fn read_entry(text: &str) -> Result<AccessEntry, StoreError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Refusal(Box<Refusal>),
        Access(Box<Access>),
    }
    let either = read_json("access", text)?;
    Ok(match either {
        Either::Refusal(refusal) => (*refusal).into(),
        Either::Access(access) => (*access).into(),
    })
}
