//! `plimsoll guard json`: strict JSON, or mended.

use plimsoll_guard::frame::{self, FrameLimits};
use plimsoll_guard::repair::{Repaired, repair};
use serde_json::json;

use super::bytes;
use crate::cli::JsonArgs;
use crate::exit::{Exit, Outcome};
use crate::output::Output;

/// Prints the value, what was mended for it, or what is wrong.
pub(super) fn run(args: &JsonArgs, out: Output) -> Outcome<Exit> {
    let bytes = bytes(&args.file)?;
    let limits = FrameLimits::default();
    let read = if args.repair {
        repair(&bytes, &limits)
    } else {
        frame::scan(&bytes, &limits).map(|frame| Repaired {
            value: frame.value(),
            mends: Vec::new(),
        })
    };
    match read {
        Ok(repaired) => {
            let told = json!({"valid": true, "value": repaired.value, "mends": repaired.mends});
            out.show(&told, || repaired.value.to_string())?;
            Ok(Exit::Yes)
        }
        Err(error) => {
            let code = error.code.as_str();
            let told = json!({
                "valid": false, "code": code, "offset": error.offset, "message": error.to_string(),
            });
            out.show(&told, || format!("{code}: {error}"))?;
            Ok(Exit::No)
        }
    }
}
