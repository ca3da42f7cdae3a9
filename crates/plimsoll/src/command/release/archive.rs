//! `plimsoll release export` and `import`: a release in one file, for another installation.
//!
//! The file is a tar archive (POSIX ustar) that is the same for the same release:
//!
//! ```text
//! release.json      who made it, when, after which, with which note
//! manifest.json     the manifest's canonical bytes: their SHA-256 is the release's id
//! blobs/<digest>    each part that the manifest names
//! ```

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use plimsoll_core::Digest;
use plimsoll_core::record::ReleaseRecord;
use plimsoll_journal::Blobs;
use serde_json::json;

use crate::cli::{Global, ServerArgs};
use crate::client::Server;
use crate::exit::{Exit, Exits as _, Outcome};
use crate::output::Output;
use crate::workspace::Reading;

/// The most bytes of one part, and of all together.
const BYTES_MAX: u64 = 2 << 30;
/// The most files in an archive.
const FILES_MAX: usize = 10_000;

/// A release and its parts.
struct Archive {
    release: ReleaseRecord,
    parts: BTreeMap<Digest, Vec<u8>>,
}

/// Writes a release with its parts into `file`.
pub(super) async fn export(global: &Global, id: &str, file: &Path, out: Output) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let release = reading.store.release_by_prefix(id).await?;
    let blobs = Blobs::open(reading.folder.root())?;
    let mut parts = BTreeMap::new();
    for digest in release.manifest.blobs() {
        let part = blobs.get(digest)?;
        let missing = || format!("the part {digest} of the release is no longer kept here");
        parts.insert(digest, part.with_context(missing).or_exit(Exit::No)?);
    }
    let archive = Archive { release, parts };
    let bytes = to_bytes(&archive).or_exit(Exit::Internal)?;
    let mut open = OpenOptions::new();
    let opened = open.write(true).create_new(true).open(file);
    let cannot = || format!("could not make `{}`", file.display());
    let mut opened = opened.with_context(cannot).or_exit(Exit::Usage)?;
    opened
        .write_all(&bytes)
        .and_then(|()| opened.sync_all())
        .with_context(cannot)
        .or_exit(Exit::Usage)?;
    let (short, parts) = (archive.release.id.short(), archive.parts.len());
    let said = json!({"release": archive.release.id, "parts": parts, "bytes": bytes.len()});
    out.show(&said, || {
        let size = plimsoll_control::figures::bytes(bytes.len() as u64);
        let file = file.display();
        format!("release {short} with its parts ({size}) is in {file}\n")
    })?;
    Ok(Exit::Yes)
}

/// Takes in a release from `file`; every byte is checked against its digest, here and by the server.
pub(super) async fn import(
    global: &Global,
    file: &Path,
    server: &ServerArgs,
    out: Output,
) -> Outcome<Exit> {
    let cannot = || format!("`{}` is no exported release", file.display());
    let archive = read(file).with_context(cannot).or_exit(Exit::Usage)?;
    let server = Server::of_operators(global, server)?;
    let blobs: BTreeMap<String, String> = archive
        .parts
        .iter()
        .map(|(digest, bytes)| (digest.to_string(), base64(bytes)))
        .collect();
    let request = json!({"release": archive.release, "blobs": blobs});
    let made: ReleaseRecord = server.post("/api/v1/releases/import", &request).await?;
    out.show(&made, || {
        let (system, short) = (&made.manifest.system, made.id.short());
        format!(
            "{}\nis here; to use it: plimsoll release deploy {system} {short}\n",
            made.id
        )
    })?;
    Ok(Exit::Yes)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn to_bytes(archive: &Archive) -> anyhow::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, name, bytes)
    };
    add(
        "release.json",
        &serde_json::to_vec_pretty(&archive.release)?,
    )?;
    add("manifest.json", &archive.release.manifest.canonical_bytes())?;
    for (digest, bytes) in &archive.parts {
        add(&format!("blobs/{digest}"), bytes)?;
    }
    Ok(tar.into_inner()?)
}

/// Reads an archive and checks it: the id against the manifest, each part against its digest, and that
/// no part is missing.
fn read(file: &Path) -> anyhow::Result<Archive> {
    let file = std::fs::File::open(file)?;
    let (mut release, mut manifest) = (None::<ReleaseRecord>, None);
    let mut parts = BTreeMap::new();
    let mut total = 0;
    for (number, entry) in tar::Archive::new(file).entries()?.enumerate() {
        let entry = entry?;
        total += entry.size();
        ensure!(number < FILES_MAX && total <= BYTES_MAX, "it is too large");
        let name = entry.path()?.to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.take(BYTES_MAX).read_to_end(&mut bytes)?;
        match name.strip_prefix("blobs/") {
            Some(named) => {
                let digest: Digest = named.parse()?;
                ensure!(
                    Digest::of(&bytes) == digest,
                    "the part {digest} was changed"
                );
                parts.insert(digest, bytes);
            }
            None if name == "release.json" => release = Some(serde_json::from_slice(&bytes)?),
            None if name == "manifest.json" => manifest = Some(bytes),
            None => bail!(
                "it has a file `{}`, which no release has",
                name.escape_debug()
            ),
        }
    }
    let release = release.context("it has no release.json")?;
    let manifest = manifest.context("it has no manifest.json")?;
    let fits = Digest::of(&manifest) == release.id.0 && release.manifest.release_id() == release.id;
    ensure!(fits, "its manifest was changed");
    for digest in release.manifest.blobs() {
        ensure!(parts.contains_key(&digest), "the part {digest} is missing");
    }
    Ok(Archive { release, parts })
}
