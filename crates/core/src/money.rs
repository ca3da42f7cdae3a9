//! Exact money. A workspace has one currency, so an amount carries none.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An exact amount in units of 10⁻¹² of the workspace's currency, fine enough for a price per
/// token given per million. Stored and shown as a decimal number in text: `"0.00019"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i128);

const PER_UNIT: u128 = 1_000_000_000_000;
const PER_UNIT_SIGNED: i128 = 1_000_000_000_000;
const DECIMALS: usize = 12;

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// `pico` × 10⁻¹² of the currency.
    pub const fn from_pico(pico: i128) -> Self {
        Self(pico)
    }

    /// The amount in 10⁻¹² of the currency.
    pub const fn as_pico(self) -> i128 {
        self.0
    }

    /// This price per million, times `count`; rounded half up to the nearest 10⁻¹².
    #[must_use]
    pub const fn per_million(self, count: u64) -> Self {
        Self((self.0.saturating_mul(count as i128) + 500_000).div_euclid(1_000_000))
    }

    /// This price per second, times `micros` microseconds.
    #[must_use]
    pub const fn per_second(self, micros: u64) -> Self {
        self.per_million(micros)
    }

    /// An approximate number, for metrics and plots only.
    #[expect(clippy::cast_precision_loss, reason = "metrics are approximate")]
    pub fn approximate(self) -> f64 {
        self.0 as f64 / PER_UNIT as f64
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (
            self.0.unsigned_abs() / PER_UNIT,
            self.0.unsigned_abs() % PER_UNIT,
        );
        let sign = if self.0 < 0 { "-" } else { "" };
        if part == 0 {
            return write!(f, "{sign}{whole}");
        }
        let mut digits = [b'0'; DECIMALS];
        let mut rest = u64::try_from(part).unwrap_or(u64::MAX);
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
        let text = std::str::from_utf8(&digits).unwrap_or_default();
        write!(f, "{sign}{whole}.{}", text.trim_end_matches('0'))
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Money({self})")
    }
}

/// A text that is no amount.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an amount: write a decimal number with at most 12 decimals, as in 0.00019")]
pub struct MoneyError(String);

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        parse(text)
            .map(Self)
            .ok_or_else(|| MoneyError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |s: &str| !s.is_empty() && s.len() <= 18 && s.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(part) || part.len() > DECIMALS {
        return None;
    }
    let scale = 10_i128.pow(u32::try_from(DECIMALS - part.len()).ok()?);
    let pico = whole.parse::<i128>().ok()? * PER_UNIT_SIGNED + part.parse::<i128>().ok()? * scale;
    Some(if negative { -pico } else { pico })
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_price_per_million_tokens_is_exact() {
        let price: Money = "0.0125".parse().unwrap();
        assert_eq!(price.per_million(1).to_string(), "0.0000000125");
        assert_eq!(price.per_million(1_000_000), price);
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for bad in [
            "",
            ".",
            "1.",
            ".5",
            "1e3",
            "1,5",
            "0.0000000000001",
            "+1",
            "--1",
            "NaN",
        ] {
            assert!(bad.parse::<Money>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn an_amount_reads_back_as_it_was_written(pico in -10_i128.pow(29)..10_i128.pow(29)) {
            let money = Money::from_pico(pico);
            prop_assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
        }
    }
}
