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

/// The longest amount in text: a sign, the 27 digits of 2¹²⁷ / 10¹², a point and the decimals.
const TEXT_MAX: usize = 1 + 27 + 1 + DECIMALS;

impl Money {
    /// Does something with its text, without an allocation: amounts stand in every record.
    fn with_text<T>(self, work: impl FnOnce(&str) -> T) -> T {
        let (mut whole, mut part) = split(self.0.unsigned_abs());
        let mut text = [0_u8; TEXT_MAX];
        let mut begin = TEXT_MAX - DECIMALS;
        let mut end = begin;
        for (at, place) in text[begin..].iter_mut().enumerate().rev() {
            let digit = u8::try_from(part % 10).expect("a digit");
            part /= 10;
            *place = b'0' + digit;
            if digit != 0 && end == begin {
                end = begin + at + 1;
            }
        }
        if end > begin {
            begin -= 1;
            text[begin] = b'.';
        }
        loop {
            begin -= 1;
            text[begin] = b'0' + u8::try_from(whole % 10).expect("a digit");
            whole /= 10;
            if whole == 0 {
                break;
            }
        }
        if self.0 < 0 {
            begin -= 1;
            text[begin] = b'-';
        }
        work(std::str::from_utf8(&text[begin..end]).expect("digits are ASCII"))
    }
}

/// Whole units, and what is left in 10⁻¹². Few amounts are too large for the quick division.
fn split(pico: u128) -> (u128, u64) {
    const QUICK: u64 = 1_000_000_000_000;
    if let Ok(pico) = u64::try_from(pico) {
        return (u128::from(pico / QUICK), pico % QUICK);
    }
    let part = u64::try_from(pico % PER_UNIT).expect("less than 10¹²");
    (pico / PER_UNIT, part)
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
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
        self.with_text(|text| serializer.serialize_str(text))
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
    fn an_amount_has_no_zeros_that_say_nothing() {
        let text = |pico| Money::from_pico(pico).to_string();
        assert_eq!(text(0), "0");
        assert_eq!(text(1), "0.000000000001");
        assert_eq!(text(-1_500_000_000_000), "-1.5");
        assert_eq!(text(10_000_000_000_000), "10");
        assert_eq!(text(i128::MAX), "170141183460469231731687303.715884105727");
        assert_eq!(text(i128::MIN), "-170141183460469231731687303.715884105728");
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

        #[test]
        fn a_small_amount_reads_back_too(pico in -10_i128.pow(14)..10_i128.pow(14)) {
            let money = Money::from_pico(pico);
            prop_assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
        }
    }
}
