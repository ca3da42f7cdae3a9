//! Deployment events to rows, in the order in which they hold.

use plimsoll_core::record::Deployment;

use super::events::Place;
use crate::database::{Lock, Statement, Transaction};
use crate::deployments::{cause_word, slot_word, weight};
use crate::error::StoreError;
use crate::sql::write_json;

/// Writes a deployment event. It holds from the latest `at` of this node's events up to it, and so do
/// those after it in its journal.
pub(super) async fn write(
    transaction: &mut Transaction,
    place: Place<'_>,
    deployment: &Deployment,
) -> Result<(), StoreError> {
    transaction.lock(Lock::Deployments).await?;
    let of_slot = |statement: Statement| {
        statement
            .bind(deployment.system.as_str())
            .bind(deployment.environment.as_str())
    };
    let before = of_slot(place.bind(
        "SELECT order_at FROM deployments
         WHERE node = $1 AND sequence < $2 AND system = $3 AND environment = $4
         ORDER BY sequence DESC LIMIT 1",
    ));
    let at = deployment.at.as_micros();
    let before = transaction.number(before).await?;
    let order_at = before.map_or(at, |before| before.max(at));
    let insert = of_slot(place.bind(
        "INSERT INTO deployments (node, sequence, system, environment, at, id, slot, weight,
           release, cause, actor, break_glass, record, order_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         ON CONFLICT (id) DO NOTHING",
    ))
    .bind(at)
    .bind(deployment.id.to_string())
    .bind(slot_word(deployment.slot))
    .bind(weight(deployment.slot))
    .bind(deployment.release.to_string())
    .bind(cause_word(deployment.cause))
    .bind(&*deployment.actor)
    .bind(deployment.break_glass)
    .bind(write_json("deployment", deployment)?)
    .bind(order_at);
    transaction.execute(insert).await?;
    let later = of_slot(place.bind(
        "UPDATE deployments SET order_at = $5
         WHERE node = $1 AND sequence > $2 AND system = $3 AND environment = $4 AND order_at < $5",
    ));
    transaction.execute(later.bind(at)).await?;
    Ok(())
}
