//! What the data plane asks of parts that it does not know: others fill these.

use std::future::Future;
use std::pin::Pin;

use crate::clock::Timestamp;
use crate::decision::{Decision, Payload};
use crate::digest::Digest;
use crate::ids::{DecisionId, ReviewId};
use crate::label::KnownLabels;
use crate::limits::Amounts;
use crate::limits::lease::{Answer, Ask, CounterKey, Memory};
use crate::money::Money;
use crate::names::{EnvironmentName, KeyName, NodeName, SystemName, TenantName};
use crate::review::{Review, ReviewState};

/// A future behind a trait object.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The database did not answer, or answered with an error.
    #[error("the database could not {doing}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server that keeps what nodes share did not do what it was asked.
    #[error("the server that keeps shared limits could not be used")]
    Keeper(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is no such thing for this tenant.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The review was answered or has expired.
    #[error("the review is already {0}")]
    ReviewClosed(&'static str),
}

/// Reviews: control state, whose truth is the store.
pub trait Reviews: Send + Sync {
    /// Keeps a review that was just opened.
    fn open(&self, review: Review) -> Boxed<'_, Result<(), PortError>>;

    /// The review with this id, of any tenant that `tenant` may see.
    fn get<'a>(
        &'a self,
        tenant: &'a TenantName,
        id: ReviewId,
    ) -> Boxed<'a, Result<Review, PortError>>;

    /// The review of this decision.
    fn of_decision<'a>(
        &'a self,
        tenant: &'a TenantName,
        id: DecisionId,
    ) -> Boxed<'a, Result<Option<Review>, PortError>>;

    /// Closes an open review, in one step: of two that try, one gets [`PortError::ReviewClosed`].
    fn close<'a>(
        &'a self,
        tenant: &'a TenantName,
        id: ReviewId,
        state: ReviewState,
    ) -> Boxed<'a, Result<Review, PortError>>;

    /// Open reviews, the soonest due first, at most `limit`; `tenant` none means of all tenants.
    fn list_open<'a>(
        &'a self,
        tenant: Option<&'a TenantName>,
        limit: u32,
    ) -> Boxed<'a, Result<Vec<Review>, PortError>>;
}

/// What was used in some time by those who lie in one place of the tree of limits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Used {
    /// By which tenant.
    pub tenant: TenantName,
    /// With which key.
    pub key: Option<KeyName>,
    /// Of which system.
    pub system: SystemName,
    /// For which end user, if it was asked for.
    pub subject: Option<Digest>,
    /// In which session, if it was asked for.
    pub session: Option<String>,
    /// How much.
    pub amounts: Amounts,
    /// When the first of it was opened.
    pub first_at: Timestamp,
    /// At which node, if it was asked for apart.
    pub node: Option<NodeName>,
}

/// What one node used of a counter that nodes share, as the records say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seed {
    /// Which node.
    pub node: NodeName,
    /// Of which counter.
    pub key: CounterKey,
    /// How much, in the unit of leases.
    pub used: u64,
    /// For how long it counts.
    pub life: std::time::Duration,
}

/// What came of an exchange with the keeper of shared limits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exchanged {
    /// Its answers, in the order of what was asked; none where a later report was taken before.
    pub answers: Vec<Option<Answer>>,
    /// What it remembers, read after it had answered.
    pub memory: Memory,
}

/// The keeper of limits that several nodes share: see [`crate::limits::lease`].
pub trait Leases: Send + Sync {
    /// Reports what was used, and leases slices of what is left. Ends within two seconds.
    fn exchange<'a>(&'a self, asks: &'a [Ask]) -> Boxed<'a, Result<Exchanged, PortError>>;

    /// Tells what the records say that nodes used which do not report themselves.
    fn seed<'a>(&'a self, seeds: &'a [Seed]) -> Boxed<'a, Result<(), PortError>>;
}

/// What a unit of work has cost so far: a budget for each unit counts on from it after a start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnitSpent {
    /// Whose unit it is.
    pub tenant: TenantName,
    /// The unit, as callers name it.
    pub unit: String,
    /// What it has cost.
    pub spent: Money,
    /// When the last of its decisions was opened.
    pub last_at: Timestamp,
}

/// Of which decisions is asked what they used, and how finely.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsageQuery {
    /// Where.
    pub environment: EnvironmentName,
    /// Closed at this time or later, or still open.
    pub since: Timestamp,
    /// Opened before this time.
    pub until: Timestamp,
    /// Apart by end user.
    pub by_subject: bool,
    /// Apart by session.
    pub by_session: bool,
    /// Apart by node.
    pub by_node: bool,
}

/// Decisions as the projection has them: a view over what the journal retains.
pub trait Decisions: Send + Sync {
    /// The decision with this id. It may lag the journal by less than a second.
    fn get<'a>(
        &'a self,
        tenant: &'a TenantName,
        id: DecisionId,
    ) -> Boxed<'a, Result<Option<Decision>, PortError>>;

    /// The decision whose record carries this idempotency pseudonym, opened since `since`.
    fn by_idempotency<'a>(
        &'a self,
        tenant: &'a TenantName,
        key: Digest,
        since: Timestamp,
    ) -> Boxed<'a, Result<Option<Decision>, PortError>>;

    /// What decisions used, apart by tenant, key and system.
    fn usage<'a>(&'a self, query: &'a UsageQuery) -> Boxed<'a, Result<Vec<Used>, PortError>>;

    /// What is known of the decisions that labels are about; of `tenant`'s, or of all.
    fn known_labels<'a>(
        &'a self,
        tenant: Option<&'a TenantName>,
        decisions: &'a [DecisionId],
    ) -> Boxed<'a, Result<KnownLabels, PortError>>;

    /// How many labels of a tenant wait for decisions that nobody knows; counted no further than `most`.
    fn waiting_labels<'a>(
        &'a self,
        tenant: &'a TenantName,
        most: u64,
    ) -> Boxed<'a, Result<u64, PortError>>;

    /// What was kept of its input and output, if anything.
    fn payload<'a>(
        &'a self,
        tenant: &'a TenantName,
        id: DecisionId,
    ) -> Boxed<'a, Result<Option<Payload>, PortError>>;
}
