//! `plimsoll system`: what stands in which slot, and stepping in.

use plimsoll_control::figures::counted;
use plimsoll_control::table::{Align, Table};
use plimsoll_core::SystemName;
use plimsoll_core::deployment::{Deployment, Halt};
use serde_json::{Value, json};

use crate::cli::{Global, ServerArgs, SystemCommand};
use crate::client::Server;
use crate::exit::{Exit, Outcome};
use crate::output::Output;

/// Lists or steps in.
pub(crate) async fn run(global: &Global, command: SystemCommand, out: Output) -> Outcome<Exit> {
    use SystemCommand as C;
    let (system, reason, server, to) = match command {
        C::List { server } => return list(global, &server, out).await,
        C::Halt {
            system,
            reason,
            server,
        } => (system, reason, server, Halt::Halted),
        C::Fallback {
            system,
            reason,
            server,
        } => (system, reason, server, Halt::Fallback),
        C::Resume {
            system,
            reason,
            server,
        } => (system, reason, server, Halt::Resumed),
    };
    let server = Server::of_operators(global, &server)?;
    let verb = match to {
        Halt::Halted => "halt",
        Halt::Fallback => "fallback",
        Halt::Resumed => "resume",
    };
    let path = format!("/api/v1/systems/{system}/{verb}");
    let made: Deployment = server.post(&path, &json!({"reason": reason})).await?;
    out.show(&made, || told(&system, to))?;
    Ok(Exit::Yes)
}

fn told(system: &SystemName, to: Halt) -> String {
    match to {
        Halt::Halted => format!(
            "{system} is halted: no model is asked. To go on: plimsoll system resume {system} --reason …\n"
        ),
        Halt::Fallback => format!(
            "{system} is on its fallback: the primary model is not asked. To go on: plimsoll system resume {system} --reason …\n"
        ),
        Halt::Resumed => format!("{system} goes on as usual\n"),
    }
}

async fn list(global: &Global, server: &ServerArgs, out: Output) -> Outcome<Exit> {
    let server = Server::of_operators(global, server)?;
    let listed: Value = server.get("/api/v1/systems").await?;
    let systems = listed["systems"].as_array().cloned().unwrap_or_default();
    let mut standing = Vec::with_capacity(systems.len());
    for system in &systems {
        let name = system["name"].as_str().unwrap_or_default();
        let path = format!("/api/v1/systems/{name}/standing");
        standing.push(server.get::<Value>(&path).await?);
    }
    let both: Vec<Value> = systems
        .into_iter()
        .zip(standing)
        .map(|(mut system, standing)| {
            system["standing"] = standing;
            system
        })
        .collect();
    out.show(&both, || list_text(&both, out))?;
    Ok(Exit::Yes)
}

fn list_text(systems: &[Value], out: Output) -> String {
    let mut table = Table::new(&[
        ("system", Align::Left),
        ("stakes", Align::Left),
        ("where", Align::Left),
        ("release", Align::Left),
        ("canary", Align::Left),
        ("state", Align::Left),
    ]);
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for system in systems {
        let standing = &system["standing"];
        let short = |release: &Value| word(release).chars().take(7).collect::<String>();
        let canary = &standing["canary"];
        let share = canary["weight"]
            .as_u64()
            .map(|weight| weight as f64 / 100.0);
        let state = match (system["broken"].as_str(), standing["halted"].as_str()) {
            (Some(broken), _) => format!("broken: {broken}"),
            (None, Some(halted)) => halted.to_owned(),
            (None, None) => "serving".to_owned(),
        };
        table.row(vec![
            word(&system["name"]),
            word(&system["stakes"]),
            word(&system["environment"]),
            short(&system["release"]),
            share.map_or(String::new(), |share| {
                format!("{} at {share} %", short(&canary["release"]))
            }),
            state,
        ]);
    }
    let number = counted(systems.len() as u64, "system");
    format!("{}\n{number}\n", table.render(out.paint))
}
