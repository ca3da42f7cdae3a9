//! Labels: the truth about decisions, recorded as it becomes known.
//!
//! Both planes come here. A label is on disk before anybody is told that it was taken. What is another
//! tenant's is not known here, so that a label about it waits like one about a decision that nobody has seen:
//! nothing tells the two apart.

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll_core::label::{
    KnownDecision, KnownLabels, Label, LabelSource, LabelState, LabelValue, NewLabel, WAITING_MAX,
};
use plimsoll_core::ports::PortError;
use plimsoll_core::{DecisionId, EventId, LabelName, Record, SystemName, TenantName};
use plimsoll_journal::{AppendError, Ticket};

use crate::node::Node;

/// The most labels of one call.
pub const LABELS_MAX: usize = 1_000;

/// A decision's id may lie so far ahead of this node's clock: another node made it.
const AHEAD_MAX: Duration = Duration::from_mins(5);

/// Who labels, and what they may know of.
#[derive(Clone, Copy)]
pub struct Labeller<'a> {
    /// Whose decisions they are; none: each decision says whose it is, and one that is not known is
    /// `unknown_of`'s.
    pub tenant: Option<&'a TenantName>,
    /// Whose a label is that waits, where `tenant` is none.
    pub unknown_of: &'a TenantName,
    /// Which systems they may know of.
    pub may_use: &'a (dyn Fn(&SystemName) -> bool + Sync),
    /// How the labels came.
    pub through: LabelSource,
    /// Who says so.
    pub actor: &'a str,
}

/// Labels were not taken: none of the call was.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// There are too many of them.
    #[error("{0} labels are too many for one call: {LABELS_MAX} are allowed")]
    TooMany(usize),
    /// A decision that cannot have been made yet.
    #[error("decision `{0}` lies in the future: no decision has this id yet")]
    NotYet(DecisionId),
    /// As many wait as may.
    #[error(
        "{WAITING_MAX} labels wait for decisions that nobody knows: see `plimsoll label list --waiting`"
    )]
    WaitingFull,
    /// It is not known what is labelled.
    #[error(transparent)]
    Store(#[from] PortError),
    /// They could not be recorded.
    #[error("the labels could not be recorded")]
    Record(#[from] AppendError),
}

impl Node {
    /// Records labels, and comes back when they are on disk: with what became of each, in order. Of two
    /// about the same thing the later corrects the earlier; one that says what stands already is not
    /// recorded again.
    ///
    /// # Errors
    /// If one cannot be, the store does not say what stands, or the journal does not take them. Then it may
    /// be that some are recorded: to send all again does no harm.
    pub async fn label(
        &self,
        labeller: &Labeller<'_>,
        labels: Vec<NewLabel>,
    ) -> Result<Vec<LabelState>, LabelError> {
        if labels.len() > LABELS_MAX {
            return Err(LabelError::TooMany(labels.len()));
        }
        let latest = self.clock.now().plus(AHEAD_MAX);
        if let Some(label) = labels.iter().find(|l| l.decision.made_at() > latest) {
            return Err(LabelError::NotYet(label.decision));
        }
        let ids: Vec<DecisionId> = labels.iter().map(|label| label.decision).collect();
        let mut known = self.decisions.known_labels(labeller.tenant, &ids).await?;
        let decisions = std::mem::take(&mut known.decisions).into_iter();
        let (open, closed): (BTreeMap<_, _>, BTreeMap<_, _>) =
            decisions.partition(|(_, known)| (labeller.may_use)(&known.system));
        known.decisions = open;
        let is_closed = |id: &DecisionId| closed.contains_key(id);
        known.standing.retain(|(id, _, _), _| !is_closed(id));
        let is_unknown = |id: &DecisionId| !known.decisions.contains_key(id) && !is_closed(id);
        let waiting = if ids.iter().any(is_unknown) {
            let whose = labeller.tenant.unwrap_or(labeller.unknown_of);
            self.decisions.waiting_labels(whose, WAITING_MAX).await?
        } else {
            0
        };
        let settled = self.settle(labeller, (known, waiting), &is_closed, labels);
        let Settled {
            states,
            joined,
            records,
        } = settled?;
        let mut last: Option<Ticket> = None;
        for record in &records {
            last = Some(self.journal.append_waiting(record, None).await?);
        }
        if let Some(ticket) = last {
            ticket.durable().await?;
        }
        for state in &states {
            self.metrics.labelled(*state);
        }
        // What is corrected was seen before; what waits is of a system that is not known.
        for (label, decision) in &joined {
            self.note_label(decision, label);
        }
        Ok(states)
    }

    /// What becomes of each label, and what is to be recorded. A label about a decision that is closed to
    /// the labeller waits for ever: it is told like one of a decision that nobody has seen, and not recorded.
    fn settle(
        &self,
        labeller: &Labeller<'_>,
        (mut known, mut waiting): (KnownLabels, u64),
        is_closed: &dyn Fn(&DecisionId) -> bool,
        labels: Vec<NewLabel>,
    ) -> Result<Settled, LabelError> {
        let mut settled = Settled::default();
        for new in labels {
            if is_closed(&new.decision) {
                settled.states.push(LabelState::Waiting);
                continue;
            }
            let of_decision = known.decisions.get(&new.decision);
            let tenant = of_decision.map(|known| &known.tenant).or(labeller.tenant);
            let tenant = tenant.unwrap_or(labeller.unknown_of).clone();
            let is_known = of_decision.is_some();
            let state = state(&known.standing, (&new, &tenant), is_known);
            settled.states.push(state);
            if state == LabelState::Repeated {
                continue;
            }
            waiting += u64::from(!is_known);
            if !is_known && waiting > WAITING_MAX {
                return Err(LabelError::WaitingFull);
            }
            let place = (new.decision, tenant.clone(), new.name.clone());
            known.standing.insert(place, new.value.clone());
            let now = self.clock.now();
            let label = Label {
                id: EventId::new(now),
                decision: new.decision,
                tenant,
                name: new.name,
                value: new.value,
                observed_at: new.observed_at,
                through: labeller.through,
                actor: labeller.actor.to_owned(),
                at: now,
            };
            if let (LabelState::Joined, Some(decision)) = (state, of_decision) {
                settled.joined.push((label.clone(), decision.clone()));
            }
            settled.records.push(Record::Label(Box::new(label)));
        }
        Ok(settled)
    }
}

/// What becomes of labels.
#[derive(Default)]
struct Settled {
    /// Of each, in order.
    states: Vec<LabelState>,
    /// Those that are the first about their decision, with what is known of it.
    joined: Vec<(Label, KnownDecision)>,
    /// What is to be recorded.
    records: Vec<Record>,
}

type Standing = BTreeMap<(DecisionId, TenantName, LabelName), LabelValue>;

fn state(
    standing: &Standing,
    (new, tenant): (&NewLabel, &TenantName),
    is_known: bool,
) -> LabelState {
    let place = (new.decision, tenant.clone(), new.name.clone());
    match standing.get(&place) {
        Some(value) if *value == new.value => LabelState::Repeated,
        _ if !is_known => LabelState::Waiting,
        Some(_) => LabelState::Corrected,
        None => LabelState::Joined,
    }
}
