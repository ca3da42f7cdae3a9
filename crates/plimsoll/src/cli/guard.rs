//! What may be typed after `plimsoll guard`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use plimsoll_guard::finding::Direction;

/// Trying guards on texts, without a server.
#[derive(Debug, Subcommand)]
pub(crate) enum GuardCommand {
    /// Say of each `text` of a file what would be done about it, its score and the rules that held.
    Scan(ScanArgs),
    /// Train the classifier's weights from the files that its manifest names.
    Train(TrainArgs),
    /// Print what the classifier's weights were trained on, what they catch and what they miss.
    Card,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// Rows of JSON, a `text` in each; `-` is standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) file: PathBuf,
    /// Which way the texts go.
    #[arg(long, value_enum, default_value = "input")]
    pub(crate) direction: DirectionArg,
    /// A policy (TOML); without one the defaults of the release hold.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
}

/// A direction as it is typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum DirectionArg {
    /// From a caller to a model.
    Input,
    /// From a model to a caller.
    Output,
    /// From a tool or a document to a model.
    Tool,
}

impl From<DirectionArg> for Direction {
    fn from(typed: DirectionArg) -> Self {
        match typed {
            DirectionArg::Input => Self::Input,
            DirectionArg::Output => Self::Output,
            DirectionArg::Tool => Self::Tool,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// Where to write `injection.weights` and `injection.card.json`.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
    /// Print the manifest: each file with its hash, each source with its licence.
    #[arg(long)]
    pub(crate) manifest: bool,
}
