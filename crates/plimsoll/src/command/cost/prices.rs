//! `plimsoll cost prices`: what holds now, where it comes from and how old it is.

use std::collections::BTreeMap;

use plimsoll_control::cost::freshness::{self, PricedModel};
use plimsoll_control::figures::ago;
use plimsoll_control::table::{Align, Table};
use plimsoll_core::{Clock as _, Money, SystemClock, SystemName, Timestamp};
use plimsoll_spec::prices::Origin;

use crate::cli::Global;
use crate::exit::{Exit, Outcome};
use crate::output::Output;
use crate::workspace::load_without_secrets;

/// Tells the prices of what the systems of the files ask.
#[expect(clippy::unused_async, reason = "as every command")]
pub(super) async fn run(global: &Global, out: Output) -> Outcome<Exit> {
    let workspace = load_without_secrets(global)?;
    let now = SystemClock::new().now();
    let systems: BTreeMap<&SystemName, Vec<PricedModel>> = workspace
        .systems
        .values()
        .map(|system| {
            let priced = freshness::of(&system.manifest, &workspace.prices, now);
            (&system.name, priced)
        })
        .collect();
    let known = systems.values().flatten().all(|one| one.price.is_some());
    out.show(&systems, || {
        text(&systems, &workspace.server.currency, now, out)
    })?;
    Ok(Exit::when(known))
}

fn text(
    systems: &BTreeMap<&SystemName, Vec<PricedModel>>,
    currency: &str,
    now: Timestamp,
    out: Output,
) -> String {
    let mut table = Table::new(&[
        ("system", Align::Left),
        ("model", Align::Left),
        ("priced as", Align::Left),
        ("read", Align::Right),
        ("cached", Align::Right),
        ("written", Align::Right),
        ("since", Align::Left),
        ("looked at", Align::Left),
        ("from", Align::Left),
    ]);
    for (system, models) in systems {
        for one in models {
            table.row(row(system, one, now));
        }
    }
    if table.is_empty() {
        return "every model runs in this process and has no price: it is free\n".to_owned();
    }
    format!(
        "{}\nin {currency} for a million tokens; exit code 1 if a model has no price\n",
        table.render(out.paint)
    )
}

fn row(system: &SystemName, one: &PricedModel, now: Timestamp) -> Vec<String> {
    let amount = |pick: fn(&plimsoll_spec::prices::Price) -> Option<Money>| {
        let found = one.price.as_ref().and_then(pick);
        found.map_or("–".to_owned(), |amount| amount.to_string())
    };
    let day = |at: Option<Timestamp>| at.map(|at| at.to_string()[..10].to_owned());
    let origin = match (one.origin, one.price.as_ref()) {
        (Some(Origin::Shipped), Some(price)) => {
            let source = price.source.as_deref().unwrap_or_default();
            format!("this binary: {source}")
        }
        (Some(Origin::Workspace), Some(price)) => {
            let source = price.source.as_ref().map(|source| format!(": {source}"));
            format!("prices.toml{}", source.unwrap_or_default())
        }
        _ => "nobody: its costs are unknown".to_owned(),
    };
    vec![
        system.to_string(),
        one.name.to_string(),
        format!("{}/{}", one.provider, one.model),
        amount(|price| price.input_per_million),
        amount(|price| price.cached_input_per_million),
        amount(|price| price.output_per_million),
        day(one.from).unwrap_or_default(),
        one.checked.map(|at| ago(at, now)).unwrap_or_default(),
        origin,
    ]
}
