//! Why a system's models are not asked as usual: a person stepped in, or the node hears nothing from
//! its control plane.
//!
//! A system has one switch, which its releases share. Each decision reads it once, when it begins: a
//! switch that is thrown holds for the next decision, also of a batch that is under way. Decisions that
//! began before go on to their end, and so do streams.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use plimsoll_core::Code;
use plimsoll_core::deployment::Halt;

use crate::exchange::micros;
use crate::failure::Failure;

/// What the intervention in force says; nothing if there is none.
#[derive(Debug, Default)]
pub(crate) struct Switch(AtomicU8);

impl Switch {
    /// Throws it.
    pub(crate) fn throw(&self, to: Option<Halt>) {
        let position = match to {
            None | Some(Halt::Resumed) => 0,
            Some(Halt::Halted) => 1,
            Some(Halt::Fallback) => 2,
        };
        self.0.store(position, Ordering::Release);
    }

    /// Where it stands.
    pub(crate) fn position(&self) -> Option<Halt> {
        match self.0.load(Ordering::Acquire) {
            1 => Some(Halt::Halted),
            2 => Some(Halt::Fallback),
            _ => None,
        }
    }
}

/// What a node does that hears nothing from its control plane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ControlLoss {
    /// After how long without a word the control plane counts as lost.
    pub after: Duration,
    /// Whether every system is then halted, or else goes on as it was.
    pub halt: bool,
}

impl Default for ControlLoss {
    /// A node on its own, which waits for nobody's word.
    fn default() -> Self {
        Self {
            after: Duration::MAX,
            halt: false,
        }
    }
}

/// When the node last heard from its control plane.
#[derive(Debug)]
pub(crate) struct Control {
    loss: ControlLoss,
    /// Microseconds on the node's monotonic clock.
    heard: AtomicU64,
}

impl Control {
    /// A node that starts has just heard.
    pub(crate) fn new(loss: ControlLoss, now: Duration) -> Self {
        Self {
            loss,
            heard: AtomicU64::new(micros(now)),
        }
    }

    /// Notes that the control plane was heard. `now` is on the node's monotonic clock.
    pub(crate) fn heard(&self, now: Duration) {
        self.heard.fetch_max(micros(now), Ordering::AcqRel);
    }

    /// For how long nothing was heard.
    pub(crate) fn silence(&self, now: Duration) -> Duration {
        now.saturating_sub(Duration::from_micros(self.heard.load(Ordering::Acquire)))
    }

    /// Whether the control plane counts as lost.
    pub(crate) fn is_lost(&self, now: Duration) -> bool {
        self.silence(now) > self.loss.after
    }

    /// Whether it is lost and systems are to halt then.
    pub(crate) fn halts(&self, now: Duration) -> bool {
        self.loss.halt && self.is_lost(now)
    }
}

/// What a decision does instead of asking the primary model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stop {
    pub(crate) to: Halt,
    pub(crate) code: Code,
}

impl Stop {
    /// What holds for a decision that begins now. A person's halt comes before a lost control plane,
    /// and that before a person's fallback: the stricter holds.
    pub(crate) fn now(switch: &Switch, control: &Control, now: Duration) -> Option<Self> {
        let thrown = switch.position();
        if thrown != Some(Halt::Halted) && control.halts(now) {
            return Some(Self {
                to: Halt::Halted,
                code: Code::ControlLost,
            });
        }
        let code = Code::SystemHalted;
        thrown.map(|to| Self { to, code })
    }

    /// The failure that enters the ladder; its finding says what was ordered.
    pub(crate) fn failure(self) -> Failure {
        let mut failure = Failure::plain(self.code);
        failure.finding = Some(self.to.as_str().to_owned());
        failure
    }

    /// Whether no model is asked at all.
    pub(crate) fn is_halt(self) -> bool {
        self.to == Halt::Halted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn control(halt: bool) -> Control {
        let loss = ControlLoss {
            after: 10 * SECOND,
            halt,
        };
        Control::new(loss, Duration::ZERO)
    }

    #[test]
    fn the_stricter_of_two_reasons_holds() {
        let (switch, control) = (Switch::default(), control(true));
        let codes = |at| Stop::now(&switch, &control, at).map(|stop| (stop.to, stop.code));
        assert_eq!(codes(10 * SECOND), None);
        assert_eq!(codes(11 * SECOND), Some((Halt::Halted, Code::ControlLost)));
        switch.throw(Some(Halt::Fallback));
        assert_eq!(codes(SECOND), Some((Halt::Fallback, Code::SystemHalted)));
        assert_eq!(codes(11 * SECOND), Some((Halt::Halted, Code::ControlLost)));
        switch.throw(Some(Halt::Halted));
        assert_eq!(codes(11 * SECOND), Some((Halt::Halted, Code::SystemHalted)));
        switch.throw(Some(Halt::Resumed));
        control.heard(5 * SECOND);
        assert_eq!(codes(15 * SECOND), None);
    }

    #[test]
    fn a_node_that_is_to_serve_halts_nothing_however_long_the_silence() {
        let control = control(false);
        assert!(control.is_lost(11 * SECOND) && !control.halts(11 * SECOND));
        assert_eq!(Stop::now(&Switch::default(), &control, 11 * SECOND), None);
    }
}
