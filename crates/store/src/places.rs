//! Where records stand: whose journal, and which leaf of that node's log. What a proof begins with.

use plimsoll_core::{DecisionId, DeploymentId, EventId, NodeName, ReleaseId};

use crate::database::{Row, Scope, Statement};
use crate::error::StoreError;
use crate::sql::{column, count, parse};
use crate::store::Store;

/// Where a record stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Whose journal.
    pub node: NodeName,
    /// The record's sequence there, which is its leaf's index in the node's log.
    pub sequence: u64,
}

impl Store {
    /// Where the record of a decision stands: the one that closed it, if it is closed.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn place(&self, id: DecisionId) -> Result<Option<Place>, StoreError> {
        let sql = "SELECT node, sequence FROM decisions WHERE id = $1";
        self.place_by(sql, id.to_string()).await
    }

    /// Where a deployment event stands.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn place_of_deployment(&self, id: DeploymentId) -> Result<Option<Place>, StoreError> {
        let sql = "SELECT node, sequence FROM deployments WHERE id = $1";
        self.place_by(sql, id.to_string()).await
    }

    /// Where the record of a release stands: the first, if it was made several times.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn place_of_release(&self, id: ReleaseId) -> Result<Option<Place>, StoreError> {
        let sql = "SELECT node, sequence FROM releases WHERE id = $1";
        self.place_by(sql, id.to_string()).await
    }

    /// Where an event stands: one of governance, a drill, a runbook run.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn place_of_event(&self, id: EventId) -> Result<Option<Place>, StoreError> {
        let sql = "SELECT node, sequence FROM governance_events WHERE id = $1
                   UNION ALL SELECT node, sequence FROM drills WHERE id = $1
                   UNION ALL SELECT node, sequence FROM runbook_runs WHERE id = $1 LIMIT 1";
        self.place_by(sql, id.to_string()).await
    }

    async fn place_by(&self, sql: &'static str, id: String) -> Result<Option<Place>, StoreError> {
        let row = self
            .row(
                Scope::Installation,
                Statement::new(sql).bind(id),
                "say where a record stands",
            )
            .await?;
        row.map(|row| place(&row, 0)).transpose()
    }
}

/// A place from two columns: node and sequence.
pub(crate) fn place(row: &Row, first: usize) -> Result<Place, StoreError> {
    Ok(Place {
        node: parse("node", column(row, first)?)?,
        sequence: count(row, first + 1)?,
    })
}
