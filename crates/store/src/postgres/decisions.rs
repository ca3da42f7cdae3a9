//! Decisions to rows of PostgreSQL: a whole batch in one statement.
//!
//! `INSERT … SELECT FROM unnest` because `COPY` is refused where row-level security holds. The statement
//! is the same for every batch, so that it is prepared once.

use plimsoll_core::NodeName;

use crate::database::storable;
use crate::decisions::basis_word;
use crate::error::StoreError;
use crate::postgres::PgTransaction;
use crate::projector::decisions::{DecisionRow, answering_model, mode, path, protocol};
use crate::rollup::{pico, skipped, tokens};
use crate::sql::{signed, write_json};

/// The node, then one array for each column. Of two records of a decision a closed one stands over an
/// open one, then the later.
const INSERT: &str = "INSERT INTO decisions (node, id, sequence, request, row, tenant, environment, system, \
    key, unit, session, subject, idempotency, release, deployment, protocol, mode, stream, \
    opened_at, closed_at, micros, outcome, kind, code, path, model, attempts, input_tokens, \
    output_tokens, confidence, cost_pico, cost_basis, skipped, review, drill, record) \
    SELECT $1, given.* FROM unnest($2::text[], $3::bigint[], $4::text[], $5::bigint[], \
    $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], \
    $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::boolean[], \
    $19::bigint[], $20::bigint[], $21::bigint[], $22::text[], $23::text[], $24::text[], \
    $25::text[], $26::text[], $27::bigint[], $28::bigint[], $29::bigint[], \
    $30::double precision[], $31::bigint[], $32::text[], $33::bigint[], $34::text[], \
    $35::text[], $36::text[]) AS given \
    ON CONFLICT (id) DO UPDATE SET node = excluded.node, sequence = excluded.sequence, \
    unit = excluded.unit, session = excluded.session, subject = excluded.subject, \
    idempotency = excluded.idempotency, release = excluded.release, \
    deployment = excluded.deployment, stream = excluded.stream, \
    opened_at = excluded.opened_at, closed_at = excluded.closed_at, \
    micros = excluded.micros, outcome = excluded.outcome, kind = excluded.kind, \
    code = excluded.code, path = excluded.path, model = excluded.model, \
    attempts = excluded.attempts, input_tokens = excluded.input_tokens, \
    output_tokens = excluded.output_tokens, confidence = excluded.confidence, \
    cost_pico = excluded.cost_pico, cost_basis = excluded.cost_basis, \
    skipped = excluded.skipped, review = excluded.review, drill = excluded.drill, \
    record = excluded.record \
    WHERE (excluded.outcome IS NOT NULL, \
    excluded.sequence) >= (decisions.outcome IS NOT NULL, decisions.sequence)";

/// Writes decisions that stand over what the table has.
#[expect(clippy::too_many_lines, reason = "a column for each line")]
pub(crate) async fn insert(
    transaction: &mut PgTransaction,
    node: &NodeName,
    rows: &[DecisionRow<'_>],
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let records = rows
        .iter()
        .map(|row| write_json("decision", row.decision))
        .collect::<Result<Vec<_>, _>>()?;
    let query = sqlx::query(INSERT)
        .bind(node.as_str())
        .bind(each(rows, |row| row.decision.id.to_string()))
        .bind(each(rows, |row| signed(row.sequence)))
        .bind(each(rows, |row| row.decision.request.to_string()))
        .bind(each(rows, |row| i64::from(row.decision.row)))
        .bind(each(rows, |row| row.decision.tenant.as_str()))
        .bind(each(rows, |row| row.decision.environment.as_str()))
        .bind(each(rows, |row| row.decision.system.as_str()))
        .bind(each(rows, |row| {
            row.decision.key.as_ref().map(|key| key.as_str())
        }))
        .bind(each(rows, |row| row.decision.unit.clone().map(storable)))
        .bind(each(rows, |row| row.decision.session.clone().map(storable)))
        .bind(each(rows, |row| {
            row.decision.subject.map(|subject| subject.to_string())
        }))
        .bind(each(rows, |row| {
            row.decision.idempotency.map(|key| key.to_string())
        }))
        .bind(each(rows, |row| row.decision.release.to_string()))
        .bind(each(rows, |row| row.decision.deployment.to_string()))
        .bind(each(rows, |row| protocol(row.decision.protocol)))
        .bind(each(rows, |row| mode(row.decision.mode)))
        .bind(each(rows, |row| row.decision.stream))
        .bind(each(rows, |row| row.decision.opened_at.as_micros()))
        .bind(each(rows, |row| {
            row.decision.closed_at.map(|at| at.as_micros())
        }))
        .bind(each(rows, |row| row.decision.total_micros().map(signed)))
        .bind(each(rows, |row| {
            row.decision.outcome.map(|outcome| outcome.as_str())
        }))
        .bind(each(rows, |row| {
            row.decision.kind.map(|kind| kind.as_str())
        }))
        .bind(each(rows, |row| {
            row.decision.code.map(|code| code.as_str())
        }))
        .bind(each(rows, |row| path(row.decision)))
        .bind(each(rows, |row| answering_model(&row.decision.attempts)))
        .bind(each(rows, |row| {
            i64::try_from(row.decision.attempts.len()).unwrap_or(i64::MAX)
        }))
        .bind(each(rows, |row| {
            tokens(&row.decision.attempts).map(|(input, _)| input)
        }))
        .bind(each(rows, |row| {
            tokens(&row.decision.attempts).map(|(_, output)| output)
        }))
        .bind(each(rows, |row| row.decision.confidence))
        .bind(each(rows, |row| pico(row.decision)))
        .bind(each(rows, |row| basis_word(row.decision.cost.basis)))
        .bind(each(rows, |row| skipped(row.decision)))
        .bind(each(rows, |row| {
            row.decision.review.map(|review| review.to_string())
        }))
        .bind(each(rows, |row| {
            row.decision.made_for().map(|event| event.to_string())
        }))
        .bind(records);
    transaction
        .run(async move |connection| query.execute(connection).await)
        .await?;
    Ok(())
}

/// A column of the batch.
fn each<'a, T>(rows: &'a [DecisionRow<'a>], of: impl Fn(&'a DecisionRow<'a>) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}
