//! `plimsoll tenant` and `plimsoll key`.

use std::time::Duration;

use clap::{Args, Subcommand};
use plimsoll_core::{Criticality, EnvironmentName, KeyName, Role, SystemName, TenantName};

use super::ServerArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Make a tenant.
    Create {
        /// Its name.
        #[arg(value_name = "TENANT")]
        tenant: TenantName,
        /// Who or what it is.
        #[arg(long)]
        note: Option<String>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// List the tenants, and how many good keys each has.
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Give a key. Its secret is printed this once and kept nowhere.
    Create(KeyCreateArgs),
    /// List the keys of callers; never a secret.
    List {
        /// Of this tenant.
        #[arg(long)]
        tenant: Option<TenantName>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Give a key a new secret, printed this once; the one before stays good for a while.
    Rotate {
        #[command(flatten)]
        which: WhichKey,
        /// For how long the secret before it stays good: at most 30d; 0s ends it at once.
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = plimsoll_spec::quantity::duration)]
        overlap: Duration,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Take a key back for ever, on every node.
    Revoke {
        #[command(flatten)]
        which: WhichKey,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

/// A key, by name and tenant.
#[derive(Clone, Debug, Args)]
pub(crate) struct WhichKey {
    /// The key's name.
    #[arg(value_name = "KEY")]
    pub(crate) key: KeyName,
    /// Whose it is.
    #[arg(long, default_value = "default")]
    pub(crate) tenant: TenantName,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("scope").required(true).multiple(true).args(["systems", "all_systems", "roles"]))]
pub(crate) struct KeyCreateArgs {
    #[command(flatten)]
    pub(crate) which: WhichKey,
    /// A system that it may ask; may be given several times.
    #[arg(long = "system", value_name = "SYSTEM", conflicts_with = "all_systems")]
    pub(crate) systems: Vec<SystemName>,
    /// It may ask every system, also those that come later.
    #[arg(long)]
    pub(crate) all_systems: bool,
    /// The one environment in which it is good; by default all.
    #[arg(long)]
    pub(crate) environment: Option<EnvironmentName>,
    /// The highest criticality that its requests may claim: sheddable, normal or critical.
    #[arg(long, default_value = "normal")]
    pub(crate) criticality: Criticality,
    /// What whoever shows it may do on the control plane, within the tenant; may be given several times.
    #[arg(long = "role", value_name = "ROLE")]
    pub(crate) roles: Vec<Role>,
    /// How long it is good, as in 90d; by default until it is revoked.
    #[arg(long, value_name = "TIME", value_parser = plimsoll_spec::quantity::duration)]
    pub(crate) expires_in: Option<Duration>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
