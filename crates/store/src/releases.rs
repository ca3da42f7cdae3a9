//! Releases and deployments: what is behind which decision, and what is deployed where since when.

use plimsoll_core::record::{Deployment, ReleaseRecord};
use plimsoll_core::{EnvironmentName, ReleaseId, SystemName, Timestamp};
use sqlx::SqliteConnection;

use crate::error::{Doing as _, StoreError};
use crate::prefix::{IdForm, Lookup};
use crate::sql::{column, read_json, time};
use crate::store::Store;

/// The most rows of a list.
const LIST_MAX: u32 = 1_000;

const RELEASE: Lookup = Lookup {
    what: "release",
    form: IdForm::Digest,
    sql: "SELECT id FROM releases
          WHERE id >= ?1 AND id < ?2 AND ?4 IS NULL ORDER BY id LIMIT ?3",
};

/// What is deployed in a slot.
#[derive(Clone, PartialEq, Debug)]
pub struct CurrentDeployment {
    /// The latest event.
    pub deployment: Deployment,
    /// Since when its release has been deployed there without a break: restarts are none.
    pub since: Timestamp,
}

/// A release with the decisions that it answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deployed {
    /// Which release.
    pub release: ReleaseId,
    /// How many decisions it answered.
    pub decisions: u64,
    /// Whether its manifest is known.
    pub known: bool,
}

impl Store {
    /// The release with this id.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn release(&self, id: ReleaseId) -> Result<Option<ReleaseRecord>, StoreError> {
        let text: Option<String> = sqlx::query_scalar("SELECT record FROM releases WHERE id = ?1")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .doing("read a release")?;
        text.map(|text| read_json("release", &text)).transpose()
    }

    /// The one release whose id begins with `prefix`.
    ///
    /// # Errors
    /// If there is none or there are several, or the database is away.
    pub async fn release_by_prefix(&self, prefix: &str) -> Result<ReleaseRecord, StoreError> {
        let id = RELEASE.resolve(self, None, prefix).await?;
        let release = self.release(crate::sql::parse("release", &id)?).await?;
        release.ok_or_else(|| StoreError::NotFound {
            what: "release",
            prefix: prefix.to_owned(),
        })
    }

    /// The releases of a system, the latest first, at most `limit`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn releases(
        &self,
        system: &SystemName,
        limit: u32,
    ) -> Result<Vec<ReleaseRecord>, StoreError> {
        let texts: Vec<String> = sqlx::query_scalar(
            "SELECT record FROM releases WHERE system = ?1
             ORDER BY created_at DESC, id DESC LIMIT ?2",
        )
        .bind(system.as_str())
        .bind(limit.min(LIST_MAX))
        .fetch_all(&self.readers)
        .await
        .doing("list releases")?;
        texts
            .iter()
            .map(|text| read_json("release", text))
            .collect()
    }

    /// The latest deployment event of a slot. Events of one node follow its journal, so that a clock
    /// that was set back does not bring an older release back.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn current_deployment(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
    ) -> Result<Option<Deployment>, StoreError> {
        let mut connection = self.readers.acquire().await.doing(DOING)?;
        current(&mut connection, system, environment).await
    }

    /// What is deployed in a slot, and since when.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn deployed(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
    ) -> Result<Option<CurrentDeployment>, StoreError> {
        let mut connection = self.readers.acquire().await.doing(DOING)?;
        deployed(&mut connection, system, environment).await
    }

    /// What was deployed in a slot at the time `at`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn deployment_at(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
        at: Timestamp,
    ) -> Result<Option<Deployment>, StoreError> {
        let text: Option<String> = sqlx::query_scalar(
            "SELECT record FROM deployments WHERE system = ?1 AND environment = ?2 AND at <= ?3
             ORDER BY at DESC, sequence DESC LIMIT 1",
        )
        .bind(system.as_str())
        .bind(environment.as_str())
        .bind(at.as_micros())
        .fetch_optional(&self.readers)
        .await
        .doing("read what was deployed")?;
        text.map(|text| read_json("deployment", &text)).transpose()
    }

    /// The deployment events of a system, the latest first, at most `limit`; of one environment, if
    /// one is given.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn deployments(
        &self,
        system: &SystemName,
        environment: Option<&EnvironmentName>,
        limit: u32,
    ) -> Result<Vec<Deployment>, StoreError> {
        let texts: Vec<String> = sqlx::query_scalar(
            "SELECT record FROM deployments
             WHERE system = ?1 AND (?2 IS NULL OR environment = ?2)
             ORDER BY at DESC, sequence DESC LIMIT ?3",
        )
        .bind(system.as_str())
        .bind(environment.map(EnvironmentName::as_str))
        .bind(limit.min(LIST_MAX))
        .fetch_all(&self.readers)
        .await
        .doing("list deployments")?;
        texts
            .iter()
            .map(|text| read_json("deployment", text))
            .collect()
    }

    /// The releases that answered a system's decisions since `since`, drills left out, the busiest first.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn releases_in_use(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
        since: Timestamp,
    ) -> Result<Vec<Deployed>, StoreError> {
        let rows = sqlx::query(
            "SELECT release, COUNT(*), EXISTS (SELECT 1 FROM releases WHERE id = release)
             FROM decisions
             WHERE system = ?1 AND environment = ?2 AND opened_at >= ?3 AND drill IS NULL
             GROUP BY release ORDER BY COUNT(*) DESC LIMIT ?4",
        )
        .bind(system.as_str())
        .bind(environment.as_str())
        .bind(since.as_micros())
        .bind(LIST_MAX)
        .fetch_all(&self.readers)
        .await
        .doing("list the releases in use")?;
        let read = |row| {
            Ok(Deployed {
                release: crate::sql::parse("release", column(row, 0)?)?,
                decisions: crate::sql::count(row, 1)?,
                known: column(row, 2)?,
            })
        };
        rows.iter().map(read).collect()
    }
}

const DOING: &str = "read the current deployment";

async fn current(
    connection: &mut SqliteConnection,
    system: &SystemName,
    environment: &EnvironmentName,
) -> Result<Option<Deployment>, StoreError> {
    let text: Option<String> = sqlx::query_scalar(
        "SELECT record FROM deployments AS latest WHERE system = ?1 AND environment = ?2
           AND NOT EXISTS (SELECT 1 FROM deployments AS later
             WHERE later.system = ?1 AND later.environment = ?2
               AND later.node = latest.node AND later.sequence > latest.sequence)
         ORDER BY at DESC, node LIMIT 1",
    )
    .bind(system.as_str())
    .bind(environment.as_str())
    .fetch_optional(connection)
    .await
    .doing(DOING)?;
    text.map(|text| read_json("deployment", &text)).transpose()
}

/// See [`Store::deployed`].
pub(crate) async fn deployed(
    connection: &mut SqliteConnection,
    system: &SystemName,
    environment: &EnvironmentName,
) -> Result<Option<CurrentDeployment>, StoreError> {
    let Some(deployment) = current(&mut *connection, system, environment).await? else {
        return Ok(None);
    };
    let row = sqlx::query(
        "SELECT at FROM deployments WHERE system = ?1 AND environment = ?2 AND node = ?3
           AND sequence > COALESCE((SELECT MAX(sequence) FROM deployments
             WHERE system = ?1 AND environment = ?2 AND node = ?3 AND release <> ?4), -1)
         ORDER BY sequence LIMIT 1",
    )
    .bind(system.as_str())
    .bind(environment.as_str())
    .bind(deployment.node.as_str())
    .bind(deployment.release.to_string())
    .fetch_optional(connection)
    .await
    .doing("say since when a release is deployed")?;
    let since = row
        .map(|row| time(&row, 0))
        .transpose()?
        .flatten()
        .unwrap_or(deployment.at);
    Ok(Some(CurrentDeployment { deployment, since }))
}
