//! The slices that a member of a limit holds of what several nodes share: see [`lease`](super::lease).

use std::sync::Arc;

use super::lease::Ask;

/// For how long the keeper's word that nothing is left holds, so that refusals do not hammer it: µs.
const REFUSED_FOR: i64 = 250_000;
/// After so many reports without use the rest of a slice is given back.
const IDLE_MAX: u8 = 4;
/// How much is held ahead, in times of what was used since the last report.
const AHEAD: u64 = 4;

/// All slices of one member: one for each ceiling, in order, and one for its places under way.
#[derive(Debug)]
pub(super) struct Slices {
    pub(super) tag: Arc<str>,
    pub(super) member: String,
    pub(super) slices: Box<[Slice]>,
}

/// What a node holds of one counter in its current window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slice {
    /// Up to how much the node may have used, in the amounts of the tree.
    granted: i128,
    /// Until when, by how long the node has run.
    until: i64,
    /// When the keeper answered last, and what nobody held then, in the amounts of the tree.
    answered: Option<i64>,
    room: i128,
    /// When it was asked for what was answered last.
    asked: i64,
    /// What waits for more, in the amounts of the tree.
    need: i128,
    /// What was last reported as used, in units; none if nothing was in this window and epoch.
    reported: Option<u64>,
    recent: u64,
    idle: u8,
    /// How much was wanted when it was last asked for more, in the amounts of the tree.
    goal: i128,
    /// Whether it stands in the list of what has to be reported.
    pub(super) is_listed: bool,
}

/// Whether a slice has enough for one more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Draw {
    /// It has; `low` if more should be fetched ahead of need.
    Fits { low: bool },
    /// It has not, and nobody knows of more: this much is left in all.
    Exceeds { left: i128 },
    /// It has not, and the keeper may have more.
    Short,
}

impl Slices {
    /// Whether the keeper has to be told of one that it answered for before.
    pub(super) fn are_listed(&self) -> bool {
        let known = |slice: &&Slice| slice.is_listed && slice.reported.is_some();
        self.slices.iter().any(|slice| known(&slice))
    }

    /// Has those slices from now on that stand at these places, and new ones where none does.
    pub(super) fn move_to(&mut self, places: &[Option<usize>]) {
        let moved = |place: &Option<usize>| {
            let slice = place.and_then(|place| self.slices.get(place));
            Slice {
                is_listed: false,
                ..slice.copied().unwrap_or_default()
            }
        };
        self.slices = places.iter().map(moved).collect();
    }
}

impl Slice {
    /// Forgets what belonged to a window that is over.
    pub(super) fn begin_anew(&mut self) {
        *self = Self {
            is_listed: self.is_listed,
            ..Self::default()
        };
    }

    /// What may be spent without asking.
    fn left(&self, used: i128, now: i64) -> i128 {
        if self.until > now {
            (self.granted - used).max(0)
        } else {
            0
        }
    }

    /// What is left in all, as far as this node knows.
    pub(super) fn left_in_all(&self, used: i128, now: i64) -> i128 {
        self.left(used, now) + self.room
    }

    /// Whether `wanted` more may be used.
    pub(super) fn draw(&mut self, wanted: i128, used: i128, now: i64) -> Draw {
        let left = self.left(used, now);
        if wanted <= left {
            let low = (left - wanted) * 2 < self.goal && self.room > 0;
            return Draw::Fits { low };
        }
        let fresh = |answered: i64| now < answered.saturating_add(REFUSED_FOR);
        let is_fresh = self.answered.is_some_and(fresh);
        if is_fresh && wanted > left + self.room {
            return Draw::Exceeds {
                left: left + self.room,
            };
        }
        self.need += wanted;
        Draw::Short
    }

    /// What to tell the keeper: fills in what was used, what is held and what is wanted; false if it need
    /// not be told anything. With `grows` false nothing more is asked for.
    pub(super) fn report(
        &mut self,
        ask: &mut Ask,
        (unit, used): (i128, i128),
        (now, renew): (i64, i64),
        grows: bool,
    ) -> bool {
        ask.used = super::lease::units_up(used, unit);
        let floor = i128::from(ask.used) * unit;
        let held = super::lease::units(self.left(floor, now), unit);
        let spent = ask.used.saturating_sub(self.reported.unwrap_or(0));
        self.recent = spent.max(self.recent / 2);
        let is_idle = spent == 0 && self.need == 0;
        self.idle = if is_idle {
            self.idle.saturating_add(1)
        } else {
            0
        };
        ask.need = super::lease::units_up(self.need, unit);
        ask.want = match self.idle {
            0..IDLE_MAX => self.recent.saturating_mul(AHEAD),
            _ => 0,
        };
        ask.hold = held;
        if !grows {
            (ask.need, ask.want) = (0, held);
        } else if self.idle >= IDLE_MAX || held / 4 > ask.want.max(ask.need) {
            ask.hold = held.min(ask.want);
        }
        let is_known = self.reported == Some(ask.used) && ask.hold == held && ask.need == 0;
        // Places under way end with the lease at the keeper, so that it is renewed for them too.
        let is_in_use = ask.is_gauge && ask.used > 0;
        if is_known && (self.until > renew || (held == 0 && !is_in_use)) {
            return false;
        }
        // What is given back is not spent any more from here on, whether the keeper hears of it or not.
        self.granted = floor + i128::from(ask.hold) * unit;
        self.goal = i128::from(ask.want) * unit;
        self.need = 0;
        true
    }

    /// Takes the keeper's answer to `ask`, which was sent at `sent`.
    pub(super) fn take(
        &mut self,
        ask: &Ask,
        (slice, room): (u64, u64),
        unit: i128,
        (sent, until, now): (i64, i64, i64),
    ) {
        // Answers may overtake each other.
        if sent < self.asked {
            return;
        }
        self.asked = sent;
        self.reported = Some(ask.used);
        self.granted = i128::from(ask.used + slice) * unit;
        self.until = until;
        self.room = i128::from(room) * unit;
        self.goal = self.goal.min(i128::from(slice) * unit);
        self.answered = Some(now);
    }

    /// Whether a request waits for more.
    pub(super) const fn is_needed(&self) -> bool {
        self.need > 0
    }

    /// Holds nothing any more, which the keeper has to be told.
    pub(super) const fn give_back(&mut self) {
        self.granted = 0;
        self.reported = None;
    }

    /// Notes that the keeper knows nothing of it.
    pub(super) const fn unreport(&mut self) {
        self.reported = None;
    }

    /// Whether anything is held or waited for, or is a place under way, so that it has to be looked at again.
    pub(super) const fn is_held(&self, used: i128, is_gauge: bool) -> bool {
        self.granted > used || self.need > 0 || (is_gauge && used > 0)
    }

    /// Whether the keeper does not know all that was used.
    pub(super) fn is_unreported(&self, used: u64) -> bool {
        // What was never reported was never granted: it is what others in a folded place have used.
        self.reported.is_some_and(|reported| reported != used)
    }
}
