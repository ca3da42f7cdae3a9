//! The cost characteristic: what is known, against its ceiling, by prices of an age.

use plimsoll_spec::prices::{Origin, Price};

use super::*;

#[test]
fn cost_must_be_known_and_below_its_ceiling() {
    let mut facts = facts();
    assert!(characteristic(&judged(&system(), &facts), "cost").met);
    facts.cost.p95 = "0.002".parse().unwrap();
    facts.cost.unknown = 5;
    let said = failed(&judged(&system(), &facts), "cost");
    assert_eq!(
        said[0].0,
        "0.00021 USD per application, p95 0.002 USD · ceiling 0.001 USD"
    );
    assert!(
        said[1].0.contains("nobody knows what 5 decisions cost"),
        "{said:?}"
    );
    let mut without_ceiling = system();
    without_ceiling.bar.cost_per_unit = None;
    assert!(
        failed(&judged(&without_ceiling, &facts), "cost")[0]
            .0
            .contains("no ceiling")
    );
}

#[test]
fn the_age_of_prices_is_told_and_counts_where_it_is_bounded() {
    let priced = |days: u32| PricedModel {
        name: plimsoll_core::ModelName::primary(),
        provider: "openai".into(),
        model: "gpt".into(),
        price: Some(Price::default()),
        from: Some(now().minus(DAY * 400)),
        checked: Some(now().minus(DAY * days)),
        origin: Some(Origin::Workspace),
    };
    let facts = facts();
    let judged = |system: &System, prices: &[PricedModel]| {
        let evidence = Evidence {
            prices,
            ..knowing(&facts)
        };
        judge(system, evidence, now(), "USD")
    };
    let mut system = system();
    let report = judged(&system, &[priced(3), priced(200)]);
    let told = &characteristic(&report, "cost").checks;
    assert!(told[2].met, "nobody bounded it");
    assert_eq!(told[2].evidence, "prices looked at 200 days ago");
    system.bar.price_age = Some(DAY * 180);
    let said = failed(&judged(&system, &[priced(3), priced(200)]), "cost");
    assert_eq!(said[0].0, "prices looked at 200 days ago, limit 180 days");
    assert!(characteristic(&judged(&system, &[priced(3)]), "cost").met);
    let mut unknown = priced(3);
    unknown.price = None;
    let said = failed(&judged(&system, &[unknown]), "cost");
    assert_eq!(said[0].0, "no price for primary");
}
