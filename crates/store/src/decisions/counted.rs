//! Rows of decisions, read for what they count for.

use plimsoll_core::Timestamp;
use plimsoll_core::decision::CostBasis;

use crate::database::Row;
use crate::error::StoreError;
use crate::rollup::Sample;
use crate::sql::{column, parse};

/// The columns that [`sample`] reads, for a statement.
macro_rules! sample_columns {
    () => {
        "drill, tenant, system, environment, release, opened_at, outcome, kind, micros, review, \
         cost_pico, cost_basis, unit, attempts, input_tokens, output_tokens, skipped"
    };
}
pub(crate) use sample_columns;

/// What a row counts for, whose columns from `first` on are those of [`sample_columns`]; none if it is
/// part of a drill.
pub(crate) fn sample(row: &Row, first: usize) -> Result<Option<Sample>, StoreError> {
    let text = |index| column::<Option<&str>>(row, first + index);
    let number = |index| column::<Option<i64>>(row, first + index);
    if text(0)?.is_some() {
        return Ok(None);
    }
    let outcome = text(6)?.map(|text| parse("outcome", text)).transpose()?;
    let has_review = text(9)?.is_some();
    Ok(Some(Sample {
        tenant: parse("tenant", column(row, first + 1)?)?,
        system: parse("system", column(row, first + 2)?)?,
        environment: parse("environment", column(row, first + 3)?)?,
        release: parse("release", column(row, first + 4)?)?,
        opened_at: Timestamp::from_micros(column(row, first + 5)?),
        outcome,
        kind: text(7)?
            .map(|text| parse("failure kind", text))
            .transpose()?,
        micros: number(8)?.and_then(|micros| u64::try_from(micros).ok()),
        has_cost: outcome.is_some() || has_review,
        cost: column(row, first + 10)?,
        basis: basis(column(row, first + 11)?),
        unit: text(12)?.map(str::to_owned),
        attempts: column(row, first + 13)?,
        input_tokens: number(14)?.unwrap_or(0),
        output_tokens: number(15)?.unwrap_or(0),
        skipped: column(row, first + 16)?,
    }))
}

/// How a cost is known, in one word, as it is stored.
pub(crate) const fn basis_word(basis: CostBasis) -> &'static str {
    match basis {
        CostBasis::Measured => "measured",
        CostBasis::Estimated => "estimated",
        CostBasis::Unknown => "unknown",
    }
}

fn basis(word: &str) -> CostBasis {
    match word {
        "measured" => CostBasis::Measured,
        "estimated" => CostBasis::Estimated,
        _ => CostBasis::Unknown,
    }
}
