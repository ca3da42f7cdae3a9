//! Adding decisions up, one after the other, the earliest first.
//!
//! Bounded by the number of units of work: a unit's cost has to be kept until all of it is there, and for
//! exact percentiles. Decisions themselves are let go at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use plimsoll_core::decision::CostBasis;
use plimsoll_core::{Decision, ReleaseId};

use super::pricing::{Pricing, ReleaseModels};
use super::row::Row;
use super::unit::{Unit, Units};
use super::{Dimension, Report, Traffic};

/// The most units of work that are added up at a time, over all rows.
pub const UNITS_MAX: u64 = 4_000_000;

/// There are more units of work than are added up at a time.
#[derive(Debug, thiserror::Error)]
#[error(
    "there are more than {UNITS_MAX} units of work to be told apart: ask for less with --since, --until or --system, or for fewer rows with --by"
)]
pub struct TooManyUnits;

/// Decisions, added up.
#[derive(Debug)]
pub struct Tally {
    by: Vec<Dimension>,
    pricing: Pricing,
    releases: HashMap<ReleaseId, ReleaseModels>,
    total: Group,
    groups: BTreeMap<Vec<String>, Group>,
    units: u64,
}

#[derive(Clone, Debug, Default)]
struct Group {
    row: Row,
    units: Units,
    named: HashMap<Box<str>, Unit>,
}

impl Tally {
    /// Nothing yet.
    pub fn new(by: &[Dimension], pricing: Pricing) -> Self {
        let mut unique = Vec::new();
        for dimension in by {
            if !unique.contains(dimension) {
                unique.push(*dimension);
            }
        }
        Self {
            by: unique,
            pricing,
            releases: HashMap::new(),
            total: Group::default(),
            groups: BTreeMap::new(),
            units: 0,
        }
    }

    /// Whether it has to be told of this release before its decisions are added.
    pub fn knows(&self, release: ReleaseId) -> bool {
        self.releases.contains_key(&release)
    }

    /// Takes in what the models of a release are.
    pub fn learn(&mut self, release: ReleaseId, models: ReleaseModels) {
        self.releases.insert(release, models);
    }

    /// Adds a decision.
    ///
    /// # Errors
    /// If there are too many units of work.
    pub fn add(&mut self, decision: &Decision) -> Result<(), TooManyUnits> {
        let release = self.releases.get(&decision.release);
        let by_model = self.by.contains(&Dimension::Model);
        let attempts: Vec<_> = decision
            .attempts
            .iter()
            .map(|attempt| (attempt, self.pricing.attempt(decision, release, attempt)))
            .collect();
        let review = self.pricing.review(decision, release);
        let mut models: BTreeSet<&str> = attempts.iter().map(|(_, p)| p.model.as_str()).collect();
        models.extend(review.iter().map(|(name, _)| name.as_str()));
        if !by_model || models.is_empty() {
            models = BTreeSet::from(["none"]);
        }
        let keys: Vec<(Vec<String>, Option<&str>)> = models
            .iter()
            .map(|model| (self.key(decision, model), by_model.then_some(*model)))
            .collect();
        let mut added = 0;
        let mut into = |group: &mut Group, of_model: Option<&str>| {
            let is_of = |name: &str| of_model.is_none_or(|model| model == name || model == "none");
            let mut unit = Unit::default();
            group.row.decisions += 1;
            for (attempt, priced) in attempts.iter().filter(|(_, p)| is_of(&p.model)) {
                group.row.count_attempt(attempt, priced);
                unit.add(priced.cost);
            }
            if let Some((_, cost)) = review.as_ref().filter(|(name, _)| is_of(name)) {
                group.row.count_review(decision);
                if let Some(cost) = cost {
                    group.row.count_basis(cost.basis, cost.amount);
                    group.row.reviews_cost += cost.amount;
                    unit.add(*cost);
                }
            }
            added += u64::from(group.add(decision, unit));
        };
        into(&mut self.total, None);
        if !self.by.is_empty() {
            for (key, model) in keys {
                into(self.groups.entry(key).or_default(), model);
            }
        }
        self.units += added;
        if self.units > UNITS_MAX {
            return Err(TooManyUnits);
        }
        Ok(())
    }

    fn key(&self, decision: &Decision, model: &str) -> Vec<String> {
        let value = |dimension: &Dimension| match dimension {
            Dimension::System => decision.system.to_string(),
            Dimension::Release => decision.release.short(),
            Dimension::Tenant => decision.tenant.to_string(),
            Dimension::Model => model.to_owned(),
            Dimension::Day => decision.opened_at.to_string()[..10].to_owned(),
        };
        self.by.iter().map(value).collect()
    }

    /// What it comes to.
    pub fn report(self, asked: Asked<'_>) -> Report {
        let by = self.by;
        let close = |of: &[String], group: Group| {
            let mut row = group.close(asked.traffic);
            row.of = by.iter().copied().zip(of.iter().cloned()).collect();
            row
        };
        let total = close(&[], self.total);
        let mut rows: Vec<Row> = self
            .groups
            .into_iter()
            .map(|(of, group)| close(&of, group))
            .collect();
        if by.first() != Some(&Dimension::Day) {
            rows.sort_by_key(|row| std::cmp::Reverse(row.total));
        }
        Report {
            since: asked.since,
            until: asked.until,
            currency: asked.currency.to_owned(),
            by,
            what_if: asked.what_if,
            total,
            rows,
        }
    }
}

/// What a report was asked for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// From when.
    pub since: String,
    /// Until when.
    pub until: String,
    /// The workspace's currency.
    pub currency: &'a str,
    /// What is different from what was recorded, in words.
    pub what_if: Vec<String>,
    /// How much more traffic there would be.
    pub traffic: Traffic,
}

impl Group {
    /// Adds what was done for a decision to its unit; whether that is a unit more.
    fn add(&mut self, decision: &Decision, mut part: Unit) -> bool {
        let Some(name) = &decision.unit else {
            part.take_in(decision);
            self.units.add(&part);
            return true;
        };
        let (tenant, environment) = (&decision.tenant, &decision.environment);
        let key = format!("{tenant} {environment} {name}").into_boxed_str();
        let before = self.named.len();
        let unit = self.named.entry(key).or_default();
        unit.cost += part.cost;
        unit.is_unknown |= part.is_unknown;
        unit.take_in(decision);
        self.named.len() > before
    }

    fn close(mut self, traffic: Traffic) -> Row {
        for unit in self.named.values() {
            self.units.add(unit);
        }
        debug_assert!(
            self.row
                .basis
                .get(&CostBasis::Unknown)
                .is_none_or(|b| b.amount.as_pico() == 0),
            "what is unknown has no amount"
        );
        self.row.close(self.units, traffic)
    }
}
