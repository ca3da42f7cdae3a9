//! Labels, to rows; and the decisions that they are about, whichever of the two comes first.

use plimsoll_core::DecisionId;
use plimsoll_core::label::Label;

use super::events::Place;
use crate::database::{Statement, Transaction};
use crate::error::StoreError;
use crate::sql::write_json;

/// Writes a label, joined to its decision if that is known.
pub(super) async fn write(
    transaction: &mut Transaction,
    place: Place<'_>,
    label: &Label,
) -> Result<(), StoreError> {
    let statement = place
        .bind(
            "INSERT INTO labels (node, sequence, id, decision, tenant, name, at, record)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING",
        )
        .bind(label.id.to_string())
        .bind(label.decision.to_string())
        .bind(label.tenant.as_str())
        .bind(label.name.as_str())
        .bind(label.at.as_micros())
        .bind(write_json("label", label)?);
    transaction.execute(statement).await?;
    join(transaction, [label.decision].into_iter()).await
}

/// Joins the labels that wait for these decisions. Whoever labels another tenant's decision waits for ever.
pub(super) async fn join(
    transaction: &mut Transaction,
    decisions: impl Iterator<Item = DecisionId>,
) -> Result<(), StoreError> {
    let ids: Vec<String> = decisions.map(|id| id.to_string()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let statement = Statement::new(
        "UPDATE labels SET
           system = (SELECT d.system FROM decisions AS d WHERE d.id = labels.decision),
           environment = (SELECT d.environment FROM decisions AS d WHERE d.id = labels.decision),
           release = (SELECT d.release FROM decisions AS d WHERE d.id = labels.decision),
           opened_at = (SELECT d.opened_at FROM decisions AS d WHERE d.id = labels.decision)
         WHERE decision = ANY($1) AND system IS NULL AND EXISTS (
           SELECT 1 FROM decisions AS d WHERE d.id = labels.decision AND d.tenant = labels.tenant)",
    );
    transaction.execute(statement.bind(ids)).await?;
    Ok(())
}
