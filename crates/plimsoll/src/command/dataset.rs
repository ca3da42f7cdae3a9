//! `plimsoll dataset`: judged decisions as a version of an eval or training set, and what was taken out so far.

mod export;
mod list;

use crate::cli::{DatasetCommand, Global};
use crate::exit::{Exit, Outcome};
use crate::output::Output;

/// Does what was typed.
pub(crate) async fn run(global: &Global, command: DatasetCommand, out: Output) -> Outcome<Exit> {
    match command {
        DatasetCommand::Export(args) => export::run(global, *args, out).await,
        DatasetCommand::List { system, limit } => list::run(global, system, limit, out).await,
    }
}
