//! `plimsoll store rebuild`: the projection made again from the journal.

use std::sync::Arc;

use plimsoll_control::figures::counted;
use plimsoll_core::{Clock, Record, SystemClock};
use plimsoll_journal::{JournalError, Reader};
use plimsoll_store::{Projector, Store};
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
    let journal = open_journal(&workspace, &clock).await?.journal;
    let store = Store::open(folder.database(), Arc::clone(&clock)).await?;
    let projector = Projector::new(&store, workspace.server.node.clone());
    let from = journal.minimum();
    projector.rebuild(from).await?;
    let bar = progress(Some(journal.committed().saturating_sub(from)), "records");
    let mut reader = journal.reader(from);
    let (mut records, mut unread) = (0_u64, 0_u64);
    loop {
        let (batch, more) = next_batch(&mut reader, &mut unread)?;
        projector.apply(&batch).await?;
        records += batch.len() as u64;
        bar.set_position(records);
        if !more {
            break;
        }
    }
    bar.finish_and_clear();
    store.close().await;
    tokio::task::spawn_blocking(move || journal.close())
        .await
        .or_exit(Exit::Internal)??;
    out.show(
        &json!({"records": records, "unreadable_places": unread}),
        || {
            let seconds = clock.elapsed().as_secs_f64();
            format!(
                "{} read again in {seconds:.1} s\n",
                counted(records, "record")
            )
        },
    )?;
    Ok(Exit::when(unread == 0))
}

/// The next records, and whether there may be more. What cannot be read is told, counted and passed by.
fn next_batch(reader: &mut Reader, unread: &mut u64) -> Outcome<(Vec<(u64, Record)>, bool)> {
    let mut batch = Vec::with_capacity(BATCH);
    while batch.len() < BATCH {
        match reader.next() {
            None => return Ok((batch, false)),
            Some(Ok(record)) => batch.push(record),
            Some(Err(error @ (JournalError::Damaged(_) | JournalError::Record { .. }))) => {
                *unread += 1;
                note(format_args!("warning: {error}"));
            }
            Some(Err(error)) => return Err(error.into()),
        }
    }
    Ok((batch, true))
}
