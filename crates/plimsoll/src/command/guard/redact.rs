//! `plimsoll guard redact`: a text without personal data and secrets.

use plimsoll_guard::pii::Pii;
use plimsoll_guard::secrets::Secrets;
use plimsoll_guard::vault::Vault;
use serde_json::json;

use super::bytes;
use crate::cli::RedactArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;

/// Prints the text, or the text with what was found.
pub(super) fn run(args: &RedactArgs, out: Output) -> Outcome<Exit> {
    let text = String::from_utf8(bytes(&args.file)?)
        .map_err(|_| Failure::says(Exit::Usage, "the text is not UTF-8".to_owned()))?;
    let refused = |error: &dyn std::error::Error| {
        Failure::says(Exit::No, format!("the text is not printed: {error}"))
    };
    let mut found = Secrets::shipped()
        .find(&text)
        .map_err(|error| refused(&error))?;
    found.extend(Pii::new().find(&text));
    found.retain(|one| one.score >= args.score);
    let redacted = Vault::new()
        .redact(&text, &found)
        .map_err(|error| refused(&error))?;
    let told = json!({"text": redacted, "findings": found});
    out.show(&told, || redacted)?;
    Ok(Exit::Yes)
}
