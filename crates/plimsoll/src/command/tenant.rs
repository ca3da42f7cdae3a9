//! `plimsoll tenant`.

use plimsoll_console::{TenantRequest, TenantView};
use plimsoll_control::figures::counted;
use plimsoll_control::table::{Align, Table};
use serde::{Deserialize, Serialize};

use crate::cli::{Global, ServerArgs, TenantCommand};
use crate::client::Server;
use crate::exit::{Exit, Outcome};
use crate::output::Output;

/// Does what was typed.
pub(crate) async fn run(global: &Global, command: TenantCommand, out: Output) -> Outcome<Exit> {
    match command {
        TenantCommand::Create {
            tenant,
            note,
            server,
        } => {
            let server = Server::of_operators(global, &server)?;
            let request = TenantRequest { tenant, note };
            let made: TenantView = server.post("/api/v1/tenants", &request).await?;
            out.show(&made, || {
                let tenant = &made.tenant;
                format!("tenant {tenant} is made: `plimsoll key create NAME --tenant {tenant}` gives it a key\n")
            })?;
            Ok(Exit::Yes)
        }
        TenantCommand::List { server } => list(global, &server, out).await,
    }
}

#[derive(Serialize, Deserialize)]
struct Tenants {
    tenants: Vec<TenantView>,
}

async fn list(global: &Global, server: &ServerArgs, out: Output) -> Outcome<Exit> {
    let server = Server::of_operators(global, server)?;
    let Tenants { tenants } = server.get("/api/v1/tenants").await?;
    out.show(&tenants, || {
        let mut table = Table::new(&[
            ("tenant", Align::Left),
            ("made (UTC)", Align::Left),
            ("keys", Align::Right),
            ("who", Align::Left),
        ]);
        for tenant in &tenants {
            let made = tenant.made_at.map(|at| at.short());
            table.row(vec![
                tenant.tenant.to_string(),
                made.unwrap_or_else(|| "–".to_owned()),
                tenant.keys.to_string(),
                tenant.note.clone().unwrap_or_default(),
            ]);
        }
        let number = counted(tenants.len() as u64, "tenant");
        format!("{}\n{number}\n", table.render(out.paint))
    })?;
    Ok(Exit::Yes)
}
