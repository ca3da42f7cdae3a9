//! What each command does, a file for each.

mod alert;
mod audit;
mod bar;
mod batch;
mod check;
mod cost;
mod dataset;
mod decisions;
mod drift;
pub(crate) mod drill;
mod eval;
mod explain;
mod guard;
mod init;
mod key;
mod label;
mod monitor;
mod policy;
mod release;
mod replay;
mod review;
mod runbook;
mod schema;
mod send;
mod simulate;
mod store;
mod system;
mod tenant;
mod test;
mod user;

use crate::cli::{Cli, Command};
use crate::exit::{Exit, Outcome};
use crate::output::Output;
use crate::{reference, serve};

/// Does what was typed.
pub(crate) async fn run(cli: Cli) -> Outcome<Exit> {
    let Cli {
        mut global,
        command,
    } = cli;
    if let Some(data) = &mut global.data {
        *data = std::path::absolute(&data)?;
    }
    let out = Output::new(global.json);
    match command {
        Command::Init(args) => init::run(&args, out),
        Command::Check => check::run(&global, out).await,
        Command::Serve => serve::run(&global).await,
        Command::Simulate(args) => simulate::run(args, out).await,
        Command::Send(args) => send::run(&global, &args, out).await,
        Command::Batch(args) => batch::run(&global, &args, out).await,
        Command::Test(args) => test::run(&global, &args, out).await,
        Command::Decisions(args) => decisions::run(&global, args, out).await,
        Command::Explain(args) => explain::run(&global, &args, out).await,
        Command::Monitor(command) => monitor::run(&global, command, out).await,
        Command::Alert(command) => alert::run(&global, command, out).await,
        Command::Label(command) => label::run(&global, command, out).await,
        Command::Review(command) => review::run(&global, command, out).await,
        Command::Drill(command) => drill::run(&global, command, out).await,
        Command::Runbook(command) => runbook::run(&global, command, out).await,
        Command::Bar(args) => bar::run(&global, &args, out).await,
        Command::Cost(args) => cost::run(&global, args, out).await,
        Command::Drift(args) => drift::run(&args, out),
        Command::Eval(command) => eval::run(&global, command, out).await,
        Command::Dataset(command) => dataset::run(&global, command, out).await,
        Command::Release(command) => release::run(&global, command, out).await,
        Command::System(command) => system::run(&global, command, out).await,
        Command::Replay(args) => replay::run(&global, &args, out).await,
        Command::Tenant(command) => tenant::run(&global, command, out).await,
        Command::Key(command) => key::run(&global, command, out).await,
        Command::User(command) => user::run(&global, command, out).await,
        Command::Policy(command) => policy::run(&global, &command, out),
        Command::Audit(command) => audit::run(&global, command, out).await,
        Command::Store(command) => store::run(&global, command, out).await,
        Command::Guard(command) => guard::run(&global, &command, out),
        Command::Schema(args) => schema::run(&args, out),
        Command::Reference(args) => reference::run(&args, out),
    }
}
