//! `plimsoll audit`: checking the log, proving what is in it, and what people may do to records.

mod erase;
mod hold;
mod prove;
mod verify;

pub(crate) use prove::{checkpoint_of, proof_of};

use plimsoll_control::figures::{ago, count, counted};
use plimsoll_control::table::{Align, Table};
use plimsoll_core::{Clock as _, SystemClock, Timestamp};
use plimsoll_store::{AccessEntry, AccessFilter, Verdict};
use serde_json::Value;

use crate::cli::{AuditCommand, Global, ServerArgs};
use crate::client::Server;
use crate::exit::{Exit, Outcome};
use crate::output::Output;
use crate::workspace::Reading;

/// Does what was typed.
pub(crate) async fn run(global: &Global, command: AuditCommand, out: Output) -> Outcome<Exit> {
    use AuditCommand as C;
    match command {
        C::Verify {
            key,
            against,
            record,
            server,
        } => {
            let asked = verify::Asked {
                key,
                against,
                record,
            };
            verify::run(global, asked, &server, out).await
        }
        C::Prove { id, out: file } => prove::run(global, &id, file.as_deref(), out).await,
        C::Check { file, key } => prove::check(global, &file, key.as_deref(), out),
        C::Erase { .. } => erase::run(global, command, out).await,
        C::Hold(command) => hold::run(global, command, out).await,
        C::Access {
            by,
            decision,
            tenant,
            verdict,
            since,
            until,
            limit,
        } => {
            let now = SystemClock::new().now();
            let filter = AccessFilter {
                actor: by,
                decision,
                tenant,
                verdict,
                since: since.map(|moment| moment.resolve(now)),
                until: until.map(|moment| moment.resolve(now)),
                limit,
                before: None,
            };
            accesses(global, &filter, out).await
        }
        C::Status { server } => status(global, &server, out).await,
    }
}

async fn accesses(global: &Global, filter: &AccessFilter, out: Output) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let accesses = reading.store.accesses(filter).await?;
    out.show(&accesses, || accesses_text(&accesses, out))?;
    Ok(Exit::Yes)
}

fn accesses_text(accesses: &[AccessEntry], out: Output) -> String {
    let mut table = Table::new(&[
        ("when (UTC)", Align::Left),
        ("who", Align::Left),
        ("what", Align::Left),
        ("decision", Align::Left),
        ("tenant", Align::Left),
        ("through", Align::Left),
        ("what for", Align::Left),
        ("verdict", Align::Left),
    ]);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    for access in accesses {
        let verdict = match (access.verdict, &access.policy) {
            (Verdict::Denied, Some(policy)) => format!("denied by {policy}"),
            (verdict, _) => verdict.as_str().to_owned(),
        };
        table.row(vec![
            access.at.short(),
            access.actor.clone(),
            access.action.to_string(),
            or_dash(access.decision.map(|id| id.to_string())),
            or_dash(access.tenant.as_ref().map(ToString::to_string)),
            or_dash(access.through.clone()),
            or_dash(access.purpose.clone()),
            verdict,
        ]);
    }
    let number = match accesses.len() {
        1 => "1 access".to_owned(),
        several => format!("{} accesses", count(several as u64)),
    };
    format!("{}\n{number}\n", table.render(out.paint))
}

async fn status(global: &Global, server: &ServerArgs, out: Output) -> Outcome<Exit> {
    let server = Server::of_operators(global, server)?;
    let status: Value = server.get("/api/v1/audit/status").await?;
    out.show(&status, || status_text(&status, SystemClock::new().now()))?;
    Ok(Exit::when(status["defect"].is_null()))
}

fn status_text(status: &Value, now: Timestamp) -> String {
    let number = |name: &str| status[name].as_u64().unwrap_or_default();
    let at = status["checkpoint_at"].as_i64().map(Timestamp::from_micros);
    let checkpoint = at.map_or("none was signed yet".to_owned(), |at| ago(at, now));
    let mut text = format!(
        "origin      {}\nleaves      {}\nroot        {}\ncheckpoint  {checkpoint}\nbehind      {}\n",
        status["origin"].as_str().unwrap_or_default(),
        count(number("size")),
        status["root"].as_str().unwrap_or_default(),
        counted(number("behind"), "record"),
    );
    for (name, what) in [("defect", "stopped"), ("copy_failing", "copy")] {
        if let Some(reason) = status[name].as_str() {
            text.push_str(&format!("{what:<12}{reason}\n"));
        }
    }
    text
}
