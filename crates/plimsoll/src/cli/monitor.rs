//! `plimsoll monitor` and `plimsoll alert`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use plimsoll_core::SystemName;
use plimsoll_core::monitor::Watched;

use super::ServerArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum MonitorCommand {
    /// List the monitors of a running server and how each stands; exit code 1 if one has raised an alarm.
    List {
        /// Of this system.
        #[arg(value_name = "SYSTEM")]
        system: Option<SystemName>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Show one monitor with all that it rests on, and its last alarms.
    Show {
        /// Which system.
        #[arg(value_name = "SYSTEM")]
        system: SystemName,
        /// Which monitor, as in `errors`.
        #[arg(value_name = "MONITOR")]
        monitor: Watched,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Make the reference that inputs and answers are held against: a few kilobytes, of a file of rows.
    Reference(ReferenceOf),
}

#[derive(Debug, Args)]
pub(crate) struct ReferenceOf {
    /// Rows that are known to be well: `.csv`, `.tsv`, `.jsonl` or `.parquet`. Columns `answer.NAME` are members of the answer.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Where it goes, as in `systems/loan-default/reference.json`.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Only these columns.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// Not these columns.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) ignore: Vec<String>,
    /// Rows that the model did not learn from, with columns `confidence` (from 0 to 1) and `right` (true or false): what
    /// its confidence is worth, so that its errors can be estimated without labels.
    #[arg(long, value_name = "FILE")]
    pub(crate) held_out: Option<PathBuf>,
    /// How many rows a window will have.
    #[arg(long, value_name = "ROWS", default_value_t = 1_000)]
    pub(crate) window: u64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// List alarms, the latest first, and the receivers and silences of a running server.
    List {
        /// Of this system.
        #[arg(long)]
        system: Option<SystemName>,
        /// At most so many alarms.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Send a receiver an alert that says that it is a test.
    Test {
        /// The receiver, as `[alerts.NAME]` names it.
        #[arg(value_name = "RECEIVER")]
        receiver: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Hold alerts back for a while; alarms are raised, recorded and acted on all the same.
    Silence {
        /// About this system; all, if left out.
        #[arg(long)]
        system: Option<SystemName>,
        /// About this monitor; all, if left out.
        #[arg(long)]
        monitor: Option<Watched>,
        /// For how long, as in `2h`.
        #[arg(long = "for", value_name = "TIME", value_parser = plimsoll_spec::quantity::duration)]
        length: Duration,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// End a silence before its time.
    Unsilence {
        /// The silence: its id, or the beginning of it.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}
