//! What is counted of one decision. It is the same whether it comes from the decision or from its row:
//! only so can what a row counted for be taken back.

use plimsoll_core::decision::{AttemptRecord, CostBasis, Verdict};
use plimsoll_core::{
    Decision, EnvironmentName, FailureKind, Outcome, ReleaseId, SystemName, TenantName, Timestamp,
};

use crate::sql::signed;

/// What is counted of one decision that is not part of a drill.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Sample {
    pub(crate) tenant: TenantName,
    pub(crate) system: SystemName,
    pub(crate) environment: EnvironmentName,
    pub(crate) release: ReleaseId,
    pub(crate) opened_at: Timestamp,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) kind: Option<FailureKind>,
    pub(crate) micros: Option<u64>,
    /// Whether it has a cost of its own: what is open has none unless it waits for a person.
    pub(crate) has_cost: bool,
    pub(crate) cost: i64,
    pub(crate) basis: CostBasis,
    pub(crate) unit: Option<String>,
    pub(crate) attempts: i64,
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) skipped: i64,
}

impl Sample {
    /// None for a decision of a drill.
    pub(crate) fn of(decision: &Decision) -> Option<Self> {
        if decision.made_for().is_some() {
            return None;
        }
        let (input_tokens, output_tokens) = tokens(&decision.attempts).unwrap_or_default();
        Some(Self {
            tenant: decision.tenant.clone(),
            system: decision.system.clone(),
            environment: decision.environment.clone(),
            release: decision.release,
            opened_at: decision.opened_at,
            outcome: decision.outcome,
            kind: decision.kind,
            micros: decision.total_micros(),
            has_cost: decision.outcome.is_some() || decision.review.is_some(),
            cost: pico(decision),
            basis: decision.cost.basis,
            unit: decision.unit.clone(),
            attempts: i64::try_from(decision.attempts.len()).unwrap_or(i64::MAX),
            input_tokens,
            output_tokens,
            skipped: skipped(decision),
        })
    }
}

/// The tokens of all attempts, read and written, as limits count them; none if there are none to count.
pub(crate) fn tokens(attempts: &[AttemptRecord]) -> Option<(i64, i64)> {
    attempts
        .iter()
        .filter_map(AttemptRecord::counted_tokens)
        .fold(None, |sum, (read, written)| {
            let (input, output) = sum.unwrap_or((0, 0));
            Some((
                signed(read).saturating_add(input),
                signed(written).saturating_add(output),
            ))
        })
}

/// The cost in 10⁻¹². SQLite's integers end at nine million of the currency for one decision; the record
/// has the exact amount.
pub(crate) fn pico(decision: &Decision) -> i64 {
    let pico = decision.cost.amount.as_pico();
    i64::try_from(pico).unwrap_or(if pico < 0 { i64::MIN } else { i64::MAX })
}

/// How many configured controls did not run.
pub(crate) fn skipped(decision: &Decision) -> i64 {
    let skipped = decision
        .controls
        .iter()
        .filter(|control| control.verdict == Verdict::Skipped);
    i64::try_from(skipped.count()).unwrap_or(i64::MAX)
}
