//! `account`: what identity, a tree of four levels of limits and a budget cost a request.
//!
//! The same workspace is served twice, with all of them and with none, and driven in turn: what lies
//! between the two is what they cost, sockets and guards and record being the same.

use std::time::Duration;

use clap::Args;

use crate::Subject;
use crate::load::Load;
use crate::table::{self, float, median};
use crate::target::{Stage, Target};
use crate::workspace::Kind;

/// How much they may cost, in microseconds of CPU.
const COST_MAX: f64 = 3.0;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    subject: Subject,
    /// How many requests each round sends to each of the two.
    #[arg(long, default_value_t = 50_000)]
    requests: u64,
    /// How many rounds there are.
    #[arg(long, default_value_t = 9)]
    rounds: u32,
    /// How many connections ask.
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// Answer no (exit code 1) if it is more than the project promises.
    #[arg(long)]
    check: bool,
}

/// Drives both in turn and tells how far they are apart.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let stage = Stage::set(&options.subject, Duration::ZERO).await?;
    let with = served(&stage, true).await?;
    let without = served(&stage, false).await?;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        theirs.push(drive(&without, options).await?);
        ours.push(drive(&with, options).await?);
    }
    let apart = median(ours.iter().zip(&theirs).map(|(ours, theirs)| ours - theirs));
    let spread = |of: &[f64]| {
        (
            median(of.iter().copied()),
            of.iter().copied().fold(f64::MAX, f64::min),
        )
    };
    let ((ours, ours_least), (theirs, theirs_least)) = (spread(&ours), spread(&theirs));
    table::say(&format!(
        "a request costs {ours:.1} µs of CPU with identity, four levels of limits and a budget (at the least {ours_least:.1}), \
         {theirs:.1} without (at the least {theirs_least:.1}): {apart:.1} apart (at most {COST_MAX} are promised)",
    ));
    Ok(!options.check || apart <= COST_MAX)
}

async fn served(stage: &Stage, is_on: bool) -> anyhow::Result<Target> {
    let kind = Kind::Llm {
        durable: false,
        output_controls: true,
    };
    let name = if is_on { "with" } else { "without" };
    let workspace = stage.workspace(name, kind)?;
    workspace.account(is_on)?;
    let mut target = stage.serve(name, &workspace).await?;
    if !is_on {
        target.question.headers.clear();
    }
    target.prove().await?;
    Ok(target)
}

/// Microseconds of CPU that each request cost.
async fn drive(target: &Target, options: &Options) -> anyhow::Result<f64> {
    let before = target.process.cpu();
    let question = target.question.clone();
    let measured = Load::of(question, options.connections, options.requests)
        .drive()
        .await?;
    anyhow::ensure!(
        measured.not_ok == 0,
        "{} requests were not served",
        measured.not_ok
    );
    let spent = target.process.cpu().saturating_sub(before);
    Ok(spent.as_secs_f64() * 1e6 / float(measured.ok.max(1)))
}
