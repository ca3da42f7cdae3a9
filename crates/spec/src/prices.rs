//! What models cost: prices with the day from which each holds.

mod reading;

use std::collections::BTreeMap;

use plimsoll_core::decision::{Cost, CostBasis, Usage};
use plimsoll_core::manifest::ModelSpec;
use plimsoll_core::{Digest, ModelName, Money, SystemName, Timestamp};
use serde::Serialize;

pub(crate) use reading::read;

/// The provider of models that run in this process.
pub const LOCAL: &str = "local";

/// The provider of HTTP predictors that name no provider.
pub const HTTP: &str = "http";

/// The model name of a price that holds for every model of its provider.
pub const ANY_MODEL: &str = "*";

/// One price, in the workspace's currency.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Price {
    /// For a million tokens read.
    pub input_per_million: Option<Money>,
    /// For a million tokens read from the provider's cache; none: as other input.
    pub cached_input_per_million: Option<Money>,
    /// For a million tokens written.
    pub output_per_million: Option<Money>,
    /// For each call.
    pub per_request: Option<Money>,
    /// For each second of a call.
    pub per_second: Option<Money>,
    /// Where the price was found.
    pub source: Option<String>,
}

impl Price {
    /// Whether tokens must be known to tell the cost.
    const fn is_by_token(&self) -> bool {
        self.input_per_million.is_some() || self.output_per_million.is_some()
    }

    fn of_tokens(&self, usage: &Usage) -> Money {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let input = self.input_per_million.unwrap_or_default();
        input.per_million(usage.input_tokens - cached)
            + self
                .cached_input_per_million
                .unwrap_or(input)
                .per_million(cached)
            + self
                .output_per_million
                .unwrap_or_default()
                .per_million(usage.output_tokens)
    }
}

/// All prices: provider → model → the prices, each with the moment from which it holds, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct PriceTable {
    prices: BTreeMap<String, BTreeMap<String, Vec<(Timestamp, Price)>>>,
}

impl PriceTable {
    /// Adds a price. A later one for the same model and moment takes the place of an earlier one.
    pub fn insert(&mut self, provider: &str, model: &str, from: Timestamp, price: Price) {
        let models = self.prices.entry(provider.to_owned()).or_default();
        let dated = models.entry(model.to_owned()).or_default();
        dated.retain(|(since, _)| *since != from);
        let place = dated.partition_point(|(since, _)| *since < from);
        dated.insert(place, (from, price));
    }

    /// The price that holds at a moment: the model's own, else that of the provider's [`ANY_MODEL`].
    pub fn price(&self, provider: &str, model: &str, at: Timestamp) -> Option<&Price> {
        let models = self.prices.get(provider)?;
        let holding = |name| {
            let dated: &Vec<(Timestamp, Price)> = models.get(name)?;
            let after = dated.partition_point(|(since, _)| *since <= at);
            dated[..after].last().map(|(_, price)| price)
        };
        holding(model).or_else(|| holding(ANY_MODEL))
    }

    /// Whether the model has a price at some time.
    pub fn has_price(&self, provider: &str, model: &str) -> bool {
        let models = self.prices.get(provider);
        provider == LOCAL
            || models.is_some_and(|m| m.contains_key(model) || m.contains_key(ANY_MODEL))
    }

    /// What one call cost that was made at `at` and took `micros` microseconds. Unknown when no
    /// price holds, or when the price is by token and the provider did not count them; local models
    /// without a price are free.
    pub fn cost(
        &self,
        provider: &str,
        model: &str,
        at: Timestamp,
        usage: Option<&Usage>,
        micros: u64,
    ) -> Cost {
        let Some(price) = self.price(provider, model, at) else {
            return if provider == LOCAL {
                Cost::FREE
            } else {
                Cost::UNKNOWN
            };
        };
        let tokens = match usage {
            Some(usage) => price.of_tokens(usage),
            None if price.is_by_token() => return Cost::UNKNOWN,
            None => Money::ZERO,
        };
        let amount = tokens
            + price.per_request.unwrap_or_default()
            + price.per_second.unwrap_or_default().per_second(micros);
        Cost {
            amount,
            basis: CostBasis::Measured,
        }
    }

    /// What one call may cost at the most, by tokens and per request; none when no price holds.
    /// Nothing is taken to come from the provider's cache.
    pub fn ceiling(
        &self,
        provider: &str,
        model: &str,
        at: Timestamp,
        input_tokens: u64,
        output_tokens: u64,
    ) -> Option<Money> {
        let Some(price) = self.price(provider, model, at) else {
            return (provider == LOCAL).then_some(Money::ZERO);
        };
        let usage = Usage {
            input_tokens,
            output_tokens,
            ..Usage::default()
        };
        Some(price.of_tokens(&usage) + price.per_request.unwrap_or_default())
    }

    fn has_entry(&self, provider: &str, model: &str, from: Timestamp) -> bool {
        let dated = self
            .prices
            .get(provider)
            .and_then(|models| models.get(model));
        dated.is_some_and(|dated| dated.iter().any(|(since, _)| *since == from))
    }

    /// The digest of the whole table: what a deployment event names it by.
    pub fn digest(&self) -> Digest {
        let bytes = serde_json::to_vec(self).expect("a price table has only text keys");
        Digest::of(&bytes)
    }

    /// Whether there is no price at all.
    pub fn is_empty(&self) -> bool {
        self.prices.is_empty()
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
