//! What may be typed after `plimsoll dataset`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use plimsoll_core::dataset::Judged;
use plimsoll_core::{LabelName, SystemName, TenantName};

use super::{Moment, ServerArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Take labelled and reviewed decisions out as a version of an eval or training set. That their inputs are
    /// read is recorded, and so is the export. Exit code 1 if no decision became a case.
    Export(Box<DatasetExportArgs>),
    /// List what was taken out, the latest first.
    List {
        /// Of this system only.
        #[arg(value_name = "SYSTEM")]
        system: Option<SystemName>,
        /// At most so many of each.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
}

/// A file's form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum DatasetFormat {
    /// A case on each line; holds whatever was asked.
    Jsonl,
    /// A table; holds inputs without lists and objects in them.
    Csv,
    /// A table, typed; holds inputs without lists and objects in them.
    Parquet,
}

/// Who must have judged a decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Only {
    /// A label says what was true.
    Labelled,
    /// A person answered in review.
    Reviewed,
    /// What was true is not what was answered or proposed.
    Disagreeing,
}

impl From<Only> for Judged {
    fn from(only: Only) -> Self {
        match only {
            Only::Labelled => Self::Labelled,
            Only::Reviewed => Self::Reviewed,
            Only::Disagreeing => Self::Disagreeing,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DatasetExportArgs {
    /// Which system.
    #[arg(value_name = "SYSTEM")]
    pub(crate) system: SystemName,
    /// The file; nothing that exists is overwritten. In a folder, the file is called after the system and the
    /// version.
    #[arg(long, short, value_name = "PATH")]
    pub(crate) out: PathBuf,
    /// The form; by default what the file's name ends with, in a folder JSONL.
    #[arg(long)]
    pub(crate) format: Option<DatasetFormat>,
    /// What inputs and answers are read for; that they were read is recorded.
    #[arg(long, value_name = "WHY")]
    pub(crate) purpose: String,
    /// Only decisions of this kind; of several, all must hold.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<Only>,
    /// Only labels of this name; may be given several times.
    #[arg(long = "label", value_name = "NAME")]
    pub(crate) labels: Vec<LabelName>,
    /// The member of the expectation that a label becomes, as in `repaid=outcome`; by default its name.
    #[arg(long = "as", value_name = "LABEL=MEMBER", value_parser = parse_member)]
    pub(crate) members: Vec<(LabelName, String)>,
    /// The label that only says whether the answer was right; by default the one of `[monitors.truth]`.
    #[arg(long, value_name = "NAME")]
    pub(crate) right: Option<LabelName>,
    /// That this release answered: its id, or the beginning of it.
    #[arg(long, value_name = "ID")]
    pub(crate) release: Option<String>,
    /// Of this tenant.
    #[arg(long)]
    pub(crate) tenant: Option<TenantName>,
    /// Opened at this time (UTC) or later: `2026-03-14T09:00`, `2026-03-14`, or `2h`, `30d` ago.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,
    /// Opened before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
    /// Only decisions so old that most of their labels must have come: as `matured_after` of
    /// `[monitors.truth]` says, or 30 days.
    #[arg(long)]
    pub(crate) matured: bool,
    /// Look at this share of the decisions, always the same ones: a hash of their ids chooses.
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    pub(crate) sample: Option<f64>,
    /// At most so many cases, spread over all time: those whose ids have the least hash.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=plimsoll_evals::case::CASES_MAX as u64))]
    pub(crate) limit: Option<u64>,
    /// Another number, another sample.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Keep cases that ask the same; otherwise the latest stands.
    #[arg(long)]
    pub(crate) keep_duplicates: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

fn parse_member(text: &str) -> Result<(LabelName, String), String> {
    let (label, member) = text
        .split_once('=')
        .ok_or_else(|| "write it as LABEL=MEMBER".to_owned())?;
    let label = LabelName::new(label).map_err(|error| error.to_string())?;
    if member.is_empty() || member.len() > 200 {
        return Err("the member's name has between 1 and 200 bytes".to_owned());
    }
    Ok((label, member.to_owned()))
}

fn parse_share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if value > 0.0 && value <= 1.0 {
        return Ok(value);
    }
    Err("it must be above 0 and at most 1".to_owned())
}
