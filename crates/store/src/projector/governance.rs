//! What people do to records, to rows; and an erasure's part in the database.

use plimsoll_core::governance::Erasure;
use plimsoll_core::review::Review;

use super::events::Place;
use crate::database::{Lock, Statement, Transaction};
use crate::error::StoreError;
use crate::governance::Key;
use crate::reviews::without_contents;
use crate::sql::{column, read_json, write_json};

/// Writes an event of governance.
pub(super) async fn write(
    transaction: &mut Transaction,
    place: Place<'_>,
    key: Key,
) -> Result<(), StoreError> {
    let statement = place
        .bind(
            "INSERT INTO governance_events (node, sequence, id, kind, about, at, actor, tenant,
               system, environment, record)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(key.id)
        .bind(key.kind)
        .bind(key.about)
        .bind(key.at.as_micros())
        .bind(key.actor)
        .bind(key.tenant)
        .bind(key.system)
        .bind(key.environment)
        .bind(key.record);
    transaction.execute(statement).await?;
    Ok(())
}

/// Removes every input and output that the database holds of the decisions that `erasure` names: they
/// stand in reviews only. The reviews themselves stay.
pub(super) async fn erase(
    transaction: &mut Transaction,
    erasure: &Erasure,
) -> Result<(), StoreError> {
    transaction.lock(Lock::Erasing).await?;
    let event = erasure.id.to_string();
    let decisions: Vec<String> = erasure.decisions.iter().map(ToString::to_string).collect();
    for decision in &decisions {
        let statement = Statement::new(
            "INSERT INTO erased (decision, erasure) VALUES ($1, $2)
             ON CONFLICT (decision, erasure) DO NOTHING",
        );
        transaction
            .execute(statement.bind(&**decision).bind(&*event))
            .await?;
    }
    // Whoever would close one of these reviews meanwhile waits, and finds its contents gone.
    let statement = Statement::new(
        "UPDATE reviews SET erasure = $2 WHERE decision = ANY($1) AND erasure IS NULL
         RETURNING id, review",
    );
    let rows = transaction
        .rows(statement.bind(decisions).bind(event))
        .await?;
    for row in &rows {
        let review: Review = read_json("review", column(row, 1)?)?;
        let statement = Statement::new("UPDATE reviews SET review = $2 WHERE id = $1")
            .bind(column::<String>(row, 0)?)
            .bind(write_json("review", &without_contents(review))?);
        transaction.execute(statement).await?;
    }
    Ok(())
}
