//! Erasing: the record of it first, then the files, memory and database of this node.
//!
//! The database's part is done where its projection meets the record. The files' part is done at once,
//! and again by whoever finds it not marked as done: after a crash, or on another node.

use std::sync::Arc;

use plimsoll_core::governance::{Chosen, ERASED_MAX, Erasure, HoldEvent};
use plimsoll_core::{Clock, DecisionId, Digest, EventId, NodeName, Record, TenantName};
use plimsoll_gateway::Node;
use plimsoll_journal::{AppendError, Erased, Journal, JournalError};
use plimsoll_store::{DecisionMark, Store, StoreError};

use crate::assembly::Assembly;

/// Erasures that are taken up at a time.
const PENDING_MAX: u32 = 16;
/// Decisions that are looked up at a time.
const PAGE: u32 = 1_000;

/// What erases on this node.
#[derive(Clone)]
pub(crate) struct Eraser {
    journal: Arc<Journal>,
    store: Store,
    node: Arc<Node>,
    name: NodeName,
    clock: Arc<dyn Clock>,
}

/// What is to be erased, and by what authority.
pub(crate) struct Order {
    pub(crate) marks: Vec<DecisionMark>,
    pub(crate) chosen: Chosen,
    pub(crate) basis: String,
    pub(crate) reason: Option<String>,
    pub(crate) actor: String,
}

/// Something could not be erased.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EraseError {
    /// A hold covers some of it; nothing was erased.
    #[error("hold {} ({}) covers {covered} of the decisions: nothing was erased", .hold.hold, .hold.reason)]
    Held {
        /// The hold.
        hold: Box<HoldEvent>,
        /// How many it covers.
        covered: usize,
    },
    /// The record could not be written; nothing was erased.
    #[error("the erasure could not be recorded: nothing was erased")]
    Record(#[from] AppendError),
    /// The record stands, and the files could not be overwritten yet.
    #[error(
        "the erasure is recorded, and the files could not be overwritten yet: it is tried again"
    )]
    Files(#[source] JournalError),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Eraser {
    /// What erases on the node of this assembly.
    pub(crate) fn of(assembly: &Assembly) -> Self {
        Self {
            journal: Arc::clone(&assembly.journal),
            store: assembly.store.clone(),
            node: Arc::clone(&assembly.node),
            name: assembly.node_name.clone(),
            clock: Arc::clone(&assembly.clock),
        }
    }

    /// Everything about the person with this pseudonym.
    pub(crate) async fn about(
        &self,
        subject: Digest,
        tenant: Option<&TenantName>,
    ) -> Result<Vec<DecisionMark>, StoreError> {
        let mut marks: Vec<DecisionMark> = Vec::new();
        loop {
            let after = marks.last().map(|mark| mark.id);
            let found = self
                .store
                .decisions_of_subject(tenant, subject, after, PAGE);
            let found = found.await?;
            let is_last = found.len() < PAGE as usize;
            marks.extend(found);
            if is_last {
                return Ok(marks);
            }
        }
    }

    /// Refuses what a hold covers.
    pub(crate) async fn check_holds(&self, marks: &[DecisionMark]) -> Result<(), EraseError> {
        for hold in self.store.holds().await? {
            let covers = |mark: &&DecisionMark| {
                let DecisionMark {
                    id,
                    system,
                    opened_at,
                    subject,
                } = mark;
                hold.covers.covers(*id, system, *subject, *opened_at)
            };
            let covered = marks.iter().filter(covers).count();
            if covered > 0 {
                let hold = Box::new(hold);
                return Err(EraseError::Held { hold, covered });
            }
        }
        Ok(())
    }

    /// Records the erasure, and erases here.
    pub(crate) async fn erase(&self, order: Order) -> Result<(EventId, Erased), EraseError> {
        self.check_holds(&order.marks).await?;
        let now = self.clock.now();
        let request = EventId::new(now);
        let mut all = Erased::default();
        for marks in order.marks.chunks(ERASED_MAX) {
            let decisions: Vec<DecisionId> = marks.iter().map(|mark| mark.id).collect();
            let erasure = Erasure {
                id: EventId::new(now),
                request,
                decisions: decisions.clone(),
                chosen: order.chosen,
                basis: order.basis.clone(),
                reason: order.reason.clone(),
                actor: order.actor.clone(),
                at: now,
            };
            self.node.record(Record::Erasure(Box::new(erasure))).await?;
            let erased = self.overwrite(decisions).await.map_err(EraseError::Files)?;
            all.payloads += erased.payloads;
            all.already += erased.already;
            all.missing.extend(erased.missing);
        }
        Ok((request, all))
    }

    /// Takes up erasures that were recorded here or on another node and are not marked as done here.
    /// Returns how many.
    pub(crate) async fn take_up(&self) -> anyhow::Result<usize> {
        let pending = self
            .store
            .erasures_to_apply(&self.name, PENDING_MAX)
            .await?;
        for erasure in &pending {
            self.overwrite(erasure.decisions.clone()).await?;
            self.store.erasure_applied(erasure.id, &self.name).await?;
        }
        Ok(pending.len())
    }

    async fn overwrite(&self, decisions: Vec<DecisionId>) -> Result<Erased, JournalError> {
        self.node.forget(&decisions);
        let payloads = self.journal.payloads();
        let erasing = tokio::task::spawn_blocking(move || payloads.erase(&decisions));
        erasing.await.unwrap_or_else(|panic| {
            std::panic::resume_unwind(panic.into_panic());
        })
    }
}
