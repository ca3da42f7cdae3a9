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
    pub(super) with_skipped_controls: u64,
    pub(super) skipped_controls: u64,
    pub(super) first_decision_at: Option<Timestamp>,
    pub(super) last_decision_at: Option<Timestamp>,
    cost: Money,
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
        "SELECT outcome, kind, cost_basis, COUNT(*), SUM(review IS NOT NULL),
                SUM(skipped), SUM(skipped > 0), MIN(opened_at), MAX(opened_at),
                SUM(cost_pico / 1000000) FILTER (WHERE outcome IS NOT NULL OR review IS NOT NULL),
                SUM(cost_pico % 1000000) FILTER (WHERE outcome IS NOT NULL OR review IS NOT NULL)
         FROM decisions
         WHERE system = ?1 AND environment = ?2 AND opened_at >= ?3 AND drill IS NULL
         GROUP BY outcome, kind, cost_basis",
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

/// How many decisions have a release whose manifest is known.
pub(super) async fn with_known_release(
    connection: &mut SqliteConnection,
    slot: Slot<'_>,
) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "SELECT SUM(number) FROM (
             SELECT release, COUNT(*) AS number FROM decisions
             WHERE system = ?1 AND environment = ?2 AND opened_at >= ?3 AND drill IS NULL
             GROUP BY release)
         WHERE EXISTS (SELECT 1 FROM releases WHERE releases.id = release)",
    )
    .bind(slot.system.as_str())
    .bind(slot.environment.as_str())
    .bind(slot.since.as_micros())
    .fetch_one(connection)
    .await
    .doing(DOING)?;
    count(&row, 0)
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
        let number = count(row, 3)?;
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
        // What is open has a cost of its own only if it waits for a person.
        let costing = if outcome.is_some() {
            number
        } else {
            count(row, 4)?
        };
        match column::<&str>(row, 2)? {
            "measured" => self.measured += costing,
            "estimated" => self.estimated += costing,
            _ => self.unknown += costing,
        }
        self.skipped_controls += count(row, 5)?;
        self.with_skipped_controls += count(row, 6)?;
        self.cost += money(row, 9)?;
        self.first_decision_at = earlier(self.first_decision_at, time(row, 7)?);
        self.last_decision_at = self.last_decision_at.max(time(row, 8)?);
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

/// Costs per unit of work. Only decisions with a named unit have to be grouped; units are sorted by one
/// integer, which is as large as it can be for a unit dearer than nine million of the currency.
pub(super) async fn cost(
    connection: &mut SqliteConnection,
    slot: Slot<'_>,
    counts: &Counts,
) -> Result<CostFacts, StoreError> {
    let row = sqlx::query(
        "WITH priced AS NOT MATERIALIZED (
             SELECT unit, cost_pico FROM decisions
             WHERE system = ?1 AND environment = ?2 AND opened_at >= ?3 AND drill IS NULL
               AND (outcome IS NOT NULL OR review IS NOT NULL)),
         units AS MATERIALIZED (
             SELECT cost_pico AS cost FROM priced WHERE unit IS NULL
             UNION ALL
             SELECT CASE WHEN SUM(cost_pico / 1000000) < 9000000000000
                         THEN SUM(cost_pico / 1000000) * 1000000 + SUM(cost_pico % 1000000)
                         ELSE 9223372036854775807 END
             FROM priced WHERE unit IS NOT NULL GROUP BY unit),
         totals AS MATERIALIZED (SELECT COUNT(*) AS n, MAX(cost) AS dearest FROM units),
         ranked AS (SELECT cost, ROW_NUMBER() OVER (ORDER BY cost) AS rank FROM units)
         SELECT MAX(n), MAX(dearest),
                MAX(cost) FILTER (WHERE rank = (n * 50 + 99) / 100),
                MAX(cost) FILTER (WHERE rank = (n * 95 + 99) / 100)
         FROM ranked JOIN totals WHERE rank IN ((n * 50 + 99) / 100, (n * 95 + 99) / 100)",
    )
    .bind(slot.system.as_str())
    .bind(slot.environment.as_str())
    .bind(slot.since.as_micros())
    .fetch_one(connection)
    .await
    .doing(DOING)?;
    let units = count(&row, 0)?;
    let of_unit = |index| -> Result<Money, StoreError> {
        let pico: Option<i64> = column(&row, index)?;
        Ok(Money::from_pico(i128::from(pico.unwrap_or(0))))
    };
    Ok(CostFacts {
        units,
        total: counts.cost,
        mean: mean(counts.cost, units),
        p50: of_unit(2)?,
        p95: of_unit(3)?,
        max: of_unit(1)?,
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
