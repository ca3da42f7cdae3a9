//! Letting go of what retention does not keep: planned, recorded, then done.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::governance::Retirement;
use plimsoll_core::{Clock, Digest, EventId, NodeName, Record, Timestamp};
use plimsoll_gateway::Node;
use plimsoll_journal::{Journal, RetentionLimits, Retirable};
use plimsoll_store::{Projector, Store};

use crate::assembly::Assembly;

/// How long closed reviews are kept: they hold inputs.
const CLOSED_REVIEWS: Duration = Duration::from_hours(24 * 400);

/// What retention looks at.
pub(crate) struct Retiring {
    journal: Arc<Journal>,
    node: Arc<Node>,
    name: NodeName,
    projector: Projector,
    store: Store,
    clock: Arc<dyn Clock>,
}

impl Retiring {
    /// Of the node of this assembly.
    pub(crate) fn of(assembly: &Assembly) -> Self {
        Self {
            journal: Arc::clone(&assembly.journal),
            node: Arc::clone(&assembly.node),
            name: assembly.node_name.clone(),
            projector: assembly.projector.clone(),
            store: assembly.store.clone(),
            clock: Arc::clone(&assembly.clock),
        }
    }

    /// Lets go of what may go now. While the database is away nothing goes: it knows the holds.
    pub(crate) async fn let_go(&self) -> anyhow::Result<()> {
        let keep_from = self.projector.position().await?;
        let holds = self.store.holds().await?;
        let held: Vec<(Timestamp, Timestamp)> =
            holds.iter().map(|hold| hold.covers.span()).collect();
        let journal = Arc::clone(&self.journal);
        let planning = tokio::task::spawn_blocking(move || {
            let limits = RetentionLimits {
                keep_from,
                held: &held,
            };
            journal.plan_retirement(limits)
        });
        if let Some(plan) = planning.await?? {
            self.carry_out(plan).await?;
        }
        let held = !holds.is_empty();
        if !held {
            self.store
                .forget_closed_reviews(self.clock.now().minus(CLOSED_REVIEWS))
                .await?;
        }
        Ok(())
    }

    async fn carry_out(&self, plan: Retirable) -> anyhow::Result<()> {
        let now = self.clock.now();
        let retirement = Retirement {
            id: EventId::new(now),
            node: self.name.clone(),
            minimum: plan.minimum,
            payload_minimum: plan.payload_minimum,
            policy: self.policy().await?,
            at: now,
        };
        self.node
            .record(Record::Retirement(Box::new(retirement)))
            .await?;
        let journal = Arc::clone(&self.journal);
        let retired = tokio::task::spawn_blocking(move || journal.retire(&plan)).await??;
        let (segments, files, bytes) = (retired.segments, retired.payload_files, retired.bytes);
        // The projection forgets it too, as it follows the journal.
        tracing::info!(
            segments,
            files,
            bytes,
            "let go of what is no longer retained"
        );
        Ok(())
    }

    /// The retention in force, by the digest of its document.
    async fn policy(&self) -> anyhow::Result<Option<Digest>> {
        let policies = self.store.policies(&self.name).await?;
        let retention = policies.into_iter().find(|event| event.name == "retention");
        Ok(retention.map(|event| event.digest))
    }
}
