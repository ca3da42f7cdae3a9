//! One query for each group of figures that is not counted of decisions.

use std::collections::BTreeMap;

use plimsoll_core::record::{Drill, RunbookRun};
use plimsoll_core::{Code, FailureKind, Timestamp};

use crate::bar::ReviewFacts;
use crate::database::{Statement, Transaction};
use crate::error::StoreError;
use crate::figures::Window;
use crate::sql::{column, count, read_json, time};

/// Requests without a decision each. A span that only ends after `since` counts whole.
pub(super) async fn uncounted(
    transaction: &mut Transaction,
    window: Window<'_>,
) -> Result<BTreeMap<Code, u64>, StoreError> {
    let rows = transaction
        .rows(
            Statement::new(
                "SELECT code, CAST(SUM(count) AS BIGINT) FROM (
             SELECT code, count FROM uncounted WHERE system = $1 AND to_at >= $2
             UNION ALL
             SELECT code, count FROM uncounted_hours
             WHERE system = $1 AND start > $2 - 3600000000 AND to_at >= $2) AS counted
         GROUP BY code",
            )
            .bind(window.system.as_str())
            .bind(window.since.as_micros()),
        )
        .await?;
    let mut codes = BTreeMap::new();
    for row in &rows {
        // A code of a newer version is somebody else's to count.
        if let Some(code) = Code::parse(column(row, 0)?) {
            codes.insert(code, count(row, 1)?);
        }
    }
    Ok(codes)
}

/// What waits for a person.
pub(super) async fn reviews(
    transaction: &mut Transaction,
    window: Window<'_>,
    now: Timestamp,
) -> Result<ReviewFacts, StoreError> {
    let row = transaction
        .row(
            Statement::new(
                "SELECT COUNT(*), COUNT(*) FILTER (WHERE due_at < $3), MIN(due_at) FROM reviews
         WHERE state = 'open' AND system = $1 AND environment = $2 AND drill IS NULL",
            )
            .bind(window.system.as_str())
            .bind(window.environment.as_str())
            .bind(now.as_micros()),
        )
        .await?;
    let Some(row) = row else {
        return Ok(ReviewFacts::default());
    };
    Ok(ReviewFacts {
        open: count(&row, 0)?,
        overdue: count(&row, 1)?,
        first_due_at: time(&row, 2)?,
    })
}

/// The last drill of each kind.
pub(super) async fn last_drills(
    transaction: &mut Transaction,
    window: Window<'_>,
) -> Result<BTreeMap<FailureKind, Drill>, StoreError> {
    let texts: Vec<String> = transaction
        .texts(
            Statement::new(
                "SELECT record FROM (
             SELECT record, ROW_NUMBER() OVER (PARTITION BY kind ORDER BY at DESC, id DESC) AS place
             FROM drills WHERE system = $1 AND environment = $2) AS placed
         WHERE place = 1",
            )
            .bind(window.system.as_str())
            .bind(window.environment.as_str()),
        )
        .await?;
    let mut drills = BTreeMap::new();
    for text in &texts {
        let drill: Drill = read_json("drill", text)?;
        drills.insert(drill.kind, drill);
    }
    Ok(drills)
}

/// The last run of the runbook.
pub(super) async fn last_runbook_run(
    transaction: &mut Transaction,
    window: Window<'_>,
) -> Result<Option<RunbookRun>, StoreError> {
    let text: Option<String> = transaction
        .text(
            Statement::new(
                "SELECT record FROM runbook_runs WHERE system = $1 AND environment = $2
         ORDER BY at DESC, id DESC LIMIT 1",
            )
            .bind(window.system.as_str())
            .bind(window.environment.as_str()),
        )
        .await?;
    text.map(|text| read_json("runbook run", &text)).transpose()
}
