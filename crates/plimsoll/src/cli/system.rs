//! `plimsoll system`.

use clap::Subcommand;
use plimsoll_core::SystemName;

use super::ServerArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum SystemCommand {
    /// List the systems of a running server and what stands in their slots.
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Ask no model any more: each request is abstained from or refused. Streams under way end as usual.
    Halt {
        /// Which system.
        #[arg(value_name = "SYSTEM")]
        system: SystemName,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Ask the primary model no more: the designed answer to `unavailable` stands in for it.
    Fallback {
        /// Which system.
        #[arg(value_name = "SYSTEM")]
        system: SystemName,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Go on as usual.
    Resume {
        /// Which system.
        #[arg(value_name = "SYSTEM")]
        system: SystemName,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}
