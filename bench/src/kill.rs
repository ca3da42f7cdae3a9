//! `kill`: SIGKILL under load, again and again. Every durable answer that a caller got must be found
//! afterwards.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use plimsoll_core::{Clock, SystemClock};
use tokio::time::sleep;

use crate::Subject;
use crate::load::{Load, Measured};
use crate::table;
use crate::target::Stage;
use crate::workspace::{Kind, Workspace};

/// How many missing ids are shown.
const SHOWN_MAX: usize = 10;
/// How many of the decisions that are found are explained.
const EXPLAINED: usize = 3;
/// The length of a decision's id (a ULID).
const ID_CHARS: usize = 26;

/// What to kill, and how often.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    subject: Subject,
    /// How often to kill.
    #[arg(long, default_value_t = 50)]
    rounds: u32,
    /// What answers.
    #[arg(long, value_enum, default_value_t = Model::Rules)]
    model: Model,
    /// How many connections ask.
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// Requests per second over all connections.
    #[arg(long, default_value_t = 4000.0)]
    rate: f64,
    /// The rounds after which the database is rebuilt and searched; after the last one it always is.
    #[arg(long, default_value_t = 10)]
    check_every: u32,
    /// Where chance begins: when each kill comes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What answers while it is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Model {
    Rules,
    Llm,
}

/// Kills `rounds` times on one data folder; the answer is whether nothing was lost.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let stage = Stage::set(&options.subject, Duration::ZERO).await?;
    let kind = match options.model {
        Model::Rules => Kind::Rules,
        Model::Llm => Kind::Llm {
            durable: true,
            output_controls: true,
        },
    };
    let workspace = stage.workspace("killed", kind)?;
    let mut given = HashSet::new();
    let mut slowest_start = Duration::ZERO;
    let mut missing = Vec::new();
    for round in 1..=options.rounds {
        let (measured, start) = round_of(&stage, &workspace, options, round).await?;
        ensure!(
            !measured.decisions.is_empty(),
            "round {round}: no answer came before the kill"
        );
        given.extend(measured.decisions);
        slowest_start = slowest_start.max(start);
        if round % options.check_every.max(1) == 0 || round == options.rounds {
            missing = missing_decisions(&stage, &workspace, &given)?;
            table::say(&format!(
                "round {round}: {} durable answers given so far, {} missing, slowest start {:.0} ms",
                given.len(),
                missing.len(),
                table::millis(slowest_start)
            ));
            if !missing.is_empty() {
                break;
            }
        }
    }
    for id in missing.iter().take(SHOWN_MAX) {
        table::say(&format!("missing: {id}"));
    }
    Ok(missing.is_empty())
}

/// Starts, drives, kills in the middle; what was answered, and how long it took to listen.
async fn round_of(
    stage: &Stage,
    workspace: &Workspace,
    options: &Options,
    round: u32,
) -> anyhow::Result<(Measured, Duration)> {
    let clock = SystemClock::new();
    let mut target = stage.serve("plimsoll", workspace).await?;
    let start = clock.elapsed();
    let mut load = Load::of(workspace.question(false), options.connections, u64::MAX);
    load.rate = Some(options.rate);
    load.keep_decisions = true;
    let driving = load.begin();
    sleep(moment(options.seed, round)).await;
    target.process.kill()?;
    driving.stop();
    Ok((driving.join().await?, start))
}

/// When to kill in a round: 100 to 400 ms after the load began.
fn moment(seed: u64, round: u32) -> Duration {
    let mixed = (seed ^ (u64::from(round) << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Duration::from_micros(100_000 + (mixed >> 20) % 300_000)
}

/// Which of these decisions cannot be found: the database is rebuilt from the journal, all that it has is
/// exported, and a few are explained.
pub(crate) fn missing_decisions(
    stage: &Stage,
    workspace: &Workspace,
    given: &HashSet<String>,
) -> anyhow::Result<Vec<String>> {
    told(stage, workspace, &["store", "rebuild"])?;
    let file = workspace.folder.join("found.csv");
    if file.exists() {
        fs::remove_file(&file)?;
    }
    let out = file
        .to_str()
        .context("the scratch folder's name is not UTF-8")?;
    told(
        stage,
        workspace,
        &["decisions", "export", "--format", "csv", "--out", out],
    )?;
    let listed = fs::read_to_string(&file).context("reading the exported decisions")?;
    let found: HashSet<&str> = ids(&listed).collect();
    for id in given
        .iter()
        .filter(|id| found.contains(id.as_str()))
        .take(EXPLAINED)
    {
        let explained = told(stage, workspace, &["explain", id])?;
        ensure!(
            explained.contains(id.as_str()),
            "plimsoll explain {id} tells of something else"
        );
    }
    Ok(given
        .iter()
        .filter(|id| !found.contains(id.as_str()))
        .cloned()
        .collect())
}

/// All words of the length of an id, whatever stands around them.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() == ID_CHARS)
}

/// The output of a command of the binary that is measured.
fn told(stage: &Stage, workspace: &Workspace, arguments: &[&str]) -> anyhow::Result<String> {
    let output = workspace
        .command(stage.plimsoll(), arguments)
        .output()
        .with_context(|| format!("running plimsoll {}", arguments.join(" ")))?;
    ensure!(
        output.status.success(),
        "plimsoll {} ended with {}: {}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_whatever_stands_around_them() {
        let text = r#"[{"id":"01J9ZC4T8QW3V5X7Y9A1B3C5D7","outcome":"served"}]"#;
        assert_eq!(
            ids(text).collect::<Vec<_>>(),
            ["01J9ZC4T8QW3V5X7Y9A1B3C5D7"]
        );
    }

    #[test]
    fn kills_come_at_different_moments_within_bounds() {
        let moments: HashSet<Duration> = (1..=50).map(|round| moment(1, round)).collect();
        assert!(moments.len() > 45);
        let bounds = Duration::from_millis(100)..Duration::from_millis(400);
        assert!(moments.iter().all(|moment| bounds.contains(moment)));
    }
}
