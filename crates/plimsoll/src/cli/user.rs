//! `plimsoll user`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use plimsoll_core::{KeyName, Role, TenantName};

use super::ServerArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Make an account for somebody who signs in. Without a file, a password is made and printed this once.
    Create(UserCreateArgs),
    /// List the accounts; never a password.
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Set somebody's password; all their sessions end.
    Password {
        /// Their name.
        #[arg(value_name = "USER")]
        user: KeyName,
        /// The password, on the first line of a file; `-` for standard input.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Let nobody sign in to an account any more, for ever; whoever is signed in is so no longer.
    Disable {
        /// Their name.
        #[arg(value_name = "USER")]
        user: KeyName,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UserCreateArgs {
    /// Their name, as records call them.
    #[arg(value_name = "USER")]
    pub(crate) user: KeyName,
    /// What they may do; may be given several times.
    #[arg(long = "role", value_name = "ROLE", required = true)]
    pub(crate) roles: Vec<Role>,
    /// The one tenant that they work for; by default the whole installation.
    #[arg(long)]
    pub(crate) tenant: Option<TenantName>,
    /// The password, on the first line of a file; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
