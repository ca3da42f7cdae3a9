//! All records that are no decisions, one statement each: there are few of them.
//!
//! Where an id names the thing, the earliest record about it stands.

use plimsoll_core::record::{Aggregate, Deployment, Drill, ReleaseRecord, ReviewEvent, RunbookRun};
use plimsoll_core::{NodeName, Record, Timestamp};
use serde::Serialize;
use sqlx::SqliteConnection;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};

use crate::error::{Doing as _, StoreError};
use crate::reviews::event_word;
use crate::sql::{signed, write_json};

type Statement = Query<'static, Sqlite, SqliteArguments>;

/// Writes `record` unless it is about a decision.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    node: &NodeName,
    sequence: u64,
    record: &Record,
) -> Result<(), StoreError> {
    let place = Place { node, sequence };
    let statement = match record {
        Record::Opened(_) | Record::Closed(_) => return Ok(()),
        Record::Release(release) => self::release(place, release)?,
        Record::Deployment(deployment) => self::deployment(place, deployment)?,
        Record::Review(event) => {
            settle(connection, event).await?;
            review(place, event)?
        }
        Record::Drill(drill) => self::drill(place, drill)?,
        Record::RunbookRun(run) => runbook_run(place, run)?,
        Record::Node(event) => node_event(place, "node", Some(event.at), event)?,
        Record::Recovery(recovery) => node_event(place, "recovery", recovery.at, recovery)?,
        Record::Uncounted(aggregate) => uncounted(place, aggregate),
        Record::Access(_)
        | Record::Erasure(_)
        | Record::Hold(_)
        | Record::Retirement(_)
        | Record::Policy(_)
        | Record::Approval(_)
        | Record::DeploymentReview(_)
        | Record::Verification(_) => return Ok(()),
    };
    statement
        .execute(connection)
        .await
        .doing("write an event of the journal")?;
    Ok(())
}

/// Where in which journal a record stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    node: &'a NodeName,
    sequence: u64,
}

impl Place<'_> {
    fn bind(self, sql: &'static str) -> Statement {
        sqlx::query(sql)
            .bind(self.node.as_str().to_owned())
            .bind(signed(self.sequence))
    }
}

fn release(place: Place<'_>, release: &ReleaseRecord) -> Result<Statement, StoreError> {
    let statement = place
        .bind(
            "INSERT INTO releases (node, sequence, id, system, created_at, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (id) DO UPDATE SET node = excluded.node, sequence = excluded.sequence,
               created_at = excluded.created_at, record = excluded.record
             WHERE (excluded.created_at, excluded.node, excluded.sequence)
                 < (created_at, node, sequence)",
        )
        .bind(release.id.to_string())
        .bind(release.manifest.system.as_str().to_owned())
        .bind(release.created_at.as_micros())
        .bind(write_json("release", release)?);
    Ok(statement)
}

fn deployment(place: Place<'_>, deployment: &Deployment) -> Result<Statement, StoreError> {
    let statement = place
        .bind(
            "INSERT INTO deployments (node, sequence, id, system, environment, release, at, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(deployment.id.to_string())
        .bind(deployment.system.as_str().to_owned())
        .bind(deployment.environment.as_str().to_owned())
        .bind(deployment.release.to_string())
        .bind(deployment.at.as_micros())
        .bind(write_json("deployment", deployment)?);
    Ok(statement)
}

fn drill(place: Place<'_>, drill: &Drill) -> Result<Statement, StoreError> {
    let statement = place
        .bind(
            "INSERT INTO drills (node, sequence, id, system, environment, kind, passed, at, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(drill.id.to_string())
        .bind(drill.system.as_str().to_owned())
        .bind(drill.environment.as_str().to_owned())
        .bind(drill.kind.as_str())
        .bind(drill.passed)
        .bind(drill.at.as_micros())
        .bind(write_json("drill", drill)?);
    Ok(statement)
}

fn runbook_run(place: Place<'_>, run: &RunbookRun) -> Result<Statement, StoreError> {
    let statement = place
        .bind(
            "INSERT INTO runbook_runs
               (node, sequence, id, system, environment, passed, at, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(run.id.to_string())
        .bind(run.system.as_str().to_owned())
        .bind(run.environment.as_str().to_owned())
        .bind(run.passed)
        .bind(run.ended_at.as_micros())
        .bind(write_json("runbook run", run)?);
    Ok(statement)
}

fn review(place: Place<'_>, event: &ReviewEvent) -> Result<Statement, StoreError> {
    let statement = place
        .bind(
            "INSERT INTO review_events (node, sequence, review, event, at, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (review, event) DO UPDATE SET node = excluded.node,
               sequence = excluded.sequence, at = excluded.at, record = excluded.record
             WHERE (excluded.at, excluded.node, excluded.sequence) < (at, node, sequence)",
        )
        .bind(event.review.to_string())
        .bind(event_word(event.event))
        .bind(event.at.as_micros())
        .bind(write_json("event of a review", event)?);
    Ok(statement)
}

/// The journal has the event: it no longer waits to be written there.
async fn settle(connection: &mut SqliteConnection, event: &ReviewEvent) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM review_outbox WHERE review = ?1 AND event = ?2")
        .bind(event.review.to_string())
        .bind(event_word(event.event))
        .execute(connection)
        .await
        .doing("settle an event of a review")?;
    Ok(())
}

fn node_event(
    place: Place<'_>,
    kind: &'static str,
    at: Option<Timestamp>,
    event: &impl Serialize,
) -> Result<Statement, StoreError> {
    let statement = place
        .bind(
            "INSERT INTO node_events (node, sequence, type, at, record) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (node, sequence) DO NOTHING",
        )
        .bind(kind)
        .bind(at.map(Timestamp::as_micros))
        .bind(write_json("event of a node", event)?);
    Ok(statement)
}

fn uncounted(place: Place<'_>, aggregate: &Aggregate) -> Statement {
    place
        .bind(
            "INSERT INTO uncounted (node, sequence, system, code, count, from_at, to_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (node, sequence) DO NOTHING",
        )
        .bind(
            aggregate
                .system
                .as_ref()
                .map(|system| system.as_str().to_owned()),
        )
        .bind(aggregate.code.as_str())
        .bind(signed(aggregate.count))
        .bind(aggregate.from.as_micros())
        .bind(aggregate.to.as_micros())
}
