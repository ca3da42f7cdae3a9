//! Admit: may they, now. Takes a place in the node's and the system's room, and sees that the
//! record has room; money is reserved before each paid attempt, in `answer`.
//!
//! Outcome: the places are held until the decision is finished, or it is overload.

use plimsoll_core::Code;
use plimsoll_core::manifest::Mode;

use crate::exchange::Exchange;
use crate::failure::Failure;

/// Admits the decision or fails as `overload`.
pub(crate) fn admit(ex: &mut Exchange) -> Result<(), Failure> {
    let since = ex.node.clock.elapsed();
    let most = ex.caller.criticality;
    let criticality = ex.envelope.criticality.unwrap_or(most).min(most);
    let rooms = [&ex.node.room, &ex.system.room];
    let places: Vec<_> = rooms
        .iter()
        .filter_map(|room| room.enter(criticality))
        .collect();
    let failure = if places.len() < rooms.len() {
        Some(Failure::plain(Code::TooManyInFlight))
    } else if ex.remaining().is_zero() {
        Some(Failure::plain(Code::TotalTimeout))
    } else {
        None
    };
    ex.places = places;
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
