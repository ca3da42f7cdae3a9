//! The report for people.

use plimsoll_core::Money;
use plimsoll_core::decision::CostBasis;

use super::{Report, Row};
use crate::figures::{count, counted, money, percent};
use crate::paint::Paint;
use crate::table::{Align, Table};

/// The report for people; `unit` is what a unit of work is called.
pub fn render(report: &Report, unit: &str, paint: Paint) -> String {
    let mut text = format!(
        "{} to {}\n",
        &report.since[..report.since.len().min(16)],
        &report.until[..report.until.len().min(16)]
    );
    for what in &report.what_if {
        text.push_str(&format!("what if: {what}\n"));
    }
    if report.total.decisions == 0 {
        text.push_str("no decision was made in this time\n");
        return text;
    }
    text.push('\n');
    text.push_str(&table(report).render(paint));
    text.push('\n');
    for (name, said) in details(report, unit) {
        text.push_str(&format!("  {name:<12} {said}\n"));
    }
    text
}

fn table(report: &Report) -> Table {
    let mut columns: Vec<(&'static str, Align)> = report
        .by
        .iter()
        .map(|dimension| (dimension.as_str(), Align::Left))
        .collect();
    if columns.is_empty() {
        columns.push(("", Align::Left));
    }
    columns.extend([
        ("units", Align::Right),
        ("total", Align::Right),
        ("per unit", Align::Right),
        ("p50", Align::Right),
        ("p95", Align::Right),
        ("worst", Align::Right),
        ("accepted", Align::Right),
        ("per accepted", Align::Right),
        ("straight through", Align::Right),
        ("touches", Align::Right),
        ("measured", Align::Right),
    ]);
    let mut table = Table::new(&columns);
    for row in &report.rows {
        let of = report.by.iter().map(|dimension| row.of.get(dimension));
        let of = of.map(|value| value.cloned().unwrap_or_default());
        table.row(of.chain(cells(row, &report.currency)).collect());
    }
    let names = report.by.len().max(1);
    let total = (0..names).map(|place| if place == 0 { "all" } else { "" }.to_owned());
    table.row(
        total
            .chain(cells(&report.total, &report.currency))
            .collect(),
    );
    table
}

fn cells(row: &Row, currency: &str) -> [String; 11] {
    let some = |amount: Option<Money>| amount.map_or("–".to_owned(), |a| money(a, currency));
    let touches = row.touches_per_unit;
    let (measured, priced) = row.known(CostBasis::Measured);
    let share = |part, whole| {
        if whole == 0 {
            "–".to_owned()
        } else {
            percent(part, whole)
        }
    };
    [
        count(row.units),
        money(row.total, currency),
        some(row.per_unit),
        money(row.p50, currency),
        money(row.p95, currency),
        money(row.worst, currency),
        count(row.accepted),
        some(row.per_accepted),
        share(row.straight_through, row.units),
        touches.map_or("–".to_owned(), |touches| format!("{touches:.2}")),
        share(measured, priced),
    ]
}

fn details(report: &Report, unit: &str) -> Vec<(&'static str, String)> {
    let (row, currency) = (&report.total, report.currency.as_str());
    let amount = |amount| money(amount, currency);
    let mut lines = vec![(
        "work",
        format!(
            "{} in {}, {} accepted",
            counted(row.decisions, "decision"),
            counted(row.units, unit),
            count(row.accepted)
        ),
    )];
    let part = |number, what: &str, cost| format!("{} {what} {}", count(number), amount(cost));
    lines.push((
        "attempts",
        format!(
            "{} · {} · {} · {}",
            count(row.attempts),
            part(row.retries, "retries", row.retries_cost),
            part(row.repairs, "repairs", row.repairs_cost),
            part(row.fallbacks, "by a ladder", row.fallbacks_cost)
        ),
    ));
    let tokens = row.tokens;
    lines.push((
        "tokens",
        format!(
            "{} read, {} of them cached, which saved {} · {} written, {} of them reasoning",
            count(tokens.input),
            count(tokens.cached),
            amount(row.cache_saved),
            count(tokens.output),
            count(tokens.reasoning)
        ),
    ));
    if row.reviews > 0 {
        let mut said = format!(
            "{}, {} min told, {}",
            counted(row.reviews, "review"),
            count(row.review_seconds / 60),
            amount(row.reviews_cost)
        );
        if row.reviews_untimed > 0 {
            said.push_str(&format!(
                "; of {} nobody told how long they took",
                count(row.reviews_untimed)
            ));
        }
        lines.push(("people", said));
    }
    lines.push(("known", known(row, currency)));
    if !report.what_if.is_empty() {
        let mut said = format!("{} as recorded", amount(row.recorded));
        if row.kept > 0 {
            said.push_str(&format!(
                "; {} kept what is recorded, since nobody counted what they used",
                counted(row.kept, "attempt")
            ));
        }
        lines.push(("instead of", said));
    }
    lines
}

/// How the costs are known. An estimate is a bound, so its error is all of it, downwards.
fn known(row: &Row, currency: &str) -> String {
    let of = |basis| row.basis.get(&basis).copied().unwrap_or_default();
    let (measured, estimated) = (of(CostBasis::Measured), of(CostBasis::Estimated));
    let mut said = format!(
        "{} measured, {}",
        count(measured.count),
        money(measured.amount, currency)
    );
    if estimated.count > 0 {
        let error = match (row.estimates.ratio, row.estimates.count) {
            (Some(ratio), measured) => format!(
                ": of {} that were measured it is {ratio:.1} times what they cost",
                counted(measured, "call")
            ),
            (None, _) => ", and no call was measured to tell by how much less".to_owned(),
        };
        said.push_str(&format!(
            " · {} estimated, at most {} (an estimate is what a call may have cost at the most{error})",
            count(estimated.count),
            money(estimated.amount, currency)
        ));
    }
    let unknown = of(CostBasis::Unknown).count;
    if unknown > 0 {
        said.push_str(&format!(
            " · {} unknown and in no sum: add the missing prices to prices.toml, then ask with --repriced",
            count(unknown)
        ));
    }
    said
}
