//! `plimsoll user`: accounts of people who sign in to a running node.

use std::path::Path;

use anyhow::Context as _;
use plimsoll_console::UserView;
use plimsoll_control::figures::counted;
use plimsoll_control::table::{Align, Table};
use plimsoll_core::{Secret, random};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::{Global, ServerArgs, UserCommand, UserCreateArgs};
use crate::client::{Server, encoded};
use crate::exit::{Exit, Exits as _, Outcome};
use crate::output::Output;

/// What passwords that we make are made of: 32 characters that nobody confuses, so that each is five bits.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789A";

/// How many of them: 120 bits.
const LETTERS_OF_PASSWORD: usize = 24;

/// Does what was typed.
pub(crate) async fn run(global: &Global, command: UserCommand, out: Output) -> Outcome<Exit> {
    match command {
        UserCommand::Create(args) => create(global, args, out).await,
        UserCommand::List { server } => list(global, &server, out).await,
        UserCommand::Password {
            user,
            password_file,
            server,
        } => {
            let password = Password::of(password_file.as_deref())?;
            let server = Server::of_operators(global, &server)?;
            let path = format!("/api/v1/users/{}/password", encoded(user.as_str()));
            let body = json!({"password": password.secret.expose()});
            tell(&password, server.post(&path, &body).await?, out)
        }
        UserCommand::Disable { user, server } => {
            let server = Server::of_operators(global, &server)?;
            let path = format!("/api/v1/users/{}/disable", encoded(user.as_str()));
            let disabled: UserView = server.post(&path, &json!({})).await?;
            out.show(&disabled, || {
                format!(
                    "user {} is disabled, and signed in no longer\n",
                    disabled.name
                )
            })?;
            Ok(Exit::Yes)
        }
    }
}

async fn create(global: &Global, args: UserCreateArgs, out: Output) -> Outcome<Exit> {
    let password = Password::of(args.password_file.as_deref())?;
    let server = Server::of_operators(global, &args.server)?;
    let body = json!({
        "name": args.user,
        "roles": args.roles,
        "tenant": args.tenant,
        "password": password.secret.expose(),
    });
    tell(&password, server.post("/api/v1/users", &body).await?, out)
}

/// A password, and whether we made it.
struct Password {
    secret: Secret,
    is_ours: bool,
}

impl Password {
    /// The one on the first line of a file, or a new one.
    fn of(file: Option<&Path>) -> Outcome<Self> {
        let Some(file) = file else {
            let bytes: [u8; LETTERS_OF_PASSWORD] = random();
            let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
            let text: String = bytes.iter().map(letter).collect();
            return Ok(Self {
                secret: Secret::new(text),
                is_ours: true,
            });
        };
        let text = if file == Path::new("-") {
            std::io::read_to_string(std::io::stdin())
        } else {
            std::fs::read_to_string(file)
        };
        let text = text
            .with_context(|| format!("the password in `{}` could not be read", file.display()))
            .or_exit(Exit::Usage)?;
        Ok(Self {
            secret: Secret::new(text.lines().next().unwrap_or_default().to_owned()),
            is_ours: false,
        })
    }
}

/// A password that we made, alone on the first line, so that a pipe can take it.
fn tell(password: &Password, user: UserView, out: Output) -> Outcome<Exit> {
    let mut told = json!({"user": user});
    if password.is_ours {
        told["password"] = Value::from(password.secret.expose());
    }
    out.show(&told, || {
        let name = &user.name;
        if password.is_ours {
            let secret = password.secret.expose();
            return format!(
                "{secret}\nuser {name}: this is the only time that the password is shown\n"
            );
        }
        format!("user {name} may sign in with that password\n")
    })?;
    Ok(Exit::Yes)
}

#[derive(Serialize, Deserialize)]
struct Users {
    users: Vec<UserView>,
}

async fn list(global: &Global, server: &ServerArgs, out: Output) -> Outcome<Exit> {
    let server = Server::of_operators(global, server)?;
    let Users { users } = server.get("/api/v1/users").await?;
    out.show(&users, || {
        let mut table = Table::new(&[
            ("user", Align::Left),
            ("state", Align::Left),
            ("roles", Align::Left),
            ("works for", Align::Left),
            ("made (UTC)", Align::Left),
            ("password of (UTC)", Align::Left),
        ]);
        for user in &users {
            let roles: Vec<&str> = user.roles.iter().map(|role| role.as_str()).collect();
            let tenant = user.tenant.as_ref().map(ToString::to_string);
            table.row(vec![
                user.name.to_string(),
                user.state.as_str().to_owned(),
                roles.join(", "),
                tenant.unwrap_or_else(|| "the installation".to_owned()),
                user.created_at.short(),
                user.password_at.short(),
            ]);
        }
        let number = counted(users.len() as u64, "user");
        format!("{}\n{number}\n", table.render(out.paint))
    })?;
    Ok(Exit::Yes)
}
