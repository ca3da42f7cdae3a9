//! `plimsoll explain`: one decision, stage by stage.

use plimsoll_control::explain::{Surroundings, closed_by, render};
use plimsoll_core::Decision;
use plimsoll_core::ports::Reviews as _;
use plimsoll_core::review::Review;
use plimsoll_store::{LabelFilter, StoredLabel, StoredReviews};
use serde_json::json;

use crate::cli::{ExplainArgs, Global};
use crate::desk::{Desk, Shown};
use crate::exit::{Exit, Exits as _, Outcome};
use crate::output::Output;
use crate::workspace::Reading;

/// The most labels that are told of one decision.
const LABELS_MAX: u32 = 50;

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
    let labels = labels(&reading, &decision).await?;
    let kept = if args.payload {
        Some(kept(global, args, &reading, &decision).await?)
    } else {
        None
    };
    if out.json {
        let mut value = json!(decision);
        value["labels"] = json!(labels);
        match &kept {
            Some(Shown::Kept { payload }) => value["kept"] = json!(payload),
            Some(gone) => value["kept"] = json!(gone),
            None => {}
        }
        out.print_json(&value)?;
        return Ok(Exit::Yes);
    }
    let around = Surroundings {
        manifest: release.as_ref().map(|release| &release.manifest),
        review: review.as_ref(),
        labels: &labels,
        currency: reading.currency(),
        width: out.columns,
    };
    out.print(&render(&decision, &around, out.paint))?;
    if let Some(kept) = kept {
        out.print(&kept_text(&kept))?;
    }
    Ok(Exit::Yes)
}

async fn review(reading: &Reading, decision: &Decision) -> Outcome<Option<Review>> {
    // Drills and decisions that were never in doubt have none; closed reviews are forgotten some day.
    let reviews = StoredReviews::new(&reading.store);
    let found = reviews.of_decision(&decision.tenant, decision.id).await;
    found.or_exit(Exit::Data)
}

/// What turned out to be true, as far as it joined this decision.
async fn labels(reading: &Reading, decision: &Decision) -> Outcome<Vec<StoredLabel>> {
    let filter = LabelFilter {
        decision: Some(decision.id),
        tenant: Some(decision.tenant.clone()),
        limit: LABELS_MAX,
        ..LabelFilter::default()
    };
    Ok(reading.store.labels(&filter).await?)
}

/// What is kept of it; that it was read is recorded.
async fn kept(
    global: &Global,
    args: &ExplainArgs,
    reading: &Reading,
    decision: &Decision,
) -> Outcome<Shown> {
    let desk = Desk::open(global, &args.server).await?;
    let purpose = args.purpose.as_deref().unwrap_or_default();
    let kept = desk
        .read(&reading.store, decision, purpose, "explain")
        .await;
    desk.close().await?;
    kept
}

fn kept_text(kept: &Shown) -> String {
    match kept {
        Shown::Kept { payload } => {
            let (input, output) = (&payload.input, &payload.output);
            format!("\n  input      {input}\n  output     {output}\n")
        }
        gone => format!("\n  {}\n", gone.absence().unwrap_or_default()),
    }
}
