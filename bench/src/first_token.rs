//! `first-token`: how much later the first streamed content comes than through the floor.

use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use plimsoll_core::{Clock, SystemClock};

use crate::Subject;
use crate::body;
use crate::client::{Client, Question};
use crate::table::{self, median, micros};
use crate::target::Stage;
use crate::workspace::Kind;

/// How much later it may come, without output controls.
const EXTRA_MICROS_MAX: f64 = 200.0;
/// Streams before anything is measured.
const WARM_UP: u32 = 50;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    subject: Subject,
    /// Streams through each.
    #[arg(long, default_value_t = 500)]
    streams: u32,
    /// Record durably: `opened` is then on disk before the first byte.
    #[arg(long)]
    durable: bool,
    /// Answer no (exit code 1) if it comes later than the project promises.
    #[arg(long)]
    check: bool,
}

/// Streams in turn through the floor and through Plimsoll, one at a time.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let stage = Stage::set(&options.subject, Duration::from_millis(1)).await?;
    let floor = stage.floor().await?;
    let kind = Kind::Llm {
        durable: options.durable,
        output_controls: false,
    };
    let workspace = stage.workspace("streams", kind)?;
    let plimsoll = stage.serve("plimsoll", &workspace).await?;

    let clock = SystemClock::new();
    let bare = Question {
        body: body::chat("sim-small", true),
        ..floor.question.clone()
    };
    let mut through_floor = Client::connect(&bare).await?;
    let mut through_plimsoll = Client::connect(&workspace.question(true)).await?;
    for _ in 0..WARM_UP {
        first_content(&mut through_floor, &clock).await?;
        first_content(&mut through_plimsoll, &clock).await?;
    }
    let mut pairs = Vec::new();
    for _ in 0..options.streams {
        let without = first_content(&mut through_floor, &clock).await?;
        let with = first_content(&mut through_plimsoll, &clock).await?;
        pairs.push((micros(without), micros(with)));
    }
    drop(plimsoll);

    let without = median(pairs.iter().map(|pair| pair.0));
    let with = median(pairs.iter().map(|pair| pair.1));
    let extra = median(pairs.iter().map(|pair| pair.1 - pair.0));
    table::say(&format!(
        "first content of a stream, medians of {}: {without:.0} µs through the floor, {with:.0} µs through plimsoll; \
         {extra:.0} µs later (median of the differences; at most {EXTRA_MICROS_MAX:.0} are promised)",
        options.streams
    ));
    Ok(!options.check || extra <= EXTRA_MICROS_MAX)
}

async fn first_content(client: &mut Client, clock: &SystemClock) -> anyhow::Result<Duration> {
    let begun = clock.elapsed();
    let reply = client.ask_stream(clock).await?;
    ensure!(reply.is_served(), "a stream was not served: {reply:?}");
    let Some(at) = reply.first_content else {
        anyhow::bail!("a stream ended without content");
    };
    Ok(at.saturating_sub(begun))
}
