//! `plimsoll release list` and `show`.

use plimsoll_control::figures::counted;
use plimsoll_control::table::{Align, Table, printable};
use plimsoll_core::deployment::{Deployment, Slot};
use plimsoll_core::record::ReleaseRecord;
use plimsoll_core::{ReleaseId, SystemName};
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::Global;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::workspace::Reading;

/// The most releases of one system that are listed.
const LIST_MAX: u32 = 100;

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    release: ReleaseRecord,
    deployed: bool,
    canary: bool,
}

/// Lists releases.
pub(super) async fn list(
    global: &Global,
    system: Option<SystemName>,
    out: Output,
) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let Some(workspace) = &reading.workspace else {
        let message = "plimsoll.toml has problems: `plimsoll check` prints them";
        return Err(Failure::says(Exit::Workspace, message));
    };
    let systems: Vec<SystemName> = match system {
        Some(system) => vec![system],
        None => reading.system_names(),
    };
    let mut listed = Vec::new();
    for system in &systems {
        let environment = &workspace.server.environment;
        let standing = reading.store.standing(system, environment).await?;
        let stable: Option<ReleaseId> = standing.stable.map(|deployment| deployment.release);
        let canary = standing.canary.map(|canary| canary.deployment.release);
        let releases = reading.store.releases(system, LIST_MAX).await?;
        listed.extend(releases.into_iter().map(|release| Listed {
            deployed: stable == Some(release.id),
            canary: canary == Some(release.id),
            release,
        }));
    }
    out.show(&listed, || list_text(&listed, out))?;
    Ok(Exit::Yes)
}

fn list_text(listed: &[Listed], out: Output) -> String {
    let mut table = Table::new(&[
        ("release", Align::Left),
        ("system", Align::Left),
        ("made (UTC)", Align::Left),
        ("by", Align::Left),
        ("deployed", Align::Left),
        ("after", Align::Left),
        ("note", Align::Left),
    ]);
    for Listed {
        release,
        deployed,
        canary,
    } in listed
    {
        table.row(vec![
            release.id.short(),
            release.manifest.system.to_string(),
            release.created_at.short(),
            release.author.clone(),
            match (*deployed, *canary) {
                (true, _) => "✓ now",
                (false, true) => "canary",
                (false, false) => "",
            }
            .to_owned(),
            release
                .parent
                .map(|parent| parent.short())
                .unwrap_or_default(),
            release.note.clone().unwrap_or_default(),
        ]);
    }
    format!(
        "{}\n{}\n",
        table.render(out.paint),
        counted(listed.len() as u64, "release")
    )
}

/// Shows one release.
pub(super) async fn show(global: &Global, id: &str, out: Output) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let release = reading.store.release_by_prefix(id).await?;
    let system = &release.manifest.system;
    let deployments = reading.store.deployments(system, None, LIST_MAX).await?;
    let of_release = |deployment: &Deployment| deployment.release == release.id;
    let deployments: Vec<Deployment> = deployments.into_iter().filter(of_release).collect();
    let value = json!({"release": release, "deployments": deployments});
    out.show(&value, || show_text(&release, &deployments, out))?;
    Ok(Exit::Yes)
}

fn show_text(release: &ReleaseRecord, deployments: &[Deployment], out: Output) -> String {
    let (system, made) = (&release.manifest.system, release.created_at.short());
    let author = printable(&release.author);
    let mut text = format!(
        "{}\n{system}, made {made} by {author}\n",
        out.paint.strong(release.id)
    );
    if let Some(parent) = release.parent {
        text.push_str(&format!("after {parent}\n"));
    }
    if let Some(note) = &release.note {
        text.push_str(&format!("{}\n", printable(note)));
    }
    if !deployments.is_empty() {
        let mut table = Table::new(&[
            ("deployed (UTC)", Align::Left),
            ("where", Align::Left),
            ("why", Align::Left),
            ("by", Align::Left),
            ("approved by", Align::Left),
        ]);
        for deployment in deployments {
            let cause = serde_json::to_value(deployment.cause).unwrap_or_default();
            let reason = deployment
                .reason
                .as_deref()
                .map(|reason| format!(": {reason}"));
            table.row(vec![
                deployment.at.short(),
                deployment.environment.to_string(),
                format!(
                    "{}{}{}",
                    slot(deployment.slot),
                    cause.as_str().unwrap_or_default(),
                    reason.unwrap_or_default()
                ),
                deployment.actor.clone(),
                deployment.approvals.join(", "),
            ]);
        }
        text.push_str(&format!("\n{}", table.render(out.paint)));
    }
    let manifest: Value = serde_json::to_value(&release.manifest).unwrap_or_default();
    let manifest = serde_json::to_string_pretty(&manifest).unwrap_or_default();
    text.push_str(&format!("\n{manifest}\n"));
    text
}

/// How an event of another slot than the stable one begins.
fn slot(slot: Slot) -> String {
    match slot {
        Slot::Stable => String::new(),
        Slot::Canary { weight } => format!("canary {weight}, "),
        Slot::Halt { to } => format!("{}, ", to.as_str()),
    }
}
