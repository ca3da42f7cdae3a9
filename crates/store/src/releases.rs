//! Releases: what is behind which decision, and who deployed it last.

use std::collections::BTreeSet;

use plimsoll_core::record::{Deployment, ReleaseRecord};
use plimsoll_core::{EnvironmentName, ReleaseId, SystemName, Timestamp};

use crate::database::{Scope, Statement, Transaction, Way};
use crate::error::StoreError;
use crate::figures::Window;
use crate::prefix::{IdForm, Lookup};
use crate::sql::{column, parse, read_json};
use crate::store::Store;

/// The most rows of a list.
const LIST_MAX: u32 = 1_000;

const RELEASE: Lookup = Lookup {
    what: "release",
    form: IdForm::Digest,
    sql: "SELECT id FROM releases
          WHERE id >= $1 AND id < $2 AND $4 IS NULL ORDER BY id LIMIT $3",
};

/// A release with the last event that deployed it, in the stable slot or as a canary; starts are none.
#[derive(Clone, PartialEq, Debug)]
pub struct ListedRelease {
    /// The release.
    pub release: ReleaseRecord,
    /// Who deployed it last, when and why; none if nobody did.
    pub deployed: Option<Deployment>,
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
        let text: Option<String> = self
            .text(
                Scope::Installation,
                Statement::new("SELECT record FROM releases WHERE id = $1").bind(id.to_string()),
                "read a release",
            )
            .await?;
        text.map(|text| read_json("release", &text)).transpose()
    }

    /// The one release whose id begins with `prefix`.
    ///
    /// # Errors
    /// If there is none or there are several, or the database is away.
    pub async fn release_by_prefix(&self, prefix: &str) -> Result<ReleaseRecord, StoreError> {
        let id = RELEASE.resolve(self, None, prefix).await?;
        let release = self.release(parse("release", &id)?).await?;
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
        let texts: Vec<String> = self
            .texts(
                Scope::Installation,
                Statement::new(
                    "SELECT record FROM releases WHERE system = $1
             ORDER BY created_at DESC, id DESC LIMIT $2",
                )
                .bind(system.as_str())
                .bind(limit.min(LIST_MAX)),
                "list releases",
            )
            .await?;
        texts
            .iter()
            .map(|text| read_json("release", text))
            .collect()
    }

    /// The releases of a system, the latest first, at most `limit`, each with the last event that
    /// deployed it in `environment`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn listed_releases(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
        limit: u32,
    ) -> Result<Vec<ListedRelease>, StoreError> {
        let rows = self
            .rows(
                Scope::Installation,
                Statement::new(
                    "SELECT record, (
                 SELECT record FROM deployments
                 WHERE system = $1 AND environment = $2 AND release = releases.id
                   AND cause <> 'start' AND slot <> 'halt' AND weight IS DISTINCT FROM 0
                 ORDER BY order_at DESC, node DESC, sequence DESC LIMIT 1)
             FROM releases WHERE system = $1 ORDER BY created_at DESC, id DESC LIMIT $3",
                )
                .bind(system.as_str())
                .bind(environment.as_str())
                .bind(limit.min(LIST_MAX)),
                "list releases",
            )
            .await?;
        let read = |row| {
            let deployed: Option<&str> = column(row, 1)?;
            Ok(ListedRelease {
                release: read_json("release", column(row, 0)?)?,
                deployed: deployed
                    .map(|text| read_json("deployment", text))
                    .transpose()?,
            })
        };
        rows.iter().map(read).collect()
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
        let mut snapshot = self.begin(Way::Read, Scope::Installation, IN_USE).await?;
        let window = Window::since(&mut snapshot, system, environment, since).await?;
        let rollups = window.by_release(&mut snapshot).await?;
        let known = known(&mut snapshot, system).await?;
        snapshot.commit().await?;
        let mut used: Vec<Deployed> = rollups
            .into_iter()
            .map(|(release, rollup)| Deployed {
                release,
                decisions: u64::try_from(rollup.counts.decisions).unwrap_or(0),
                known: known.contains(&release),
            })
            .filter(|used| used.decisions > 0)
            .collect();
        used.sort_by_key(|used| std::cmp::Reverse(used.decisions));
        Ok(used)
    }
}

const IN_USE: &str = "list the releases in use";

/// The releases of a system whose manifests are known.
pub(crate) async fn known(
    transaction: &mut Transaction,
    system: &SystemName,
) -> Result<BTreeSet<ReleaseId>, StoreError> {
    let ids: Vec<String> = transaction
        .texts(Statement::new("SELECT id FROM releases WHERE system = $1").bind(system.as_str()))
        .await?;
    ids.iter().map(|id| parse("release", id)).collect()
}
