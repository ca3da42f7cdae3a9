//! `plimsoll init`: a commented starter workspace.

use plimsoll_spec::StarterKind;

use crate::cli::{InitArgs, InitKind};
use crate::exit::{Exit, Exits as _, Outcome};
use crate::output::Output;

/// Writes the files and names them.
pub(crate) fn run(args: &InitArgs, out: Output) -> Outcome<Exit> {
    let kind = match args.kind {
        InitKind::Predictor => StarterKind::Predictor,
        InitKind::Llm => StarterKind::Llm,
    };
    let written = plimsoll_spec::init(&args.dir, kind).or_exit(Exit::Usage)?;
    out.show(&written, || {
        let lines: String = written.iter().map(|file| format!("wrote {}\n", file.display())).collect();
        let folder = args.dir.display();
        format!("{lines}\nnext: plimsoll check --workspace {folder}\n      plimsoll serve --workspace {folder}\n")
    })?;
    Ok(Exit::Yes)
}
