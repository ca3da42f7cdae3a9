//! Decisions to rows, many at a time.
//!
//! Which of two records of one decision stands: a closed one over an open one, then the later in the
//! journal. The same rule holds within a batch (here) and against the table (in the SQL).

use std::collections::HashMap;

use plimsoll_core::decision::{AttemptRecord, CostBasis, Protocol, Verdict};
use plimsoll_core::manifest::Mode;
use plimsoll_core::{Decision, DecisionId, NodeName, Record};
use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::error::{Doing as _, StoreError};
use crate::sql::{signed, write_json};

/// Rows in one statement. SQLite takes at most 32,766 values; this many gain nearly all there is to
/// gain, and the prepared statement stays small.
const ROWS_MAX: usize = 64;

const INSERT: &str = "INSERT INTO decisions (id, node, sequence, request, row, tenant, environment, \
    system, key, unit, session, release, deployment, protocol, mode, stream, opened_at, closed_at, \
    micros, outcome, kind, code, path, model, attempts, input_tokens, output_tokens, confidence, \
    cost_pico, cost_basis, skipped, review, drill, idempotency) ";

const UPSERT: &str = " ON CONFLICT (id) DO UPDATE SET node = excluded.node, \
    sequence = excluded.sequence, unit = excluded.unit, session = excluded.session, \
    release = excluded.release, deployment = excluded.deployment, stream = excluded.stream, \
    opened_at = excluded.opened_at, closed_at = excluded.closed_at, micros = excluded.micros, \
    outcome = excluded.outcome, kind = excluded.kind, code = excluded.code, path = excluded.path, \
    model = excluded.model, attempts = excluded.attempts, input_tokens = excluded.input_tokens, \
    output_tokens = excluded.output_tokens, confidence = excluded.confidence, \
    cost_pico = excluded.cost_pico, cost_basis = excluded.cost_basis, skipped = excluded.skipped, \
    review = excluded.review, drill = excluded.drill, idempotency = excluded.idempotency \
    WHERE (excluded.outcome IS NOT NULL, excluded.sequence) >= (outcome IS NOT NULL, sequence)";

const INSERT_RECORDS: &str = "INSERT INTO decision_records (number, record) \
    SELECT decisions.number, given.column3 FROM (";

const UPSERT_RECORDS: &str = ") AS given JOIN decisions \
    ON decisions.id = given.column1 AND decisions.sequence = given.column2 WHERE TRUE \
    ON CONFLICT (number) DO UPDATE SET record = excluded.record";

struct Row<'a> {
    sequence: u64,
    decision: &'a Decision,
}

impl Row<'_> {
    fn rank(&self) -> (bool, u64) {
        (self.decision.outcome.is_some(), self.sequence)
    }
}

/// Writes the decisions among `records`.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    node: &NodeName,
    records: &[(u64, Record)],
) -> Result<(), StoreError> {
    let rows = latest(records);
    for rows in rows.chunks(ROWS_MAX) {
        // Statements are kept prepared by their text: one of each length would be as many large ones.
        let is_usual = rows.len() == ROWS_MAX;
        let mut insert = QueryBuilder::<Sqlite>::new(INSERT);
        insert.push_values(rows, |values, row| bind(values, node, row));
        insert.push(UPSERT);
        insert
            .build()
            .persistent(is_usual)
            .execute(&mut *connection)
            .await
            .doing("write decisions")?;

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
            .build()
            .persistent(is_usual)
            .execute(&mut *connection)
            .await
            .doing("write the records of decisions")?;
    }
    Ok(())
}

/// One row for each decision: the one that stands.
fn latest(records: &[(u64, Record)]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::with_capacity(records.len());
    let mut places: HashMap<DecisionId, usize> = HashMap::with_capacity(records.len());
    for (sequence, record) in records {
        let decision = match record {
            Record::Opened(opened) => &opened.decision,
            Record::Closed(decision) => decision,
            _ => continue,
        };
        let row = Row {
            sequence: *sequence,
            decision,
        };
        match places.get(&decision.id) {
            Some(&place) if rows[place].rank() <= row.rank() => rows[place] = row,
            Some(_) => {}
            None => {
                places.insert(decision.id, rows.len());
                rows.push(row);
            }
        }
    }
    rows
}

fn bind(mut values: Separated<'_, Sqlite, &'static str>, node: &NodeName, row: &Row<'_>) {
    let decision = row.decision;
    let tokens = Tokens::of(&decision.attempts);
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
        .push_bind(tokens.map(|tokens| signed(tokens.input)))
        .push_bind(tokens.map(|tokens| signed(tokens.output)))
        .push_bind(decision.confidence)
        .push_bind(pico(decision))
        .push_bind(basis(decision.cost.basis))
        .push_bind(skipped(decision))
        .push_bind(decision.review.map(|review| review.to_string()))
        .push_bind(decision.drill.map(|drill| drill.to_string()))
        .push_bind(decision.idempotency.map(|key| key.to_string()));
}

#[derive(Clone, Copy)]
struct Tokens {
    input: u64,
    output: u64,
}

impl Tokens {
    /// The tokens of all attempts; none if no provider counted any.
    fn of(attempts: &[AttemptRecord]) -> Option<Self> {
        attempts
            .iter()
            .filter_map(|attempt| attempt.usage)
            .fold(None, |sum, usage| {
                let sum = sum.unwrap_or(Self {
                    input: 0,
                    output: 0,
                });
                Some(Self {
                    input: sum.input.saturating_add(usage.input_tokens),
                    output: sum.output.saturating_add(usage.output_tokens),
                })
            })
    }
}

/// The steps that were taken, as in `rules review`; none if there were none.
fn path(decision: &Decision) -> Option<String> {
    let steps: Vec<&str> = decision
        .path
        .iter()
        .map(|step| step.step.as_str())
        .collect();
    (!steps.is_empty()).then(|| steps.join(" "))
}

/// The last model that answered.
fn answering_model(attempts: &[AttemptRecord]) -> Option<String> {
    let answered = attempts.iter().rev().find(|attempt| attempt.code.is_none());
    answered.map(|attempt| attempt.model.as_str().to_owned())
}

/// The cost in 10⁻¹². SQLite's integers end at nine million of the currency for one decision; the record
/// has the exact amount.
fn pico(decision: &Decision) -> i64 {
    let pico = decision.cost.amount.as_pico();
    i64::try_from(pico).unwrap_or(if pico < 0 { i64::MIN } else { i64::MAX })
}

fn skipped(decision: &Decision) -> i64 {
    let skipped = decision
        .controls
        .iter()
        .filter(|control| control.verdict == Verdict::Skipped);
    i64::try_from(skipped.count()).unwrap_or(i64::MAX)
}

const fn basis(basis: CostBasis) -> &'static str {
    match basis {
        CostBasis::Measured => "measured",
        CostBasis::Estimated => "estimated",
        CostBasis::Unknown => "unknown",
    }
}

const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Decisions => "decisions",
        Protocol::OpenaiChat => "openai-chat",
        Protocol::Oip => "oip",
        Protocol::File => "file",
    }
}

const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Observe => "observe",
    }
}
