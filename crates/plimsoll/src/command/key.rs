//! `plimsoll key`.

use plimsoll_console::{GivenKey, KeyRequest, KeyView, RotationRequest};
use plimsoll_control::figures::counted;
use plimsoll_control::table::{Align, Table};
use plimsoll_core::{Clock as _, SystemClock, TenantName};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cli::{Global, KeyCommand, KeyCreateArgs, ServerArgs, WhichKey};
use crate::client::{Server, encoded};
use crate::exit::{Exit, Outcome};
use crate::output::Output;

/// Does what was typed.
pub(crate) async fn run(global: &Global, command: KeyCommand, out: Output) -> Outcome<Exit> {
    match command {
        KeyCommand::Create(args) => create(global, args, out).await,
        KeyCommand::List { tenant, server } => list(global, tenant, &server, out).await,
        KeyCommand::Rotate {
            which,
            overlap,
            server,
        } => {
            let server = Server::of_operators(global, &server)?;
            let request = RotationRequest {
                overlap_seconds: overlap.as_secs(),
            };
            let given = server.post(&path(&which, "/rotate"), &request).await?;
            tell(&given, out)
        }
        KeyCommand::Revoke {
            which,
            reason,
            server,
        } => {
            let server = Server::of_operators(global, &server)?;
            let body = json!({"reason": reason});
            let revoked: KeyView = server.post(&path(&which, "/revoke"), &body).await?;
            out.show(&revoked, || {
                let KeyView { tenant, name, .. } = &revoked;
                format!("key {tenant}/{name} is revoked; other nodes hear of it within seconds\n")
            })?;
            Ok(Exit::Yes)
        }
    }
}

async fn create(global: &Global, args: KeyCreateArgs, out: Output) -> Outcome<Exit> {
    let server = Server::of_operators(global, &args.server)?;
    let now = SystemClock::new().now();
    let path = format!(
        "/api/v1/tenants/{}/keys",
        encoded(args.which.tenant.as_str())
    );
    let request = KeyRequest {
        name: args.which.key,
        systems: (!args.all_systems).then(|| args.systems.into_iter().collect()),
        environment: args.environment,
        criticality: args.criticality,
        roles: args.roles.into_iter().collect(),
        expires_at: args.expires_in.map(|time| now.plus(time)),
    };
    tell(&server.post(&path, &request).await?, out)
}

fn path(which: &WhichKey, end: &str) -> String {
    let (tenant, key) = (which.tenant.as_str(), which.key.as_str());
    format!(
        "/api/v1/tenants/{}/keys/{}{end}",
        encoded(tenant),
        encoded(key)
    )
}

/// The secret alone on the first line, so that a pipe can take it.
fn tell(given: &GivenKey, out: Output) -> Outcome<Exit> {
    out.show(given, || {
        let KeyView { tenant, name, .. } = &given.key;
        let before = given.key.secrets.get(1).and_then(|secret| secret.until);
        let before = before.map_or(String::new(), |until| {
            format!(
                "the secret before it is good until {} (UTC)\n",
                until.short()
            )
        });
        format!(
            "{}\nkey {tenant}/{name}: this is the only time that the secret is shown\n{before}",
            given.secret
        )
    })?;
    Ok(Exit::Yes)
}

#[derive(Serialize, Deserialize)]
struct Keys {
    keys: Vec<KeyView>,
}

async fn list(
    global: &Global,
    tenant: Option<TenantName>,
    server: &ServerArgs,
    out: Output,
) -> Outcome<Exit> {
    let server = Server::of_operators(global, server)?;
    let query = tenant.map_or(String::new(), |tenant| {
        format!("?tenant={}", encoded(tenant.as_str()))
    });
    let Keys { keys } = server.get(&format!("/api/v1/keys{query}")).await?;
    out.show(&keys, || list_text(&keys, out))?;
    Ok(Exit::Yes)
}

fn list_text(keys: &[KeyView], out: Output) -> String {
    let mut table = Table::new(&[
        ("tenant", Align::Left),
        ("key", Align::Left),
        ("state", Align::Left),
        ("systems", Align::Left),
        ("where", Align::Left),
        ("criticality", Align::Left),
        ("roles", Align::Left),
        ("ends (UTC)", Align::Left),
        ("secret", Align::Left),
    ]);
    for key in keys {
        let systems = key.systems.as_ref().map(|systems| {
            let names: Vec<&str> = systems.iter().map(|system| system.as_str()).collect();
            names.join(", ")
        });
        let roles: Vec<&str> = key.roles.iter().map(|role| role.as_str()).collect();
        let hints: Vec<&str> = key.secrets.iter().map(|secret| &*secret.hint).collect();
        let environment = key.environment.as_ref().map(ToString::to_string);
        table.row(vec![
            key.tenant.to_string(),
            key.name.to_string(),
            key.state.as_str().to_owned(),
            systems.unwrap_or_else(|| "all".to_owned()),
            environment.unwrap_or_else(|| "everywhere".to_owned()),
            key.criticality.as_str().to_owned(),
            roles.join(", "),
            key.expires_at.map_or("–".to_owned(), |at| at.short()),
            hints.join(", "),
        ]);
    }
    let number = counted(keys.len() as u64, "key");
    format!("{}\n{number}\n", table.render(out.paint))
}
