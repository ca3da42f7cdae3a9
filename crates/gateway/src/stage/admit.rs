//! Admit: may they, now. Takes a place in the node's and the system's room, and a passage through the
//! workspace's limits; tokens and money are reserved before each paid attempt, in `answer`.
//!
//! Outcome: the places are held until the decision is finished, or it is overload. Limits belong to the
//! workspace and not to a system: they hold in observe mode too.

use plimsoll_core::Code;
use plimsoll_core::manifest::Mode;

use crate::exchange::{Exchange, Open};
use crate::failure::Failure;
use crate::limiting;

/// Admits the decision or fails as `overload`.
pub(crate) async fn admit(ex: &mut Exchange) -> Result<(), Failure> {
    let since = ex.lapped;
    let failure = match &ex.rehearsal {
        Some(rehearsal) => rehearsal.admission(),
        None => enter(ex).await,
    };
    ex.note_control("admission", failure.as_ref());
    ex.decision.stages.admit = ex.micros_since(since);
    match failure {
        Some(failure) if ex.decision.mode == Mode::Enforce || failure.is_limit() => Err(failure),
        Some(failure) => {
            ex.decision.observed.push(failure.code());
            Ok(())
        }
        None => Ok(()),
    }
}

/// Takes the places, or says why there are none.
async fn enter(ex: &mut Open) -> Option<Failure> {
    let most = ex.caller.criticality;
    let criticality = ex.envelope.criticality.unwrap_or(most).min(most);
    let rooms = [&ex.node.room, &ex.system.room];
    let places: Vec<_> = rooms
        .iter()
        .filter_map(|room| room.enter(criticality))
        .collect();
    let is_full = places.len() < rooms.len();
    ex.places = places;
    let observes = ex.decision.mode == Mode::Observe;
    if !is_full || observes {
        let passed = pass_limits(ex).await;
        if let Err(failure) = passed {
            return Some(failure);
        }
    }
    if is_full {
        return Some(Failure::plain(Code::TooManyInFlight));
    }
    let is_late = ex.remaining().is_zero();
    is_late.then(|| Failure::plain(Code::TotalTimeout))
}

/// Takes a passage through the limits of the workspace. A session's own time bounds the decision too.
async fn pass_limits(ex: &mut Open) -> Result<(), Failure> {
    let now = ex.now();
    let wait = (&*ex.node.clock, ex.remaining());
    let who = limiting::who(&ex.caller, &ex.decision);
    let admission = ex.node.limiter.enter(&who, now, wait).await;
    let admission = admission.map_err(|exceeded| ex.limit_failure(*exceeded, now))?;
    if let Some(until) = admission.until() {
        ex.deadline = ex.deadline.min(ex.lapped + until.since(now));
    }
    if let Some(standings) = &ex.standings {
        standings.note(admission.stands());
    }
    ex.admission = Some(admission);
    Ok(())
}
