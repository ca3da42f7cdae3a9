//! `plimsoll release`: making, comparing, moving and deploying releases, and what was running when.

mod archive;
mod at;
mod differ;
mod list;

use std::io::{IsTerminal as _, Write as _};

use plimsoll_core::deployment::{Deployment, Slot};
use plimsoll_core::governance::{Approval, DeploymentReview};
use plimsoll_core::record::ReleaseRecord;
use plimsoll_core::{ReleaseId, SystemName};
use serde_json::json;

use crate::cli::{Global, Justified, ReleaseCommand, ServerArgs};
use crate::client::{Server, encoded};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;

/// Does what was typed.
pub(crate) async fn run(global: &Global, command: ReleaseCommand, out: Output) -> Outcome<Exit> {
    use ReleaseCommand as C;
    match command {
        C::List { system } => list::list(global, system, out).await,
        C::Show { id } => list::show(global, &id, out).await,
        C::Diff { from, to } => differ::run(global, &from, to.as_deref(), out).await,
        C::Export { id, out: file } => archive::export(global, &id, &file, out).await,
        C::Import { file, server } => archive::import(global, &file, &server, out).await,
        C::Create {
            system,
            note,
            server,
        } => create(global, &system, note, &server, out).await,
        C::Deploy { .. } | C::Rollback { .. } => point(global, command, out).await,
        C::Approve { id, note, server } => approve(global, &id, note, &server, out).await,
        C::Review {
            deployment,
            justified,
            note,
            server,
        } => {
            let justified = justified == Justified::Yes;
            let server = Server::of_operators(global, &server)?;
            let path = format!("/api/v1/deployments/{}/review", encoded(&deployment));
            let request = json!({"justified": justified, "note": note});
            let made: DeploymentReview = server.post(&path, &request).await?;
            out.show(&made, || {
                format!("deployment {} is reviewed\n", made.deployment)
            })?;
            Ok(Exit::Yes)
        }
        C::At {
            time,
            system,
            environment,
            decision,
        } => {
            let asked = at::Asked {
                time,
                system,
                environment,
                decision,
            };
            at::run(global, asked, out).await
        }
    }
}

async fn create(
    global: &Global,
    system: &SystemName,
    note: Option<String>,
    server: &ServerArgs,
    out: Output,
) -> Outcome<Exit> {
    let note = match note {
        Some(note) => note,
        None => ask_for_note()?,
    };
    let server = Server::of_operators(global, server)?;
    let path = format!("/api/v1/systems/{system}/releases");
    let made: ReleaseRecord = server.post(&path, &json!({"note": note})).await?;
    out.show(&made, || {
        let (id, short) = (made.id, made.id.short());
        format!(
            "{id}\nmade from the files as they are; to use it: plimsoll release deploy {system} {short}\n"
        )
    })?;
    Ok(Exit::Yes)
}

/// A change note is asked for: months later it is the first thing that anybody wants to know.
fn ask_for_note() -> Outcome<String> {
    let missing = || {
        let message = "a release needs a note of what changed and why: --note \"…\"";
        Failure::says(Exit::Usage, message)
    };
    if !std::io::stdin().is_terminal() {
        return Err(missing());
    }
    write!(std::io::stderr(), "what changed, and why? ")?;
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let line = line.trim();
    if line.is_empty() {
        return Err(missing());
    }
    Ok(line.to_owned())
}

/// Points a slot at a release.
async fn point(global: &Global, command: ReleaseCommand, out: Output) -> Outcome<Exit> {
    let (system, server, path, request) = match command {
        ReleaseCommand::Deploy {
            system,
            release,
            canary,
            reason,
            break_glass,
            server,
        } => {
            let slot = canary.map_or(Slot::Stable, |weight| Slot::Canary { weight });
            let request = json!({
                "release": release, "slot": slot, "reason": reason, "break_glass": break_glass,
            });
            (system, server, "deployments", request)
        }
        ReleaseCommand::Rollback {
            system,
            to,
            reason,
            server,
        } => (
            system,
            server,
            "rollback",
            json!({"to": to, "reason": reason}),
        ),
        _ => unreachable!("only these two point a slot"),
    };
    let server = Server::of_operators(global, &server)?;
    let path = format!("/api/v1/systems/{system}/{path}");
    let made: Deployment = server.post(&path, &request).await?;
    out.show(&made, || pointed(&made))?;
    Ok(Exit::Yes)
}

fn pointed(made: &Deployment) -> String {
    let (system, environment, release) = (&made.system, &made.environment, made.release.short());
    let mut text = match made.slot {
        Slot::Canary { weight } if weight.basis_points() == 0 => {
            format!("the canary of {system} in {environment} has ended\n")
        }
        Slot::Canary { weight } => format!(
            "{weight} of the units of work of {system} in {environment} get release {release} from now on\n"
        ),
        Slot::Stable | Slot::Halt { .. } => {
            format!("{system} in {environment} answers with release {release} from now on\n")
        }
    };
    if made.break_glass {
        let id = made.id;
        text.push_str(&format!(
            "approvals were overridden: somebody else must look at it: plimsoll release review {id} --justified yes|no --note \"…\"\n"
        ));
    }
    text
}

async fn approve(
    global: &Global,
    id: &str,
    note: Option<String>,
    server: &ServerArgs,
    out: Output,
) -> Outcome<Exit> {
    let server = Server::of_operators(global, server)?;
    let path = format!("/api/v1/releases/{}/approvals", encoded(id));
    let made: Approval = server.post(&path, &json!({"note": note})).await?;
    out.show(&made, || approved(&made.system, made.release, &made.actor))?;
    Ok(Exit::Yes)
}

fn approved(system: &SystemName, release: ReleaseId, actor: &str) -> String {
    let release = release.short();
    format!("{actor} approved release {release} of {system}\n")
}
