//! `plimsoll guard`: guards tried on texts, and the classifier's weights.

mod scan;
mod train;

use plimsoll_guard::training;

use crate::cli::{Global, GuardCommand};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;

/// Does what was typed after `guard`.
pub(crate) fn run(global: &Global, command: &GuardCommand, out: Output) -> Outcome<Exit> {
    match command {
        GuardCommand::Scan(args) => scan::run(args, out),
        GuardCommand::Train(args) => train::run(global, args, out),
        GuardCommand::Card => {
            let card =
                training::shipped_card().map_err(|error| Failure::new(Exit::Internal, error))?;
            out.show(&card, || card.to_string())?;
            Ok(Exit::Yes)
        }
    }
}
