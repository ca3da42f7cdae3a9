//! `plimsoll store rebuild`: the projection made again from the journal.

use std::sync::Arc;

use plimsoll_control::figures::counted;
use plimsoll_core::{Clock, SystemClock};
use plimsoll_journal::Opened;
use plimsoll_store::{Projector, RecordSource as _, Store};
use serde_json::json;

use crate::assembly::open_journal;
use crate::cli::{Global, StoreCommand};
use crate::data_folder::DataFolder;
use crate::exit::{Exit, Exits as _, Outcome};
use crate::output::{Output, note, progress};
use crate::workspace;

/// Records that are applied at a time.
const BATCH: usize = 5_000;

/// Rebuilds. The journal is opened as its writer, so that no server can run meanwhile.
pub(crate) async fn run(global: &Global, command: &StoreCommand, out: Output) -> Outcome<Exit> {
    let StoreCommand::Rebuild = command;
    let workspace = workspace::load_without_secrets(global)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let folder = DataFolder::create(workspace.storage.path.clone())?;
    let Opened {
        journal, damage, ..
    } = open_journal(&workspace, &clock).await?;
    for place in &damage {
        note(format_args!("warning: {place}"));
    }
    let store = Store::open(folder.database(), Arc::clone(&clock)).await?;
    let projector = Projector::new(&store, workspace.server.node.clone());
    let from = journal.minimum();
    projector.rebuild(from).await?;
    let bar = progress(Some(journal.committed().saturating_sub(from)), "records");
    let mut reader = journal.reader(from);
    let mut records = 0;
    loop {
        // What is damaged is told to the log and passed by.
        let batch = reader
            .next_batch(BATCH)
            .map_err(anyhow::Error::from_boxed)
            .or_exit(Exit::Data)?;
        if batch.is_empty() {
            break;
        }
        projector.apply(&batch).await?;
        records += batch.len() as u64;
        bar.set_position(records);
    }
    bar.finish_and_clear();
    store.close().await;
    tokio::task::spawn_blocking(move || journal.close())
        .await
        .or_exit(Exit::Internal)??;
    out.show(
        &json!({"records": records, "damaged_places": damage.len()}),
        || {
            let seconds = clock.elapsed().as_secs_f64();
            format!(
                "{} read again in {seconds:.1} s\n",
                counted(records, "record")
            )
        },
    )?;
    Ok(Exit::when(damage.is_empty()))
}
