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
    /// Print a text with personal data and secrets replaced by placeholders.
    Redact(RedactArgs),
    /// Say whether a text is strict JSON, or mend it.
    Json(JsonArgs),
    /// Say whether addresses may be used: by scheme, host, port and class of address.
    Url(UrlArgs),
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

#[derive(Debug, Args)]
pub(crate) struct RedactArgs {
    /// The text; `-` is standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) file: PathBuf,
    /// Replace only what is at least so sure, from 0 to 1.
    #[arg(long, value_name = "SCORE", default_value_t = 0.5)]
    pub(crate) score: f64,
}

#[derive(Debug, Args)]
pub(crate) struct JsonArgs {
    /// The text; `-` is standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) file: PathBuf,
    /// Mend what is not strict JSON, and print the value.
    #[arg(long)]
    pub(crate) repair: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UrlArgs {
    /// The addresses.
    #[arg(value_name = "URL", required = true)]
    pub(crate) urls: Vec<String>,
    /// A host that may be addressed, or `*.HOST` for all below it; may be repeated. Without any, every host
    /// that is not private.
    #[arg(long = "host", value_name = "HOST")]
    pub(crate) hosts: Vec<String>,
    /// A scheme that may be used; may be repeated.
    #[arg(long = "scheme", value_name = "SCHEME", default_value = "https")]
    pub(crate) schemes: Vec<String>,
    /// A port that may be used beside the scheme's own; may be repeated.
    #[arg(long = "port", value_name = "PORT")]
    pub(crate) ports: Vec<u16>,
}
