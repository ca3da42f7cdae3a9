//! `plimsoll alert`: alarms, who is told of them, and silences.

use plimsoll_console::{ReceiverView, SilenceRequest, SilenceView};
use plimsoll_control::table::printable;
use plimsoll_core::monitor::Alarm;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::monitor::alarm_line;
use crate::cli::{AlertCommand, Global};
use crate::client::{Server, encoded};
use crate::exit::{Exit, Outcome};
use crate::output::Output;

#[derive(Deserialize)]
struct Alarms {
    alarms: Vec<Alarm>,
}

#[derive(Deserialize)]
struct Receivers {
    receivers: Vec<ReceiverView>,
}

#[derive(Deserialize)]
struct Silences {
    silences: Vec<SilenceView>,
}

#[derive(Serialize)]
struct Listed {
    alarms: Vec<Alarm>,
    receivers: Vec<ReceiverView>,
    silences: Vec<SilenceView>,
}

/// Does what was typed.
pub(crate) async fn run(global: &Global, command: AlertCommand, out: Output) -> Outcome<Exit> {
    match command {
        AlertCommand::List {
            system,
            limit,
            server,
        } => {
            let server = Server::of_operators(global, &server)?;
            let system = system.map_or(String::new(), |system| format!("&system={system}"));
            let path = format!("/api/v1/alarms?limit={limit}{system}");
            let Alarms { alarms } = server.get(&path).await?;
            let Receivers { receivers } = server.get("/api/v1/receivers").await?;
            let Silences { silences } = server.get("/api/v1/silences").await?;
            let listed = Listed {
                alarms,
                receivers,
                silences,
            };
            out.show(&listed, || list_text(&listed, out))?;
        }
        AlertCommand::Test { receiver, server } => {
            let server = Server::of_operators(global, &server)?;
            let body = json!({"receiver": receiver});
            let told: Value = server.post("/api/v1/receivers/test", &body).await?;
            out.show(&told, || format!("receiver {receiver} took it\n"))?;
        }
        AlertCommand::Silence {
            system,
            monitor,
            length,
            reason,
            server,
        } => {
            let server = Server::of_operators(global, &server)?;
            let request = SilenceRequest {
                system,
                monitor,
                seconds: length.as_secs(),
                reason,
            };
            let silence: SilenceView = server.post("/api/v1/silences", &request).await?;
            out.show(&silence, || silence_line(&silence))?;
        }
        AlertCommand::Unsilence { id, server } => {
            let server = Server::of_operators(global, &server)?;
            let path = format!("/api/v1/silences/{}/lift", encoded(&id));
            let lifted: SilenceView = server.post(&path, &json!({})).await?;
            out.show(&lifted, || format!("silence {} is lifted\n", lifted.id))?;
        }
    }
    Ok(Exit::Yes)
}

fn list_text(listed: &Listed, out: Output) -> String {
    let mut text = String::new();
    for alarm in &listed.alarms {
        text.push_str(&alarm_line(alarm, out.paint));
    }
    if listed.alarms.is_empty() {
        text.push_str("no alarm was raised\n");
    }
    for silence in &listed.silences {
        text.push_str(&silence_line(silence));
    }
    for receiver in &listed.receivers {
        let after = match receiver.after_seconds {
            0 => String::new(),
            seconds => format!(", when it stands for {seconds} s"),
        };
        text.push_str(&format!(
            "receiver {} ({}): {} and above{after}\n",
            receiver.name,
            receiver.kind,
            receiver.least.as_str()
        ));
    }
    if listed.receivers.is_empty() {
        text.push_str("nobody is told: write `[alerts]` in plimsoll.toml\n");
    }
    text
}

fn silence_line(silence: &SilenceView) -> String {
    let system = silence.system.as_ref().map(ToString::to_string);
    let monitor = silence.monitor.map(|monitor| monitor.to_string());
    format!(
        "silence {} of {} of {} until {} (UTC): {}\n",
        silence.id,
        monitor.as_deref().unwrap_or("all monitors"),
        system.as_deref().unwrap_or("all systems"),
        silence.until.short(),
        printable(&silence.reason)
    )
}
