//! `plimsoll audit verify`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use plimsoll_control::figures::{count, counted};
use plimsoll_journal::audit::{VerificationReport, VerifierKey, VerifyOptions, verify};
use serde_json::json;

use crate::cli::{Global, ServerArgs};
use crate::client::Server;
use crate::data_folder::DataFolder;
use crate::exit::{Exit, Exits as _, Outcome};
use crate::output::{Output, progress};
use crate::workspace::data_folder;

/// Faults that are printed; all are in the JSON.
const SHOWN_MAX: usize = 20;

/// What was asked for.
pub(super) struct Asked {
    pub(super) key: Option<PathBuf>,
    pub(super) against: Option<PathBuf>,
    pub(super) record: bool,
}

/// Checks the whole log; the answer is no if anything is missing or was changed.
pub(super) async fn run(
    global: &Global,
    asked: Asked,
    server: &ServerArgs,
    out: Output,
) -> Outcome<Exit> {
    let folder = data_folder(global)?;
    let key = key(&folder, asked.key.as_deref())?;
    let read = |file: &PathBuf| {
        let cannot = || format!("the checkpoint `{}` could not be read", file.display());
        std::fs::read_to_string(file)
            .with_context(cannot)
            .or_exit(Exit::Usage)
    };
    let options = VerifyOptions {
        key: Some(key),
        against: asked.against.as_ref().map(read).transpose()?,
    };
    let root = folder.root().to_owned();
    let checking = tokio::task::spawn_blocking(move || {
        let bar = progress(Some(0), "bytes");
        let report = verify(&root, &options, &mut |done, of| {
            bar.set_length(of);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        report
    });
    let report = checking.await.or_exit(Exit::Internal)?;
    let report = report
        .context("the audit log cannot be checked")
        .or_exit(Exit::Data)?;
    let mut said = json!(report);
    said["passed"] = report.passed().into();
    out.show(&said, || text(&report, out))?;
    if asked.record {
        tell_server(global, server, &report).await?;
    }
    Ok(Exit::when(report.passed()))
}

/// The log's public key, from `file` or from beside the log.
pub(super) fn key(folder: &DataFolder, file: Option<&Path>) -> Outcome<VerifierKey> {
    let beside = folder.root().join("audit").join("log.vkey");
    let file = file.unwrap_or(&beside);
    let cannot = || {
        format!(
            "the log's public key `{}` could not be read",
            file.display()
        )
    };
    let text = std::fs::read_to_string(file)
        .with_context(cannot)
        .or_exit(Exit::Usage)?;
    text.trim()
        .parse()
        .with_context(cannot)
        .or_exit(Exit::Usage)
}

async fn tell_server(
    global: &Global,
    server: &ServerArgs,
    report: &VerificationReport,
) -> Outcome<()> {
    let server = Server::of_operators(global, server)?;
    let request = json!({
        "size": report.size,
        "root": report.root,
        "intact": report.records.intact,
        "gone": report.payloads.erased + report.payloads.let_go,
        "faults": report.fault_count,
    });
    let _: serde_json::Value = server.post("/api/v1/audit/verifications", &request).await?;
    Ok(())
}

fn text(report: &VerificationReport, out: Output) -> String {
    let mark = out.paint.mark(report.passed());
    let mut text = format!(
        "{mark} {} · {} leaves under root {}\n",
        report.origin,
        count(report.size),
        report.root
    );
    let (records, payloads) = (&report.records, &report.payloads);
    let parts = [
        (
            "records",
            tally(&[
                (records.intact, "intact"),
                (records.unsigned, "not under a checkpoint yet"),
                (records.let_go, "let go by retention"),
                (records.changed, "CHANGED"),
                (records.missing, "MISSING"),
            ]),
        ),
        (
            "payloads",
            tally(&[
                (payloads.intact, "intact"),
                (payloads.unreadable, "without a key to look inside"),
                (payloads.erased, "erased with authority"),
                (payloads.let_go, "let go by retention"),
                (payloads.changed, "CHANGED"),
                (payloads.missing, "MISSING"),
            ]),
        ),
        (
            "parts",
            tally(&[
                (report.blobs, "of releases"),
                (report.releases, "manifests"),
            ]),
        ),
    ];
    for (name, said) in parts {
        text.push_str(&format!("  {name:<9} {said}\n"));
    }
    if report.minimum > 0 {
        let minimum = count(report.minimum);
        text.push_str(&format!(
            "  kept from record {minimum} on; what was before is in the tree\n"
        ));
    }
    if let Some(size) = report.consistent_with {
        let size = count(size);
        text.push_str(&format!(
            "  grew from the older checkpoint of {size} leaves\n"
        ));
    }
    for fault in report.faults.iter().take(SHOWN_MAX) {
        text.push_str(&format!("  {} {fault}\n", out.paint.bad("✗")));
    }
    let shown = report.faults.len().min(SHOWN_MAX) as u64;
    if report.fault_count > shown {
        let more = counted(report.fault_count - shown, "more fault");
        text.push_str(&format!("  and {more}: --json has all\n"));
    }
    text
}

/// `84,112 intact, 3 erased with authority`: what there is none of is left out.
fn tally(counts: &[(u64, &str)]) -> String {
    let counts = counts.iter().filter(|(number, _)| *number > 0);
    let told: Vec<String> = counts
        .map(|(number, what)| format!("{} {what}", count(*number)))
        .collect();
    if told.is_empty() {
        return "none".to_owned();
    }
    told.join(", ")
}
