//! Admit: may they, now. Takes a place in the node's and the system's room, and sees that the
//! record has room; money is reserved before each paid attempt, in `answer`.
//!
//! Outcome: the places are held until the decision is finished, or it is overload.

use plimsoll_core::Code;
use plimsoll_core::manifest::Mode;

use crate::exchange::{Exchange, Open};
use crate::failure::Failure;

/// Admits the decision or fails as `overload`.
pub(crate) fn admit(ex: &mut Exchange) -> Result<(), Failure> {
    let since = ex.node.clock.elapsed();
    let failure = match &ex.rehearsal {
        Some(rehearsal) => rehearsal.admission(),
        None => enter(ex),
    };
    ex.note_control("admission", since, failure.as_ref());
    ex.decision.stages.admit = ex.micros_since(since);
    match failure {
        Some(failure) if ex.decision.mode == Mode::Enforce => Err(failure),
        Some(failure) => {
            ex.decision.observed.push(failure.code());
            Ok(())
        }
        None => Ok(()),
    }
}

/// Takes the places, or says why there are none.
fn enter(ex: &mut Open) -> Option<Failure> {
    let most = ex.caller.criticality;
    let criticality = ex.envelope.criticality.unwrap_or(most).min(most);
    let rooms = [&ex.node.room, &ex.system.room];
    let places: Vec<_> = rooms
        .iter()
        .filter_map(|room| room.enter(criticality))
        .collect();
    let is_full = places.len() < rooms.len();
    ex.places = places;
    if is_full {
        return Some(Failure::plain(Code::TooManyInFlight));
    }
    let is_late = ex.remaining().is_zero();
    is_late.then(|| Failure::plain(Code::TotalTimeout))
}
