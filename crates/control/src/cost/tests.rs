//! Costs added up over made-up decisions, each figure worked out by hand.

use std::collections::BTreeMap;

use plimsoll_core::decision::{AtMost, AttemptReason, Cost, CostBasis, Usage};
use plimsoll_core::manifest::{Manifest, ModelSpec, OpenaiSpec, ReviewSpec};
use plimsoll_core::{Decision, Digest, ModelName, Outcome, ReleaseId, ReviewId, Timestamp};
use plimsoll_spec::PriceTable;
use plimsoll_spec::prices::{PEOPLE, Price};
use serde_json::json;

use super::import::Line;
use super::reconcile::Reconciler;
use super::*;
use crate::paint::Paint;

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn day(day: &str) -> Timestamp {
    Timestamp::parse(day).unwrap()
}

fn release() -> ReleaseId {
    ReleaseId(Digest::of(b"release"))
}

/// What `primary` and `backup` are; reviews wait in `desk`.
fn models(primary: &str) -> ReleaseModels {
    let spec = |model: &str| {
        ModelSpec::Openai(OpenaiSpec {
            provider: plimsoll_core::ProviderName::new("openai").unwrap(),
            base_url: "https://api.example.com/v1".into(),
            model: model.into(),
            parameters: BTreeMap::new(),
            max_output_tokens: None,
        })
    };
    let manifest = Manifest {
        models: BTreeMap::from([
            (ModelName::primary(), spec(primary)),
            (ModelName::new("backup").unwrap(), spec("large")),
        ]),
        review: Some(ReviewSpec {
            queue: plimsoll_core::QueueName::new("desk").unwrap(),
            due_ms: 1,
            on_expiry: plimsoll_core::manifest::ExpiryStep::Abstain,
        }),
        ..crate::bar::tests::manifest()
    };
    ReleaseModels::of(&manifest)
}

fn table() -> PriceTable {
    let mut table = PriceTable::default();
    let price = |input: &str, output: &str| Price {
        input_per_million: input.parse().ok(),
        cached_input_per_million: Some(Money::ZERO),
        output_per_million: output.parse().ok(),
        ..Price::default()
    };
    table.insert("openai", "small", day("2026-01-01"), price("1", "10"));
    table.insert("openai", "small", day("2026-06-01"), price("2", "20"));
    table.insert("openai", "large", day("2026-01-01"), price("10", "100"));
    let review = Price {
        per_second: Some(money("0.01")),
        ..Price::default()
    };
    table.insert(PEOPLE, "desk", day("2026-01-01"), review);
    table
}

/// A decision of a unit, made on a day in March, with these attempts.
fn decision(number: u8, unit: Option<&str>, at: &str, outcome: Outcome) -> Decision {
    let id = plimsoll_core::DecisionId::from_bytes([number; 16]).to_string();
    serde_json::from_value(json!({
        "id": id, "request": id, "row": 0, "tenant": "acme", "environment": "production",
        "system": "loan-default", "key": null, "unit": unit, "release": release(), "deployment": id,
        "protocol": "openai-chat", "mode": "enforce", "opened_at": day(at), "outcome": outcome,
        "stages": {"identify": 0, "resolve": 0, "admit": 0, "screen": 0, "answer": 0, "clear": 0},
        "controls": [], "attempts": [], "cost": Cost::FREE,
    }))
    .unwrap()
}

fn attempt(mut decision: Decision, model: &str, reason: AttemptReason, told: Told) -> Decision {
    let (usage, cost) = match told {
        Told::Tokens(input_tokens, cached_tokens, output_tokens, cost) => {
            let usage = Usage {
                input_tokens,
                cached_tokens,
                output_tokens,
                ..Usage::default()
            };
            let basis = CostBasis::Measured;
            let amount = money(cost);
            (Some(usage), Cost { amount, basis })
        }
        Told::AtMost(cost) => {
            let (amount, basis) = (money(cost), CostBasis::Estimated);
            (None, Cost { amount, basis })
        }
        Told::Nothing => (None, Cost::UNKNOWN),
    };
    // What was set aside is three times what is told to have been used.
    let at_most = usage.map(|usage| AtMost {
        input_tokens: usage.input_tokens * 3,
        output_tokens: usage.output_tokens * 3,
        money: cost.amount + cost.amount + cost.amount,
    });
    decision.attempts.push(
        serde_json::from_value(json!({
            "model": model, "reason": reason, "micros": 5, "usage": usage, "cost": cost, "at_most": at_most,
        }))
        .unwrap(),
    );
    decision
}

#[derive(Clone, Copy)]
enum Told {
    /// Read, of these cached, written, and the cost.
    Tokens(u64, u64, u64, &'static str),
    AtMost(&'static str),
    Nothing,
}

/// Two tickets, one with a retry, a repair and a person, and two decisions that belong to none.
fn decisions() -> Vec<Decision> {
    use AttemptReason::{First, Ladder, Repair, Retry};
    use Told::{AtMost, Nothing, Tokens};
    let first = decision(1, Some("a"), "2026-03-14T10:00:00", Outcome::Served);
    let first = attempt(first, "primary", First, Nothing);
    let first = attempt(first, "primary", Retry, Tokens(1_000, 400, 100, "0.0016"));
    let second = decision(2, Some("a"), "2026-03-15T10:00:00", Outcome::Reviewed);
    let second = attempt(second, "primary", First, Tokens(1_000, 0, 100, "0.002"));
    let mut second = attempt(second, "primary", Repair, AtMost("0.005"));
    second.review = Some(ReviewId::from_bytes([9; 16]));
    second.worked_seconds = Some(120);
    let third = decision(3, None, "2026-03-15T11:00:00", Outcome::Served);
    let third = attempt(third, "primary", First, Tokens(100, 0, 10, "0.0002"));
    let fourth = decision(4, None, "2026-03-15T12:00:00", Outcome::Refused);
    let fourth = attempt(fourth, "backup", Ladder, Tokens(100, 0, 0, "0.001"));
    vec![first, second, third, fourth]
}

fn tally(by: &[Dimension], pricing: Pricing) -> Tally {
    let mut tally = Tally::new(by, pricing);
    tally.learn(release(), models("small"));
    for decision in decisions() {
        tally.add(&decision).unwrap();
    }
    tally
}

fn report_with(by: &[Dimension], pricing: Pricing, traffic: Traffic) -> Report {
    tally(by, pricing).report(Asked {
        since: day("2026-03-01").to_string(),
        until: day("2026-04-01").to_string(),
        currency: "USD",
        what_if: Vec::new(),
        traffic,
    })
}

fn report(by: &[Dimension]) -> Report {
    let pricing = Pricing {
        table: table(),
        ..Pricing::default()
    };
    report_with(by, pricing, Traffic::SAME)
}

#[test]
fn attempts_retries_repairs_cache_and_people_add_up_to_a_unit() {
    let total = report(&[]).total;
    assert_eq!((total.decisions, total.units, total.accepted), (4, 3, 2));
    assert_eq!(total.straight_through, 1, "only the third");
    // a: 0 + 0.0016 + 0.002 + 0.005 + 120 s of a person; then 0.0002 and 0.001.
    assert_eq!(total.total, money("1.2098"));
    assert_eq!(total.worst, money("1.2086"));
    assert_eq!((total.p50, total.p95), (money("0.001"), money("1.2086")));
    assert_eq!(total.per_unit, Some(money("0.403266666667")));
    assert_eq!(total.per_accepted, Some(money("0.6049")));
    assert_eq!((total.attempts, total.retries, total.repairs), (6, 1, 1));
    assert_eq!(total.retries_cost, money("0.0016"));
    assert_eq!(total.repairs_cost, money("0.005"));
    assert_eq!(total.fallbacks_cost, money("0.001"));
    assert_eq!(total.cache_saved, money("0.0004"));
    assert_eq!((total.reviews, total.review_seconds), (1, 120));
    assert_eq!(total.reviews_cost, money("1.2"));
    assert_eq!(total.touches_per_unit, Some(1.0 / 3.0));
    assert_eq!(total.tokens.input, 2_200);
}

#[test]
fn what_nobody_knows_is_counted_and_never_nothing() {
    let total = report(&[]).total;
    assert_eq!(total.units_with_unknown, 1);
    assert_eq!(total.basis[&CostBasis::Unknown].count, 1);
    assert_eq!(total.basis[&CostBasis::Measured].count, 4);
    let estimated = total.basis[&CostBasis::Estimated];
    assert_eq!((estimated.count, estimated.amount), (2, money("1.205")));
    let text = render(&report(&[]), "ticket", Paint::Plain);
    assert!(text.contains("1 unknown and in no sum"), "{text}");
    assert!(text.contains("2 estimated, at most 1.21 USD"), "{text}");
    let error = "of 4 calls that were measured it is 3.0 times what they cost";
    assert!(text.contains(error), "{text}");
    assert_eq!(total.estimates.ratio, Some(3.0));
}

#[test]
fn rows_are_told_apart_and_come_to_the_total() {
    for by in Dimension::ALL {
        let report = report(&[by]);
        let sum: Money = report.rows.iter().map(|row| row.total).sum();
        assert_eq!(sum, report.total.total, "{by:?}");
        let attempts: u64 = report.rows.iter().map(|row| row.attempts).sum();
        assert_eq!(attempts, 6, "{by:?}");
    }
    let days = report(&[Dimension::Day]);
    let of: Vec<&String> = days
        .rows
        .iter()
        .map(|row| &row.of[&Dimension::Day])
        .collect();
    assert_eq!(of, ["2026-03-14", "2026-03-15"]);
    let models = report(&[Dimension::Model]);
    let of: Vec<&String> = models
        .rows
        .iter()
        .map(|row| &row.of[&Dimension::Model])
        .collect();
    assert_eq!(of, ["people/desk", "openai/small", "openai/large"]);
    assert_eq!(models.rows[1].units, 2, "ticket a and the third");
}

#[test]
fn history_is_priced_anew_by_the_prices_of_its_own_day() {
    let mut prices = table();
    let dearer = Price {
        input_per_million: Some(money("3")),
        output_per_million: Some(money("10")),
        ..Price::default()
    };
    prices.insert("openai", "small", day("2026-03-15"), dearer);
    let pricing = |table: PriceTable| Pricing {
        table,
        basis: Basis::Table,
        target: None,
    };
    let total = report_with(&[], pricing(prices.clone()), Traffic::SAME).total;
    // The first day as it was; on the second 1,000 and 100 tokens are 0.002 and 0.0002 dearer.
    assert_eq!(total.total, money("1.212"));
    assert_eq!(total.recorded, money("0.0098"), "nothing recorded changes");
    assert_eq!(total.kept, 2, "an estimate, and what nobody counted");
    let ends = report_with(&[], pricing(prices.as_it_ends()), Traffic::SAME).total;
    // The last prices are those of June: twice as dear from the beginning.
    assert_eq!(ends.total, money("1.2136"));
}

#[test]
fn another_model_is_a_supposition_over_the_same_tokens() {
    let to = |target| Pricing {
        table: table(),
        basis: Basis::Table,
        target: Some(target),
    };
    let large = to(Target::Model("openai".into(), "large".into()));
    let total = report_with(&[], large, Traffic::SAME).total;
    // 0.016 + 0.02 + 0.005 kept + 1.2 + 0.002 + 0.001
    assert_eq!(total.total, money("1.244"));
    assert!(!total.basis.contains_key(&CostBasis::Measured));
    let release = to(Target::Release(Box::new(models("large"))));
    assert_eq!(
        report_with(&[], release, Traffic::SAME).total.total,
        money("1.244")
    );
    let nobodys = to(Target::Model("openai".into(), "unheard-of".into()));
    let total = report_with(&[], nobodys, Traffic::SAME).total;
    assert_eq!(total.basis[&CostBasis::Unknown].count, 5, "never free");
}

#[test]
fn more_traffic_scales_sums_and_leaves_a_units_cost_alone() {
    let pricing = Pricing {
        table: table(),
        ..Pricing::default()
    };
    let once = report(&[]).total;
    let twice = report_with(&[], pricing, "x2".parse().unwrap()).total;
    assert_eq!(twice.total, once.total + once.total);
    assert_eq!((twice.units, twice.retries), (6, 2));
    assert_eq!((twice.per_unit, twice.p95), (once.per_unit, once.p95));
}

#[test]
fn a_table_for_programs_has_a_cell_for_each_heading() {
    let text = csv(&report(&[Dimension::Tenant, Dimension::Day])).unwrap();
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let width = reader.headers().unwrap().len();
    let rows: Vec<::csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.len() == width));
    assert_eq!(
        (&rows[0][0], &rows[0][1], &rows[2][0]),
        ("acme", "2026-03-15", "total")
    );
}

fn line(day: &str, model: &str, requests: u64, input: u64, cost: &str) -> Line {
    Line {
        day: day.into(),
        model: model.into(),
        requests: Some(requests),
        input: Some(input),
        output: None,
        cost: cost.parse().ok(),
    }
}

fn reconciled(lines: &[Line], tolerance: f64) -> reconcile::Reconciliation {
    let mut reconciler = Reconciler::new(lines, Some("openai".into()));
    assert_eq!(reconciler.days(), Some(("2026-03-14", "2026-03-15")));
    for decision in decisions() {
        reconciler.add(&decision, Some(&models("small")));
    }
    reconciler.report(tolerance, "USD")
}

#[test]
fn a_bill_is_held_against_the_records_by_day_and_model() {
    let mut bill = vec![
        line("2026-03-14", "small", 2, 1_000, "0.0016"),
        line("2026-03-15", "small", 1, 600, "0.004"),
        line("2026-03-15", "small", 2, 500, "0.0032"),
        line("2026-03-15", "large", 1, 100, "0.001"),
    ];
    assert!(reconciled(&bill, 0.0).agrees);
    bill[3] = line("2026-03-15", "large", 1, 100, "0.00101");
    let differs = reconciled(&bill, 0.0);
    let row = differs.rows.iter().find(|row| !row.agrees).unwrap();
    assert_eq!(
        (row.day.as_str(), row.model.as_str()),
        ("2026-03-15", "large")
    );
    assert_eq!(row.cost_difference, Some(money("0.00001")));
    assert!(reconciled(&bill, 1.0).agrees, "within a hundredth");
    bill.push(line("2026-03-15", "never-asked", 1, 1, "1"));
    let stranger = reconciled(&bill, 1.0);
    assert!(!stranger.agrees);
    assert!(reconcile::render(&stranger, Paint::Plain).contains("1 row differs"));
    bill.truncate(3);
    let missing = reconciled(&bill, 1.0);
    assert!(!missing.agrees, "what they do not count is told too");
}
