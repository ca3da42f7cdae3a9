//! What a system is held against the bar with, gathered from database and audit log.

use std::path::Path;

use plimsoll_control::bar::{
    self, AuditFacts, Evidence, MonitorFacts, OnCallFacts, ReceiverTest, Report,
};
use plimsoll_control::cost::freshness;
use plimsoll_core::monitor::{AlertChange, Severity};
use plimsoll_core::{EnvironmentName, NodeName, System, Timestamp};
use plimsoll_journal::AuditStatus;
use plimsoll_journal::audit::{newest_checkpoint, verifier_key};
use plimsoll_spec::{PriceTable, Receiver};
use plimsoll_store::{Store, StoreError};

/// How many runs of evals are looked through for one that asked its whole set.
const EVALS_LOOKED_AT: u32 = 100;

/// How many tests of receivers are looked through.
const TESTS_LOOKED_AT: u32 = 1_000;

/// Who asks about which node.
pub(crate) struct Asked<'a> {
    pub(crate) store: &'a Store,
    pub(crate) environment: &'a EnvironmentName,
    pub(crate) node: &'a NodeName,
    pub(crate) currency: &'a str,
    pub(crate) now: Timestamp,
    /// What is watched of the system; none if nothing is.
    pub(crate) monitors: Option<MonitorFacts>,
    pub(crate) prices: &'a PriceTable,
    pub(crate) receivers: &'a [Receiver],
}

impl Asked<'_> {
    /// Holds `system` against the bar. `log` is what the node's audit log says of itself; none if it
    /// keeps none.
    pub(crate) async fn judge(
        &self,
        system: &System,
        log: Option<AuditFacts>,
    ) -> Result<Report, StoreError> {
        let (store, environment) = (self.store, self.environment);
        let since = self.now.minus(bar::WINDOW);
        let facts = store.bar_facts(&system.name, environment, since).await?;
        let unreviewed = store
            .open_deployment_reviews(&system.name, environment)
            .await?;
        let verified = store.last_verification(self.node).await?;
        let audit = log.map(|log| AuditFacts { verified, ..log });
        let runs = store
            .eval_runs(&system.name, environment, EVALS_LOOKED_AT)
            .await?;
        let eval = runs.into_iter().find(|run| !run.partial);
        // What is deployed is judged, not what the files say today.
        let mut system = system.clone();
        if let Some(current) = &facts.deployment
            && let Some(release) = store.release(current.deployment.release).await?
        {
            system.manifest = release.manifest;
        }
        let on_call = self.on_call(&system).await?;
        let prices = freshness::of(&system.manifest, self.prices, self.now);
        let evidence = Evidence {
            facts: &facts,
            audit: audit.as_ref(),
            monitors: self.monitors.as_ref(),
            eval: eval.as_ref(),
            on_call: &on_call,
            unreviewed: &unreviewed,
            prices: &prices,
        };
        Ok(bar::judge(&system, evidence, self.now, self.currency))
    }
}

impl Asked<'_> {
    /// Who is told of an alarm of `system` that pages, and the last test of one of them.
    async fn on_call(&self, system: &System) -> Result<OnCallFacts, StoreError> {
        let wants = |receiver: &&Receiver| receiver.wants(&system.name, Severity::Page);
        let receivers = self.receivers.iter().filter(wants);
        let receivers: Vec<String> = receivers.map(|receiver| receiver.name.clone()).collect();
        let tests = self.store.alert_tests(TESTS_LOOKED_AT).await?;
        let tested = tests.into_iter().find_map(|test| match test.event {
            AlertChange::Tested { receiver, reason } if receivers.contains(&receiver) => {
                Some(ReceiverTest {
                    receiver,
                    taken: reason.is_none(),
                    at: test.at,
                })
            }
            _ => None,
        });
        Ok(OnCallFacts { receivers, tested })
    }
}

/// What a running log says of itself.
pub(crate) fn of_status(status: AuditStatus) -> AuditFacts {
    AuditFacts {
        leaves: status.size,
        behind: status.behind,
        checkpoint_at: status.checkpoint_at,
        defect: status.defect,
        verified: None,
    }
}

/// What the log in the data folder `root` says, read from its files; `committed` records stand in the
/// journal. None if there is no log.
pub(crate) fn of_folder(root: &Path, committed: u64) -> Option<AuditFacts> {
    if !root.join("audit").exists() {
        return None;
    }
    let newest = verifier_key(root).and_then(|key| newest_checkpoint(root, &key));
    Some(match newest {
        Ok(checkpoint) => AuditFacts {
            leaves: checkpoint.size(),
            behind: committed.saturating_sub(checkpoint.size()),
            checkpoint_at: checkpoint.at(),
            defect: None,
            verified: None,
        },
        Err(error) => AuditFacts {
            defect: Some(error.to_string()),
            ..AuditFacts::default()
        },
    })
}
