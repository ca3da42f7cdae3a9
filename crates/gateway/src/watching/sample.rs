//! A sample of what production asked and answered, for scorers: a hash of a decision's id says whether it belongs.
//!
//! Input and answer are taken from memory, so that the sample does not depend on what payloads are kept, and
//! wait in a bounded queue. Where that is full, or an input is too large, the decision is left out and counted:
//! serving never waits for a scorer.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use plimsoll_core::sampling::is_sampled;
use plimsoll_core::{Decision, Outcome, SystemName};
use serde_json::Value;

use crate::answer::{Answer, Request};
use crate::exchange::Open;
use crate::node::Node;
use crate::payload::output;

/// Answers that may wait to be scored.
const WAITING_MAX: usize = 256;
/// The largest input that is taken, in bytes.
const INPUT_BYTES_MAX: usize = 1024 * 1024;
/// What the hash begins with: the same sample on every node.
const SEED: u64 = 0;

/// What one decision was asked and has answered.
#[derive(Clone, PartialEq, Debug)]
pub struct Sampled {
    /// The decision, closed.
    pub decision: Box<Decision>,
    /// What was asked, as models were asked it: with placeholders where it was redacted.
    pub input: Value,
    /// What was answered, as models gave it: with placeholders where input was redacted.
    pub output: Value,
}

/// What waits to be scored.
#[derive(Default)]
pub(crate) struct Sample {
    shares: ArcSwap<BTreeMap<SystemName, f64>>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    sampled: Vec<Sampled>,
    left_out: BTreeMap<SystemName, u64>,
}

/// Keeps the input of a decision of the sample, once it is screened: what guards did not pass is shown to nobody.
pub(crate) fn keep(ex: &mut Open, request: &Request) {
    let shares = ex.node.watching.sample.shares.load();
    if shares.is_empty() || ex.decision.made_for().is_some() || ex.is_rehearsal() {
        return;
    }
    let share = shares.get(&ex.decision.system).copied();
    if share.is_some_and(|share| is_sampled(SEED, ex.decision.id, share)) {
        ex.sampled = Some(request.inputs());
    }
}

/// Lets the answer to a decision of the sample wait for its scorers.
pub(crate) fn note(open: &mut Open, answer: Option<&Answer>) {
    let (Some(input), Some(answer)) = (open.sampled.take(), answer) else {
        return;
    };
    let is_given = matches!(
        open.decision.outcome,
        Some(Outcome::Served | Outcome::Repaired | Outcome::FellBack)
    );
    if !is_given {
        return;
    }
    let is_large = input.to_string().len() > INPUT_BYTES_MAX;
    let mut waiting = open.node.watching.sample.waiting.lock();
    if is_large || waiting.sampled.len() >= WAITING_MAX {
        let system = open.decision.system.clone();
        *waiting.left_out.entry(system).or_default() += 1;
        return;
    }
    waiting.sampled.push(Sampled {
        decision: open.decision.clone(),
        input,
        output: output(answer),
    });
}

impl Node {
    /// From now on these shares of the systems' decisions are sampled.
    pub fn sample(&self, shares: BTreeMap<SystemName, f64>) {
        self.watching.sample.shares.store(Arc::new(shares));
    }

    /// At most so many of the answers that wait to be scored, the earliest first, and how many were left out since
    /// the last time, by system.
    pub fn sampled(&self, most: usize) -> (Vec<Sampled>, BTreeMap<SystemName, u64>) {
        let mut waiting = self.watching.sample.waiting.lock();
        let most = most.min(waiting.sampled.len());
        let sampled = waiting.sampled.drain(..most).collect();
        (sampled, std::mem::take(&mut waiting.left_out))
    }

    /// The share of the node's room that is taken: what may wait does while it is high.
    pub fn busy(&self) -> f64 {
        f64::from(self.room.taken())
            / f64::from(self.workspace.lock().served.server.in_flight_max.max(1))
    }
}
