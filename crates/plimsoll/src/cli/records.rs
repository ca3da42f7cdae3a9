//! What is done with records: `plimsoll audit`, `plimsoll replay`, `plimsoll store`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use plimsoll_core::{DecisionId, NodeName, ReleaseId, SystemName, TenantName};
use plimsoll_store::Verdict;

use super::{Moment, ServerArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check the whole log offline: signatures, tree, records, payloads, parts of releases.
    Verify {
        /// The log's public key (a file); by default `audit/log.vkey` in the data folder.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// An older checkpoint that this log must have grown from.
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
        /// Tell the running server that it was checked, so that the bar knows.
        #[arg(long)]
        record: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Write a self-contained proof that a decision is in the log.
    Prove {
        /// The decision: its id, or the beginning of it.
        #[arg(value_name = "ID")]
        id: String,
        /// The file; nothing that exists is overwritten. Without one it is printed.
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Check a proof, with nothing but the log's public key.
    Check {
        /// The proof's file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The log's public key (a file); by default `audit/log.vkey` in the data folder.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Erase what is kept of decisions, by authority; the log stays verifiable.
    #[command(group = clap::ArgGroup::new("what").required(true).args(["subject", "decisions"]))]
    Erase {
        /// Everything about this person, as callers name them in `plimsoll-subject`.
        #[arg(long, value_name = "SUBJECT")]
        subject: Option<String>,
        /// This decision; may be given several times.
        #[arg(long = "decision", value_name = "ID")]
        decisions: Vec<DecisionId>,
        /// The legal basis, as in "GDPR Art. 17(1)(b)".
        #[arg(long)]
        basis: String,
        /// Why, in words that name nobody.
        #[arg(long)]
        reason: Option<String>,
        /// Only tell what would be erased.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Legal holds and evidence freezes: what they cover is neither erased nor let go.
    #[command(subcommand)]
    Hold(HoldCommand),
    /// Who read which payload and what for, and who was refused what by a policy.
    Access {
        /// By this person.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Of this decision.
        #[arg(long, value_name = "ID")]
        decision: Option<DecisionId>,
        /// Of this tenant.
        #[arg(long)]
        tenant: Option<TenantName>,
        /// That ended like this: allowed or denied.
        #[arg(long, value_name = "VERDICT")]
        verdict: Option<Verdict>,
        /// At this time (UTC) or later: `2026-03-14T09:00`, `2026-03-14`, or `2h`, `30d` ago.
        #[arg(long, value_name = "TIME")]
        since: Option<Moment>,
        /// Before this time.
        #[arg(long, value_name = "TIME")]
        until: Option<Moment>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// How the log stands: its size, its latest checkpoint, what is wrong with it.
    Status {
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum HoldCommand {
    /// Place a hold. Parts that are given must all fit; with none it covers everything.
    Place {
        /// Decisions of this system.
        #[arg(long)]
        system: Option<SystemName>,
        /// This decision.
        #[arg(long, value_name = "ID")]
        decision: Option<DecisionId>,
        /// Everything about this person, as callers name them in `plimsoll-subject`.
        #[arg(long, value_name = "SUBJECT")]
        subject: Option<String>,
        /// Opened at this time (UTC) or later.
        #[arg(long, value_name = "TIME")]
        since: Option<Moment>,
        /// Opened before this time.
        #[arg(long, value_name = "TIME")]
        until: Option<Moment>,
        /// It is the evidence of an incident, not a legal hold.
        #[arg(long)]
        freeze: bool,
        /// The matter.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// List the holds that stand.
    List,
    /// Lift a hold.
    Lift {
        /// The hold: its id, or the beginning of it.
        #[arg(value_name = "ID")]
        id: String,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        server: ServerArgs,
    },
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("how").required(true).args(["recorded", "live"]))]
pub(crate) struct ReplayArgs {
    /// The decision: its id, or the beginning of it.
    #[arg(
        value_name = "ID",
        required_unless_present = "since",
        conflicts_with = "since"
    )]
    pub(crate) id: Option<String>,
    /// Decisions opened at this time (UTC) or later.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,
    /// Decisions opened before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
    /// Of this system.
    #[arg(long)]
    pub(crate) system: Option<SystemName>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// With what the models said then: the result must be exactly what was recorded.
    #[arg(long)]
    pub(crate) recorded: bool,
    /// Asking the models again, and telling what differs. It may cost money.
    #[arg(long)]
    pub(crate) live: bool,
    /// Under this release instead of the one that answered.
    #[arg(long, value_name = "ID", requires = "live")]
    pub(crate) under: Option<ReleaseId>,
    /// What the inputs and answers are read for; that they were read is recorded.
    #[arg(long, value_name = "WHY", default_value = "replay")]
    pub(crate) purpose: String,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Make the projection again from the journal; the server must not run.
    Rebuild,
    /// Copy the data folder into an empty one, also while the server runs.
    Backup {
        /// The folder.
        #[arg(value_name = "DIR")]
        into: PathBuf,
        /// The keys of payloads too: whoever has the copy can read them, and it undoes erasures.
        #[arg(long)]
        with_keys: bool,
        /// The pepper, the operator's token, the log's signing key and the accounts of people too: needed to go
        /// on as the same node.
        #[arg(long)]
        with_secrets: bool,
    },
    /// Make a data folder from a copy; every file is checked, and the target must be empty.
    Restore {
        /// The folder with the copy.
        #[arg(value_name = "DIR")]
        from: PathBuf,
        /// As this node instead of the one that it was taken from, which went on since: it gets a log of
        /// its own, and the old one is kept beside it.
        #[arg(long, value_name = "NAME")]
        node: Option<NodeName>,
    },
    /// Bring the data folder up to this version, as `serve` does; the server must not run.
    Upgrade,
}
