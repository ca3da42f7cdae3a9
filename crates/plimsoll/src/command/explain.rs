//! `plimsoll explain`: one decision, stage by stage.

use plimsoll_control::explain::{Surroundings, closed_by, render};
use plimsoll_core::Decision;
use plimsoll_core::decision::Payload;
use plimsoll_core::ports::Reviews as _;
use plimsoll_core::review::Review;
use plimsoll_journal::Payloads;
use plimsoll_store::StoredReviews;
use serde_json::json;

use crate::cli::{ExplainArgs, Global};
use crate::exit::{Exit, Exits as _, Outcome};
use crate::output::Output;
use crate::workspace::Reading;

/// Tells it.
pub(crate) async fn run(global: &Global, args: &ExplainArgs, out: Output) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let mut decision = reading.store.decision_by_prefix(None, &args.id).await?;
    let release = reading.store.release(decision.release).await?;
    let review = review(&reading, &decision).await?;
    if let Some(review) = review.as_ref().filter(|_| decision.outcome.is_none()) {
        // What is recorded of an open decision is how it began; the review knows how far it came.
        decision = Decision {
            review: Some(review.id),
            ..review.decision.clone()
        };
        if let Some((outcome, at)) = closed_by(review) {
            (decision.outcome, decision.closed_at) = (Some(outcome), Some(at));
        }
    }
    let payload = if args.payload {
        Some(payload(&reading, &decision).await?)
    } else {
        None
    };
    if out.json {
        let mut value = json!(decision);
        if let Some(payload) = &payload {
            value["kept"] = json!(payload);
        }
        out.print_json(&value)?;
        return Ok(Exit::Yes);
    }
    let around = Surroundings {
        manifest: release.as_ref().map(|release| &release.manifest),
        review: review.as_ref(),
        currency: reading.currency(),
        width: out.columns,
    };
    out.print(&render(&decision, &around, out.paint))?;
    match payload {
        Some(Some(Payload { input, output, .. })) => {
            out.print(&format!("\n  input      {input}\n  output     {output}\n"))?;
        }
        Some(None) => out.print("\n  no input or output is kept\n")?,
        None => {}
    }
    Ok(Exit::Yes)
}

async fn review(reading: &Reading, decision: &Decision) -> Outcome<Option<Review>> {
    // Drills and decisions that were never in doubt have none; closed reviews are forgotten some day.
    let reviews = StoredReviews::new(&reading.store);
    let found = reviews.of_decision(&decision.tenant, decision.id).await;
    found.or_exit(Exit::Data)
}

async fn payload(reading: &Reading, decision: &Decision) -> Outcome<Option<Payload>> {
    let Some(reference) = decision.payload else {
        return Ok(None);
    };
    let (payloads, id) = (Payloads::open(reading.folder.root()), decision.id);
    let reading = tokio::task::spawn_blocking(move || payloads.read(id, &reference));
    let bytes = reading.await.or_exit(Exit::Internal)??;
    bytes
        .map(|bytes| serde_json::from_slice(&bytes).or_exit(Exit::Data))
        .transpose()
}
