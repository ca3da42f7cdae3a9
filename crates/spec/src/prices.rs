//! What models cost: prices with the day from which each holds.
//!
//! A workspace's own prices come first; what they do not say, the prices that the binary ships with
//! say (`shipped.toml`). What neither says is unknown, never free.

mod price;
mod reading;
mod shipped;

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll_core::decision::{Cost, CostBasis, Usage};
use plimsoll_core::manifest::ModelSpec;
use plimsoll_core::{Digest, ModelName, Money, SystemName, Timestamp};
use serde::Serialize;

pub use price::Price;
pub(crate) use reading::read;
pub use reading::read_file;

/// The provider of models that run in this process.
pub const LOCAL: &str = "local";

/// The provider of HTTP predictors that name no provider.
pub const HTTP: &str = "http";

/// The provider of what people do: a price of `people` with a queue's name is what its reviews cost.
pub const PEOPLE: &str = "people";

/// The names that no provider may have, since prices go by them.
pub(crate) const RESERVED: [&str; 3] = [LOCAL, HTTP, PEOPLE];

/// The model name of a price that holds for every model of its provider.
pub const ANY_MODEL: &str = "*";

/// Prices of one origin: provider → model → the prices, each with the moment from which it holds, oldest
/// first, and those of one moment by the size of the calls that they are for.
type Dated = BTreeMap<String, BTreeMap<String, Vec<(Timestamp, Price)>>>;

/// All prices.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct PriceTable {
    prices: Dated,
    /// Those of the binary, for what the workspace does not price.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    shipped: Dated,
}

/// Who says what something costs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The workspace's `prices.toml`.
    Workspace,
    /// The binary.
    Shipped,
}

/// A price with the day from which it holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DatedPrice<'t> {
    /// From when it holds.
    pub from: Timestamp,
    /// The price.
    pub price: &'t Price,
    /// Who says so.
    pub origin: Origin,
}

/// What a call used, to be priced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Used<'a> {
    /// Tokens, if the provider counted them.
    pub usage: Option<&'a Usage>,
    /// How long it took, in microseconds.
    pub micros: u64,
}

/// The most that a call can use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bound {
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// How long it may take, in microseconds.
    pub micros: u64,
}

impl PriceTable {
    /// Adds a price of the workspace. A later one for the same model, moment and size takes the place
    /// of an earlier one.
    pub fn insert(&mut self, provider: &str, model: &str, from: Timestamp, price: Price) {
        insert(&mut self.prices, provider, model, (from, price));
    }

    /// The prices of a model that hold at a moment, by the size of the calls that they are for: the
    /// model's own, else those of the provider's [`ANY_MODEL`], else those of the binary. Empty if none
    /// holds.
    fn holding(&self, provider: &str, model: &str, at: Timestamp) -> &[(Timestamp, Price)] {
        let own = self.prices.get(provider);
        let shipped = self.shipped.get(provider);
        let places = [(own, model), (own, ANY_MODEL), (shipped, model)];
        let mut found = places.into_iter().filter_map(|(models, name)| {
            let dated: &Vec<(Timestamp, Price)> = models?.get(name)?;
            let after = dated.partition_point(|(since, _)| *since <= at);
            let (from, _) = dated[..after].last()?;
            let begin = dated.partition_point(|(since, _)| since < from);
            Some(&dated[begin..after])
        });
        found.next().unwrap_or_default()
    }

    /// The price of a call that reads so many tokens, made at a moment.
    pub fn price(
        &self,
        provider: &str,
        model: &str,
        at: Timestamp,
        input_tokens: u64,
    ) -> Option<&Price> {
        let prices = self.holding(provider, model, at).iter();
        let fits = |(_, price): &&(Timestamp, Price)| price.takes(input_tokens);
        prices.rev().find(fits).map(|(_, price)| price)
    }

    /// The price that holds at a moment for calls of the smallest size, with its day and its origin.
    pub fn dated(&self, provider: &str, model: &str, at: Timestamp) -> Option<DatedPrice<'_>> {
        let holding = self.holding(provider, model, at);
        let (from, price) = holding.first()?;
        let shipped = self.shipped.get(provider).and_then(|of| of.get(model));
        let is_shipped = shipped.is_some_and(|of| of.as_ptr_range().contains(&holding.as_ptr()));
        Some(DatedPrice {
            from: *from,
            price,
            origin: if is_shipped {
                Origin::Shipped
            } else {
                Origin::Workspace
            },
        })
    }

    /// Whether the model has a price at some time.
    pub fn has_price(&self, provider: &str, model: &str) -> bool {
        let own = self.prices.get(provider);
        let shipped = self.shipped.get(provider);
        provider == LOCAL
            || own.is_some_and(|m| m.contains_key(model) || m.contains_key(ANY_MODEL))
            || shipped.is_some_and(|m| m.contains_key(model))
    }

    /// What one call cost that was made at `at`. Unknown when no price holds, or when the price is by
    /// token and the provider did not count them; local models without a price are free.
    pub fn cost(&self, provider: &str, model: &str, at: Timestamp, used: Used<'_>) -> Cost {
        let read = used.usage.map_or(0, |usage| usage.input_tokens);
        let Some(price) = self.price(provider, model, at, read) else {
            return free_or_unknown(provider);
        };
        price.cost(used).map_or(Cost::UNKNOWN, |amount| Cost {
            amount,
            basis: CostBasis::Measured,
        })
    }

    /// What one call may cost at the most; none when no price holds. Nothing is taken to come from the
    /// provider's cache, and every token to be of the dearest kind.
    pub fn ceiling(
        &self,
        provider: &str,
        model: &str,
        at: Timestamp,
        bound: Bound,
    ) -> Option<Money> {
        let holding = self.holding(provider, model, at).iter();
        let reached = holding.filter(|(_, price)| price.takes(bound.input_tokens));
        let most = reached.map(|(_, price)| price.most(bound)).max();
        most.or_else(|| (provider == LOCAL).then_some(Money::ZERO))
    }

    /// What the provider's cache saved on one call, against reading the same tokens anew; none if no
    /// price says.
    pub fn saved_by_cache(
        &self,
        provider: &str,
        model: &str,
        at: Timestamp,
        usage: &Usage,
    ) -> Option<Money> {
        let price = self.price(provider, model, at, usage.input_tokens)?;
        let anew = Usage {
            cached_tokens: 0,
            ..*usage
        };
        Some(price.of_tokens(&anew) - price.of_tokens(usage))
    }

    /// What one review of a queue costs on which somebody worked for so long; none if reviews have no
    /// price. It is an estimate, since people tell their time themselves, and unknown if time has a price
    /// and nobody told it.
    pub fn review(&self, queue: &str, at: Timestamp, worked: Option<Duration>) -> Option<Cost> {
        let price = self.price(PEOPLE, queue, at, 0)?;
        let is_by_time = price.per_second.is_some();
        let micros = worked.map_or(0, |worked| {
            u64::try_from(worked.as_micros()).unwrap_or(u64::MAX)
        });
        let used = Used {
            usage: None,
            micros,
        };
        if is_by_time && worked.is_none() {
            return Some(Cost::UNKNOWN);
        }
        Some(price.cost(used).map_or(Cost::UNKNOWN, |amount| Cost {
            amount,
            basis: CostBasis::Estimated,
        }))
    }

    /// The table in which each model has only the last of its prices, and had it always: what would
    /// hold when all that is written down has come into force.
    #[must_use]
    pub fn as_it_ends(&self) -> Self {
        let ends = |dated: &Dated| {
            let models = |models: &BTreeMap<String, Vec<(Timestamp, Price)>>| {
                let last = |prices: &Vec<(Timestamp, Price)>| {
                    let end = prices.last().map(|(from, _)| *from);
                    let kept = prices.iter().filter(|(from, _)| Some(*from) == end);
                    kept.map(|(_, price)| (Timestamp::from_micros(i64::MIN), price.clone()))
                        .collect()
                };
                let models = models.iter();
                models
                    .map(|(name, prices)| (name.clone(), last(prices)))
                    .collect()
            };
            let providers = dated.iter();
            providers
                .map(|(name, of)| (name.clone(), models(of)))
                .collect()
        };
        Self {
            prices: ends(&self.prices),
            shipped: ends(&self.shipped),
        }
    }

    fn has_entry(&self, provider: &str, model: &str, from: Timestamp, over: u64) -> bool {
        let models = self.prices.get(provider);
        let dated = models.and_then(|models| models.get(model));
        let is_it =
            |(since, price): &(Timestamp, Price)| *since == from && price.over_input_tokens == over;
        dated.is_some_and(|dated| dated.iter().any(is_it))
    }

    /// The digest of the whole table: what a deployment event names it by.
    pub fn digest(&self) -> Digest {
        let bytes = serde_json::to_vec(self).expect("a price table has only text keys");
        Digest::of(&bytes)
    }

    /// Whether there is no price at all.
    pub fn is_empty(&self) -> bool {
        self.prices.is_empty() && self.shipped.is_empty()
    }
}

fn insert(dated: &mut Dated, provider: &str, model: &str, (from, price): (Timestamp, Price)) {
    let models = dated.entry(provider.to_owned()).or_default();
    let dated = models.entry(model.to_owned()).or_default();
    let key = (from, price.over_input_tokens);
    let of = |(since, price): &(Timestamp, Price)| (*since, price.over_input_tokens);
    dated.retain(|entry| of(entry) != key);
    let place = dated.partition_point(|entry| of(entry) < key);
    dated.insert(place, (from, price));
}

fn free_or_unknown(provider: &str) -> Cost {
    if provider == LOCAL {
        Cost::FREE
    } else {
        Cost::UNKNOWN
    }
}

/// The provider and model that a system's model is priced as. Models that no provider names are
/// priced as `system/model` of [`LOCAL`] or [`HTTP`].
pub fn priced_as(system: &SystemName, name: &ModelName, spec: &ModelSpec) -> (String, String) {
    let own = format!("{system}/{name}");
    match spec {
        ModelSpec::Openai(spec) => (spec.provider.as_str().to_owned(), spec.model.clone()),
        ModelSpec::Http(spec) => {
            let provider = spec
                .provider
                .as_ref()
                .map_or(HTTP, |provider| provider.as_str());
            (provider.to_owned(), own)
        }
        ModelSpec::Onnx(_) | ModelSpec::Rules(_) => (LOCAL.to_owned(), own),
    }
}
