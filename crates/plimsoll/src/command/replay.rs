//! `plimsoll replay`: decisions made again, and held against their records.

use std::sync::Arc;

use plimsoll_control::figures::counted;
use plimsoll_control::table::printable;
use plimsoll_core::decision::Payload;
use plimsoll_core::{Decision, DecisionId};
use plimsoll_gateway::{Node, Replay, Replayed};
use plimsoll_spec::Workspace;
use plimsoll_store::DecisionFilter;
use serde::Serialize;
use serde_json::{Value, json};

use crate::assembly::{Assembly, assemble_aside};
use crate::cli::{Global, ReplayArgs};
use crate::desk::{Desk, Shown};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Output, progress};
use crate::workspace::{self, Reading};

/// How much of a value is shown to people.
const SHOWN_CHARS: usize = 120;
/// Decisions that are listed at a time.
const PAGE: u32 = 500;

/// What came of one decision.
#[derive(Serialize)]
struct Outcomes {
    decision: DecisionId,
    /// What is not as it was recorded.
    differences: Vec<Differing>,
    /// Why it could not be made again.
    #[serde(skip_serializing_if = "Option::is_none")]
    unplayed: Option<String>,
    /// What the answer is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Value>,
}

#[derive(Serialize)]
struct Differing {
    what: String,
    recorded: Value,
    replayed: Value,
}

/// Makes decisions again. The answer is no if one differs, or none could be made again.
pub(crate) async fn run(global: &Global, args: &ReplayArgs, out: Output) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let decisions = decisions(&reading, args).await?;
    let desk = Desk::open(global, &args.server).await?;
    let assembly = aside(global, args.live).await?;
    let replayed = replay_all(&reading, &desk, &assembly.node, decisions, args).await;
    assembly.close().await?;
    desk.close().await?;
    let outcomes = replayed?;
    let played = outcomes.iter().filter(|one| one.unplayed.is_none()).count();
    let differing = outcomes
        .iter()
        .filter(|one| !one.differences.is_empty())
        .count();
    let said = json!({
        "replayed": played,
        "differing": differing,
        "unplayed": outcomes.len() - played,
        "decisions": outcomes,
    });
    out.show(&said, || text(&outcomes, played, differing, out))?;
    Ok(Exit::when(played > 0 && differing == 0))
}

async fn decisions(reading: &Reading, args: &ReplayArgs) -> Outcome<Vec<Decision>> {
    if let Some(id) = &args.id {
        return Ok(vec![reading.store.decision_by_prefix(None, id).await?]);
    }
    let now = reading.clock.now();
    let resolve = |moment: Option<crate::cli::Moment>| moment.map(|moment| moment.resolve(now));
    let mut filter = DecisionFilter {
        system: args.system.clone(),
        since: resolve(args.since),
        until: resolve(args.until),
        limit: PAGE.min(args.limit),
        ..DecisionFilter::default()
    };
    let mut found: Vec<Decision> = Vec::new();
    loop {
        let page = reading.store.decisions(&filter).await?;
        let is_last = page.len() < filter.limit as usize;
        found.extend(page);
        found.truncate(args.limit as usize);
        if is_last || found.len() == args.limit as usize {
            // The earliest first, as they were made.
            found.reverse();
            return Ok(found);
        }
        filter.before = found.last().map(|decision| decision.id);
    }
}

/// A node beside the running one: it records elsewhere and reads the same parts of releases.
async fn aside(global: &Global, live: bool) -> Outcome<Assembly> {
    let workspace = workspace::load_without_secrets(global)?;
    if live {
        can_be_asked(&workspace)?;
    }
    let blobs = workspace.storage.path.clone();
    assemble_aside(workspace, Some(blobs)).await
}

/// Only the keys of providers are needed, of all secrets of a workspace.
fn can_be_asked(workspace: &Workspace) -> Outcome<()> {
    for (name, provider) in &workspace.providers {
        let unset = provider.key.as_ref().and_then(workspace::unset_variable);
        if let Some(variable) = unset {
            let message = format!(
                "provider `{name}` cannot be asked again: its key is in the environment variable \
                 `{variable}`, which is not set"
            );
            return Err(Failure::says(Exit::Usage, message));
        }
    }
    Ok(())
}

async fn replay_all(
    reading: &Reading,
    desk: &Desk,
    node: &Arc<Node>,
    decisions: Vec<Decision>,
    args: &ReplayArgs,
) -> Outcome<Vec<Outcomes>> {
    let bar = progress(Some(decisions.len() as u64), "decisions");
    let mut outcomes = Vec::with_capacity(decisions.len());
    for decision in decisions {
        let shown = desk
            .read(&reading.store, &decision, &args.purpose, "replay")
            .await?;
        outcomes.push(replay(node, decision, shown, args).await);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(outcomes)
}

async fn replay(node: &Arc<Node>, decision: Decision, shown: Shown, args: &ReplayArgs) -> Outcomes {
    let id = decision.id;
    let absence = shown.absence();
    let payload: Option<Payload> = match shown {
        Shown::Kept { payload } => Some(*payload),
        Shown::Erased { .. } | Shown::LetGo | Shown::NotKept => None,
    };
    let replay = Replay {
        decision,
        payload,
        live: args.live,
        under: args.under,
    };
    match node.replay(replay).await {
        Ok(replayed) => outcomes(id, replayed),
        Err(error) => {
            let reason = match absence {
                Some(absence) => format!("{error}: {absence}"),
                None => error.to_string(),
            };
            Outcomes {
                decision: id,
                differences: Vec::new(),
                unplayed: Some(reason),
                answer: None,
            }
        }
    }
}

fn outcomes(decision: DecisionId, replayed: Replayed) -> Outcomes {
    let differing = |difference: plimsoll_gateway::Difference| Differing {
        what: difference.what,
        recorded: difference.recorded,
        replayed: difference.replayed,
    };
    Outcomes {
        decision,
        differences: replayed.differences.into_iter().map(differing).collect(),
        unplayed: None,
        answer: replayed.answer,
    }
}

fn text(outcomes: &[Outcomes], played: usize, differing: usize, out: Output) -> String {
    let mut text = String::new();
    for one in outcomes {
        if let Some(reason) = &one.unplayed {
            text.push_str(&format!("– {}  {}\n", one.decision, printable(reason)));
            continue;
        }
        let mark = out.paint.mark(one.differences.is_empty());
        text.push_str(&format!("{mark} {}\n", one.decision));
        for difference in &one.differences {
            let (recorded, replayed) = (shown(&difference.recorded), shown(&difference.replayed));
            text.push_str(&format!(
                "    {}: {recorded} → {replayed}\n",
                difference.what
            ));
        }
    }
    let (played, differing) = (counted(played as u64, "decision"), differing);
    text.push_str(&format!("{played} made again, {differing} differ\n"));
    text
}

fn shown(value: &Value) -> String {
    let text = printable(&value.to_string());
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
