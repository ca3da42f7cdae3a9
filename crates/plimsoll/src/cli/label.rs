//! `plimsoll label`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use plimsoll_core::{DecisionId, LabelName, SystemName, TenantName};

use super::ServerArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum LabelCommand {
    /// Record the labels of a file: `.csv`, `.tsv`, `.jsonl` or `.parquet` with a column `decision` and one with the truth.
    Import(LabelImportArgs),
    /// List labels, the latest first, those that were corrected too.
    List(LabelListArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LabelImportArgs {
    /// The file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The column with the decisions' ids.
    #[arg(long, value_name = "COLUMN", default_value = "decision")]
    pub(crate) decision: String,
    /// The column with the truth; by default `value`.
    #[arg(long, value_name = "COLUMN", default_value = "value")]
    pub(crate) value: String,
    /// The column that says when the truth came about (RFC 3339, or a date).
    #[arg(long, value_name = "COLUMN")]
    pub(crate) observed_at: Option<String>,
    /// What it is the truth of; by default `label`.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<LabelName>,
    /// Whose decisions are that nobody knows yet; by default the tenant `default`.
    #[arg(long)]
    pub(crate) tenant: Option<TenantName>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LabelListArgs {
    /// About decisions of this system.
    #[arg(long)]
    pub(crate) system: Option<SystemName>,
    /// About this decision.
    #[arg(long, value_name = "ID")]
    pub(crate) decision: Option<DecisionId>,
    /// Of this tenant.
    #[arg(long)]
    pub(crate) tenant: Option<TenantName>,
    /// Only those that wait for a decision that nobody knows.
    #[arg(long)]
    pub(crate) waiting: bool,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
}
