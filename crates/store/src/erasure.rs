//! Erasure: which decisions are about a person, and which erasures a node has yet to carry out on its
//! own files. What the database itself holds of them goes when the projection meets the record.

use plimsoll_core::governance::Erasure;
use plimsoll_core::{DecisionId, Digest, EventId, NodeName, SystemName, TenantName, Timestamp};

use crate::database::{Row, Scope, Statement, Way};
use crate::error::StoreError;
use crate::sql::{column, parse, read_json};
use crate::store::Store;

/// The most rows of a list.
const LIST_MAX: u32 = 1_000;

/// What decides whether a hold covers a decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DecisionMark {
    /// Which decision.
    pub id: DecisionId,
    /// Of which system.
    pub system: SystemName,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Whom it is about, by pseudonym.
    pub subject: Option<Digest>,
}

impl Store {
    /// The decisions about a person that the projection has, by id, at most `limit`; of `tenant`, if one
    /// is given. For the next page: after the last id of this one.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn decisions_of_subject(
        &self,
        tenant: Option<&TenantName>,
        subject: Digest,
        after: Option<DecisionId>,
        limit: u32,
    ) -> Result<Vec<DecisionMark>, StoreError> {
        let rows = self
            .rows(
                Scope::of(tenant),
                Statement::new(
                    "SELECT id, system, opened_at, subject FROM decisions
             WHERE subject = $1 AND id > $2 AND ($3 IS NULL OR tenant = $3) ORDER BY id LIMIT $4",
                )
                .bind(subject.to_string())
                .bind(after.map_or_else(String::new, |id| id.to_string()))
                .bind(tenant.map(TenantName::as_str))
                .bind(limit.min(LIST_MAX)),
                "list the decisions about a person",
            )
            .await?;
        rows.iter().map(mark).collect()
    }

    /// What decides whether a hold covers this decision; none if the projection does not have it.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn decision_mark(&self, id: DecisionId) -> Result<Option<DecisionMark>, StoreError> {
        let row = self
            .row(
                Scope::Installation,
                Statement::new(
                    "SELECT id, system, opened_at, subject FROM decisions WHERE id = $1",
                )
                .bind(id.to_string()),
                "read a decision",
            )
            .await?;
        row.as_ref().map(mark).transpose()
    }

    /// Erasures of any node that `node` has not noted as carried out, the earliest first, at most
    /// `limit`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn erasures_to_apply(
        &self,
        node: &NodeName,
        limit: u32,
    ) -> Result<Vec<Erasure>, StoreError> {
        let texts: Vec<String> = self
            .texts(
                Scope::Installation,
                Statement::new(
                    "SELECT record FROM governance_events WHERE kind = 'erasure'
               AND NOT EXISTS (SELECT 1 FROM erasures_applied
                 WHERE erasure = governance_events.id AND erasures_applied.node = $1)
             ORDER BY at, id LIMIT $2",
                )
                .bind(node.as_str())
                .bind(limit.min(LIST_MAX)),
                "list erasures",
            )
            .await?;
        texts
            .iter()
            .map(|text| read_json("erasure", text))
            .collect()
    }

    /// Notes that `node` has carried out an erasure on its own files. Noting it twice does no harm.
    ///
    /// # Errors
    /// If the database is away; then the erasure is to be carried out again.
    pub async fn erasure_applied(
        &self,
        erasure: EventId,
        node: &NodeName,
    ) -> Result<(), StoreError> {
        self.write(
            Way::Control,
            Scope::Installation,
            Statement::new(
                "INSERT INTO erasures_applied (erasure, node, applied_at) VALUES ($1, $2, $3)
             ON CONFLICT (erasure, node) DO NOTHING",
            )
            .bind(erasure.to_string())
            .bind(node.as_str())
            .bind(self.clock.now().as_micros()),
            "note that an erasure is carried out",
        )
        .await?;
        Ok(())
    }

    /// The first erasure that names a decision: why its contents are gone, and by what authority.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn erasure_of(&self, decision: DecisionId) -> Result<Option<Erasure>, StoreError> {
        let text: Option<String> = self
            .text(
                Scope::Installation,
                Statement::new(
                    "SELECT record FROM erased JOIN governance_events ON id = erasure
             WHERE decision = $1 ORDER BY at, id LIMIT 1",
                )
                .bind(decision.to_string()),
                "read an erasure",
            )
            .await?;
        text.map(|text| read_json("erasure", &text)).transpose()
    }

    /// All erasures, the latest first, at most `limit`.
    ///
    /// # Errors
    /// If the database is away or holds what cannot be read.
    pub async fn erasures(&self, limit: u32) -> Result<Vec<Erasure>, StoreError> {
        let texts: Vec<String> = self
            .texts(
                Scope::Installation,
                Statement::new(
                    "SELECT record FROM governance_events WHERE kind = 'erasure'
             ORDER BY at DESC, id DESC LIMIT $1",
                )
                .bind(limit.min(LIST_MAX)),
                "list erasures",
            )
            .await?;
        texts
            .iter()
            .map(|text| read_json("erasure", text))
            .collect()
    }
}

fn mark(row: &Row) -> Result<DecisionMark, StoreError> {
    let subject: Option<&str> = column(row, 3)?;
    Ok(DecisionMark {
        id: parse("decision", column(row, 0)?)?,
        system: parse("system", column(row, 1)?)?,
        opened_at: Timestamp::from_micros(column(row, 2)?),
        subject: subject.map(|text| parse("subject", text)).transpose()?,
    })
}
