//! Before anything is used: what is set aside in the system's budget and in the workspace's limits, and
//! the `opened` record in the journal.

use std::time::Duration;

use bytes::Bytes;
use plimsoll_core::decision::{AtMost, Cost, CostBasis, Usage};
use plimsoll_core::limits::{self, Amounts};
use plimsoll_core::record::RecordRef;
use plimsoll_core::stakes::Durability;
use plimsoll_core::{Code, ModelName, Money, Timestamp};
use plimsoll_journal::SealedPayload;
use plimsoll_spec::prices::Bound;

use crate::budget::{Reservation, unit_key};
use crate::exchange::{Exchange, Open};
use crate::failure::Failure;

/// Fewer bytes than these never make a token; used as an upper bound on a prompt's tokens.
const BYTES_PER_TOKEN_MIN: u64 = 2;

/// What was set aside for one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct SetAside {
    budget: Reservation,
    limits: Option<limits::Reservation>,
    amounts: Amounts,
    /// When that was, on the node's monotonic clock; none if nothing was called.
    began: Option<Duration>,
    /// Whether the call can cost no more than that.
    is_ceiling: bool,
    is_limited: bool,
}

impl SetAside {
    /// When it was set aside, just before the call; none if nothing was called.
    pub(crate) const fn began(&self) -> Option<Duration> {
        self.began
    }

    /// The money.
    pub(crate) const fn money(&self) -> Money {
        self.amounts.money
    }

    /// What the attempt cost as far as anybody knows who only knows that it was made: at the most what
    /// was set aside.
    pub(crate) const fn cost(&self) -> Cost {
        if self.is_ceiling {
            Cost {
                amount: self.amounts.money,
                basis: CostBasis::Estimated,
            }
        } else {
            Cost::UNKNOWN
        }
    }

    /// What the call can use at the most; none if nothing bounds it.
    pub(crate) fn at_most(&self) -> Option<AtMost> {
        self.is_ceiling.then_some(AtMost {
            input_tokens: self.amounts.tokens_in,
            output_tokens: self.amounts.tokens_out,
            money: self.amounts.money,
        })
    }

    /// How many tokens the answer may have before it is cut; none if nothing limits it.
    pub(crate) fn answer_max(&self) -> Option<u64> {
        let most = self.amounts.tokens_out;
        (self.is_limited && self.is_ceiling && most > 0).then_some(most)
    }
}

/// Sets aside what a call to `name` may use at the most, in the system's budget and in the workspace's
/// limits, or in neither. `answer_max` is the most tokens that its answer may have.
pub(crate) async fn reserve(
    ex: &mut Open,
    name: &ModelName,
    body: Option<&Bytes>,
    answer_max: Option<u64>,
) -> Result<SetAside, Failure> {
    let now = ex.now();
    let mut aside = estimate(ex, name, body, answer_max);
    aside.budget = in_budget(ex, aside.amounts.money, now)?;
    aside.is_limited = aside.budget.is_limited();
    let Some(admission) = ex.admission.as_ref().filter(|admission| admission.counts()) else {
        return Ok(aside);
    };
    let needs_end = admission.bounds_money() || admission.bounds_answers();
    let reserved = if needs_end && !aside.is_ceiling {
        Err(Failure::new(
            Code::BudgetExceeded,
            format!("what model `{name}` may use has no bound or no price, and a limit counts it"),
        ))
    } else {
        let wait = (&*ex.node.clock, ex.remaining());
        let reserved = admission.reserve(aside.amounts, now, wait).await;
        reserved.map_err(|exceeded| ex.limit_failure(*exceeded, now))
    };
    ex.note_control("limits", reserved.as_ref().err());
    match reserved {
        Ok(reserved) => {
            aside.is_limited |= needs_end;
            aside.limits = Some(reserved);
            Ok(aside)
        }
        Err(failure) => {
            if aside.budget.is_limited() {
                let ledger = ex.node.ledger(&ex.decision.system);
                ledger.settle(&aside.budget, Money::ZERO, now);
            }
            Err(failure)
        }
    }
}

fn in_budget(ex: &mut Open, estimate: Money, now: Timestamp) -> Result<Reservation, Failure> {
    let limits = &ex.system.manifest().budget;
    if limits.per_unit.is_none() && limits.per_day.is_none() {
        return Ok(Reservation::unlimited(estimate));
    }
    let ledger = ex.node.ledger(&ex.decision.system);
    let tenant = &ex.decision.tenant;
    let unit = ex.decision.unit.as_ref().map(|unit| unit_key(tenant, unit));
    let spent_before = ex
        .decision
        .attempts
        .iter()
        .map(|attempt| attempt.cost.amount)
        .sum();
    let reserved = ledger.reserve(limits, (unit.as_deref(), spent_before), estimate, now);
    let reserved = reserved.map_err(Failure::from);
    ex.note_control("budget", reserved.as_ref().err());
    reserved
}

/// What the call may use at the most. It is no ceiling if the answer has no bound or nobody knows the
/// price (which `check` refuses under a budget or a limit on money).
fn estimate(
    ex: &Open,
    name: &ModelName,
    body: Option<&Bytes>,
    answer_max: Option<u64>,
) -> SetAside {
    let talks = body.is_some();
    let amounts = Amounts {
        tokens_in: body.map_or(0, |body| body.len() as u64 / BYTES_PER_TOKEN_MIN),
        tokens_out: answer_max.unwrap_or(0),
        ..Amounts::default()
    };
    let price = ex.system.priced.get(name).and_then(|(provider, model)| {
        let (prices, at) = (&ex.snapshot.prices, ex.decision.opened_at);
        let bound = Bound {
            input_tokens: amounts.tokens_in,
            output_tokens: amounts.tokens_out,
            micros: crate::exchange::micros(ex.remaining()),
        };
        prices.ceiling(provider, model, at, bound)
    });
    SetAside {
        amounts: Amounts {
            money: price.unwrap_or(Money::ZERO),
            ..amounts
        },
        began: Some(ex.node.clock.elapsed()),
        is_ceiling: price.is_some() && (!talks || answer_max.is_some()),
        ..SetAside::default()
    }
}

/// Replaces what was set aside by what was used. What nobody knows stays set aside: it may have been
/// used.
pub(crate) fn settle(ex: &Open, aside: &SetAside, cost: Cost, usage: Option<&Usage>) {
    let is_known = cost.basis == CostBasis::Measured;
    let money = if is_known { cost.amount } else { aside.money() };
    let now = ex.now();
    if aside.budget.is_limited() {
        let ledger = ex.node.ledger(&ex.decision.system);
        ledger.settle(&aside.budget, money, now);
    }
    if let (Some(admission), Some(reserved)) = (&ex.admission, &aside.limits) {
        let tokens = |of: fn(&Usage) -> u64, set_aside| match usage {
            Some(usage) => of(usage),
            None if is_known => 0,
            None => set_aside,
        };
        let spent = Amounts {
            requests: 0,
            tokens_in: tokens(|usage| usage.input_tokens, aside.amounts.tokens_in),
            tokens_out: tokens(|usage| usage.output_tokens, aside.amounts.tokens_out),
            money,
        };
        admission.settle(reserved, &spent, now);
    }
}

/// Writes the `opened` record, once. With a durable record and a stream it is on disk before the
/// stream's first byte.
pub(crate) async fn open(ex: &mut Exchange, reserved: Money) -> Result<(), Failure> {
    if ex.opened || ex.is_rehearsal() {
        return Ok(());
    }
    write(ex, reserved, None).await
}

/// Writes the `opened` record of a decision that a person is to look at, with what models have said so
/// far: a restart may lie between now and the answer.
pub(crate) async fn open_for_review(ex: &mut Exchange) -> Result<(), Failure> {
    let Some(bytes) = crate::payload::so_far(ex) else {
        return open(ex, Money::ZERO).await;
    };
    let (tenant, id) = (&ex.decision.tenant, ex.decision.id);
    let sealed = ex.node.journal.seal(tenant, id, &bytes);
    let (reference, sealed) = sealed.map_err(|_| Failure::plain(Code::RecordUnavailable))?;
    ex.decision.payload = Some(reference);
    write(ex, Money::ZERO, Some(sealed)).await
}

async fn write(
    ex: &mut Exchange,
    reserved: Money,
    sealed: Option<SealedPayload>,
) -> Result<(), Failure> {
    let patience = ex.remaining();
    let decision = &ex.decision;
    let record = RecordRef::Opened { decision, reserved };
    let ticket = ex.node.append(record, sealed, patience).await;
    let ticket = ticket.map_err(Failure::from)?;
    ex.opened = true;
    if ex.decision.stream && ex.system.manifest().record == Durability::Durable {
        let synced = ticket.durable().await;
        synced.map_err(|_| Failure::plain(Code::RecordUnavailable))?;
    }
    Ok(())
}
