//! All records that are no decisions, one statement each: there are few of them.
//!
//! Where an id names the thing, the earliest record about it stands.

use plimsoll_core::record::{Aggregate, Drill, ReleaseRecord, ReviewEvent, RunbookRun};
use plimsoll_core::{NodeName, Record, Timestamp};
use serde::Serialize;

use super::{deployments, governance, labels};
use crate::database::{Statement, Transaction};
use crate::error::StoreError;
use crate::governance::Key;
use crate::reviews::event_word;
use crate::sql::{signed, write_json};

/// Writes `record` unless it is about a decision.
pub(super) async fn write(
    transaction: &mut Transaction,
    place: Place<'_>,
    record: &Record,
) -> Result<(), StoreError> {
    if let Some(key) = Key::of(record)? {
        if let Record::Erasure(erasure) = record {
            governance::erase(transaction, erasure).await?;
        }
        return governance::write(transaction, place, key).await;
    }
    let statement = match record {
        Record::Release(release) => self::release(place, release)?,
        Record::Deployment(deployment) => {
            return deployments::write(transaction, place, deployment).await;
        }
        Record::Review(event) => {
            settle(transaction, event).await?;
            review(place, event)?
        }
        Record::Drill(drill) => self::drill(place, drill)?,
        Record::RunbookRun(run) => runbook_run(place, run)?,
        Record::Node(event) => node_event(place, "node", Some(event.at), event)?,
        Record::Recovery(recovery) => node_event(place, "recovery", recovery.at, recovery)?,
        Record::Uncounted(aggregate) => uncounted(place, aggregate),
        Record::Label(label) => return labels::write(transaction, place, label).await,
        // Decisions are written many at a time, and governance is written above.
        Record::Opened(_)
        | Record::Closed(_)
        | Record::Access(_)
        | Record::Erasure(_)
        | Record::Hold(_)
        | Record::Retirement(_)
        | Record::Policy(_)
        | Record::Approval(_)
        | Record::DeploymentReview(_)
        | Record::Verification(_)
        | Record::Tenant(_)
        | Record::Key(_)
        | Record::Alarm(_)
        | Record::Alert(_)
        | Record::Eval(_)
        | Record::Dataset(_)
        | Record::Refusal(_)
        | Record::Account(_) => return Ok(()),
    };
    transaction.execute(statement).await?;
    Ok(())
}

/// Where in which journal a record stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) node: &'a NodeName,
    pub(super) sequence: u64,
}

impl Place<'_> {
    pub(super) fn bind(self, sql: &'static str) -> Statement {
        Statement::new(sql)
            .bind(self.node.as_str())
            .bind(signed(self.sequence))
    }
}

fn release(place: Place<'_>, release: &ReleaseRecord) -> Result<Statement, StoreError> {
    let statement = place
        .bind(
            "INSERT INTO releases (node, sequence, id, system, created_at, record)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO UPDATE SET node = excluded.node, sequence = excluded.sequence,
               created_at = excluded.created_at, record = excluded.record
             WHERE (excluded.created_at, excluded.node, excluded.sequence)
                 < (releases.created_at, releases.node, releases.sequence)",
        )
        .bind(release.id.to_string())
        .bind(release.manifest.system.as_str().to_owned())
        .bind(release.created_at.as_micros())
        .bind(write_json("release", release)?);
    Ok(statement)
}

fn drill(place: Place<'_>, drill: &Drill) -> Result<Statement, StoreError> {
    let statement = place
        .bind(
            "INSERT INTO drills (node, sequence, id, system, environment, kind, passed, at, record)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
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
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
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
            "INSERT INTO review_events (node, sequence, review, event, tenant, at, record)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (review, event) DO UPDATE SET node = excluded.node,
               sequence = excluded.sequence, at = excluded.at, record = excluded.record
             WHERE (excluded.at, excluded.node, excluded.sequence) < (review_events.at, review_events.node, review_events.sequence)",
        )
        .bind(event.review.to_string())
        .bind(event_word(event.event))
        .bind(event.tenant.as_str())
        .bind(event.at.as_micros())
        .bind(write_json("event of a review", event)?);
    Ok(statement)
}

/// The journal has the event: it no longer waits to be written there.
async fn settle(transaction: &mut Transaction, event: &ReviewEvent) -> Result<(), StoreError> {
    transaction
        .execute(
            Statement::new("DELETE FROM review_outbox WHERE review = $1 AND event = $2")
                .bind(event.review.to_string())
                .bind(event_word(event.event)),
        )
        .await?;
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
            "INSERT INTO node_events (node, sequence, type, at, record) VALUES ($1, $2, $3, $4, $5)
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
             VALUES ($1, $2, $3, $4, $5, $6, $7)
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
