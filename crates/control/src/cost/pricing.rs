//! How attempts and reviews are priced: as recorded, or by a table, for what was asked or for something
//! else.

use std::collections::BTreeMap;

use plimsoll_core::decision::{AttemptRecord, Cost, CostBasis, Usage};
use plimsoll_core::manifest::Manifest;
use plimsoll_core::{Decision, ModelName, Money, Outcome};
use plimsoll_spec::PriceTable;
use plimsoll_spec::prices::{PEOPLE, Used, priced_as};

/// What the models of a release are priced as, and where its reviews wait.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReleaseModels {
    models: BTreeMap<ModelName, (String, String)>,
    queue: Option<String>,
}

impl ReleaseModels {
    /// Those of a release with this manifest.
    pub fn of(manifest: &Manifest) -> Self {
        let models = manifest.models.iter();
        let priced = |(name, spec): (&ModelName, _)| {
            let as_what = priced_as(&manifest.system, name, spec);
            (name.clone(), as_what)
        };
        Self {
            models: models.map(priced).collect(),
            queue: manifest
                .review
                .as_ref()
                .map(|review| review.queue.to_string()),
        }
    }

    /// The provider and model that `name` is priced as.
    pub fn priced_as(&self, name: &ModelName) -> Option<(&str, &str)> {
        let (provider, model) = self.models.get(name)?;
        Some((provider, model))
    }
}

/// From where the cost of an attempt is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Basis {
    /// It stands in the record.
    #[default]
    Recorded,
    /// The tokens and the time in the record are priced by the table.
    Table,
}

/// What is asked instead of what was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// This model of this provider, by every attempt that counted tokens.
    Model(String, String),
    /// The models of the same names of another release.
    Release(Box<ReleaseModels>),
}

/// How attempts are priced.
#[derive(Clone, Debug, Default)]
pub struct Pricing {
    /// The prices: of what is priced anew, of reviews, and of what caches saved.
    pub table: PriceTable,
    /// From where costs are taken.
    pub basis: Basis,
    /// What is asked instead.
    pub target: Option<Target>,
}

/// One attempt, priced.
pub(super) struct Priced {
    pub(super) model: String,
    pub(super) cost: Cost,
    pub(super) saved: Money,
    /// It was to be priced anew and could not be, since nobody counted what it used.
    pub(super) is_kept: bool,
}

impl Pricing {
    /// What an attempt cost, or would.
    pub(super) fn attempt(
        &self,
        decision: &Decision,
        release: Option<&ReleaseModels>,
        attempt: &AttemptRecord,
    ) -> Priced {
        let asked = release.and_then(|release| release.priced_as(&attempt.model));
        let named = match &self.target {
            Some(Target::Model(provider, model)) if attempt.usage.is_some() => {
                Some((provider.as_str(), model.as_str()))
            }
            Some(Target::Release(other)) => other.priced_as(&attempt.model).or(asked),
            Some(Target::Model(..)) | None => asked,
        };
        let model = match named {
            Some((provider, model)) => format!("{provider}/{model}"),
            None => format!("{}/{}", decision.system, attempt.model),
        };
        let Some((provider, name)) = named else {
            return Priced {
                model,
                cost: attempt.cost,
                saved: Money::ZERO,
                is_kept: self.basis == Basis::Table,
            };
        };
        let at = decision.opened_at;
        let cached = attempt.usage.filter(|usage| usage.cached_tokens > 0);
        let saved =
            cached.and_then(|usage: Usage| self.table.saved_by_cache(provider, name, at, &usage));
        let anew = (self.basis == Basis::Table).then(|| {
            let used = Used {
                usage: attempt.usage.as_ref(),
                micros: attempt.micros,
            };
            self.anew(attempt, self.table.cost(provider, name, at, used))
        });
        Priced {
            model,
            cost: anew.flatten().unwrap_or(attempt.cost),
            saved: saved.unwrap_or(Money::ZERO),
            is_kept: anew == Some(None),
        }
    }

    /// The cost by the table; none if what is recorded has to stand. An attempt that used nothing and cost
    /// nothing was never billed, and would not be.
    fn anew(&self, attempt: &AttemptRecord, by_table: Cost) -> Option<Cost> {
        if attempt.usage.is_none() {
            let is_unbilled = attempt.code.is_some() && attempt.cost == Cost::FREE;
            if is_unbilled {
                return Some(Cost::FREE);
            }
            let is_told = attempt.cost.basis == CostBasis::Measured;
            return (is_told && by_table != Cost::UNKNOWN).then_some(by_table);
        }
        // Another model would count, and write, other tokens.
        let is_supposed = self.target.is_some() && by_table.basis == CostBasis::Measured;
        Some(Cost {
            basis: if is_supposed {
                CostBasis::Estimated
            } else {
                by_table.basis
            },
            ..by_table
        })
    }

    /// What the review of a decision cost that a person answered, and what it is called; no cost if
    /// reviews have no price.
    pub(super) fn review(
        &self,
        decision: &Decision,
        release: Option<&ReleaseModels>,
    ) -> Option<(String, Option<Cost>)> {
        if decision.outcome != Some(Outcome::Reviewed) {
            return None;
        }
        let queue = release.and_then(|release| release.queue.as_deref());
        let queue = queue.unwrap_or("review");
        let worked = decision.worked_seconds.map(std::time::Duration::from_secs);
        let cost = self.table.review(queue, decision.opened_at, worked);
        Some((format!("{PEOPLE}/{queue}"), cost))
    }
}
