//! The report as CSV (RFC 4180): a row for each row, and the total last. Amounts are exact decimals.

use plimsoll_core::Money;
use plimsoll_core::decision::CostBasis;

use super::{Report, Row};

const COLUMNS: [&str; 35] = [
    "decisions",
    "units",
    "accepted",
    "straight_through",
    "straight_through_rate",
    "touches_per_unit",
    "total",
    "per_unit",
    "per_accepted",
    "p50",
    "p95",
    "worst",
    "units_with_unknown",
    "attempts",
    "retries",
    "retries_cost",
    "repairs",
    "repairs_cost",
    "fallbacks",
    "fallbacks_cost",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cache_saved",
    "reviews",
    "review_seconds",
    "reviews_untimed",
    "reviews_cost",
    "measured",
    "measured_cost",
    "estimated",
    "estimated_cost",
    "unknown",
    "recorded",
];

/// The report as CSV.
///
/// # Errors
/// If a row cannot be written, which memory never refuses.
pub fn csv(report: &Report) -> Result<String, ::csv::Error> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let by = report.by.iter().map(|dimension| dimension.as_str());
    writer.write_record(by.clone().chain(COLUMNS))?;
    for row in &report.rows {
        let of = report.by.iter().map(|dimension| row.of.get(dimension));
        let of = of.map(|value| value.cloned().unwrap_or_default());
        writer.write_record(of.chain(cells(row)))?;
    }
    let total = by.map(|_| "total".to_owned());
    writer.write_record(total.chain(cells(&report.total)))?;
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn cells(row: &Row) -> [String; COLUMNS.len()] {
    let rate = |rate: Option<f64>| rate.map(|rate| format!("{rate:.6}")).unwrap_or_default();
    let money = |amount: Option<Money>| amount.map(|a| a.to_string()).unwrap_or_default();
    let basis = |basis| row.basis.get(&basis).copied().unwrap_or_default();
    let (measured, estimated) = (basis(CostBasis::Measured), basis(CostBasis::Estimated));
    [
        row.decisions.to_string(),
        row.units.to_string(),
        row.accepted.to_string(),
        row.straight_through.to_string(),
        rate(row.straight_through_rate),
        rate(row.touches_per_unit),
        row.total.to_string(),
        money(row.per_unit),
        money(row.per_accepted),
        row.p50.to_string(),
        row.p95.to_string(),
        row.worst.to_string(),
        row.units_with_unknown.to_string(),
        row.attempts.to_string(),
        row.retries.to_string(),
        row.retries_cost.to_string(),
        row.repairs.to_string(),
        row.repairs_cost.to_string(),
        row.fallbacks.to_string(),
        row.fallbacks_cost.to_string(),
        row.tokens.input.to_string(),
        row.tokens.cached.to_string(),
        row.tokens.output.to_string(),
        row.tokens.reasoning.to_string(),
        row.cache_saved.to_string(),
        row.reviews.to_string(),
        row.review_seconds.to_string(),
        row.reviews_untimed.to_string(),
        row.reviews_cost.to_string(),
        measured.count.to_string(),
        measured.amount.to_string(),
        estimated.count.to_string(),
        estimated.amount.to_string(),
        basis(CostBasis::Unknown).count.to_string(),
        row.recorded.to_string(),
    ]
}
