//! Measures Plimsoll beside a bare proxy and nginx, against the simulator, in turn in one run.
//!
//! Machines have moods: the same binary may read 20 µs in one run and 28 in the next. So each figure
//! stands beside that of the floor (a bare hyper proxy that parses and rewrites JSON) of the same round,
//! and what is judged is the ratio. Everything runs on 127.0.0.1, bounded in count and time; every
//! process that is started is ended.

mod floor;
mod upstream;

mod body;
mod client;
mod histogram;
mod load;
mod process;
mod target;
mod workspace;

mod account;
mod compare;
mod first_token;
mod flood;
mod kill;
mod memory;
mod table;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Measures Plimsoll beside a bare proxy and nginx.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Drives floor, nginx and Plimsoll in turn and prints what each request costs.
    Compare(compare::Options),
    /// Tells how much later the first streamed token comes than through the floor.
    FirstToken(first_token::Options),
    /// Tells how much memory Plimsoll takes, idle and under load, and whether it grows.
    Memory(memory::Options),
    /// Kills Plimsoll under load, again and again, and looks for every answer it gave.
    Kill(kill::Options),
    /// Tells what a flood of invalid keys costs above a bare server, and whether memory grows.
    Flood(flood::Options),
    /// Tells what identity, four levels of limits and a budget cost a request.
    Account(account::Options),
    /// Drives any URL path of one address with one body.
    Load(load::Options),
    /// The floor: a bare proxy, as a process of its own.
    Floor(floor::Options),
    /// The bare server of `flood`, as a process of its own.
    Refuse(flood::RefusingOptions),
    /// The simulator as it is used for measuring, as a process of its own.
    Upstream(upstream::Options),
}

/// What is measured, and how hard.
#[derive(Clone, Debug, Args)]
pub(crate) struct Subject {
    /// The plimsoll binary; a release build.
    #[arg(long, default_value = "target/release/plimsoll")]
    pub(crate) plimsoll: PathBuf,
    /// Where temporary workspaces are made; journals are written there, so it should be a real disk.
    #[arg(long, default_value = "target")]
    pub(crate) scratch: PathBuf,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run(cli.command)));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            table::complain(&error);
            ExitCode::from(2)
        }
    }
}

/// Runs one command; whether the answer is yes.
async fn run(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Compare(options) => compare::run(&options).await,
        Command::FirstToken(options) => first_token::run(&options).await,
        Command::Memory(options) => memory::run(&options).await,
        Command::Account(options) => account::run(&options).await,
        Command::Flood(options) => flood::run(&options).await,
        Command::Refuse(options) => flood::refuse(&options).await,
        Command::Kill(options) => kill::run(&options).await,
        Command::Load(options) => load::run(&options).await,
        Command::Floor(options) => floor::run(&options).await,
        Command::Upstream(options) => upstream::run(options).await,
    }
}

/// Reads `250us`, `20ms`, `4s` or `5m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let explain =
        || format!("`{text}` is not a duration: write a whole number with us, ms, s or m");
    let number: u64 = number.parse().map_err(|_| explain())?;
    match unit {
        "us" => Ok(Duration::from_micros(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err(explain()),
    }
}

/// Reads an address that stays on this machine: loads go nowhere else.
pub(crate) fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|error| format!("{error}"))?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(format!(
        "{address} is another machine: only 127.0.0.1 is driven"
    ))
}
