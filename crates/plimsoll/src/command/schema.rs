//! `plimsoll schema`: the JSON Schemas of the workspace's files, for completion in editors.

use serde_json::{Map, Value};

use crate::cli::SchemaArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;

/// Prints one, or all by file name.
pub(crate) fn run(args: &SchemaArgs, out: Output) -> Outcome<Exit> {
    let schemas = plimsoll_spec::schemas();
    let Some(file) = &args.file else {
        let all: Map<String, Value> = schemas
            .into_iter()
            .map(|(name, schema)| (name.to_owned(), schema))
            .collect();
        out.print_json(&all)?;
        return Ok(Exit::Yes);
    };
    let names: Vec<&str> = schemas.iter().map(|(name, _)| *name).collect();
    let found = schemas.iter().find(|(name, _)| name == file);
    let missing = || {
        let message = format!(
            "there is no schema of `{file}`: there are {}",
            names.join(", ")
        );
        Failure::says(Exit::Usage, message)
    };
    out.print_json(&found.ok_or_else(missing)?.1)?;
    Ok(Exit::Yes)
}
