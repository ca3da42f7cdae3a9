//! `plimsoll release diff`.

use plimsoll_control::diff::{diff, render};
use plimsoll_core::Digest;
use plimsoll_journal::Blobs;

use crate::cli::Global;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::workspace::Reading;

/// Compares two releases, or one with the one that it was made after. The answer is no if they behave
/// alike.
pub(super) async fn run(
    global: &Global,
    from: &str,
    to: Option<&str>,
    out: Output,
) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let first = reading.store.release_by_prefix(from).await?;
    let (before, after) = match to {
        Some(to) => (first, reading.store.release_by_prefix(to).await?),
        None => {
            let parent = match first.parent {
                Some(parent) => reading.store.release(parent).await?,
                None => None,
            };
            let none = || {
                let message = format!(
                    "release {} was made after no other: name two",
                    first.id.short()
                );
                Failure::says(Exit::Usage, message)
            };
            (parent.ok_or_else(none)?, first)
        }
    };
    let blobs = Blobs::open(reading.folder.root())?;
    let blob = |digest: Digest| blobs.get(digest).ok().flatten();
    let found = diff(&before.manifest, &after.manifest, &blob);
    out.show(&found, || render(&found, out.paint))?;
    Ok(Exit::when(!found.changes.is_empty()))
}
