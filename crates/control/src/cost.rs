//! What work costs: per unit of work and per accepted outcome, from what was recorded.
//!
//! Costs of a unit add up over everything that was done for it: attempts, retries, repairs, fallbacks and
//! reviews. What is recorded is never changed: other prices, another model or other traffic are questions
//! that are asked of the same records ([`Pricing`]). Sums are exact. An estimated cost is the most that a
//! call may have cost; of one that is unknown only the number is told, never a zero.

mod csv;
pub mod freshness;
pub mod import;
mod pricing;
pub mod reconcile;
mod row;
mod tally;
mod text;
mod unit;

use std::fmt;
use std::str::FromStr;

use plimsoll_core::Money;
use serde::Serialize;

pub use csv::csv;
pub use pricing::{Basis, Pricing, ReleaseModels, Target};
pub use row::{BasisFigures, Row, Tokens};
pub use tally::{Asked, Tally, TooManyUnits, UNITS_MAX};
pub use text::render;

/// What rows are told apart by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Systems.
    System,
    /// Releases.
    Release,
    /// Tenants.
    Tenant,
    /// What was asked: `provider/model`, or `people/queue`.
    Model,
    /// Days (UTC) on which decisions were opened.
    Day,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::System,
        Self::Release,
        Self::Tenant,
        Self::Model,
        Self::Day,
    ];

    /// The name as it is typed and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Release => "release",
            Self::Tenant => "tenant",
            Self::Model => "model",
            Self::Day => "day",
        }
    }
}

impl FromStr for Dimension {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|d| d.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is none of system, release, tenant, model, day"))
    }
}

/// How much more or less traffic there would be, in millionths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Traffic(u64);

/// A text that is no factor.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no factor: write it as in x1.5, from 0 to 1000000 and with at most 6 decimals")]
pub struct TrafficError(String);

impl Traffic {
    /// As it was.
    pub const SAME: Self = Self(1_000_000);

    fn money(self, amount: Money) -> Money {
        amount.per_million(self.0)
    }

    fn count(self, count: u64) -> u64 {
        let scaled = (u128::from(count) * u128::from(self.0) + 500_000) / 1_000_000;
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

impl FromStr for Traffic {
    type Err = TrafficError;

    fn from_str(text: &str) -> Result<Self, TrafficError> {
        const MOST: i128 = 1_000_000 * 1_000_000;
        let error = || TrafficError(text.to_owned());
        let number = text.strip_prefix('x').unwrap_or(text);
        let amount: Money = number.parse().map_err(|_| error())?;
        let (millionths, rest) = (amount.as_pico() / 1_000_000, amount.as_pico() % 1_000_000);
        if rest != 0 || !(0..=MOST).contains(&millionths) {
            return Err(error());
        }
        u64::try_from(millionths).map(Self).map_err(|_| error())
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factor = Money::from_pico(i128::from(self.0) * 1_000_000);
        write!(f, "x{factor}")
    }
}

/// What work cost.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// Of decisions opened at this time or later.
    pub since: String,
    /// Of decisions opened before this time.
    pub until: String,
    /// In which currency.
    pub currency: String,
    /// What rows are told apart by.
    pub by: Vec<Dimension>,
    /// What is different from what was recorded, in words; empty if nothing is.
    pub what_if: Vec<String>,
    /// All together.
    pub total: Row,
    /// Apart, the dearest first; of days, in their order.
    pub rows: Vec<Row>,
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod factors {
    use super::*;

    #[test]
    fn a_factor_is_exact_and_bounded() {
        let factor = |text: &str| text.parse::<Traffic>().map(|f| f.to_string());
        assert_eq!(factor("x1.5").unwrap(), "x1.5");
        assert_eq!(factor("0.25").unwrap(), "x0.25");
        for bad in ["", "x", "-1", "x0.0000001", "x1000001", "1.5x", "NaN"] {
            assert!(factor(bad).is_err(), "{bad}");
        }
        let half: Traffic = "x0.5".parse().unwrap();
        assert_eq!(half.money(Money::from_pico(3)), Money::from_pico(2));
        assert_eq!(
            (half.count(3), Traffic::SAME.count(u64::MAX)),
            (2, u64::MAX)
        );
    }
}
