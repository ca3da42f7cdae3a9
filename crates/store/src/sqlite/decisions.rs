//! Decisions to rows of SQLite: many to a statement.

use plimsoll_core::NodeName;
use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Sqlite};

use crate::database::SqliteTransaction;
use crate::decisions::basis_word;
use crate::error::{Doing as _, StoreError};
use crate::projector::decisions::{DecisionRow, answering_model, mode, path, protocol};
use crate::rollup::{pico, skipped, tokens};
use crate::sql::{signed, write_json};

/// Rows in one statement. SQLite takes at most 32,766 values; this many gain nearly all there is to
/// gain, and the prepared statement stays small.
const ROWS_MAX: usize = 64;

const INSERT: &str = "INSERT INTO decisions (id, node, sequence, request, row, tenant, environment, \
    system, key, unit, session, release, deployment, protocol, mode, stream, opened_at, closed_at, \
    micros, outcome, kind, code, path, model, attempts, input_tokens, output_tokens, confidence, \
    cost_pico, cost_basis, skipped, review, drill, idempotency, subject) ";

const UPSERT: &str = " ON CONFLICT (id) DO UPDATE SET node = excluded.node, \
    sequence = excluded.sequence, unit = excluded.unit, session = excluded.session, \
    release = excluded.release, deployment = excluded.deployment, stream = excluded.stream, \
    opened_at = excluded.opened_at, closed_at = excluded.closed_at, micros = excluded.micros, \
    outcome = excluded.outcome, kind = excluded.kind, code = excluded.code, path = excluded.path, \
    model = excluded.model, attempts = excluded.attempts, input_tokens = excluded.input_tokens, \
    output_tokens = excluded.output_tokens, confidence = excluded.confidence, \
    cost_pico = excluded.cost_pico, cost_basis = excluded.cost_basis, skipped = excluded.skipped, \
    review = excluded.review, drill = excluded.drill, idempotency = excluded.idempotency, \
    subject = excluded.subject";

const INSERT_RECORDS: &str = "INSERT INTO decision_records (number, record) \
    SELECT decisions.number, given.column3 FROM (";

const UPSERT_RECORDS: &str = ") AS given JOIN decisions \
    ON decisions.id = given.column1 AND decisions.sequence = given.column2 WHERE TRUE \
    ON CONFLICT (number) DO UPDATE SET record = excluded.record";

/// Writes decisions that stand over what the table has. The driver runs a statement on a thread of its own;
/// the next one is put together meanwhile, which takes a third as long.
pub(crate) async fn insert(
    transaction: &mut SqliteTransaction,
    node: &NodeName,
    rows: &[DecisionRow<'_>],
) -> Result<(), StoreError> {
    let mut parts = rows.chunks(ROWS_MAX).flat_map(|rows| {
        let of_rows = |part: Part| (part, rows);
        [Part::Rows, Part::Records].map(of_rows)
    });
    let mut prepare = || {
        let next = parts.next();
        next.map(|(part, rows)| part.prepare(node, rows))
            .transpose()
    };
    let mut next = prepare()?;
    while let Some(mut prepared) = next {
        let running = prepared
            .statement
            .build()
            .persistent(prepared.is_usual)
            .execute(&mut *transaction.inner);
        let (ran, following) = tokio::join!(biased; running, async { prepare() });
        ran.doing(prepared.part.doing())?;
        next = following?;
    }
    Ok(())
}

/// What of decisions a statement writes.
#[derive(Clone, Copy)]
enum Part {
    Rows,
    Records,
}

/// A statement that is ready to be run.
struct Prepared {
    part: Part,
    statement: QueryBuilder<Sqlite>,
    /// Statements are kept prepared by their text: one of each length would be as many large ones.
    is_usual: bool,
}

impl Part {
    const fn doing(self) -> &'static str {
        match self {
            Self::Rows => "write decisions",
            Self::Records => "write the records of decisions",
        }
    }

    fn prepare(self, node: &NodeName, rows: &[DecisionRow<'_>]) -> Result<Prepared, StoreError> {
        let statement = match self {
            Self::Rows => {
                let mut insert = QueryBuilder::<Sqlite>::new(INSERT);
                insert.push_values(rows, |values, row| bind(values, node, row));
                insert.push(UPSERT);
                insert
            }
            Self::Records => {
                let texts = rows
                    .iter()
                    .map(|row| write_json("decision", row.decision))
                    .collect::<Result<Vec<_>, _>>()?;
                let mut insert = QueryBuilder::<Sqlite>::new(INSERT_RECORDS);
                insert.push_values(rows.iter().zip(texts), |mut values, (row, text)| {
                    values
                        .push_bind(row.decision.id.to_string())
                        .push_bind(signed(row.sequence))
                        .push_bind(text);
                });
                insert.push(UPSERT_RECORDS);
                insert
            }
        };
        Ok(Prepared {
            part: self,
            statement,
            is_usual: rows.len() == ROWS_MAX,
        })
    }
}

fn bind(mut values: Separated<'_, Sqlite, &'static str>, node: &NodeName, row: &DecisionRow<'_>) {
    let decision = row.decision;
    let tokens = tokens(&decision.attempts);
    values
        .push_bind(decision.id.to_string())
        .push_bind(node.as_str().to_owned())
        .push_bind(signed(row.sequence))
        .push_bind(decision.request.to_string())
        .push_bind(i64::from(decision.row))
        .push_bind(decision.tenant.as_str().to_owned())
        .push_bind(decision.environment.as_str().to_owned())
        .push_bind(decision.system.as_str().to_owned())
        .push_bind(decision.key.as_ref().map(|key| key.as_str().to_owned()))
        .push_bind(decision.unit.clone())
        .push_bind(decision.session.clone())
        .push_bind(decision.release.to_string())
        .push_bind(decision.deployment.to_string())
        .push_bind(protocol(decision.protocol))
        .push_bind(mode(decision.mode))
        .push_bind(decision.stream)
        .push_bind(decision.opened_at.as_micros())
        .push_bind(decision.closed_at.map(|at| at.as_micros()))
        .push_bind(decision.total_micros().map(signed))
        .push_bind(decision.outcome.map(|outcome| outcome.as_str()))
        .push_bind(decision.kind.map(|kind| kind.as_str()))
        .push_bind(decision.code.map(|code| code.as_str()))
        .push_bind(path(decision))
        .push_bind(answering_model(&decision.attempts))
        .push_bind(i64::try_from(decision.attempts.len()).unwrap_or(i64::MAX))
        .push_bind(tokens.map(|(input, _)| input))
        .push_bind(tokens.map(|(_, output)| output))
        .push_bind(decision.confidence)
        .push_bind(pico(decision))
        .push_bind(basis_word(decision.cost.basis))
        .push_bind(skipped(decision))
        .push_bind(decision.review.map(|review| review.to_string()))
        .push_bind(decision.made_for().map(|event| event.to_string()))
        .push_bind(decision.idempotency.map(|key| key.to_string()))
        .push_bind(decision.subject.map(|subject| subject.to_string()));
}
