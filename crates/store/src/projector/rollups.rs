//! Changes of rollups to rows, in the transaction that writes what they count.

use std::collections::BTreeMap;

use plimsoll_core::{Money, NodeName, Timestamp};

use crate::database::{Row, Statement, Transaction};
use crate::decisions::{sample, sample_columns};
use crate::error::StoreError;
use crate::rollup::{Changes, Rollup, Span, Unit, UnitTotal, Width};
use crate::sql::{column, parse, read_json, read_sketch, write_json};
use crate::{postgres, sqlite};

/// Rows that are read at a time to be counted.
const PAGE_ROWS: u32 = 5_000;

/// Writes what `changes` when decisions of `node` are written or forgotten.
pub(crate) async fn write(
    transaction: &mut Transaction,
    node: &NodeName,
    mut changes: Changes,
) -> Result<(), StoreError> {
    let stood = take_units(transaction, changes.units()).await?;
    let settled = changes.settle(&stood);
    write_units(transaction, &settled).await?;
    for width in Width::ALL {
        for (span, change) in changes.spans(width) {
            add(transaction, node, width, &span, &change).await?;
        }
    }
    Ok(())
}

/// Counts all decisions that have a row, for a database that kept no rollups before.
pub(crate) async fn count_all(transaction: &mut Transaction) -> Result<(), StoreError> {
    let mut last = i64::MIN;
    loop {
        let rows = transaction
            .rows(
                Statement::new(concat!(
                    "SELECT number, node, ",
                    sample_columns!(),
                    " FROM decisions WHERE number > $1 ORDER BY number LIMIT $2"
                ))
                .bind(last)
                .bind(PAGE_ROWS),
            )
            .await?;
        let Some(end) = rows.last() else {
            return Ok(());
        };
        last = column(end, 0)?;
        let mut by_node: BTreeMap<NodeName, Changes> = BTreeMap::new();
        for row in &rows {
            if let Some(sample) = sample(row, 2)? {
                let node = parse("node", column(row, 1)?)?;
                by_node.entry(node).or_default().add(&sample);
            }
        }
        for (node, changes) in by_node {
            write(transaction, &node, changes).await?;
        }
    }
}

async fn add(
    transaction: &mut Transaction,
    node: &NodeName,
    width: Width,
    span: &Span,
    change: &Rollup,
) -> Result<(), StoreError> {
    let place = Place { node, width, span };
    let standing = place.bind(
        "SELECT counts, latency, cost FROM rollups WHERE width = $1 AND system = $2
               AND environment = $3 AND start = $4 AND release = $5 AND node = $6",
    );
    let row = transaction.row(standing).await?;
    let mut sum = row
        .map(|row| rollup(&row, 0))
        .transpose()?
        .unwrap_or_default();
    sum.merge(change);
    let statement = if sum.is_empty() {
        place.bind(
            "DELETE FROM rollups WHERE width = $1 AND system = $2 AND environment = $3
               AND start = $4 AND release = $5 AND node = $6",
        )
    } else {
        place
            .bind(
                "INSERT INTO rollups
                   (width, system, environment, start, release, node, decisions, counts, latency, cost)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                 ON CONFLICT (system, environment, width, start, release, node) DO UPDATE SET
                   decisions = excluded.decisions, counts = excluded.counts,
                   latency = excluded.latency, cost = excluded.cost",
            )
            .bind(sum.counts.decisions)
            .bind(write_json("rollup", &sum.counts)?)
            .bind(sum.latency.to_bytes())
            .bind(sum.cost.to_bytes())
    };
    transaction.execute(statement).await?;
    Ok(())
}

/// Which row of the rollups.
#[derive(Clone, Copy)]
struct Place<'a> {
    node: &'a NodeName,
    width: Width,
    span: &'a Span,
}

impl Place<'_> {
    fn bind(self, sql: &'static str) -> Statement {
        Statement::new(sql)
            .bind(self.width.seconds())
            .bind(self.span.system.as_str())
            .bind(self.span.environment.as_str())
            .bind(self.span.start.as_micros())
            .bind(self.span.release.to_string())
            .bind(self.node.as_str())
    }
}

/// A rollup from three columns: counts, latency and cost.
pub(crate) fn rollup(row: &Row, first: usize) -> Result<Rollup, StoreError> {
    Ok(Rollup {
        counts: read_json("rollup", column(row, first)?)?,
        latency: read_sketch(column(row, first + 1)?)?,
        cost: read_sketch(column(row, first + 2)?)?,
    })
}

/// What stands of these units of work.
pub(crate) async fn units(
    transaction: &mut Transaction,
    asked: impl Iterator<Item = &Unit>,
) -> Result<BTreeMap<Unit, UnitTotal>, StoreError> {
    let asked: Vec<&Unit> = asked.collect();
    if asked.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = match transaction {
        Transaction::Sqlite(transaction) => sqlite::units::find(transaction, &asked).await?,
        Transaction::Postgres(transaction) => postgres::units::find(transaction, &asked).await?,
    };
    rows.iter().map(unit).collect()
}

/// The same, to be written: nobody else writes them before the transaction ends.
async fn take_units(
    transaction: &mut Transaction,
    asked: impl Iterator<Item = &Unit>,
) -> Result<BTreeMap<Unit, UnitTotal>, StoreError> {
    let Transaction::Postgres(transaction) = transaction else {
        return units(transaction, asked).await;
    };
    let asked: Vec<&Unit> = asked.collect();
    if asked.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = postgres::units::take(transaction, &asked).await?;
    rows.iter().map(unit).collect()
}

fn unit(row: &Row) -> Result<(Unit, UnitTotal), StoreError> {
    let unit = Unit {
        system: parse("system", column(row, 0)?)?,
        environment: parse("environment", column(row, 1)?)?,
        tenant: parse("tenant", column(row, 2)?)?,
        name: column(row, 3)?,
    };
    let minute = Timestamp::from_micros(column(row, 6)?);
    let total = UnitTotal {
        decisions: column(row, 4)?,
        cost: parse::<Money>("cost", column(row, 5)?)?,
        last: (minute, parse("release", column(row, 7)?)?),
    };
    Ok((unit, total))
}

async fn write_units(
    transaction: &mut Transaction,
    settled: &[(Unit, Option<UnitTotal>)],
) -> Result<(), StoreError> {
    let (mut kept, mut gone) = (Vec::with_capacity(settled.len()), Vec::new());
    for (unit, total) in settled {
        match total {
            Some(total) => kept.push((unit, total)),
            None => gone.push(unit),
        }
    }
    match transaction {
        Transaction::Sqlite(transaction) => sqlite::units::write(transaction, &kept).await?,
        Transaction::Postgres(transaction) => postgres::units::write(transaction, &kept).await?,
    }
    for unit in gone {
        transaction.execute(Statement::new(
            "DELETE FROM units WHERE system = $1 AND environment = $2 AND tenant = $3 AND name = $4",
        ).bind(unit.system.as_str()).bind(unit.environment.as_str()).bind(unit.tenant.as_str()).bind(unit.name.as_str())).await?;
    }
    Ok(())
}
