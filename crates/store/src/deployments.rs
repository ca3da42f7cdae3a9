//! What is deployed where, was deployed when, and which events say so.
//!
//! What stands is the fold of the events in the order in which they hold: by time, then by node and by
//! place in its journal; within a node always by place in its journal, though its clock was set back.

use std::collections::HashMap;

use plimsoll_core::deployment::{Canary, Slot, Standing};
use plimsoll_core::governance::DeploymentReview;
use plimsoll_core::record::{Deployment, DeploymentCause};
use plimsoll_core::{DeploymentId, EnvironmentName, SystemName, Timestamp};

use crate::database::{Scope, Statement, Transaction, Way};
use crate::error::StoreError;
use crate::places::{Place, place};
use crate::prefix::{IdForm, Lookup};
use crate::sql::{column, parse, read_json};
use crate::store::Store;

/// The most rows of a list.
const LIST_MAX: u32 = 1_000;

const DEPLOYMENT: Lookup = Lookup {
    what: "deployment",
    form: IdForm::Ulid,
    sql: "SELECT id FROM deployments
          WHERE id >= $1 AND id < $2 AND $4 IS NULL ORDER BY id LIMIT $3",
};

/// What is deployed in the stable slot.
#[derive(Clone, PartialEq, Debug)]
pub struct CurrentDeployment {
    /// The latest event.
    pub deployment: Deployment,
    /// Since when its release has been deployed there without a break: restarts are none.
    pub since: Timestamp,
}

/// What stood at a time, and the events that say so.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AsOf {
    /// What stood.
    pub standing: Standing,
    /// Where the events that it stands on lie in their nodes' logs: of the stable slot, of the canary (and
    /// the one that began it), of the intervention.
    pub places: Vec<(DeploymentId, Place)>,
}

/// A deployment event, as it came to be known here.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// Grows with each; never used twice.
    pub cursor: i64,
    /// The event.
    pub deployment: Deployment,
}

impl Store {
    /// What stands for a system in an environment.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn standing(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
    ) -> Result<Standing, StoreError> {
        let mut snapshot = self.begin(Way::Read, Scope::Installation, READING).await?;
        let events = events(&mut snapshot, system, environment, ALWAYS).await?;
        Ok(Standing::fold(events.iter().map(|(event, _)| event)))
    }

    /// What stood for a system in an environment at the time `at`, with the places of the events for
    /// the proof.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn deployments_at(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
        at: Timestamp,
    ) -> Result<AsOf, StoreError> {
        let mut snapshot = self.begin(Way::Read, Scope::Installation, READING).await?;
        let events = events(&mut snapshot, system, environment, at).await?;
        let standing = Standing::fold(events.iter().map(|(event, _)| event));
        let mut places: HashMap<DeploymentId, Place> = events
            .into_iter()
            .map(|(event, place)| (event.id, place))
            .collect();
        let telling = telling(&standing).into_iter();
        let places = telling
            .filter_map(|id| Some((id, places.remove(&id)?)))
            .collect();
        Ok(AsOf { standing, places })
    }

    /// Deployment events of all nodes after `cursor` (0: from the first), in the order in which they came
    /// to be known here, at most `limit`. An event is a reason to ask [`Store::standing`] again: this is
    /// not the order in which events hold. After a rebuild they come again.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn changes_since(&self, cursor: i64, limit: u32) -> Result<Vec<Change>, StoreError> {
        let rows = self.rows(Scope::Installation, Statement::new(
            "SELECT number, record FROM deployments WHERE number > $1 ORDER BY number LIMIT $2",
        ).bind(cursor).bind(limit.min(LIST_MAX)), "list what was deployed since").await?;
        rows.iter()
            .map(|row| {
                Ok(Change {
                    cursor: column(row, 0)?,
                    deployment: read_json("deployment", column(row, 1)?)?,
                })
            })
            .collect()
    }

    /// The cursor of the latest deployment event; 0 if there is none.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn last_change(&self) -> Result<i64, StoreError> {
        let statement = Statement::new("SELECT COALESCE(MAX(number), 0) FROM deployments");
        let row = self
            .row(Scope::Installation, statement, "say what was deployed last")
            .await?;
        row.map_or(Ok(0), |row| column(&row, 0))
    }

    /// The deployment event with this id.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn deployment(&self, id: DeploymentId) -> Result<Option<Deployment>, StoreError> {
        let text: Option<String> = self
            .text(
                Scope::Installation,
                Statement::new("SELECT record FROM deployments WHERE id = $1").bind(id.to_string()),
                "read a deployment",
            )
            .await?;
        text.map(|text| read_json("deployment", &text)).transpose()
    }

    /// The one deployment event whose id begins with `prefix`.
    ///
    /// # Errors
    /// If there is none or there are several, or the database is away.
    pub async fn deployment_by_prefix(&self, prefix: &str) -> Result<Deployment, StoreError> {
        let id = DEPLOYMENT.resolve(self, None, prefix).await?;
        let deployment = self.deployment(parse("deployment", &id)?).await?;
        deployment.ok_or_else(|| StoreError::NotFound {
            what: "deployment",
            prefix: prefix.to_owned(),
        })
    }

    /// The event that the stable slot stands on. Events of one node follow its journal, so that a clock
    /// that was set back does not bring an older release back; nor does a node that starts late.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn current_deployment(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
    ) -> Result<Option<Deployment>, StoreError> {
        Ok(self.standing(system, environment).await?.stable)
    }

    /// What is deployed in the stable slot, and since when.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn deployed(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
    ) -> Result<Option<CurrentDeployment>, StoreError> {
        let mut snapshot = self.begin(Way::Read, Scope::Installation, READING).await?;
        deployed(&mut snapshot, system, environment).await
    }

    /// What the stable slot stood on at the time `at`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn deployment_at(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
        at: Timestamp,
    ) -> Result<Option<Deployment>, StoreError> {
        let as_of = self.deployments_at(system, environment, at).await?;
        Ok(as_of.standing.stable)
    }

    /// The deployment events of a system in all slots, the latest first, at most `limit`; of one
    /// environment, if one is given.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn deployments(
        &self,
        system: &SystemName,
        environment: Option<&EnvironmentName>,
        limit: u32,
    ) -> Result<Vec<Deployment>, StoreError> {
        let texts: Vec<String> = self
            .texts(
                Scope::Installation,
                Statement::new(
                    "SELECT record FROM deployments
             WHERE system = $1 AND ($2 IS NULL OR environment = $2)
             ORDER BY order_at DESC, node DESC, sequence DESC LIMIT $3",
                )
                .bind(system.as_str())
                .bind(environment.map(EnvironmentName::as_str))
                .bind(limit.min(LIST_MAX)),
                "list deployments",
            )
            .await?;
        texts
            .iter()
            .map(|text| read_json("deployment", text))
            .collect()
    }

    /// Deployments that overrode their approvals and that nobody but whoever deployed has looked at, the
    /// earliest first.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn open_deployment_reviews(
        &self,
        system: &SystemName,
        environment: &EnvironmentName,
    ) -> Result<Vec<Deployment>, StoreError> {
        let statement = Statement::new(
            "SELECT record FROM deployments
             WHERE system = $1 AND environment = $2 AND break_glass
               AND NOT EXISTS (SELECT 1 FROM governance_events AS review
                 WHERE review.kind = 'deployment_review' AND review.about = deployments.id
                   AND review.actor <> deployments.actor)
             ORDER BY order_at, node, sequence LIMIT $3",
        )
        .bind(system.as_str())
        .bind(environment.as_str())
        .bind(LIST_MAX);
        let doing = "list deployments that wait for a review";
        let texts = self.texts(Scope::Installation, statement, doing).await?;
        texts
            .iter()
            .map(|text| read_json("deployment", text))
            .collect()
    }

    /// Who looked at a deployment that overrode its approvals, the earliest first.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn deployment_reviews(
        &self,
        deployment: DeploymentId,
    ) -> Result<Vec<DeploymentReview>, StoreError> {
        self.governance_about("deployment_review", &deployment.to_string())
            .await
    }
}

const READING: &str = "read what is deployed";

/// Later than any event.
const ALWAYS: Timestamp = Timestamp::from_micros(i64::MAX);

/// The events until `at` that tell what stood then, in the order in which they hold.
///
/// A node that starts writes an event, so after some years most events are starts, and nearly all of
/// them change nothing. What is left out here is what the fold cannot see: of the starts of a release all
/// but the last, and but the first after an event of a canary with that release. The first event of the
/// stable slot is told, start or not: it stands as there is no other. `known` are the releases that were
/// started, found one after the other by their index instead of among all starts.
async fn events(
    transaction: &mut Transaction,
    system: &SystemName,
    environment: &EnvironmentName,
    at: Timestamp,
) -> Result<Vec<(Deployment, Place)>, StoreError> {
    let rows = transaction.rows(Statement::new(
        "WITH RECURSIVE known (release) AS (
             SELECT MIN(release) FROM deployments
             WHERE system = $1 AND environment = $2 AND cause = 'start'
             UNION ALL
             SELECT (SELECT MIN(release) FROM deployments
                     WHERE system = $1 AND environment = $2 AND cause = 'start'
                       AND release > known.release)
             FROM known WHERE known.release IS NOT NULL
         ), telling AS (
             SELECT number FROM deployments
             WHERE system = $1 AND environment = $2 AND at <= $3 AND cause <> 'start'
             UNION
             SELECT * FROM (SELECT number FROM deployments
                 WHERE system = $1 AND environment = $2 AND at <= $3 AND slot = 'stable'
                 ORDER BY order_at, node, sequence LIMIT 1) AS first
             UNION
             SELECT (SELECT number FROM deployments
                     WHERE system = $1 AND environment = $2 AND release = known.release AND at <= $3
                       AND cause = 'start'
                     ORDER BY order_at DESC, node DESC, sequence DESC LIMIT 1)
             FROM known
             UNION
             SELECT (SELECT number FROM deployments
                     WHERE system = $1 AND environment = $2 AND release = canary.release AND at <= $3
                       AND cause = 'start' AND (order_at, node, sequence)
                         > (canary.order_at, canary.node, canary.sequence)
                     ORDER BY order_at, node, sequence LIMIT 1)
             FROM deployments AS canary
             WHERE system = $1 AND environment = $2 AND at <= $3 AND cause <> 'start'
               AND slot = 'canary')
         SELECT node, sequence, record FROM deployments
         WHERE number IN (SELECT number FROM telling)
         ORDER BY order_at, node, sequence",
    ).bind(system.as_str()).bind(environment.as_str()).bind(at.as_micros())).await?;
    rows.iter()
        .map(|row| Ok((read_json("deployment", column(row, 2)?)?, place(row, 0)?)))
        .collect()
}

/// The events that `standing` stands on, each once.
fn telling(standing: &Standing) -> Vec<DeploymentId> {
    let stable = standing.stable.as_ref().map(|event| event.id);
    let canary = standing.canary.as_ref();
    let first = canary.map(|canary: &Canary| canary.first);
    let canary = canary.map(|canary| canary.deployment.id);
    let halt = standing.halt.as_ref().map(|event| event.id);
    let mut telling: Vec<DeploymentId> = Vec::new();
    for id in [stable, first, canary, halt].into_iter().flatten() {
        if !telling.contains(&id) {
            telling.push(id);
        }
    }
    telling
}

/// See [`Store::deployed`].
pub(crate) async fn deployed(
    transaction: &mut Transaction,
    system: &SystemName,
    environment: &EnvironmentName,
) -> Result<Option<CurrentDeployment>, StoreError> {
    let mut standing = Standing::default();
    let mut since = None;
    for (event, _) in events(transaction, system, environment, ALWAYS).await? {
        let before = standing.stable.as_ref().map(|stable| stable.release);
        standing.apply(&event);
        let after = standing.stable.as_ref().map(|stable| stable.release);
        if before != after {
            since = Some(event.at);
        }
    }
    let current = standing.stable.map(|deployment| CurrentDeployment {
        since: since.unwrap_or(deployment.at),
        deployment,
    });
    Ok(current)
}

/// The slot in one word, as it is stored.
pub(crate) const fn slot_word(slot: Slot) -> &'static str {
    match slot {
        Slot::Stable => "stable",
        Slot::Canary { .. } => "canary",
        Slot::Halt { .. } => "halt",
    }
}

/// The share of a canary in hundredths of a percent.
pub(crate) fn weight(slot: Slot) -> Option<i64> {
    match slot {
        Slot::Canary { weight } => Some(i64::from(weight.basis_points())),
        Slot::Stable | Slot::Halt { .. } => None,
    }
}

/// The cause in one word, as it is stored.
pub(crate) const fn cause_word(cause: DeploymentCause) -> &'static str {
    match cause {
        DeploymentCause::First => "first",
        DeploymentCause::Start => "start",
        DeploymentCause::Reload => "reload",
        DeploymentCause::Command => "command",
    }
}
