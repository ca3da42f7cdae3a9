//! `memory`: how much Plimsoll takes idle and under load, and whether it grows.

use std::time::Duration;

use clap::Args;
use tokio::time::sleep;

use crate::Subject;
use crate::load::Load;
use crate::table::{self, float, median};
use crate::target::{Stage, Target};
use crate::workspace::Kind;

const IDLE_MIB_MAX: f64 = 25.0;
const LOADED_MIB_MAX: f64 = 60.0;
/// How much the last third of a run may lie above the first third to count as flat.
const GROWTH_MAX: f64 = 0.05;
/// How long a process that has just started is left alone before it counts as idle.
const SETTLE: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    subject: Subject,
    /// How long to drive.
    #[arg(long, default_value = "60s", value_parser = crate::duration)]
    duration: Duration,
    /// How many connections ask.
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Requests per second over all connections: each leaves about 2 KB in the journal.
    #[arg(long, default_value_t = 1000.0)]
    rate: f64,
    /// Ask for streams.
    #[arg(long)]
    stream: bool,
    /// Record durably.
    #[arg(long)]
    durable: bool,
    /// Answer no (exit code 1) if it is more than the project promises, or grows.
    #[arg(long)]
    check: bool,
}

/// Drives at a steady pace and looks at the resident size once a second.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let stage = Stage::set(&options.subject, Duration::ZERO).await?;
    let kind = Kind::Llm {
        durable: options.durable,
        output_controls: true,
    };
    let workspace = stage.workspace("memory", kind)?;
    let target = stage.serve("plimsoll", &workspace).await?;
    sleep(SETTLE).await;
    let idle = float(target.process.resident_kib()) / 1024.0;
    target.prove().await?;

    let mut load = Load::of(
        workspace.question(options.stream),
        options.connections,
        u64::MAX,
    );
    load.time = options.duration;
    load.rate = Some(options.rate);
    load.stream = options.stream;
    let driving = load.begin();
    let seen = watch(&target, options.duration).await;
    let measured = driving.join().await?;

    let third = seen.len() / 3;
    let first = median(seen.iter().take(third).copied());
    let last = median(seen.iter().rev().take(third).copied());
    let growth = (last - first) / first.max(f64::EPSILON);
    let peak = float(target.process.peak_kib()) / 1024.0;
    table::say(&format!(
        "idle {idle:.1} MiB (at most {IDLE_MIB_MAX} are promised); under {} connections at {:.0} per second for {} s: \
         peak {peak:.1} MiB (at most {LOADED_MIB_MAX}), first third {first:.1}, last third {last:.1}, {:+.1} %; \
         {} served, {} not",
        options.connections,
        measured.rate(),
        options.duration.as_secs(),
        growth * 100.0,
        measured.ok,
        measured.not_ok,
    ));
    let holds = idle <= IDLE_MIB_MAX && peak <= LOADED_MIB_MAX && growth <= GROWTH_MAX;
    Ok(!options.check || (holds && measured.not_ok == 0))
}

/// The resident size in MiB, once a second.
async fn watch(target: &Target, duration: Duration) -> Vec<f64> {
    let mut seen = Vec::new();
    for _ in 0..duration.as_secs() {
        sleep(LOOK_EVERY).await;
        seen.push(float(target.process.resident_kib()) / 1024.0);
    }
    seen
}
