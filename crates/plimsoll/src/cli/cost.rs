//! What may be typed after `plimsoll cost`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use plimsoll_console::ReviewAnswer;
use plimsoll_control::cost::{Dimension, Traffic};
use plimsoll_core::{EnvironmentName, Money, SystemName, TenantName};

use super::Moment;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct CostArgs {
    #[command(subcommand)]
    pub(crate) command: Option<CostCommand>,
    /// Of this system.
    #[arg(long)]
    pub(crate) system: Option<SystemName>,
    /// Of this tenant.
    #[arg(long)]
    pub(crate) tenant: Option<TenantName>,
    /// That this release answered: its id, or the beginning of it.
    #[arg(long, value_name = "ID")]
    pub(crate) release: Option<String>,
    /// In this environment; the workspace's own, if left out.
    #[arg(long)]
    pub(crate) environment: Option<EnvironmentName>,
    /// Opened at this time (UTC) or later: `2026-03-14T09:00`, `2026-03-14`, or `2h`, `30d` ago.
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub(crate) since: Moment,
    /// Opened before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
    /// Tell rows apart by system, release, tenant, model, day; several with commas.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(crate) by: Vec<Dimension>,
    /// By the prices that are known now, each decision by those of its own day: what was unknown since a
    /// price was missing becomes known. Nothing that is recorded changes.
    #[arg(long)]
    pub(crate) repriced: bool,
    /// What it would have cost: `prices=FILE` by the last prices in a file, `model=PROVIDER/MODEL` with
    /// another model, `release=ID` with the models of another release. May be given several times.
    #[arg(long, value_name = "WHAT")]
    pub(crate) what_if: Vec<WhatIf>,
    /// What it would have cost with so much traffic, as in x1.5.
    #[arg(long, value_name = "FACTOR")]
    pub(crate) traffic: Option<Traffic>,
    /// Decisions of drills too.
    #[arg(long)]
    pub(crate) drills: bool,
    /// Print CSV.
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CostCommand {
    /// The prices that hold now for what the systems ask, where they come from and how old they are.
    Prices,
    /// Hold a provider's usage export against what is recorded: exit code 1 if they differ.
    Reconcile(ReconcileArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ReconcileArgs {
    /// The export: CSV, or JSON as OpenAI's usage and cost APIs give it.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The provider, as the workspace names it; without one, every provider that was asked for a model of
    /// the export.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// How far off a figure may be, in percent of theirs.
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, value_parser = parse_percent)]
    pub(crate) tolerance: f64,
}

/// What would be different.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum WhatIf {
    /// Prices, from a file.
    Prices(PathBuf),
    /// The model that is asked: provider and model.
    Model(String, String),
    /// The release that answers.
    Release(String),
}

impl FromStr for WhatIf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is none of prices=FILE, model=PROVIDER/MODEL, release=ID");
        let (what, value) = text.split_once('=').ok_or_else(wrong)?;
        if value.is_empty() {
            return Err(wrong());
        }
        match what {
            "prices" => Ok(Self::Prices(value.into())),
            "release" => Ok(Self::Release(value.to_owned())),
            "model" => {
                let (provider, model) = value.split_once('/').ok_or_else(wrong)?;
                Ok(Self::Model(provider.to_owned(), model.to_owned()))
            }
            _ => Err(wrong()),
        }
    }
}

/// Minutes with decimals, as whole seconds.
pub(super) fn parse_minutes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no number of minutes from 0 to 10080 (a week)");
    let minutes: Money = text.parse().map_err(|_| wrong())?;
    let seconds = minutes.as_pico().saturating_mul(60) / 1_000_000_000_000;
    let seconds = u64::try_from(seconds).map_err(|_| wrong())?;
    if seconds > ReviewAnswer::WORKED_SECONDS_MAX {
        return Err(wrong());
    }
    Ok(seconds)
}

fn parse_percent(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if (0.0..=100.0).contains(&value) {
        return Ok(value);
    }
    Err("it must lie between 0 and 100".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_different_is_one_of_three() {
        let model = "model=openai/gpt-5.4-mini".parse();
        assert_eq!(
            model,
            Ok(WhatIf::Model("openai".into(), "gpt-5.4-mini".into()))
        );
        for bad in ["", "prices", "prices=", "model=gpt", "weather=sun"] {
            assert!(bad.parse::<WhatIf>().is_err(), "{bad}");
        }
    }

    #[test]
    fn minutes_are_kept_as_seconds() {
        assert_eq!(parse_minutes("2.5"), Ok(150));
        for bad in ["-1", "10081", "soon", "1e3"] {
            assert!(parse_minutes(bad).is_err(), "{bad}");
        }
    }
}
