//! Decisions to rows, many at a time.
//!
//! Which of two records of one decision stands: a closed one over an open one, then the later in the
//! journal. The same rule holds within a batch and against the table.

use std::collections::HashMap;

use plimsoll_core::decision::{AttemptRecord, Protocol};
use plimsoll_core::manifest::Mode;
use plimsoll_core::{Decision, DecisionId, NodeName, Record};

use crate::database::{Statement, Transaction};
use crate::decisions::{sample, sample_columns};
use crate::error::StoreError;
use crate::rollup::{Changes, Sample};
use crate::sql::{column, count, parse};
use crate::{postgres, sqlite};

/// A decision, and where its record stands in the journal.
pub(crate) struct DecisionRow<'a> {
    pub(crate) sequence: u64,
    pub(crate) decision: &'a Decision,
}

impl DecisionRow<'_> {
    fn rank(&self) -> Rank {
        (self.decision.outcome.is_some(), self.sequence)
    }
}

/// Of two records of a decision, the one with the higher rank stands: whether it is closed, and where
/// it stands in the journal.
type Rank = (bool, u64);

/// A row that is there already.
struct Standing {
    rank: Rank,
    sample: Option<Sample>,
}

/// Writes the decisions among `records` and says what changes in the rollups: what each row counts for,
/// less what the row before it counted for.
pub(super) async fn write(
    transaction: &mut Transaction,
    node: &NodeName,
    records: &[(u64, Record)],
) -> Result<Changes, StoreError> {
    let mut rows = latest(records);
    let standing = standing(transaction, &rows).await?;
    rows.retain(|row| {
        let before = standing.get(&row.decision.id);
        before.is_none_or(|before| before.rank <= row.rank())
    });
    let mut changes = Changes::default();
    for row in &rows {
        let before = standing.get(&row.decision.id);
        if let Some(sample) = before.and_then(|before| before.sample.as_ref()) {
            changes.take_back(sample);
        }
        if let Some(sample) = Sample::of(row.decision) {
            changes.add(&sample);
        }
    }
    match transaction {
        Transaction::Sqlite(transaction) => {
            sqlite::decisions::insert(transaction, node, &rows).await?;
        }
        Transaction::Postgres(transaction) => {
            postgres::decisions::insert(transaction, node, &rows).await?;
        }
    }
    Ok(changes)
}

/// The rows that are there of these decisions.
async fn standing(
    transaction: &mut Transaction,
    rows: &[DecisionRow<'_>],
) -> Result<HashMap<DecisionId, Standing>, StoreError> {
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<String> = rows.iter().map(|row| row.decision.id.to_string()).collect();
    let statement = Statement::new(concat!(
        "SELECT id, outcome IS NOT NULL, sequence, ",
        sample_columns!(),
        " FROM decisions WHERE id = ANY($1)"
    ));
    let found = transaction.rows(statement.bind(ids)).await?;
    let mut standing = HashMap::with_capacity(found.len());
    for row in &found {
        let rank = (column(row, 1)?, count(row, 2)?);
        let sample = sample(row, 3)?;
        standing.insert(
            parse("decision", column(row, 0)?)?,
            Standing { rank, sample },
        );
    }
    Ok(standing)
}

/// The ids of the decisions among `records`.
pub(super) fn ids(records: &[(u64, Record)]) -> impl Iterator<Item = DecisionId> {
    records.iter().filter_map(|(_, record)| match record {
        Record::Opened(opened) => Some(opened.decision.id),
        Record::Closed(decision) => Some(decision.id),
        _ => None,
    })
}

/// One row for each decision: the one that stands.
fn latest(records: &[(u64, Record)]) -> Vec<DecisionRow<'_>> {
    let mut rows: Vec<DecisionRow<'_>> = Vec::with_capacity(records.len());
    let mut places: HashMap<DecisionId, usize> = HashMap::with_capacity(records.len());
    for (sequence, record) in records {
        let decision = match record {
            Record::Opened(opened) => &opened.decision,
            Record::Closed(decision) => decision,
            _ => continue,
        };
        let row = DecisionRow {
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

/// The steps that were taken, as in `rules review`; none if there were none.
pub(crate) fn path(decision: &Decision) -> Option<String> {
    let steps: Vec<&str> = decision
        .path
        .iter()
        .map(|step| step.step.as_str())
        .collect();
    (!steps.is_empty()).then(|| steps.join(" "))
}

/// The last model that answered.
pub(crate) fn answering_model(attempts: &[AttemptRecord]) -> Option<String> {
    let answered = attempts.iter().rev().find(|attempt| attempt.code.is_none());
    answered.map(|attempt| attempt.model.as_str().to_owned())
}

pub(crate) const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Decisions => "decisions",
        Protocol::OpenaiChat => "openai-chat",
        Protocol::Oip => "oip",
        Protocol::File => "file",
    }
}

pub(crate) const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Observe => "observe",
    }
}
