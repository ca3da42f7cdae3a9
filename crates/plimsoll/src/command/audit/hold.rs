//! `plimsoll audit hold`.

use plimsoll_control::figures::counted;
use plimsoll_control::table::{Align, Table};
use plimsoll_core::governance::{Covered, HoldEvent, HoldKind};
use plimsoll_core::{Clock as _, SystemClock};
use serde_json::json;

use crate::cli::{Global, HoldCommand};
use crate::client::{Server, encoded};
use crate::exit::{Exit, Outcome};
use crate::output::Output;
use crate::workspace::Reading;

/// Places, lists or lifts.
pub(super) async fn run(global: &Global, command: HoldCommand, out: Output) -> Outcome<Exit> {
    match command {
        HoldCommand::List => list(global, out).await,
        HoldCommand::Place { .. } => place(global, command, out).await,
        HoldCommand::Lift { id, reason, server } => {
            let server = Server::of_operators(global, &server)?;
            let path = format!("/api/v1/audit/holds/{}/lift", encoded(&id));
            let lifted: HoldEvent = server.post(&path, &json!({"reason": reason})).await?;
            out.show(&lifted, || format!("hold {} is lifted\n", lifted.hold))?;
            Ok(Exit::Yes)
        }
    }
}

async fn place(global: &Global, command: HoldCommand, out: Output) -> Outcome<Exit> {
    let HoldCommand::Place {
        system,
        decision,
        subject,
        since,
        until,
        freeze,
        reason,
        server,
    } = command
    else {
        unreachable!("only a placing comes here")
    };
    let now = SystemClock::new().now();
    let kind = if freeze {
        HoldKind::Freeze
    } else {
        HoldKind::Legal
    };
    let request = json!({
        "kind": kind,
        "system": system,
        "decision": decision,
        "subject": subject,
        "since": since.map(|moment| moment.resolve(now)),
        "until": until.map(|moment| moment.resolve(now)),
        "reason": reason,
    });
    let server = Server::of_operators(global, &server)?;
    let placed: HoldEvent = server.post("/api/v1/audit/holds", &request).await?;
    out.show(&placed, || {
        let hold = placed.hold;
        format!(
            "{hold}\nholds {}: nothing of it is erased or let go\n",
            covered(&placed.covers)
        )
    })?;
    Ok(Exit::Yes)
}

async fn list(global: &Global, out: Output) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let holds = reading.store.holds().await?;
    out.show(&holds, || list_text(&holds, out))?;
    Ok(Exit::Yes)
}

fn list_text(holds: &[HoldEvent], out: Output) -> String {
    let mut table = Table::new(&[
        ("hold", Align::Left),
        ("since (UTC)", Align::Left),
        ("by", Align::Left),
        ("kind", Align::Left),
        ("covers", Align::Left),
        ("matter", Align::Left),
    ]);
    for hold in holds {
        let kind = match hold.kind {
            HoldKind::Legal => "legal hold",
            HoldKind::Freeze => "evidence freeze",
        };
        table.row(vec![
            hold.hold.to_string(),
            hold.at.short(),
            hold.actor.clone(),
            kind.to_owned(),
            covered(&hold.covers),
            hold.reason.clone(),
        ]);
    }
    let number = counted(holds.len() as u64, "hold");
    format!("{}\n{number}\n", table.render(out.paint))
}

fn covered(covers: &Covered) -> String {
    let parts: Vec<String> = [
        covers
            .system
            .as_ref()
            .map(|system| format!("system {system}")),
        covers
            .decision
            .map(|decision| format!("decision {decision}")),
        covers
            .subject
            .map(|subject| format!("subject {}", subject.short())),
        covers.since.map(|since| format!("since {}", since.short())),
        covers.until.map(|until| format!("until {}", until.short())),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() {
        return "everything".to_owned();
    }
    parts.join(", ")
}
