//! Drills, runbook runs, and what happened to nodes and reviews: read, as the journal had them.

use plimsoll_core::record::{Drill, NodeEvent, Recovery, ReviewEvent, RunbookRun};
use plimsoll_core::{EnvironmentName, ReviewId, SystemName};

use crate::database::{Scope, Statement};
use crate::error::StoreError;
use crate::sql::{column, read_json};
use crate::store::Store;

/// The most rows of a list.
const LIST_MAX: u32 = 1_000;

impl Store {
    /// The drills of a system in an environment, the latest first, at most `limit`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn drills(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
        limit: u32,
    ) -> Result<Vec<Drill>, StoreError> {
        let texts: Vec<String> = self
            .texts(
                Scope::Installation,
                Statement::new(
                    "SELECT record FROM drills WHERE system = $1 AND environment = $2
             ORDER BY at DESC, id DESC LIMIT $3",
                )
                .bind(system.as_str())
                .bind(environment.as_str())
                .bind(limit.min(LIST_MAX)),
                "list drills",
            )
            .await?;
        texts.iter().map(|text| read_json("drill", text)).collect()
    }

    /// The runbook runs of a system in an environment, the latest first, at most `limit`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn runbook_runs(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
        limit: u32,
    ) -> Result<Vec<RunbookRun>, StoreError> {
        let texts: Vec<String> = self
            .texts(
                Scope::Installation,
                Statement::new(
                    "SELECT record FROM runbook_runs WHERE system = $1 AND environment = $2
             ORDER BY at DESC, id DESC LIMIT $3",
                )
                .bind(system.as_str())
                .bind(environment.as_str())
                .bind(limit.min(LIST_MAX)),
                "list runbook runs",
            )
            .await?;
        texts
            .iter()
            .map(|text| read_json("runbook run", text))
            .collect()
    }

    /// Nodes that started and stopped, the latest first, at most `limit`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn node_events(&self, limit: u32) -> Result<Vec<NodeEvent>, StoreError> {
        let texts: Vec<String> = self.texts(Scope::Installation, Statement::new(
            "SELECT record FROM node_events WHERE type = 'node' ORDER BY at DESC, sequence DESC LIMIT $1",
        ).bind(limit.min(LIST_MAX)), "list the events of nodes").await?;
        texts
            .iter()
            .map(|text| read_json("event of a node", text))
            .collect()
    }

    /// What recovery mended, with the node, the latest first, at most `limit`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn recoveries(&self, limit: u32) -> Result<Vec<(String, Recovery)>, StoreError> {
        let rows = self
            .rows(
                Scope::Installation,
                Statement::new(
                    "SELECT node, record FROM node_events WHERE type = 'recovery'
             ORDER BY at DESC, sequence DESC LIMIT $1",
                )
                .bind(limit.min(LIST_MAX)),
                "list recoveries",
            )
            .await?;
        rows.iter()
            .map(|row| Ok((column(row, 0)?, read_json("recovery", column(row, 1)?)?)))
            .collect()
    }

    /// What the journal says of a review, the earliest first.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn review_events(&self, review: ReviewId) -> Result<Vec<ReviewEvent>, StoreError> {
        let texts: Vec<String> = self.texts(Scope::Installation, Statement::new(
            "SELECT record FROM review_events WHERE review = $1 ORDER BY at, sequence LIMIT 16",
        ).bind(review.to_string()), "list the events of a review").await?;
        texts
            .iter()
            .map(|text| read_json("event of a review", text))
            .collect()
    }
}
