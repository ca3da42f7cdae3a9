//! The prices that the binary ships with: of the big providers, in US dollars, each with its source and
//! the day on which it was seen there.
//!
//! They belong to an API's host, so that they hold for a provider under whatever name a workspace has it,
//! and not for another server that speaks the same protocol. They are never looked up in the net.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use plimsoll_core::{Money, ProviderName, Timestamp};
use serde::Deserialize;

use super::{Price, PriceTable, insert};
use crate::workspace::Provider;

/// The currency of all of them.
pub(super) const CURRENCY: &str = "USD";

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    toml::from_str(include_str!("shipped.toml")).expect("a test reads the binary's own prices")
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    price: Vec<Entry>,
}

/// A price, for each of `models`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    host: String,
    models: Vec<String>,
    from: String,
    checked: String,
    source: String,
    #[serde(default)]
    over_input_tokens: u64,
    input: Option<Money>,
    cached_input: Option<Money>,
    audio_input: Option<Money>,
    output: Option<Money>,
}

impl Entry {
    fn price(&self) -> Price {
        Price {
            over_input_tokens: self.over_input_tokens,
            input_per_million: self.input,
            cached_input_per_million: self.cached_input,
            audio_input_per_million: self.audio_input,
            output_per_million: self.output,
            source: Some(self.source.clone()),
            checked: Some(day(&self.checked)),
            ..Price::default()
        }
    }
}

fn day(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a test reads the days of the binary's own prices")
}

/// Adds the prices of the workspace's providers that are known.
pub(super) fn add(table: &mut PriceTable, providers: &BTreeMap<ProviderName, Provider>) {
    for (name, provider) in providers {
        let host = host(&provider.base_url);
        for entry in TABLE.price.iter().filter(|entry| entry.host == host) {
            for model in &entry.models {
                let dated = (day(&entry.from), entry.price());
                insert(&mut table.shipped, name.as_str(), model, dated);
            }
        }
    }
}

/// The host of a URL, without its port; only of `https`: what is between may be somebody else's.
fn host(url: &str) -> &str {
    let rest = url.strip_prefix("https://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.strip_suffix(":443").unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_price_is_dated_sourced_and_has_amounts() {
        assert!(!TABLE.price.is_empty());
        for entry in &TABLE.price {
            assert!(entry.source.starts_with("https://"), "{}", entry.source);
            assert!(!entry.models.is_empty());
            let (from, checked) = (day(&entry.from), day(&entry.checked));
            let is_announced = from > checked;
            let told = from.to_string();
            assert!(!is_announced || told.starts_with("2027-01-01"), "{told}");
            let both = entry.input.zip(entry.output);
            let (input, output) = both.unwrap_or_else(|| panic!("{:?}", entry.models));
            assert!(input > Money::ZERO && output >= input, "{:?}", entry.models);
            assert!(entry.cached_input.is_none_or(|cached| cached < input));
        }
    }

    #[test]
    fn a_price_for_long_calls_stands_beside_one_for_all() {
        for entry in TABLE.price.iter().filter(|e| e.over_input_tokens > 0) {
            for model in &entry.models {
                let base = TABLE.price.iter().find(|other| {
                    other.over_input_tokens == 0
                        && other.from == entry.from
                        && other.host == entry.host
                        && other.models.contains(model)
                });
                let base = base.unwrap_or_else(|| panic!("{model}"));
                assert!(base.input < entry.input && base.output < entry.output);
            }
        }
    }

    #[test]
    fn prices_belong_to_a_host_and_not_to_whoever_looks_like_it() {
        assert_eq!(host("https://api.openai.com/v1"), "api.openai.com");
        assert_eq!(host("https://api.openai.com:443"), "api.openai.com");
        for other in [
            "http://api.openai.com/v1",
            "https://api.openai.com.example.com/v1",
            "https://key@api.openai.com/v1",
            "https://api.openai.com:8443/v1",
            "https://example.com/api.openai.com",
        ] {
            assert_ne!(host(other), "api.openai.com", "{other}");
        }
    }
}
