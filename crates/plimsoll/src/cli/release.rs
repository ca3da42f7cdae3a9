//! `plimsoll release`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use plimsoll_core::deployment::Weight;
use plimsoll_core::{EnvironmentName, SystemName};

use super::{Moment, ServerArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum ReleaseCommand {
    /// List releases, the latest first, and what is deployed.
    List {
        /// Of this system; of all, if left out.
        #[arg(value_name = "SYSTEM")]
        system: Option<SystemName>,
    },
    /// Show one release with its manifest and its deployments.
    Show {
        /// The release: its id, or the beginning of it.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Make a release from the workspace's files as they are, without deploying it.
    Create {
        /// Which system.
        #[arg(value_name = "SYSTEM")]
        system: SystemName,
        /// What changed and why; asked for, if left out on a terminal.
        #[arg(long)]
        note: Option<String>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Tell what differs between two releases: prompt lines, thresholds, models.
    Diff {
        /// The earlier release; the one that the later was made after, if only one is named.
        #[arg(value_name = "FROM")]
        from: String,
        /// The later release.
        #[arg(value_name = "TO")]
        to: Option<String>,
    },
    /// Write a release with all its parts into one file, for another installation.
    Export {
        /// The release: its id, or the beginning of it.
        #[arg(value_name = "ID")]
        id: String,
        /// The file (a tar archive); nothing that exists is overwritten.
        #[arg(long, short, value_name = "FILE")]
        out: PathBuf,
    },
    /// Take in a release that was exported; every part is checked against its digest.
    Import {
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Point a system at a release, or a share of its traffic.
    Deploy {
        /// Which system.
        #[arg(value_name = "SYSTEM")]
        system: SystemName,
        /// The release: its id, or the beginning of it.
        #[arg(value_name = "ID")]
        release: String,
        /// Only for this share of the units of work, in percent; 0 ends the canary.
        #[arg(long, value_name = "PERCENT", value_parser = parse_weight)]
        canary: Option<Weight>,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
        /// Override missing approvals; somebody else must review it afterwards.
        #[arg(long, requires = "reason")]
        break_glass: bool,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Point a system back at the release before, or at the one that is named.
    Rollback {
        /// Which system.
        #[arg(value_name = "SYSTEM")]
        system: SystemName,
        /// To this release: its id, or the beginning of it.
        #[arg(long, value_name = "ID")]
        to: Option<String>,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Approve that a release be deployed.
    Approve {
        /// The release: its id, or the beginning of it.
        #[arg(value_name = "ID")]
        id: String,
        /// What is to be said of it.
        #[arg(long)]
        note: Option<String>,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Look at a deployment that overrode its approvals, after the fact.
    Review {
        /// The deployment's id.
        #[arg(value_name = "DEPLOYMENT")]
        deployment: String,
        /// Whether it was justified.
        #[arg(long, value_enum)]
        justified: Justified,
        /// What is to be said of it.
        #[arg(long)]
        note: String,
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Tell what was running at a time, or what answered a decision, with the proof.
    At {
        /// The time (UTC): `2026-03-14T09:00`, `2026-03-14`, or `2h`, `30d` ago.
        #[arg(value_name = "TIME", required_unless_present = "decision")]
        time: Option<Moment>,
        /// Which system; may be left out if there is only one.
        #[arg(long)]
        system: Option<SystemName>,
        /// Where; the workspace's environment, if left out.
        #[arg(long)]
        environment: Option<EnvironmentName>,
        /// What answered this decision: its id, or the beginning of it.
        #[arg(long, value_name = "ID", conflicts_with_all = ["time", "system", "environment"])]
        decision: Option<String>,
    },
}

/// Whether a deployment was justified.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Justified {
    /// It was.
    Yes,
    /// It was not.
    No,
}

/// A share in percent, with up to two decimals.
fn parse_weight(text: &str) -> Result<Weight, String> {
    let unfit = || format!("`{text}` is no share: write 5, 0.5 or 12.25, up to 100");
    let text = text.trim().trim_end_matches('%').trim_end();
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || rest.len() > 2 || !digits(whole) || !digits(rest) {
        return Err(unfit());
    }
    let hundredths: u16 = format!("{rest:0<2}").parse().map_err(|_| unfit())?;
    let whole: u16 = whole.parse().map_err(|_| unfit())?;
    let basis_points = whole
        .checked_mul(100)
        .and_then(|b| b.checked_add(hundredths));
    basis_points.and_then(Weight::new).ok_or_else(unfit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_in_percent() {
        let read = |text| parse_weight(text).map(Weight::basis_points);
        assert_eq!(read("5"), Ok(500));
        assert_eq!(read("0.5 %"), Ok(50));
        assert_eq!(read("12.25"), Ok(1225));
        assert_eq!(read("100"), Ok(10_000));
        for unfit in ["", "101", "-1", "1.234", "five", ".5", "700"] {
            assert!(read(unfit).is_err(), "{unfit}");
        }
    }
}
