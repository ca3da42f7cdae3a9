//! The command line: what may be typed. What each command does stands in [`crate::command`].

mod cost;
mod dataset;
mod drift;
mod eval;
mod guard;
mod keys;
mod label;
mod moment;
mod monitor;
mod policy;
mod records;
mod release;
mod system;
mod user;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use plimsoll_core::{FailureKind, Outcome, QueueName, SystemName, TenantName};

pub(crate) use cost::{CostArgs, CostCommand, ReconcileArgs, WhatIf};
pub(crate) use dataset::{DatasetCommand, DatasetExportArgs, DatasetFormat, Only};
pub(crate) use drift::{DriftArgs, DriftCorrection, DriftMethod};
pub(crate) use eval::{EvalCommand, EvalPages, EvalRunArgs, EvalSetArgs, JudgeCommand};
pub(crate) use guard::{GuardCommand, JsonArgs, RedactArgs, ScanArgs, TrainArgs, UrlArgs};
pub(crate) use keys::{KeyCommand, KeyCreateArgs, TenantCommand, WhichKey};
pub(crate) use label::{LabelCommand, LabelImportArgs, LabelListArgs};
pub(crate) use moment::Moment;
pub(crate) use monitor::{AlertCommand, MonitorCommand, ReferenceOf};
pub(crate) use policy::{PolicyCommand, PolicyExplainArgs};
pub(crate) use records::{AuditCommand, HoldCommand, ReplayArgs, StoreCommand};
pub(crate) use release::{Justified, ReleaseCommand};
pub(crate) use system::SystemCommand;
pub(crate) use user::{UserCommand, UserCreateArgs};

/// Puts a model into production, and says from evidence whether it is there.
#[derive(Debug, Parser)]
#[command(
    name = "plimsoll",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(
    after_help = "Exit codes: 0 yes or done · 1 the answer is no · 2 usage · 3 the workspace has \
    problems · 4 the server cannot be reached · 5 the data folder cannot be used · 6 the port cannot \
    be listened on · 7 it cannot be said: an eval was inconclusive or interrupted · 70 internal."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The workspace's folder.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = ".",
        env = "PLIMSOLL_WORKSPACE"
    )]
    pub(crate) workspace: PathBuf,
    /// The data folder, instead of the one that the workspace names.
    #[arg(long, global = true, value_name = "DIR", env = "PLIMSOLL_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented starter workspace; nothing that exists is overwritten.
    Init(InitArgs),
    /// Start up without side effects and print every problem of the workspace.
    Check,
    /// Serve the workspace until told to stop.
    Serve,
    /// Run a simulated provider that misbehaves as told by a script.
    Simulate(SimulateArgs),
    /// Send the rows of a file to a running server and sum up what came back.
    Send(SendArgs),
    /// Answer the rows of a file into another, without a server; goes on where it stopped.
    Batch(BatchArgs),
    /// Run a system's `cases.jsonl`: each input must take its path to its outcome.
    Test(TestArgs),
    /// List decisions, the latest first.
    Decisions(DecisionsArgs),
    /// Tell one decision stage by stage.
    Explain(ExplainArgs),
    /// What is watched while serving, and how it stands.
    #[command(subcommand)]
    Monitor(MonitorCommand),
    /// Alarms, who is told of them, and silences.
    #[command(subcommand)]
    Alert(AlertCommand),
    /// What turned out to be true of decisions.
    #[command(subcommand)]
    Label(LabelCommand),
    /// What waits for a person.
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Failures on purpose.
    #[command(subcommand)]
    Drill(DrillCommand),
    /// Runbooks.
    #[command(subcommand)]
    Runbook(RunbookCommand),
    /// Hold systems against the six characteristics: above or below the line.
    Bar(BarArgs),
    /// What work cost: per unit and per accepted outcome, and what it would have cost.
    Cost(CostArgs),
    /// Say what has moved between two files of rows, without a server: exit code 0 nothing, 1 drift, 2 not judged.
    Drift(DriftArgs),
    /// Evals: what a system should answer, held against what it answers, with a verdict.
    #[command(subcommand)]
    Eval(EvalCommand),
    /// Judged decisions as sets for evals and training.
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Releases, and what is deployed.
    #[command(subcommand)]
    Release(ReleaseCommand),
    /// Systems, and stepping in: halt, fallback, resume.
    #[command(subcommand)]
    System(SystemCommand),
    /// Run our own logic again over what was recorded, or ask the models again.
    Replay(ReplayArgs),
    /// Tenants: whose requests are whose.
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Keys of callers: given once, rotated, revoked.
    #[command(subcommand)]
    Key(KeyCommand),
    /// People who sign in to the control plane with a password.
    #[command(subcommand)]
    User(UserCommand),
    /// Policies on attributes: what is in force, and what they would say.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// The audit log: verify, prove, erase, hold.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// The database that people ask, and copies of the data folder.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Guards tried on texts: what they would do, redact, mend or allow, and what the classifier is worth.
    #[command(subcommand)]
    Guard(GuardCommand),
    /// Print the JSON Schemas of the workspace's files, for editors.
    Schema(SchemaArgs),
    /// Print the reference as Markdown.
    Reference(ReferenceArgs),
}

/// What a starter workspace is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum InitKind {
    /// A model over rows of named values.
    Predictor,
    /// A language model.
    Llm,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder to write into.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// What the first system is.
    #[arg(long, value_enum, default_value = "predictor")]
    pub(crate) kind: InitKind,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8090")]
    pub(crate) address: SocketAddr,
    /// A script (TOML or JSON) of which requests meet which fault.
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// How long each answer takes to begin, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) latency_ms: u64,
    /// How long between the chunks of a stream, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) chunk_interval_ms: u64,
}

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The rows: `.jsonl` (an input on each line) or `.csv` (a header, then a row on each line).
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Which system to ask; may be left out if there is only one.
    #[arg(long)]
    pub(crate) system: Option<SystemName>,
    /// The server, as `http://HOST:PORT`; by default the workspace's data address.
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// A file with the key to show; by default the workspace's first key that may use the system.
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Rows in one call.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) batch: u32,
    /// Calls at a time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) concurrency: u32,
    /// Stop after so many rows.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// The unit of work that all rows belong to; by default each is a unit of its own.
    #[arg(long, value_name = "UNIT")]
    pub(crate) unit: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    /// The rows: `.jsonl` or `.csv`.
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// Where the answers go, a line of JSON for each row; rows that are there already are skipped.
    #[arg(value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// Which system to ask; may be left out if there is only one.
    #[arg(long)]
    pub(crate) system: Option<SystemName>,
    /// On whose behalf.
    #[arg(long, default_value = "default")]
    pub(crate) tenant: TenantName,
    /// Rows at a time.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) concurrency: u32,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Which system.
    #[arg(value_name = "SYSTEM")]
    pub(crate) system: SystemName,
    /// Only cases whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
}

/// How a list of decisions is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ExportFormat {
    /// For spreadsheets.
    Csv,
    /// For notebooks.
    Parquet,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DecisionsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<DecisionsCommand>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// The page before this decision.
    #[arg(long, value_name = "ID")]
    pub(crate) before: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DecisionsCommand {
    /// Write decisions to a file, the earliest first.
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// The file's form; by default what the file's name ends with.
    #[arg(long, value_enum)]
    pub(crate) format: Option<ExportFormat>,
    /// The file; nothing that exists is overwritten.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

/// Which decisions.
#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// Of this system.
    #[arg(long)]
    pub(crate) system: Option<SystemName>,
    /// That ended like this, or `open`.
    #[arg(long, value_parser = parse_ending)]
    pub(crate) outcome: Option<Ending>,
    /// Whose first failure was of this kind.
    #[arg(long)]
    pub(crate) kind: Option<FailureKind>,
    /// Opened at this time (UTC) or later: `2026-03-14T09:00`, `2026-03-14`, or `2h`, `30d` ago.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,
    /// Opened before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
    /// That this release answered: its id, or the beginning of it.
    #[arg(long, value_name = "ID")]
    pub(crate) release: Option<String>,
    /// Of this tenant.
    #[arg(long)]
    pub(crate) tenant: Option<TenantName>,
    /// Of this unit of work.
    #[arg(long)]
    pub(crate) unit: Option<String>,
    /// Decisions of drills and evals too.
    #[arg(long)]
    pub(crate) drills: bool,
}

/// How a decision ended, or that it did not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// It did not end yet.
    Open,
    /// It ended like this.
    Closed(Outcome),
}

fn parse_ending(text: &str) -> Result<Ending, String> {
    if text == "open" {
        return Ok(Ending::Open);
    }
    text.parse()
        .map(Ending::Closed)
        .map_err(|error| format!("{error} (or open)"))
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The decision: its id, or the beginning of it.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The input and the answer too, if they were kept and the policies let you; that it was read is recorded.
    #[arg(long, requires = "purpose")]
    pub(crate) payload: bool,
    /// What the input and the answer are read for.
    #[arg(long, value_name = "WHY", requires = "payload")]
    pub(crate) purpose: Option<String>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// How to reach a running server's control plane.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArgs {
    /// The control plane, as `http://HOST:PORT`; by default the workspace's control address.
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// A file with the operator's token; by default `operator.token` in the data folder.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Who acts, for the record; by default the name of the user who runs this.
    #[arg(long, value_name = "NAME", env = "PLIMSOLL_ACTOR")]
    pub(crate) actor: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReviewCommand {
    /// List open reviews, the soonest due first.
    List {
        /// Of this queue.
        #[arg(long)]
        queue: Option<QueueName>,
        /// Of this system.
        #[arg(long)]
        system: Option<SystemName>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Show one review with its input.
    Show {
        /// The review: its id, or the beginning of it.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Answer a review and close its decision.
    Answer {
        /// The review: its id, or the beginning of it.
        #[arg(value_name = "ID")]
        id: String,
        /// The answer as JSON, in the shape of the system's output.
        #[arg(value_name = "ANSWER")]
        answer: String,
        /// Why.
        #[arg(long)]
        note: Option<String>,
        /// How many minutes it took: `plimsoll cost` adds them up.
        #[arg(long, value_name = "MINUTES", value_parser = cost::parse_minutes)]
        minutes: Option<u64>,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DrillCommand {
    /// Cause a failure, or one of each kind, and see whether the designed answer happens.
    Run {
        /// Which system.
        #[arg(value_name = "SYSTEM")]
        system: SystemName,
        /// Which kind; every kind, if left out.
        #[arg(value_name = "KIND")]
        kind: Option<FailureKind>,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunbookCommand {
    /// Walk through a system's runbook and record how it went.
    Run {
        /// Which system.
        #[arg(value_name = "SYSTEM")]
        system: SystemName,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct BarArgs {
    /// Which system; all, if left out.
    #[arg(value_name = "SYSTEM")]
    pub(crate) system: Option<SystemName>,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Only of this file: `plimsoll.toml`, `system.toml`, `prices.toml`, `rules.toml`.
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<String>,
}

/// A page of the reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ReferencePage {
    /// This command line.
    Cli,
    /// Error codes.
    Errors,
    /// The workspace's files.
    Configuration,
    /// Prometheus metrics.
    Metrics,
    /// The control plane's routes.
    Api,
}

#[derive(Debug, Args)]
pub(crate) struct ReferenceArgs {
    /// Which page.
    #[arg(value_enum, required_unless_present = "out")]
    pub(crate) page: Option<ReferencePage>,
    /// Write every page into this folder instead.
    #[arg(long, value_name = "DIR", conflicts_with = "page")]
    pub(crate) out: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
    #[test]
    fn every_command_of_the_first_issue_can_be_typed() {
        for line in [
            "init demo --kind llm",
            "check --workspace demo",
            "serve --data /tmp/x",
            "simulate --script faults.toml",
            "send rows.csv --system loan-default",
            "batch in.jsonl out.jsonl",
            "test loan-default",
            "decisions --system loan-default --outcome open --kind slow --since 2h --release 3f9",
            "decisions export --out x.parquet --since 30d",
            "explain 01J9ZC --json",
            "review list --queue credit",
            "review show 01J9",
            "review answer 01J9 {} --note seen --minutes 2.5",
            "drill run loan-default unavailable",
            "runbook run loan-default",
            "bar",
            "bar loan-default",
            "cost",
            "cost --system support --by day,model --since 30d --until 2026-11-01 --csv",
            "cost --what-if prices=new.toml --what-if model=openai/gpt-5.4-mini --traffic x1.5",
            "cost --what-if release=3f9 --json",
            "cost --repriced --tenant acme",
            "cost prices",
            "cost reconcile usage.csv --provider openai --tolerance 0.5",
            "drift reference.parquet current.csv --method ks --columns a,b --html drift.html",
            "release list",
            "release show 3f9",
            "release deploy loan-default 3f9 --reason rates",
            "store rebuild",
            "schema system.toml",
            "reference cli",
            "reference --out docs",
        ] {
            let words = std::iter::once("plimsoll").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
        assert!(Cli::try_parse_from(["plimsoll", "decisions", "--outcome", "fine"]).is_err());
    }
}
