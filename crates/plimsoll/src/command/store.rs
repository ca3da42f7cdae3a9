//! `plimsoll store`: the projection made again from the journal, and copies of the data folder.

mod copies;

use std::sync::Arc;

use plimsoll_control::figures::counted;
use plimsoll_core::{Clock, Record, SystemClock};
use plimsoll_journal::{JournalError, Reader};
use plimsoll_store::Projector;
use serde_json::json;

use crate::assembly::{bring_up, open_journal, open_store};
use crate::cli::{Global, StoreCommand};
use crate::data_folder::DataFolder;
use crate::exit::{Exit, Exits as _, Outcome};
use crate::output::{Output, note, progress};
use crate::workspace;

/// Records that are applied at a time.
const BATCH: usize = 5_000;

/// Does what was typed.
pub(crate) async fn run(global: &Global, command: StoreCommand, out: Output) -> Outcome<Exit> {
    match command {
        StoreCommand::Rebuild => rebuild(global, out).await,
        StoreCommand::Upgrade => upgrade(global, out).await,
        StoreCommand::Backup {
            into,
            with_keys,
            with_secrets,
        } => copies::backup(global, into, (with_keys, with_secrets), out).await,
        StoreCommand::Restore { from, node } => copies::restore(global, from, node, out).await,
    }
}

/// Opens everything as `serve` does, which brings it up to this version, and closes it again.
async fn upgrade(global: &Global, out: Output) -> Outcome<Exit> {
    let workspace = workspace::load_without_secrets(global)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let folder = DataFolder::create(workspace.storage.path.clone())?;
    let opened = open_journal(&workspace, &clock).await?;
    let journal = opened.journal;
    let store = open_store(&workspace, &folder, &clock).await?;
    let projector = Projector::new(&store, workspace.server.node.clone());
    bring_up(&journal, &projector).await?;
    let records = journal.committed();
    store.close().await;
    tokio::task::spawn_blocking(move || journal.close())
        .await
        .or_exit(Exit::Internal)??;
    let schema = plimsoll_store::SCHEMA;
    let said = json!({"schema": schema, "records": records, "damaged": opened.damage.len()});
    out.show(&said, || {
        let records = counted(records, "record");
        format!("the data folder is up to this version: schema {schema}, {records}\n")
    })?;
    Ok(Exit::when(opened.damage.is_empty()))
}

/// Rebuilds. The journal is opened as its writer, so that no server can run meanwhile.
async fn rebuild(global: &Global, out: Output) -> Outcome<Exit> {
    let workspace = workspace::load_without_secrets(global)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let folder = DataFolder::create(workspace.storage.path.clone())?;
    let journal = open_journal(&workspace, &clock).await?.journal;
    let store = open_store(&workspace, &folder, &clock).await?;
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
