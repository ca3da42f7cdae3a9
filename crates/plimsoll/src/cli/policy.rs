//! `plimsoll policy`.

use clap::{Args, Subcommand};
use plimsoll_core::access::ControlAction;
use plimsoll_core::{EnvironmentName, Role, SystemName, TenantName};

use super::Moment;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// List the policies of the workspace and those that always hold, and what they can be about.
    List,
    /// Say what the policies would answer, and why, without doing anything: exit code 0 yes, 1 no.
    Explain(PolicyExplainArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PolicyExplainArgs {
    /// What somebody wants to do, as `get_payload` or `deploy`.
    #[arg(value_name = "ACTION")]
    pub(crate) action: ControlAction,
    /// Who: an operator of the workspace, with their roles and tenant. By default, whoever shows the owner's token.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) who: Option<String>,
    /// Their roles, in the place of those that the workspace says; may be given several times.
    #[arg(long = "role", value_name = "ROLE")]
    pub(crate) roles: Vec<Role>,
    /// The one tenant that they work for, in the place of the one that the workspace says.
    #[arg(long, value_name = "TENANT")]
    pub(crate) works_for: Option<TenantName>,
    /// Of which system it is.
    #[arg(long)]
    pub(crate) system: Option<SystemName>,
    /// Whose it is.
    #[arg(long)]
    pub(crate) tenant: Option<TenantName>,
    /// Who made it.
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// How old it is, in days.
    #[arg(long, value_name = "DAYS", value_parser = days)]
    pub(crate) age_days: Option<f64>,
    /// What for.
    #[arg(long, value_name = "WHY")]
    pub(crate) purpose: Option<String>,
    /// Where; by default the environment of the workspace.
    #[arg(long)]
    pub(crate) environment: Option<EnvironmentName>,
    /// When (UTC); by default now.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Moment>,
}

fn days(text: &str) -> Result<f64, String> {
    let days = text.parse::<f64>().ok();
    let fits = days.filter(|days| days.is_finite() && *days >= 0.0);
    fits.ok_or_else(|| "say a number of days, as in 30".to_owned())
}
