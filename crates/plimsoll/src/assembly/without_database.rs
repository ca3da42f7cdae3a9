//! What a node's own journal says of the time before a start, for a start while the shared database is away.
//!
//! It knows what this node deployed, which keys it gave, and what it spent today. What other nodes said, a
//! halt too, is taken in once the database is back. A node whose journal does not say what stands of each of
//! its systems does not start: it would deploy what its files say over what others decided.

use std::sync::Arc;

use anyhow::Context as _;
use plimsoll_core::keyring::Keyring;
use plimsoll_core::{Decision, Record, Timestamp};
use plimsoll_gateway::Recorded;
use plimsoll_journal::{Journal, JournalError};
use plimsoll_spec::Workspace;

use super::DAY_MICROS;
use crate::exit::{Exit, Exits as _, Failure, Outcome};

/// What the journal knows.
#[derive(Default)]
pub(super) struct Known {
    pub(super) recorded: Recorded,
    pub(super) keyring: Keyring,
}

/// Reads the whole journal.
pub(super) async fn read(
    journal: &Arc<Journal>,
    workspace: &Workspace,
    now: Timestamp,
) -> Outcome<Known> {
    let (journal, asked) = (Arc::clone(journal), workspace.clone());
    let reading = tokio::task::spawn_blocking(move || fold(&journal, &asked, now));
    let known = reading.await.or_exit(Exit::Internal)?;
    let known = known
        .context("the journal could not be read to its end")
        .or_exit(Exit::Data)?;
    let mut systems = workspace.systems.keys();
    let unknown = systems.find(|name| !known.recorded.standings.contains_key(*name));
    if let Some(name) = unknown {
        let message = format!(
            "the database is away, and this node's journal does not say what stands of system `{name}`: \
             start it once the database answers"
        );
        return Err(Failure::says(Exit::Data, message));
    }
    Ok(known)
}

fn fold(journal: &Journal, workspace: &Workspace, now: Timestamp) -> Result<Known, JournalError> {
    let mut known = Known::default();
    let micros = now.as_micros();
    let midnight = Timestamp::from_micros(micros - micros.rem_euclid(DAY_MICROS));
    let server = &workspace.server;
    for record in journal.reader(0) {
        let record = match record {
            Ok((_, record)) => record,
            // What is damaged was told at the start, and is passed by.
            Err(JournalError::Damaged(_) | JournalError::Record { .. }) => continue,
            Err(error) => return Err(error),
        };
        match record {
            Record::Deployment(event) if event.environment == server.environment => {
                known.recorded.take_in(&server.node, &event);
            }
            Record::Key(event) => {
                known.keyring.note_key(&event);
            }
            Record::Tenant(event) => {
                known.keyring.note_tenant(&event);
            }
            Record::Closed(decision) if decision.opened_at >= midnight => {
                spend(&mut known.recorded, workspace, &decision);
            }
            _ => {}
        }
    }
    Ok(known)
}

fn spend(recorded: &mut Recorded, workspace: &Workspace, decision: &Decision) {
    let system = workspace.systems.get(&decision.system);
    let is_limited = system.is_some_and(|system| system.manifest.budget.per_day.is_some());
    if is_limited {
        let spent = recorded
            .spent_today
            .entry(decision.system.clone())
            .or_default();
        *spent += decision.cost.amount;
    }
}
