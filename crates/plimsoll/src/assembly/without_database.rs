//! What a node's own journal says of the time before a start, for a start while the shared database is away.
//!
//! It knows what this node deployed, which keys it gave, and what it spent today. What other nodes said, a
//! halt too, is taken in once the database is back. A node whose journal does not say what stands of each of
//! its systems does not start: it would deploy what its files say over what others decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use plimsoll_core::keyring::Keyring;
use plimsoll_core::ports::UnitSpent;
use plimsoll_core::{Decision, Money, Record, SystemName, TenantName, Timestamp};
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
    let mut units = Units::new();
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
            Record::Closed(decision) => {
                if decision.opened_at >= midnight {
                    spend(&mut known.recorded, workspace, &decision);
                }
                spend_on_unit(&mut units, workspace, &decision);
            }
            _ => {}
        }
    }
    for ((system, tenant, unit), (spent, last_at)) in units {
        let unit = UnitSpent {
            tenant,
            unit,
            spent,
            last_at,
        };
        known
            .recorded
            .spent_on_units
            .entry(system)
            .or_default()
            .push(unit);
    }
    Ok(known)
}

/// What units have cost, by system, tenant and name, and when they were last worked on.
type Units = BTreeMap<(SystemName, TenantName, String), (Money, Timestamp)>;

/// The most units that are gathered, past which the first by name makes room; a ledger remembers no more.
const UNITS_MAX: usize = 100_000;

fn spend_on_unit(units: &mut Units, workspace: &Workspace, decision: &Decision) {
    let system = workspace.systems.get(&decision.system);
    let is_limited = system.is_some_and(|system| system.manifest.budget.per_unit.is_some());
    let Some(unit) = decision.unit.clone().filter(|_| is_limited) else {
        return;
    };
    let key = (decision.system.clone(), decision.tenant.clone(), unit);
    if units.len() >= UNITS_MAX && !units.contains_key(&key) {
        units.pop_first();
    }
    let spent = units
        .entry(key)
        .or_insert((Money::ZERO, decision.opened_at));
    spent.0 += decision.cost.amount;
    spent.1 = spent.1.max(decision.opened_at);
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
