//! `plimsoll guard`: guards tried on texts, redaction, JSON, addresses, and the classifier's weights.

mod json;
mod redact;
mod scan;
mod train;
mod url;

use std::io::Read as _;
use std::path::Path;

use plimsoll_guard::training;

use crate::cli::{Global, GuardCommand};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;

/// Does what was typed after `guard`.
pub(crate) fn run(global: &Global, command: &GuardCommand, out: Output) -> Outcome<Exit> {
    match command {
        GuardCommand::Scan(args) => scan::run(args, out),
        GuardCommand::Redact(args) => redact::run(args, out),
        GuardCommand::Json(args) => json::run(args, out),
        GuardCommand::Url(args) => url::run(args, out),
        GuardCommand::Train(args) => train::run(global, args, out),
        GuardCommand::Card => {
            let card =
                training::shipped_card().map_err(|error| Failure::new(Exit::Internal, error))?;
            out.show(&card, || card.to_string())?;
            Ok(Exit::Yes)
        }
    }
}

/// The bytes of a file, or of standard input for `-`.
fn bytes(file: &Path) -> Outcome<Vec<u8>> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    Ok(std::fs::read(file)?)
}
