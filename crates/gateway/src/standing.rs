//! What stands where: per system, the fold over the deployment events that this node knows, its own and
//! its peers'.
//!
//! Events of several nodes come in any order and more than once. They are kept apart, in the one order
//! that all nodes agree on (when, node, id), and folded anew with each: so every node comes to the same.

mod earlier;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use plimsoll_core::deployment::{Slot, Standing};
use plimsoll_core::ports::UnitSpent;
use plimsoll_core::record::{Deployment, DeploymentCause};
use plimsoll_core::{DeploymentId, Money, NodeName, ReleaseId, SystemName, Timestamp};

pub(crate) use self::earlier::Earlier;
use crate::switch::Switch;

/// Events that are kept apart; past that the oldest become part of what later ones build on.
const EVENTS_MAX: usize = 256;

/// What the records know when a node starts.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// How each system stands in this environment: the fold over all of its events, of every node.
    pub standings: BTreeMap<SystemName, Standing>,
    /// Events of each system's stable slot, in their order, the newest last: what a rollback can go
    /// back to. As many as are at hand; the last 64 that changed anything are remembered.
    pub earlier: BTreeMap<SystemName, Vec<Deployment>>,
    /// The last event of each system that this node wrote, of whatever slot: it says what the node's
    /// files said then.
    pub own: BTreeMap<SystemName, Deployment>,
    /// What each system has spent today (UTC).
    pub spent_today: BTreeMap<SystemName, Money>,
    /// What the units of work have cost that each system with a budget for one worked on lately.
    pub spent_on_units: BTreeMap<SystemName, Vec<UnitSpent>>,
}

impl Recorded {
    /// Takes in one event of this environment, as it comes next in order; `node` is the node that starts.
    pub fn take_in(&mut self, node: &NodeName, event: &Deployment) {
        let system = || event.system.clone();
        self.standings.entry(system()).or_default().apply(event);
        if event.slot == Slot::Stable {
            self.earlier
                .entry(system())
                .or_default()
                .push(event.clone());
        }
        if event.node == *node {
            self.own.insert(system(), event.clone());
        }
    }
}

/// How one system stands, and what the next event about it needs to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) standing: Standing,
    /// The last event that this node wrote.
    pub(crate) own: Option<Deployment>,
    /// When the newest event was written: none that this node writes is older.
    newest: Option<Timestamp>,
    pub(crate) earlier: Earlier,
}

impl View {
    /// The release that most requests get.
    pub(crate) fn stable(&self) -> Option<ReleaseId> {
        self.standing.stable.as_ref().map(|stable| stable.release)
    }

    /// The release that this node's files said when it last wrote an event. Events of the first
    /// version do not tell; unless somebody had said otherwise, what was deployed was what they said.
    pub(crate) fn said(&self) -> Option<ReleaseId> {
        let own = self.own.as_ref()?;
        let deployed = (own.cause != DeploymentCause::Command).then_some(own.release);
        own.workspace.or(deployed)
    }

    /// The time of an event that is written now: later than all that this node knows, also when
    /// another node's clock is ahead, so that what is said now holds.
    pub(crate) fn next_time(&self, now: Timestamp) -> Timestamp {
        let after = |newest: Timestamp| newest.plus(Duration::from_micros(1));
        self.newest.map_or(now, |newest| now.max(after(newest)))
    }
}

/// How each system stands.
pub(crate) struct Standings {
    node: NodeName,
    systems: Mutex<BTreeMap<SystemName, Past>>,
}

/// What is known of one system.
#[derive(Default)]
struct Past {
    /// What stood before `events`.
    base: Standing,
    /// In their order.
    events: Vec<Deployment>,
    /// What stands after them.
    standing: Standing,
    earlier: Earlier,
    own: Option<Deployment>,
    switch: Arc<Switch>,
}

impl Standings {
    /// As the records know them.
    pub(crate) fn new(node: NodeName, mut recorded: Recorded) -> Self {
        let past = |(name, base): (SystemName, Standing)| {
            let mut earlier = Earlier::default();
            for event in recorded.earlier.remove(&name).unwrap_or_default() {
                earlier.remember(&event);
            }
            let past = Past {
                earlier,
                own: recorded.own.remove(&name),
                standing: base.clone(),
                base,
                ..Past::default()
            };
            past.switch.throw(past.standing.halted());
            (name, past)
        };
        let systems = recorded.standings.into_iter().map(past).collect();
        Self {
            node,
            systems: Mutex::new(systems),
        }
    }

    /// How `system` stands.
    pub(crate) fn view(&self, system: &SystemName) -> View {
        let systems = self.systems.lock();
        systems.get(system).map(Past::view).unwrap_or_default()
    }

    /// What stands of `system`.
    pub(crate) fn standing(&self, system: &SystemName) -> Standing {
        let systems = self.systems.lock();
        let past = systems.get(system);
        past.map(|past| past.standing.clone()).unwrap_or_default()
    }

    /// The system's switch.
    pub(crate) fn switch(&self, system: &SystemName) -> Arc<Switch> {
        let mut systems = self.systems.lock();
        Arc::clone(&systems.entry(system.clone()).or_default().switch)
    }

    /// Takes an event in, and throws the switch if it says so. `false` if it was known, or a later one
    /// has long taken its place.
    pub(crate) fn note(&self, event: &Deployment) -> bool {
        let mut systems = self.systems.lock();
        let past = systems.entry(event.system.clone()).or_default();
        let is_new = past.take_in(event);
        let is_newer = |own: &Deployment| order(own) < order(event);
        if is_new && event.node == self.node && past.own.as_ref().is_none_or(is_newer) {
            past.own = Some(event.clone());
        }
        past.switch.throw(past.standing.halted());
        is_new
    }
}

impl Past {
    fn view(&self) -> View {
        let standing = self.standing.clone();
        let times = [&standing.stable, &standing.halt]
            .into_iter()
            .flatten()
            .chain(standing.canary.as_ref().map(|canary| &canary.deployment))
            .chain(&self.events)
            .chain(&self.own);
        View {
            newest: times.map(|event| event.at).max(),
            own: self.own.clone(),
            earlier: self.earlier.clone(),
            standing,
        }
    }

    fn take_in(&mut self, event: &Deployment) -> bool {
        let place = match self
            .events
            .binary_search_by(|known| order(known).cmp(&order(event)))
        {
            Ok(_) => return false,
            Err(place) => place,
        };
        if self.is_superseded(event) {
            return false;
        }
        self.events.insert(place, event.clone());
        if event.slot == Slot::Stable {
            self.earlier.remember(event);
        }
        self.standing = self.base.clone();
        for event in &self.events {
            self.standing.apply(event);
        }
        if self.events.len() > EVENTS_MAX {
            self.base.apply(&self.events.remove(0));
        }
        true
    }

    /// Whether the event's slot was given at its time or later by an event of the base.
    fn is_superseded(&self, event: &Deployment) -> bool {
        let stands = match event.slot {
            Slot::Stable => self.base.stable.as_ref(),
            Slot::Canary { .. } => self.base.canary.as_ref().map(|canary| &canary.deployment),
            Slot::Halt { .. } => self.base.halt.as_ref(),
        };
        stands.is_some_and(|stands| order(stands) >= order(event))
    }
}

/// The order of events over several nodes.
fn order(event: &Deployment) -> (Timestamp, &NodeName, DeploymentId) {
    (event.at, &event.node, event.id)
}

#[cfg(test)]
mod tests {
    use plimsoll_core::Digest;
    use plimsoll_core::deployment::{Halt, Weight};
    use proptest::prelude::*;

    use super::*;

    fn release(number: u8) -> ReleaseId {
        ReleaseId(Digest::of(&[number]))
    }

    fn event(at: i64, node: &str, slot: Slot, number: u8) -> Deployment {
        let at = Timestamp::from_micros(at * 1000);
        Deployment {
            id: DeploymentId::new(at),
            system: SystemName::new("loan").unwrap(),
            environment: plimsoll_core::EnvironmentName::new("production").unwrap(),
            slot,
            release: release(number),
            cause: DeploymentCause::Command,
            actor: "ada".into(),
            reason: None,
            approvals: Vec::new(),
            at,
            node: NodeName::new(node).unwrap(),
            binary_version: "test".into(),
            prices: None,
            eval_sets: BTreeMap::new(),
            note: None,
            rollback_of: None,
            break_glass: false,
            workspace: None,
            binary: None,
        }
    }

    fn standings() -> Standings {
        Standings::new(NodeName::new("node-1").unwrap(), Recorded::default())
    }

    fn back_to(at: i64, number: u8) -> Deployment {
        let mut event = event(at, "node-1", Slot::Stable, number);
        event.rollback_of = Some(event.id);
        event
    }

    #[test]
    fn back_goes_past_what_was_rolled_back_before() {
        let (standings, system) = (standings(), SystemName::new("loan").unwrap());
        for number in [1, 2, 3] {
            standings.note(&event(number.into(), "node-1", Slot::Stable, number));
        }
        let before = || {
            let view = standings.view(&system);
            let before = view.earlier.before(view.stable());
            before.map(|event| event.release)
        };
        assert_eq!(before(), Some(release(2)));
        standings.note(&back_to(4, 2));
        assert_eq!(
            before(),
            Some(release(1)),
            "never forward to what was taken back"
        );
        standings.note(&back_to(5, 1));
        assert_eq!(before(), None);
        standings.note(&event(6, "node-1", Slot::Stable, 3));
        assert_eq!(before(), Some(release(1)));
    }

    #[test]
    fn starts_do_not_crowd_out_what_there_was_before() {
        let (standings, system) = (standings(), SystemName::new("loan").unwrap());
        for number in [1, 2] {
            standings.note(&event(number.into(), "node-1", Slot::Stable, number));
        }
        for at in 10..1000 {
            let mut start = event(at, "node-2", Slot::Stable, 2);
            (start.cause, start.workspace) = (DeploymentCause::Start, Some(release(2)));
            standings.note(&start);
        }
        let view = standings.view(&system);
        let before = view.earlier.before(view.stable());
        assert_eq!(before.map(|event| event.release), Some(release(1)));
    }

    #[test]
    fn what_is_written_now_is_later_than_all_that_is_known() {
        let (standings, system) = (standings(), SystemName::new("loan").unwrap());
        let ahead = event(9_000, "node-2", Slot::Stable, 1);
        standings.note(&ahead);
        let view = standings.view(&system);
        assert!(view.next_time(Timestamp::from_micros(5)) > ahead.at);
        let later = ahead.at.plus(Duration::from_secs(1));
        assert_eq!(view.next_time(later), later);
    }

    #[test]
    fn only_what_was_stable_by_the_rules_need_not_be_approved_again() {
        let (standings, system) = (standings(), SystemName::new("loan").unwrap());
        let mut forced = event(2, "node-1", Slot::Stable, 2);
        forced.break_glass = true;
        standings.note(&event(1, "node-1", Slot::Stable, 1));
        standings.note(&forced);
        let view = standings.view(&system);
        assert!(view.earlier.approved(release(1)));
        assert!(!view.earlier.approved(release(2)) && !view.earlier.approved(release(3)));
    }

    fn slots() -> impl Strategy<Value = Slot> {
        let halts = [Halt::Halted, Halt::Fallback, Halt::Resumed];
        prop_oneof![
            Just(Slot::Stable),
            prop_oneof![Just(0_u16), Just(500), Just(5000)].prop_map(|weight| Slot::Canary {
                weight: Weight::new(weight).unwrap()
            }),
            proptest::sample::select(halts.to_vec()).prop_map(|to| Slot::Halt { to }),
        ]
    }

    proptest! {
        #[test]
        fn events_in_any_order_and_more_than_once_come_to_the_same(
            made in proptest::collection::vec((0..40_i64, 0..3_usize, slots(), 1..4_u8), 1..40),
            seed: u64,
        ) {
            let nodes = ["node-1", "node-2", "node-3"];
            let mut events: Vec<Deployment> =
                made.into_iter().map(|(at, node, slot, number)| event(at, nodes[node], slot, number)).collect();
            events.sort_by(|a, b| order(a).cmp(&order(b)));
            let expected = Standing::fold(&events);
            let shuffled = |n: usize| seed.wrapping_mul(n as u64 + 1).rotate_left(n as u32 % 64);
            let mut coming: Vec<(u64, Deployment)> =
                events.iter().chain(&events).cloned().enumerate().map(|(n, e)| (shuffled(n), e)).collect();
            coming.sort_by_key(|(place, _)| *place);
            let standings = standings();
            let taken = coming.iter().filter(|(_, event)| standings.note(event)).count();
            prop_assert_eq!(taken, events.len());
            let view = standings.view(&events[0].system);
            prop_assert_eq!(&view.standing, &expected);
            let switch = standings.switch(&events[0].system).position();
            prop_assert_eq!(switch, expected.halted());
        }
    }
}
