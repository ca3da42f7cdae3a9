//! What may be typed after `plimsoll eval`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use plimsoll_core::SystemName;

use super::ServerArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum EvalCommand {
    /// Ask a set of cases of a running server, score the answers, and say PASS, REGRESSED or INCONCLUSIVE:
    /// exit code 0, 1 or 7. An interrupted run goes on where it stopped.
    Run(EvalRunArgs),
    /// List the runs that are recorded, the latest first.
    List {
        /// Of this system only.
        #[arg(value_name = "SYSTEM")]
        system: Option<SystemName>,
        /// At most so many of each.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Show a run: its figures, slices and failures.
    Show {
        /// The run: its id, the beginning of it, or `latest`.
        #[arg(value_name = "RUN")]
        run: String,
        #[command(flatten)]
        pages: EvalPages,
    },
    /// Hold a run against another on the same cases.
    Compare {
        /// The run that is the measure: its id, or the beginning of it.
        #[arg(value_name = "BASELINE")]
        baseline: String,
        /// The run that is held against it, or `latest`.
        #[arg(value_name = "CANDIDATE")]
        candidate: String,
        /// The drop that is tolerated, as a share: 0.02 is two points.
        #[arg(long, value_name = "SHARE", default_value_t = plimsoll_stats::verdict::MARGIN, value_parser = parse_share)]
        margin: f64,
    },
    /// Read an eval set and say what is wrong with it, without a server.
    Check(EvalSetArgs),
    /// What judges are worth.
    #[command(subcommand)]
    Judge(JudgeCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum JudgeCommand {
    /// Hold what a judge said in a run against people's labels. A judge that agrees well enough decides from
    /// then on, and its rates are corrected: exit code 0; otherwise it stays advisory: 1.
    Calibrate {
        /// The scorer that is a judge.
        #[arg(value_name = "SCORER")]
        scorer: String,
        /// The labels: JSONL, on each line `{"case": "…", "pass": true}`, and `repetition` if there are several.
        #[arg(value_name = "LABELS")]
        labels: PathBuf,
        /// The run whose answers the labels are about.
        #[arg(long, value_name = "RUN", default_value = "latest")]
        run: String,
    },
}

/// Which set.
#[derive(Debug, Args)]
pub(crate) struct EvalSetArgs {
    /// Which system.
    #[arg(value_name = "SYSTEM")]
    pub(crate) system: SystemName,
    /// The set (`.jsonl`, `.csv`, `.parquet`); by default the `dataset` of `[quality]`.
    #[arg(long, value_name = "FILE")]
    pub(crate) set: Option<PathBuf>,
    /// Only cases with this tag.
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
}

/// Which files are written beside what is printed.
#[derive(Debug, Args)]
pub(crate) struct EvalPages {
    /// Write a page too, which stands alone.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write `JUnit` XML too, for CI.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct EvalRunArgs {
    #[command(flatten)]
    pub(crate) set: EvalSetArgs,
    /// How often each case is asked; repetitions are never answered from one another.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) repeat: u32,
    /// Stop after so many cases.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// Cases at a time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) concurrency: u32,
    /// Hold it against this run too: its id, or the beginning of it.
    #[arg(long, value_name = "RUN")]
    pub(crate) baseline: Option<String>,
    /// The drop against the baseline that is tolerated, as a share: 0.02 is two points.
    #[arg(long, value_name = "SHARE", default_value_t = plimsoll_stats::verdict::MARGIN, value_parser = parse_share)]
    pub(crate) margin: f64,
    /// Tell figures by the values of these members of the input too.
    #[arg(long, value_name = "MEMBER", value_delimiter = ',')]
    pub(crate) slice: Vec<String>,
    /// Take answers that the same release gave to the same case and repetition in earlier runs.
    #[arg(long)]
    pub(crate) reuse: bool,
    /// Begin anew, and leave a run that was interrupted alone.
    #[arg(long)]
    pub(crate) anew: bool,
    /// Ask the canary, not the stable release.
    #[arg(long)]
    pub(crate) canary: bool,
    #[command(flatten)]
    pub(crate) pages: EvalPages,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

fn parse_share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if (0.0..1.0).contains(&value) {
        return Ok(value);
    }
    Err("it must be at least 0 and below 1".to_owned())
}
