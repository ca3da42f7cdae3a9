//! `plimsoll guard train`: the classifier's weights again, from the data that the manifest names.

use std::collections::BTreeMap;

use plimsoll_guard::training::{self, MANIFEST, Manifest};

use crate::cli::{Global, TrainArgs};
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::{Output, note};

/// Trains, and writes the weights and their card. The folder is the one that `--data` names.
pub(super) fn run(global: &Global, args: &TrainArgs, out: Output) -> Outcome<Exit> {
    let manifest = Manifest::parse(MANIFEST).or_exit(Exit::Internal)?;
    if args.manifest {
        out.print(MANIFEST)?;
        return Ok(Exit::Yes);
    }
    let Some(folder) = &global.data else {
        let message = "name the folder of the training data with --data DIR; `plimsoll guard train \
                       --manifest` says which files it must hold";
        return Err(Failure::says(Exit::Usage, message));
    };
    let mut files = BTreeMap::new();
    for file in &manifest.file {
        let path = folder.join(&file.name);
        let bytes = std::fs::read(&path).map_err(|error| {
            let message = format!("`{}` cannot be read: {error}", path.display());
            Failure::says(Exit::Usage, message)
        })?;
        files.insert(file.name.clone(), bytes);
    }
    let trained = training::train(&manifest, &files).or_exit(Exit::Usage)?;
    let weights = args.out.join("injection.weights");
    let card = args.out.join("injection.card.json");
    let written = serde_json::to_string_pretty(&trained.card).or_exit(Exit::Internal)? + "\n";
    std::fs::write(&weights, trained.weights.to_bytes())?;
    std::fs::write(&card, written)?;
    note(format_args!(
        "wrote {} and {}",
        weights.display(),
        card.display()
    ));
    out.show(&trained.card, || trained.card.to_string())?;
    Ok(Exit::Yes)
}
