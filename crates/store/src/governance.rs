//! What people did to records: read, hold, let go, approve, verify. Erasures have [a file of their
//! own](crate::erasure), and so has [who read what](accesses).

mod accesses;
mod key;

use plimsoll_core::dataset::DatasetExport;
use plimsoll_core::eval::EvalRun;
use plimsoll_core::governance::{Approval, HoldEvent, PolicyEvent, Retirement, Verification};
use plimsoll_core::{EnvironmentName, EventId, NodeName, ReleaseId, SystemName};
use serde::de::DeserializeOwned;

use crate::database::{Scope, Statement};
use crate::error::StoreError;
use crate::prefix::{IdForm, Lookup};
use crate::sql::{parse, read_json};
use crate::store::Store;

pub use accesses::{AccessEntry, AccessFilter, Verdict};
pub(crate) use key::Key;

/// The most rows of a list.
const LIST_MAX: u32 = 1_000;

const HOLD: Lookup = Lookup {
    what: "hold",
    form: IdForm::Ulid,
    sql: "SELECT about FROM governance_events AS placed
          WHERE kind = 'hold' AND about >= $1 AND about < $2 AND $4 IS NULL AND id = about
            AND NOT EXISTS (SELECT 1 FROM governance_events AS lifted
              WHERE lifted.kind = 'hold' AND lifted.about = placed.about
                AND lifted.id <> placed.id)
          ORDER BY about LIMIT $3",
};

impl Store {
    /// The holds in force: placed and not lifted, the earliest first.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn holds(&self) -> Result<Vec<HoldEvent>, StoreError> {
        let texts: Vec<String> = self.texts(Scope::Installation, Statement::new(
            "SELECT record FROM governance_events AS placed WHERE kind = 'hold' AND id = about
               AND NOT EXISTS (SELECT 1 FROM governance_events AS lifted
                 WHERE lifted.kind = 'hold' AND lifted.about = placed.about
                   AND lifted.id <> placed.id)
             ORDER BY at, id",
        ), "list holds").await?;
        texts.iter().map(|text| read_json("hold", text)).collect()
    }

    /// The one hold in force whose id begins with `prefix`.
    ///
    /// # Errors
    /// If there is none or there are several, or the database is away.
    pub async fn hold_by_prefix(&self, prefix: &str) -> Result<HoldEvent, StoreError> {
        let id = HOLD.resolve(self, None, prefix).await?;
        let hold: EventId = parse("hold", &id)?;
        let holds = self.holds().await?;
        let found = holds.into_iter().find(|placed| placed.hold == hold);
        found.ok_or_else(|| StoreError::NotFound {
            what: "hold",
            prefix: prefix.to_owned(),
        })
    }

    /// Who approved a release for an environment, the earliest first.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn approvals(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
        release: ReleaseId,
    ) -> Result<Vec<Approval>, StoreError> {
        let approvals: Vec<Approval> = self
            .governance_about("approval", &release.to_string())
            .await?;
        let here = |approval: &Approval| {
            approval.system == *system && approval.environment == *environment
        };
        Ok(approvals.into_iter().filter(here).collect())
    }

    /// The policies and sets of keys in force on a node: the latest of each name, by name.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn policies(&self, node: &NodeName) -> Result<Vec<PolicyEvent>, StoreError> {
        let texts: Vec<String> = self.texts(Scope::Installation, Statement::new(
            "SELECT record FROM governance_events AS latest WHERE kind = 'policy' AND node = $1
               AND NOT EXISTS (SELECT 1 FROM governance_events AS later
                 WHERE later.kind = 'policy' AND later.about = latest.about AND later.node = $1
                   AND later.sequence > latest.sequence)
             ORDER BY about",
        ).bind(node.as_str()), "list the policies in force").await?;
        texts.iter().map(|text| read_json("policy", text)).collect()
    }

    /// The last time that somebody checked the log of a node.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn last_verification(
        &self,
        node: &NodeName,
    ) -> Result<Option<Verification>, StoreError> {
        let latest = self.latest_about("verification", node.as_str(), 1).await?;
        Ok(latest.into_iter().next())
    }

    /// The runs of evals of a system in an environment, the latest first, at most `limit`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn eval_runs(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
        limit: u32,
    ) -> Result<Vec<EvalRun>, StoreError> {
        self.latest_of("eval", (system, environment), limit).await
    }

    /// The datasets that were taken out of a system's decisions in an environment, the latest first, at most
    /// `limit`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn datasets(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
        limit: u32,
    ) -> Result<Vec<DatasetExport>, StoreError> {
        self.latest_of("dataset", (system, environment), limit)
            .await
    }

    /// The latest events of this kind about a system in an environment.
    async fn latest_of<T: DeserializeOwned>(
        &self,
        kind: &'static str,
        (system, environment): (&SystemName, &EnvironmentName),
        limit: u32,
    ) -> Result<Vec<T>, StoreError> {
        let texts: Vec<String> = self
            .texts(
                Scope::Installation,
                Statement::new(
                    "SELECT record FROM governance_events
             WHERE kind = $1 AND about = $2 AND environment = $3
             ORDER BY at DESC, id DESC LIMIT $4",
                )
                .bind(kind)
                .bind(system.as_str())
                .bind(environment.as_str())
                .bind(limit.min(LIST_MAX)),
                "list events of governance",
            )
            .await?;
        texts.iter().map(|text| read_json(kind, text)).collect()
    }

    /// What a node let go because its time was over, the latest first, at most `limit`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn retirements(
        &self,
        node: &NodeName,
        limit: u32,
    ) -> Result<Vec<Retirement>, StoreError> {
        self.latest_about("retirement", node.as_str(), limit).await
    }

    /// The events of a kind about one thing, the earliest first.
    pub(crate) async fn governance_about<T: DeserializeOwned>(
        &self,
        kind: &'static str,
        about: &str,
    ) -> Result<Vec<T>, StoreError> {
        let texts: Vec<String> = self
            .texts(
                Scope::Installation,
                Statement::new(
                    "SELECT record FROM governance_events WHERE kind = $1 AND about = $2
             ORDER BY at, id LIMIT $3",
                )
                .bind(kind)
                .bind(about)
                .bind(LIST_MAX),
                "list events of governance",
            )
            .await?;
        texts.iter().map(|text| read_json(kind, text)).collect()
    }

    /// The events of a kind about one thing, the latest first, at most `limit`.
    async fn latest_about<T: DeserializeOwned>(
        &self,
        kind: &'static str,
        about: &str,
        limit: u32,
    ) -> Result<Vec<T>, StoreError> {
        let texts: Vec<String> = self
            .texts(
                Scope::Installation,
                Statement::new(
                    "SELECT record FROM governance_events WHERE kind = $1 AND about = $2
             ORDER BY at DESC, id DESC LIMIT $3",
                )
                .bind(kind)
                .bind(about)
                .bind(limit.min(LIST_MAX)),
                "list events of governance",
            )
            .await?;
        texts.iter().map(|text| read_json(kind, text)).collect()
    }
}
