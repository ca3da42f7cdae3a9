//! Budgets that come while a system is served: an edit or a deployment, here or at another node, gave it one.
//! What the system spent before counts on them, once the records were asked; a start asks before it serves.
//! Limits whose records could not be read then are asked about again here too.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::{SystemName, Tenancy, Timestamp};
use plimsoll_gateway::KnownBudget;
use plimsoll_store::StoreError;
use tokio_util::sync::CancellationToken;

use super::live_node::LiveNode;
use crate::assembly::{DAY_MICROS, UNITS_LATELY};

/// How often it is looked for budgets that do not know what was spent.
const TICK: Duration = Duration::from_secs(1);

impl LiveNode {
    /// Tells budgets that an edit or a deployment added what was spent before, and limits what was used
    /// while the records could not be read, until it is told to stop.
    pub(super) async fn recover_budgets(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = stop.cancelled() => return,
            }
            for (system, lacks) in self.node.lacking_budgets() {
                if let Err(error) = self.recover_budget(&system, lacks).await {
                    tracing::warn!(%system, %error, "its budget does not know what was spent before it came");
                }
            }
            self.recover_limits().await;
        }
    }

    /// Asks again about limits that do not know what was used before them, once the database holds all
    /// records of this node.
    async fn recover_limits(&self) {
        if self.node.lacks_seeds() && matches!(self.lacking(self.journal.committed()).await, Ok(0))
        {
            self.node.seed_limits().await;
        }
    }

    async fn recover_budget(
        &self,
        system: &SystemName,
        lacks: KnownBudget,
    ) -> Result<(), StoreError> {
        self.lacking(self.journal.committed()).await?;
        let (environment, now) = (&self.started.server.environment, self.clock.now());
        let micros = now.as_micros();
        let midnight = Timestamp::from_micros(micros - micros.rem_euclid(DAY_MICROS));
        let mut today = None;
        if lacks.day {
            let facts = self.store.bar_facts(system, environment, midnight).await?;
            today = Some(facts.cost.total);
        }
        let mut units = None;
        if lacks.units {
            let since = now.minus(UNITS_LATELY);
            let place = (system, environment);
            let spent = self
                .store
                .spent_on_units(&Tenancy::Installation, place, since);
            units = Some(spent.await?);
        }
        self.node.learn_budget(system, today, units.as_deref());
        Ok(())
    }
}
