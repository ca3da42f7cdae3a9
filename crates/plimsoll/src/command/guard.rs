//! `plimsoll guard`: guards tried on texts.

mod json;
mod redact;
mod url;

use std::io::Read as _;
use std::path::Path;

use crate::cli::GuardCommand;
use crate::exit::{Exit, Outcome};
use crate::output::Output;

/// Does what was typed after `guard`.
pub(crate) fn run(command: &GuardCommand, out: Output) -> Outcome<Exit> {
    match command {
        GuardCommand::Redact(args) => redact::run(args, out),
        GuardCommand::Json(args) => json::run(args, out),
        GuardCommand::Url(args) => url::run(args, out),
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
