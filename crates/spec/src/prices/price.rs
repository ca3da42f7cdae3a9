//! One price: what it says of each kind of token, of calls and of time.
//!
//! Kinds of tokens are parts of what was read and of what was written, as providers count them:
//! images and sound are part of the tokens read or written, reasoning is part of those written, and what
//! came from the provider's cache is part of the text read. A kind that has no price of its own costs as
//! the whole that it is part of.

use plimsoll_core::decision::Usage;
use plimsoll_core::{Money, Timestamp};
use serde::Serialize;

use super::{Bound, Used};

/// One price, in the workspace's currency.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Price {
    /// It is for calls that read more tokens than these.
    #[serde(skip_serializing_if = "is_zero")]
    pub over_input_tokens: u64,
    /// For a million tokens read.
    pub input_per_million: Option<Money>,
    /// For a million tokens read from the provider's cache; none: as other input.
    pub cached_input_per_million: Option<Money>,
    /// For a million tokens read of images; none: as other input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_input_per_million: Option<Money>,
    /// For a million tokens read of sound; none: as other input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_input_per_million: Option<Money>,
    /// For a million tokens written.
    pub output_per_million: Option<Money>,
    /// For a million tokens written while reasoning; none: as other output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_per_million: Option<Money>,
    /// For a million tokens written of images; none: as other output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_output_per_million: Option<Money>,
    /// For a million tokens written of sound; none: as other output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_output_per_million: Option<Money>,
    /// For each call.
    pub per_request: Option<Money>,
    /// For each second of a call.
    pub per_second: Option<Money>,
    /// Where the price was found.
    pub source: Option<String>,
    /// When it was last looked at there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked: Option<Timestamp>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Price {
    /// Whether it is for a call that reads so many tokens.
    pub(super) const fn takes(&self, input_tokens: u64) -> bool {
        self.over_input_tokens == 0 || input_tokens > self.over_input_tokens
    }

    /// What is read, and what is written, by kind: those without a price of their own are none.
    const fn kinds(&self) -> ([Option<Money>; 3], [Option<Money>; 4]) {
        let read = [
            self.input_per_million,
            self.image_input_per_million,
            self.audio_input_per_million,
        ];
        let written = [
            self.output_per_million,
            self.reasoning_per_million,
            self.image_output_per_million,
            self.audio_output_per_million,
        ];
        (read, written)
    }

    /// Whether tokens must be known to tell the cost.
    pub fn is_by_token(&self) -> bool {
        let (read, written) = self.kinds();
        read.iter().chain(&written).any(Option::is_some)
    }

    /// What a call cost; none if tokens would have to be known and are not.
    pub(super) fn cost(&self, used: Used<'_>) -> Option<Money> {
        let tokens = match used.usage {
            Some(usage) => self.of_tokens(usage),
            None if self.is_by_token() => return None,
            None => Money::ZERO,
        };
        Some(tokens + self.besides_tokens(used.micros))
    }

    fn besides_tokens(&self, micros: u64) -> Money {
        self.per_request.unwrap_or_default()
            + self.per_second.unwrap_or_default().per_second(micros)
    }

    /// What these tokens cost.
    pub(super) fn of_tokens(&self, usage: &Usage) -> Money {
        let mut read = Parts::of(usage.input_tokens, self.input_per_million);
        read.take(usage.image_input_tokens, self.image_input_per_million);
        read.take(usage.audio_input_tokens, self.audio_input_per_million);
        read.take(usage.cached_tokens, self.cached_input_per_million);
        let mut written = Parts::of(usage.output_tokens, self.output_per_million);
        written.take(usage.image_output_tokens, self.image_output_per_million);
        written.take(usage.audio_output_tokens, self.audio_output_per_million);
        written.take(usage.reasoning_tokens, self.reasoning_per_million);
        read.total() + written.total()
    }

    /// What a call within `bound` costs at the most.
    pub(super) fn most(&self, bound: Bound) -> Money {
        let (read, written) = self.kinds();
        let dearest = |kinds: &[Option<Money>]| kinds.iter().flatten().max().copied();
        dearest(&read)
            .unwrap_or_default()
            .per_million(bound.input_tokens)
            + dearest(&written)
                .unwrap_or_default()
                .per_million(bound.output_tokens)
            + self.besides_tokens(bound.micros)
    }
}

/// A number of tokens of which kinds with a price of their own are taken.
struct Parts {
    left: u64,
    rate: Money,
    cost: Money,
}

impl Parts {
    fn of(tokens: u64, rate: Option<Money>) -> Self {
        Self {
            left: tokens,
            rate: rate.unwrap_or_default(),
            cost: Money::ZERO,
        }
    }

    fn take(&mut self, tokens: u64, rate: Option<Money>) {
        let tokens = tokens.min(self.left);
        self.left -= tokens;
        self.cost += rate.unwrap_or(self.rate).per_million(tokens);
    }

    fn total(self) -> Money {
        self.cost + self.rate.per_million(self.left)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(text: &str) -> Option<Money> {
        text.parse().ok()
    }

    fn price() -> Price {
        Price {
            input_per_million: money("1"),
            cached_input_per_million: money("0.1"),
            image_input_per_million: money("3"),
            audio_input_per_million: money("5"),
            output_per_million: money("10"),
            reasoning_per_million: money("7"),
            image_output_per_million: money("40"),
            audio_output_per_million: money("20"),
            ..Price::default()
        }
    }

    #[test]
    fn each_kind_of_token_costs_its_own_and_is_counted_once() {
        let usage = Usage {
            input_tokens: 1_000_000,
            cached_tokens: 200_000,
            image_input_tokens: 300_000,
            audio_input_tokens: 100_000,
            output_tokens: 1_000_000,
            reasoning_tokens: 500_000,
            image_output_tokens: 100_000,
            audio_output_tokens: 200_000,
        };
        let read = "0.4 text, 0.02 cached, 0.9 images, 0.5 sound = 1.82";
        let written = "2 text, 3.5 reasoning, 4 images, 4 sound = 13.5";
        let cost = price().of_tokens(&usage).to_string();
        assert_eq!(cost, "15.32", "{read}; {written}");
    }

    #[test]
    fn a_kind_without_a_price_costs_as_the_whole() {
        let price = Price {
            input_per_million: money("1"),
            output_per_million: money("10"),
            ..Price::default()
        };
        let usage = Usage {
            input_tokens: 1_000_000,
            image_input_tokens: 400_000,
            output_tokens: 1_000_000,
            reasoning_tokens: 999_999,
            ..Usage::default()
        };
        assert_eq!(price.of_tokens(&usage).to_string(), "11");
    }

    proptest! {
        #[test]
        fn nothing_costs_more_than_what_was_set_aside_for_it(
            read in 0..1_000_000_u64, written in 0..1_000_000_u64, micros in 0..1_000_000_000_u64,
            parts in proptest::array::uniform6(0..2_000_000_u64),
        ) {
            let [cached_tokens, image_input_tokens, audio_input_tokens, reasoning_tokens, image_output_tokens, audio_output_tokens] = parts;
            let usage = Usage {
                input_tokens: read, cached_tokens, image_input_tokens, audio_input_tokens,
                output_tokens: written, reasoning_tokens, image_output_tokens, audio_output_tokens,
            };
            let price = Price { per_request: money("0.01"), per_second: money("0.002"), ..price() };
            let bound = Bound { input_tokens: read, output_tokens: written, micros };
            let cost = price.cost(Used { usage: Some(&usage), micros }).unwrap();
            // Each of at most seven parts is rounded to the nearest 10⁻¹².
            prop_assert!(cost <= price.most(bound) + Money::from_pico(7));
        }
    }
}
