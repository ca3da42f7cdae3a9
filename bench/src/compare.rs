//! `compare`: what each request costs, in turn in one run.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::Subject;
use crate::load::Load;
use crate::table::{self, median, micros, millis};
use crate::target::{Stage, Target};
use crate::workspace::Kind;

/// What a buffered and a durable decision may cost, as a ratio to the floor.
const BUFFERED_MAX: f64 = 1.5;
const DURABLE_MAX: f64 = 1.9;
/// How many durable decisions by a rule table there must be per second.
const RULES_PER_SECOND_MIN: f64 = 20_000.0;

const FLOOR: &str = "floor";
const BUFFERED: &str = "plimsoll llm buffered";
const DURABLE: &str = "plimsoll llm durable";
const RULES: &str = "plimsoll rules durable";

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    subject: Subject,
    /// Requests for each target in each round.
    #[arg(long, default_value_t = 30_000)]
    requests: u64,
    /// How many connections ask.
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// How many rounds are measured, after one to warm up.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Leave Plimsoll out: floor and nginx alone.
    #[arg(long)]
    without_plimsoll: bool,
    /// Leave nginx out.
    #[arg(long)]
    without_nginx: bool,
    /// Answer no (exit code 1) if a ratio or rate misses what the project promises.
    #[arg(long)]
    check: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// One target in one round.
#[derive(Clone, Copy, Debug)]
struct Round {
    cpu_micros: f64,
    rate: f64,
    p50_millis: f64,
    p99_millis: f64,
    not_ok: u64,
}

/// One target over all rounds.
struct Row {
    name: String,
    rounds: Vec<Round>,
    peak_kib: u64,
}

/// Measures and prints; with `--check` the answer is whether the promises hold.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let stage = Stage::set(&options.subject, Duration::from_millis(1)).await?;
    let targets = targets(&stage, options).await?;
    let mut rows: Vec<Row> = targets
        .iter()
        .map(|target| Row {
            name: target.name.clone(),
            rounds: Vec::new(),
            peak_kib: 0,
        })
        .collect();
    for target in &targets {
        drive(target, options.connections, options.requests / 4).await?;
    }
    for _ in 0..options.rounds {
        for (target, row) in targets.iter().zip(&mut rows) {
            row.rounds
                .push(drive(target, options.connections, options.requests).await?);
            row.peak_kib = target.process.peak_kib();
        }
    }
    if options.json {
        print_json(&rows);
    } else {
        print(&rows, options);
    }
    Ok(!options.check || keeps_promises(&rows))
}

async fn targets(stage: &Stage, options: &Options) -> anyhow::Result<Vec<Target>> {
    let mut targets = vec![stage.floor().await?];
    if !options.without_nginx {
        match stage.nginx().await? {
            Some(nginx) => targets.push(nginx),
            None => {
                table::note("nginx is not installed (apt-get install nginx-light): it is left out");
            }
        }
    }
    if !options.without_plimsoll {
        let llm = |durable| Kind::Llm {
            durable,
            output_controls: true,
        };
        for (name, kind) in [
            (BUFFERED, llm(false)),
            (DURABLE, llm(true)),
            (RULES, Kind::Rules),
        ] {
            let workspace = stage.workspace(name, kind)?;
            targets.push(stage.serve(name, &workspace).await?);
        }
    }
    for target in &targets {
        target.prove().await?;
    }
    Ok(targets)
}

async fn drive(target: &Target, connections: u32, requests: u64) -> anyhow::Result<Round> {
    let before = target.process.cpu();
    let measured = Load::of(target.question.clone(), connections, requests)
        .drive()
        .await?;
    let used = target.process.cpu().saturating_sub(before);
    Ok(Round {
        cpu_micros: micros(used) / table::float(measured.ok.max(1)),
        rate: measured.rate(),
        p50_millis: millis(measured.latencies.quantile(500)),
        p99_millis: millis(measured.latencies.quantile(990)),
        not_ok: measured.not_ok,
    })
}

impl Row {
    fn median(&self, figure: fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(figure))
    }

    /// The median of the ratios to the floor, each taken within one round.
    fn to_floor(&self, floor: &Self) -> f64 {
        let pairs = self.rounds.iter().zip(&floor.rounds);
        median(pairs.map(|(mine, floor)| mine.cpu_micros / floor.cpu_micros.max(f64::EPSILON)))
    }

    fn not_ok(&self) -> u64 {
        self.rounds.iter().map(|round| round.not_ok).sum()
    }
}

fn print(rows: &[Row], options: &Options) {
    let Some(floor) = rows.first() else { return };
    let cells = |row: &Row| {
        vec![
            row.name.clone(),
            format!("{:.1}", row.median(|round| round.cpu_micros)),
            format!("{:.2}", row.to_floor(floor)),
            format!("{:.0}", row.median(|round| round.rate)),
            format!("{:.2}", row.median(|round| round.p50_millis)),
            format!("{:.2}", row.median(|round| round.p99_millis)),
            format!("{:.1}", table::float(row.peak_kib) / 1024.0),
            row.not_ok().to_string(),
        ]
    };
    let header = [
        "target",
        "CPU µs",
        "to floor",
        "req/s",
        "p50 ms",
        "p99 ms",
        "peak MiB",
        "not served",
    ];
    table::print(&header, &rows.iter().map(cells).collect::<Vec<_>>());
    table::say(&format!(
        "medians of {} rounds of {} requests over {} connections; `to floor` is the median of the ratios within each round",
        options.rounds, options.requests, options.connections
    ));
}

fn print_json(rows: &[Row]) {
    let Some(floor) = rows.first() else { return };
    let told = |row: &Row| {
        json!({
            "target": row.name,
            "cpu_micros": row.median(|round| round.cpu_micros),
            "to_floor": row.to_floor(floor),
            "requests_per_second": row.median(|round| round.rate),
            "p50_ms": row.median(|round| round.p50_millis),
            "p99_ms": row.median(|round| round.p99_millis),
            "peak_kib": row.peak_kib,
            "not_served": row.not_ok(),
        })
    };
    table::say(&json!(rows.iter().map(told).collect::<Vec<_>>()).to_string());
}

/// Whether every promise about a target that was measured holds; those that do not are told.
fn keeps_promises(rows: &[Row]) -> bool {
    let Some(floor) = rows.iter().find(|row| row.name == FLOOR) else {
        return false;
    };
    let mut broken = Vec::new();
    for row in rows {
        let ratio = row.to_floor(floor);
        let limit = match row.name.as_str() {
            BUFFERED => BUFFERED_MAX,
            DURABLE => DURABLE_MAX,
            _ => f64::INFINITY,
        };
        if ratio > limit {
            broken.push(format!(
                "{}: {ratio:.2} times the floor, at most {limit} is promised",
                row.name
            ));
        }
        let rate = row.median(|round| round.rate);
        if row.name == RULES && rate < RULES_PER_SECOND_MIN {
            broken.push(format!(
                "{RULES}: {rate:.0} per second, at least {RULES_PER_SECOND_MIN} are promised"
            ));
        }
        if row.not_ok() > 0 {
            broken.push(format!(
                "{}: {} requests were not served",
                row.name,
                row.not_ok()
            ));
        }
    }
    for line in &broken {
        table::note(line);
    }
    broken.is_empty()
}
