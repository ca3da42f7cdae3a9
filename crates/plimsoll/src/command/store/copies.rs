//! `plimsoll store backup` and `restore`.

use std::path::PathBuf;

use plimsoll_control::figures::{bytes, count, counted};
use plimsoll_core::{Clock as _, NodeName, SystemClock};
use plimsoll_journal::backup::{Backup, BackupOptions};
use plimsoll_journal::{backup as copy_folder, restore as restore_folder};
use serde_json::{Value, json};

use crate::cli::Global;
use crate::data_folder::DataFolder;
use crate::exit::{Exit, Exits as _, Outcome};
use crate::output::{Output, note, progress};
use crate::workspace::{self, Reading};

/// Copies the data folder, also while a server writes it. The database comes first, so that the journal
/// holds all that its copy counts on; reviews are only there.
pub(super) async fn backup(
    global: &Global,
    into: PathBuf,
    (keys, secrets): (bool, bool),
    out: Output,
) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let temporary = tempfile::tempdir().or_exit(Exit::Data)?;
    let mut extra = Vec::new();
    if reading.store.path().is_some() {
        let database = temporary.path().join("plimsoll.db");
        reading.store.backup_to(&database).await?;
        extra.push(("plimsoll.db".to_owned(), database));
    } else {
        note(
            "note: the shared database is not copied; back it up with pg_dump, reviews are only there",
        );
    }
    let options = BackupOptions {
        at: SystemClock::new().now(),
        keys,
        secrets,
        extra,
    };
    let root = reading.folder.root().to_owned();
    let shown = into.display().to_string();
    let copying = tokio::task::spawn_blocking(move || {
        let bar = progress(Some(0), "bytes");
        let copied = copy_folder(&root, &into, &options, &mut |done, of| {
            bar.set_length(of);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        copied
    });
    let copied = copying.await.or_exit(Exit::Internal)??;
    for missing in &copied.missing {
        note(format_args!(
            "warning: the audit log should have `{missing}` and has not"
        ));
    }
    out.show(&told(&copied), || backup_text(&copied, &shown))?;
    Ok(Exit::when(copied.missing.is_empty()))
}

/// Makes the data folder from a copy.
pub(super) async fn restore(
    global: &Global,
    from: PathBuf,
    node: Option<NodeName>,
    out: Output,
) -> Outcome<Exit> {
    let folder: DataFolder = workspace::data_folder(global)?;
    let into = folder.root().to_owned();
    let shown = into.display().to_string();
    let restoring = tokio::task::spawn_blocking(move || {
        let bar = progress(Some(0), "bytes");
        let restored = restore_folder(&from, &into, node.as_ref(), &mut |done, of| {
            bar.set_length(of);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        restored
    });
    let restored = restoring.await.or_exit(Exit::Internal)??;
    out.show(&told(&restored), || {
        let records = counted(restored.records.end - restored.records.start, "record");
        let mut text = format!("{shown} is restored: {records}, as of {}\n", restored.at);
        if !restored.secrets {
            text.push_str(
                "without the node's secrets: give it a `server.node` and `[audit] origin` of its own\n",
            );
        }
        text
    })?;
    Ok(Exit::Yes)
}

fn told(copy: &Backup) -> Value {
    json!({
        "node": copy.node,
        "at": copy.at,
        "records": {"from": copy.records.start, "until": copy.records.end},
        "signed": copy.signed,
        "keys": copy.keys,
        "secrets": copy.secrets,
        "files": copy.files,
        "bytes": copy.bytes,
        "missing": copy.missing,
    })
}

fn backup_text(copy: &Backup, into: &str) -> String {
    let records = counted(copy.records.end - copy.records.start, "record");
    let (files, size) = (counted(copy.files, "file"), bytes(copy.bytes));
    let signed = copy.signed.map_or("no audit log".to_owned(), |signed| {
        format!("{} of them under its checkpoint", count(signed))
    });
    let mut text = format!("{into} holds {records} ({signed}), {files}, {size}\n");
    if copy.keys {
        text.push_str(
            "with the keys of payloads: erasures that come later do not reach this copy\n",
        );
    }
    text
}
