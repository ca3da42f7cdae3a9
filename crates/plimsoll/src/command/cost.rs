//! `plimsoll cost`: what work cost, and what it would have cost. Works with the server down.

mod prices;
mod reconcile;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use plimsoll_control::cost::{
    Asked, Basis, Pricing, ReleaseModels, Report, Tally, Target, Traffic, csv, render,
};
use plimsoll_core::{ReleaseId, SystemName, Tenancy, Timestamp};
use plimsoll_spec::Workspace;
use plimsoll_store::DecisionFilter;

use crate::cli::{CostArgs, CostCommand, Global, WhatIf};
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::{Output, progress};
use crate::workspace::Reading;

/// Adds up, tells prices, or reconciles.
pub(crate) async fn run(global: &Global, args: CostArgs, out: Output) -> Outcome<Exit> {
    match args.command {
        Some(CostCommand::Prices) => prices::run(global, out).await,
        Some(CostCommand::Reconcile(ref args)) => reconcile::run(global, args, out).await,
        None => add_up(global, args, out).await,
    }
}

/// The workspace, which says what things are priced as.
fn workspace(reading: &Reading) -> Outcome<&Workspace> {
    reading.workspace.as_ref().ok_or_else(|| {
        let message = "plimsoll.toml has problems: `plimsoll check` prints them";
        Failure::says(Exit::Workspace, message)
    })
}

async fn add_up(global: &Global, args: CostArgs, out: Output) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let known = workspace(&reading)?;
    let now = reading.clock.now();
    let since = args.since.resolve(now);
    let until = args.until.map_or(now, |until| until.resolve(now));
    let release = match &args.release {
        Some(release) => Some(reading.store.release_by_prefix(release).await?.id),
        None => None,
    };
    let environment = args.environment.clone();
    let filter = DecisionFilter {
        system: args.system.clone(),
        release,
        environment: Some(environment.unwrap_or_else(|| known.server.environment.clone())),
        since: Some(since),
        until: Some(until),
        drills: args.drills,
        ..DecisionFilter::default()
    };
    let (pricing, what_if) = pricing(&reading, known, &args).await?;
    let mut tally = Tally::new(&args.by, pricing);
    gather(
        &reading,
        &Tenancy::of(args.tenant.clone()),
        &filter,
        &mut tally,
    )
    .await?;
    let report = tally.report(Asked {
        since: since.to_string(),
        until: until.to_string(),
        currency: &known.server.currency,
        what_if,
        traffic: args.traffic.unwrap_or(Traffic::SAME),
    });
    show(&report, unit(known, args.system.as_ref()), args.csv, out)?;
    Ok(Exit::Yes)
}

fn show(report: &Report, unit: &str, as_csv: bool, out: Output) -> Outcome<()> {
    if as_csv {
        return out.print(&csv(report).or_exit(Exit::Internal)?);
    }
    out.show(report, || render(report, unit, out.paint))
}

/// What a unit of work is called.
fn unit<'w>(workspace: &'w Workspace, system: Option<&SystemName>) -> &'w str {
    let named = system.and_then(|name| workspace.systems.get(name));
    let only = workspace.systems.values().next();
    let only = only.filter(|_| system.is_none() && workspace.systems.len() == 1);
    named.or(only).map_or("unit", |system| &system.unit)
}

/// Adds every decision that the filter lets through.
async fn gather(
    reading: &Reading,
    tenancy: &Tenancy,
    filter: &DecisionFilter,
    tally: &mut Tally,
) -> Outcome<()> {
    let bar = progress(None, "decisions");
    let mut pages = reading.store.decision_pages(tenancy, filter);
    while let Some(page) = pages.next().await? {
        for decision in &page {
            if !tally.knows(decision.release) {
                let models = models_of(reading, decision.release).await?;
                tally.learn(decision.release, models);
            }
            tally.add(decision).or_exit(Exit::Usage)?;
        }
        bar.inc(page.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

/// What the models of a release are priced as; nothing if nobody knows the release any more.
async fn models_of(reading: &Reading, release: ReleaseId) -> Outcome<ReleaseModels> {
    let found = reading.store.release(release).await?;
    Ok(found.map_or_else(ReleaseModels::default, |found| {
        ReleaseModels::of(&found.manifest)
    }))
}

/// How attempts are priced, and what of it differs from what is recorded, in words.
async fn pricing(
    reading: &Reading,
    workspace: &Workspace,
    args: &CostArgs,
) -> Outcome<(Pricing, Vec<String>)> {
    let mut pricing = Pricing {
        table: workspace.prices.clone(),
        ..Pricing::default()
    };
    let mut told = Vec::new();
    if args.repriced {
        pricing.basis = Basis::Table;
        told.push(
            "the prices that are known now, each decision by those of its own day".to_owned(),
        );
    }
    for what in &args.what_if {
        pricing.basis = Basis::Table;
        told.push(match what {
            WhatIf::Prices(path) => {
                let table = plimsoll_spec::prices::read_file(workspace, path)?;
                pricing.table = table.as_it_ends();
                format!("the last prices of {}", path.display())
            }
            WhatIf::Model(provider, model) => {
                once(&pricing.target)?;
                if !pricing.table.has_price(provider, model) && !has_prices(args) {
                    let message = format!("`{provider}/{model}` has no price in this workspace");
                    return Err(Failure::says(Exit::Usage, message));
                }
                pricing.target = Some(Target::Model(provider.clone(), model.clone()));
                format!("{provider}/{model} asked instead, for the tokens as they were counted")
            }
            WhatIf::Release(prefix) => {
                once(&pricing.target)?;
                let release = reading.store.release_by_prefix(prefix).await?;
                let models = ReleaseModels::of(&release.manifest);
                pricing.target = Some(Target::Release(Box::new(models)));
                let (system, id) = (&release.manifest.system, release.id.short());
                format!(
                    "the models of release {id} of {system}, for the tokens as they were counted"
                )
            }
        });
    }
    if let Some(traffic) = args.traffic.filter(|traffic| *traffic != Traffic::SAME) {
        told.push(format!("traffic {traffic}"));
    }
    Ok((pricing, told))
}

fn has_prices(args: &CostArgs) -> bool {
    let mut asked = args.what_if.iter();
    asked.any(|what| matches!(what, WhatIf::Prices(_)))
}

fn once(target: &Option<Target>) -> Outcome<()> {
    if target.is_none() {
        return Ok(());
    }
    let message = "only one other model or release can be asked about at a time";
    Err(Failure::says(Exit::Usage, message))
}

/// What releases are priced as, looked up once each.
#[derive(Default)]
struct Releases(HashMap<ReleaseId, ReleaseModels>);

impl Releases {
    async fn models(&mut self, reading: &Reading, release: ReleaseId) -> Outcome<&ReleaseModels> {
        match self.0.entry(release) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(models_of(reading, release).await?)),
        }
    }
}

/// The moment at which a day begins.
fn beginning_of(day: &str) -> Outcome<Timestamp> {
    Timestamp::parse(day).or_exit(Exit::Usage)
}
