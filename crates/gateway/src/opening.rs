//! Before money is spent: the reservation in the ledger and the `opened` record in the journal.

use bytes::Bytes;
use plimsoll_core::decision::Cost;
use plimsoll_core::manifest::ModelSpec;
use plimsoll_core::record::RecordRef;
use plimsoll_core::stakes::Durability;
use plimsoll_core::{Code, ModelName, Money};
use plimsoll_journal::SealedPayload;

use crate::budget::Reservation;
use crate::exchange::{Exchange, Open};
use crate::failure::Failure;

/// Fewer bytes than these never make a token; used as an upper bound on a prompt's tokens.
const BYTES_PER_TOKEN_MIN: u64 = 2;

/// Sets aside what a call to `name` may cost at the most.
pub(crate) fn reserve(
    ex: &mut Open,
    name: &ModelName,
    body: Option<&Bytes>,
) -> Result<Reservation, Failure> {
    let limits = &ex.system.manifest().budget;
    let estimate = ceiling(ex, name, body);
    if limits.per_unit.is_none() && limits.per_day.is_none() {
        return Ok(Reservation::unlimited(estimate));
    }
    let since = ex.node.clock.elapsed();
    let ledger = ex.node.ledger(&ex.decision.system);
    let tenant = &ex.decision.tenant;
    let unit = ex
        .decision
        .unit
        .as_ref()
        .map(|unit| format!("{tenant} {unit}"));
    let spent_before = ex
        .decision
        .attempts
        .iter()
        .map(|attempt| attempt.cost.amount)
        .sum();
    let now = ex.node.clock.now();
    let reserved = ledger.reserve(limits, (unit.as_deref(), spent_before), estimate, now);
    let reserved = reserved.map_err(Failure::from);
    ex.note_control("budget", since, reserved.as_ref().err());
    reserved
}

/// What the call may cost at the most; zero if nobody can say (which `check` refuses under a limit).
fn ceiling(ex: &Open, name: &ModelName, body: Option<&Bytes>) -> Money {
    let Some((provider, model)) = ex.system.priced.get(name) else {
        return Money::ZERO;
    };
    let output_tokens = match ex.system.manifest().models.get(name) {
        Some(ModelSpec::Openai(spec)) => spec.max_output_tokens.map_or(0, u64::from),
        _ => 0,
    };
    let input_tokens = body.map_or(0, |body| body.len() as u64 / BYTES_PER_TOKEN_MIN);
    let (prices, at) = (&ex.snapshot.prices, ex.decision.opened_at);
    let ceiling = prices.ceiling(provider, model, at, input_tokens, output_tokens);
    ceiling.unwrap_or(Money::ZERO)
}

/// Replaces what was set aside by what was spent.
pub(crate) fn settle(ex: &Open, reservation: &Reservation, spent: Cost) {
    if reservation.is_limited() {
        let now = ex.node.clock.now();
        ex.node
            .ledger(&ex.decision.system)
            .settle(reservation, spent.amount, now);
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
