//! One query for each group of figures.
//!
//! Sums of money are made of two sums, of millions and of remainders: SQLite's integers would overflow
//! at nine million of the currency.

use std::collections::BTreeMap;

use plimsoll_core::record::{Drill, RunbookRun};
use plimsoll_core::{Code, EnvironmentName, FailureKind, Money, Outcome, SystemName, Timestamp};
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::bar::{CostFacts, ReviewFacts};
use crate::error::{Doing as _, StoreError};
use crate::sql::{column, count, parse, read_json, time};

const DOING: &str = "read the figures of the bar";

/// Whose figures.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    pub(super) system: &'a SystemName,
    pub(super) environment: &'a EnvironmentName,
    pub(super) since: Timestamp,
    pub(super) now: Timestamp,
}

/// What one scan over the decisions gives.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) decisions: u64,
    pub(super) open: u64,
    pub(super) outcomes: BTreeMap<Outcome, u64>,
    pub(super) kinds: BTreeMap<FailureKind, u64>,
    pub(super) answerable: u64,
    pub(super) answered: u64,
    pub(super) with_known_release: u64,
    pub(super) with_skipped_controls: u64,
    pub(super) skipped_controls: u64,
    pub(super) first_decision_at: Option<Timestamp>,
    pub(super) last_decision_at: Option<Timestamp>,
    measured: u64,
    estimated: u64,
    unknown: u64,
}

/// Counts decisions in one scan, grouped by what there are few of.
pub(super) async fn counts(
    connection: &mut SqliteConnection,
    slot: Slot<'_>,
) -> Result<Counts, StoreError> {
    let rows = sqlx::query(
        "SELECT outcome, kind, cost_basis, outcome IS NOT NULL OR review IS NOT NULL AS costs,
                EXISTS (SELECT 1 FROM releases WHERE releases.id = release) AS known,
                COUNT(*), SUM(skipped), SUM(skipped > 0), MIN(opened_at), MAX(opened_at)
         FROM (SELECT outcome, kind, cost_basis, review, release, skipped, opened_at
               FROM decisions
               WHERE system = ?1 AND environment = ?2 AND opened_at >= ?3 AND drill IS NULL)
         GROUP BY outcome, kind, cost_basis, costs, release",
    )
    .bind(slot.system.as_str())
    .bind(slot.environment.as_str())
    .bind(slot.since.as_micros())
    .fetch_all(connection)
    .await
    .doing(DOING)?;
    let mut counts = Counts::default();
    for row in &rows {
        counts.add(row)?;
    }
    Ok(counts)
}

impl Counts {
    fn add(&mut self, row: &SqliteRow) -> Result<(), StoreError> {
        let outcome: Option<&str> = column(row, 0)?;
        let outcome = outcome
            .map(|text| parse::<Outcome>("outcome", text))
            .transpose()?;
        let kind: Option<&str> = column(row, 1)?;
        let kind = kind
            .map(|text| parse::<FailureKind>("failure kind", text))
            .transpose()?;
        let number = count(row, 5)?;
        self.decisions += number;
        match outcome {
            Some(outcome) => *self.outcomes.entry(outcome).or_default() += number,
            None => self.open += number,
        }
        if let Some(kind) = kind {
            *self.kinds.entry(kind).or_default() += number;
        }
        if outcome.is_some_and(|outcome| had_to_be_answered(outcome, kind)) {
            self.answerable += number;
        }
        if outcome.is_some_and(Outcome::is_answered) {
            self.answered += number;
        }
        if column::<bool>(row, 3)? {
            match column::<&str>(row, 2)? {
                "measured" => self.measured += number,
                "estimated" => self.estimated += number,
                _ => self.unknown += number,
            }
        }
        if column::<bool>(row, 4)? {
            self.with_known_release += number;
        }
        self.skipped_controls += count(row, 6)?;
        self.with_skipped_controls += count(row, 7)?;
        self.first_decision_at = earlier(self.first_decision_at, time(row, 8)?);
        self.last_decision_at = self.last_decision_at.max(time(row, 9)?);
        Ok(())
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Refusing what is malformed or means harm is the designed answer, and nobody waits for the answer to
/// a cancelled request.
fn had_to_be_answered(outcome: Outcome, kind: Option<FailureKind>) -> bool {
    match outcome {
        Outcome::Refused => !kind.is_some_and(FailureKind::is_about_input),
        Outcome::Cancelled => false,
        _ => true,
    }
}

/// Requests without a decision each. A span that only ends after `since` counts whole.
pub(super) async fn uncounted(
    connection: &mut SqliteConnection,
    slot: Slot<'_>,
) -> Result<BTreeMap<Code, u64>, StoreError> {
    let rows = sqlx::query(
        "SELECT code, SUM(count) FROM uncounted WHERE system = ?1 AND to_at >= ?2 GROUP BY code",
    )
    .bind(slot.system.as_str())
    .bind(slot.since.as_micros())
    .fetch_all(connection)
    .await
    .doing(DOING)?;
    let mut codes = BTreeMap::new();
    for row in &rows {
        // A code of a newer version is somebody else's to count.
        if let Some(code) = Code::parse(column(row, 0)?) {
            codes.insert(code, count(row, 1)?);
        }
    }
    Ok(codes)
}

/// Costs per unit of work. Only decisions with a named unit have to be grouped.
pub(super) async fn cost(
    connection: &mut SqliteConnection,
    slot: Slot<'_>,
    counts: &Counts,
) -> Result<CostFacts, StoreError> {
    let row = sqlx::query(
        "WITH priced AS (
             SELECT unit, cost_pico FROM decisions
             WHERE system = ?1 AND environment = ?2 AND opened_at >= ?3 AND drill IS NULL
               AND (outcome IS NOT NULL OR review IS NOT NULL)),
         units AS (
             SELECT cost_pico / 1000000 AS millions, cost_pico % 1000000 AS rest
             FROM priced WHERE unit IS NULL
             UNION ALL
             SELECT SUM(cost_pico / 1000000) + SUM(cost_pico % 1000000) / 1000000,
                    SUM(cost_pico % 1000000) % 1000000
             FROM priced WHERE unit IS NOT NULL GROUP BY unit),
         ranked AS (
             SELECT millions, rest, ROW_NUMBER() OVER (ORDER BY millions, rest) AS rank FROM units),
         ranks AS (
             SELECT COUNT(*) AS n, (COUNT(*) * 50 + 99) / 100 AS p50,
                    (COUNT(*) * 95 + 99) / 100 AS p95, SUM(millions) AS millions, SUM(rest) AS rest
             FROM units)
         SELECT ranks.n, ranks.millions, ranks.rest,
                MAX(ranked.millions) FILTER (WHERE rank = p50), MAX(ranked.rest) FILTER (WHERE rank = p50),
                MAX(ranked.millions) FILTER (WHERE rank = p95), MAX(ranked.rest) FILTER (WHERE rank = p95),
                MAX(ranked.millions) FILTER (WHERE rank = n), MAX(ranked.rest) FILTER (WHERE rank = n)
         FROM ranks JOIN ranked ON rank IN (p50, p95, n)",
    )
    .bind(slot.system.as_str())
    .bind(slot.environment.as_str())
    .bind(slot.since.as_micros())
    .fetch_one(connection)
    .await
    .doing(DOING)?;
    let units = count(&row, 0)?;
    let total = money(&row, 1)?;
    Ok(CostFacts {
        units,
        total,
        mean: mean(total, units),
        p50: money(&row, 3)?,
        p95: money(&row, 5)?,
        max: money(&row, 7)?,
        measured: counts.measured,
        estimated: counts.estimated,
        unknown: counts.unknown,
    })
}

/// Money from two columns: millions and remainder.
fn money(row: &SqliteRow, index: usize) -> Result<Money, StoreError> {
    let millions: Option<i64> = column(row, index)?;
    let rest: Option<i64> = column(row, index + 1)?;
    let pico = i128::from(millions.unwrap_or(0)) * 1_000_000 + i128::from(rest.unwrap_or(0));
    Ok(Money::from_pico(pico))
}

fn mean(total: Money, units: u64) -> Money {
    let units = i128::from(units);
    if units == 0 {
        return Money::ZERO;
    }
    Money::from_pico((total.as_pico() + units / 2).div_euclid(units))
}

/// What waits for a person.
pub(super) async fn reviews(
    connection: &mut SqliteConnection,
    slot: Slot<'_>,
) -> Result<ReviewFacts, StoreError> {
    let row = sqlx::query(
        "SELECT COUNT(*), SUM(due_at < ?3), MIN(due_at) FROM reviews
         WHERE state = 'open' AND system = ?1 AND environment = ?2 AND drill IS NULL",
    )
    .bind(slot.system.as_str())
    .bind(slot.environment.as_str())
    .bind(slot.now.as_micros())
    .fetch_one(connection)
    .await
    .doing(DOING)?;
    Ok(ReviewFacts {
        open: count(&row, 0)?,
        overdue: count(&row, 1)?,
        first_due_at: time(&row, 2)?,
    })
}

/// The last drill of each kind.
pub(super) async fn last_drills(
    connection: &mut SqliteConnection,
    slot: Slot<'_>,
) -> Result<BTreeMap<FailureKind, Drill>, StoreError> {
    let texts: Vec<String> = sqlx::query_scalar(
        "SELECT record FROM (
             SELECT record, ROW_NUMBER() OVER (PARTITION BY kind ORDER BY at DESC, id DESC) AS place
             FROM drills WHERE system = ?1 AND environment = ?2)
         WHERE place = 1",
    )
    .bind(slot.system.as_str())
    .bind(slot.environment.as_str())
    .fetch_all(connection)
    .await
    .doing(DOING)?;
    let mut drills = BTreeMap::new();
    for text in &texts {
        let drill: Drill = read_json("drill", text)?;
        drills.insert(drill.kind, drill);
    }
    Ok(drills)
}

/// The last run of the runbook.
pub(super) async fn last_runbook_run(
    connection: &mut SqliteConnection,
    slot: Slot<'_>,
) -> Result<Option<RunbookRun>, StoreError> {
    let text: Option<String> = sqlx::query_scalar(
        "SELECT record FROM runbook_runs WHERE system = ?1 AND environment = ?2
         ORDER BY at DESC, id DESC LIMIT 1",
    )
    .bind(slot.system.as_str())
    .bind(slot.environment.as_str())
    .fetch_optional(connection)
    .await
    .doing(DOING)?;
    text.map(|text| read_json("runbook run", &text)).transpose()
}
