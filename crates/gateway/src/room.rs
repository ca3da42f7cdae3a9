//! How many requests are answered at a time. Who finds no room is overload.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use plimsoll_spec::Criticality;

/// A bound on what is in flight.
pub(crate) struct Room {
    max: u32,
    taken: AtomicU32,
}

/// A place in the room, given back when dropped.
pub(crate) struct Place(Arc<Room>);

impl Room {
    pub(crate) const fn new(max: u32) -> Self {
        Self {
            max,
            taken: AtomicU32::new(0),
        }
    }

    /// Takes a place, if the share of the room that `criticality` may fill is not full.
    pub(crate) fn enter(self: &Arc<Self>, criticality: Criticality) -> Option<Place> {
        let share = u64::from(self.max) * room_percent(criticality);
        let limit = u32::try_from(share.div_ceil(100)).unwrap_or(u32::MAX);
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        (before < limit).then_some(place)
    }

    /// How many are in flight.
    pub(crate) fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// The share of a room, in percent, that requests of this criticality may fill.
const fn room_percent(criticality: Criticality) -> u64 {
    match criticality {
        Criticality::Sheddable => 80,
        Criticality::Normal => 95,
        Criticality::Critical => 100,
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_less_critical_is_turned_away_first_and_places_are_given_back() {
        let room = Arc::new(Room::new(10));
        let places: Vec<_> = (0..8)
            .filter_map(|_| room.enter(Criticality::Sheddable))
            .collect();
        assert_eq!(places.len(), 8);
        assert!(room.enter(Criticality::Sheddable).is_none());
        let critical = room.enter(Criticality::Critical);
        assert!(critical.is_some());
        drop((places, critical));
        assert_eq!(room.taken(), 0);
    }
}
