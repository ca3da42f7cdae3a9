//! Intervals for a rate, from how often it happened in how many trials.

use serde::Serialize;

use crate::special::{beta_quantile, normal_quantile};
use crate::unusable::{Result, Unusable, level};

/// From where to where.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// `centre` plus and minus `half`.
    pub fn around(centre: f64, half: f64) -> Self {
        Self {
            low: centre - half,
            high: centre + half,
        }
    }

    /// The part of it that lies between `low` and `high`.
    #[must_use]
    pub fn within(self, low: f64, high: f64) -> Self {
        Self {
            low: self.low.clamp(low, high),
            high: self.high.clamp(low, high),
        }
    }
}

/// The two-sided quantile of the standard normal distribution for a confidence such as 0.95.
pub(crate) fn two_sided(confidence: f64) -> Result<f64> {
    level("confidence", confidence)?;
    Ok(normal_quantile(0.5 + confidence / 2.0))
}

/// `hits` of `trials` as a rate.
pub(crate) fn share(hits: u64, trials: u64) -> Result<f64> {
    if trials == 0 {
        return Err(Unusable::Empty);
    }
    if hits > trials {
        let (what, must) = ("the hits", "no more than the trials");
        return Err(Unusable::OutOfRange { what, must });
    }
    Ok(hits as f64 / trials as f64)
}

/// Wilson's score interval (1927), two-sided.
pub fn wilson(hits: u64, trials: u64, confidence: f64) -> Result<Interval> {
    let (p, z) = (share(hits, trials)?, two_sided(confidence)?);
    Ok(wilson_at(p, trials as f64, z))
}

/// Wilson's interval at a normal quantile of one's own, as one-sided bounds need it.
pub fn wilson_at(p: f64, trials: f64, z: f64) -> Interval {
    let per = z * z / trials;
    let centre = (p + per / 2.0) / (1.0 + per);
    let half = z / (1.0 + per) * (p * (1.0 - p) / trials + per / (4.0 * trials)).sqrt();
    let interval = Interval::around(centre, half).within(0.0, 1.0);
    // At the ends the bound is exactly there; rounding must not move it inside.
    Interval {
        low: if p == 0.0 { 0.0 } else { interval.low },
        high: if p == 1.0 { 1.0 } else { interval.high },
    }
}

/// The exact interval of Clopper and Pearson (1934), two-sided: never covers less than it says.
pub fn clopper_pearson(hits: u64, trials: u64, confidence: f64) -> Result<Interval> {
    share(hits, trials)?;
    level("confidence", confidence)?;
    let tail = (1.0 - confidence) / 2.0;
    let (k, rest) = (hits as f64, (trials - hits) as f64);
    Ok(Interval {
        low: if hits == 0 {
            0.0
        } else {
            beta_quantile(k, rest + 1.0, tail)
        },
        high: if hits == trials {
            1.0
        } else {
            beta_quantile(k + 1.0, rest, 1.0 - tail)
        },
    })
}

/// Jeffreys' interval: equal tails of Beta(k + ½, n - k + ½).
pub fn jeffreys(hits: u64, trials: u64, confidence: f64) -> Result<Interval> {
    share(hits, trials)?;
    level("confidence", confidence)?;
    let tail = (1.0 - confidence) / 2.0;
    let (a, b) = (hits as f64 + 0.5, (trials - hits) as f64 + 0.5);
    Ok(Interval {
        low: beta_quantile(a, b, tail),
        high: beta_quantile(a, b, 1.0 - tail),
    })
}

/// The interval of Agresti and Coull (1998), two-sided.
pub fn agresti_coull(hits: u64, trials: u64, confidence: f64) -> Result<Interval> {
    share(hits, trials)?;
    let z = two_sided(confidence)?;
    let n = trials as f64 + z * z;
    let p = (hits as f64 + z * z / 2.0) / n;
    Ok(Interval::around(p, z * (p * (1.0 - p) / n).sqrt()).within(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_a_rate_is_refused() {
        assert_eq!(wilson(0, 0, 0.95), Err(Unusable::Empty));
        assert!(wilson(3, 2, 0.95).is_err());
        assert!(clopper_pearson(1, 2, 1.0).is_err());
    }

    proptest! {
        #[test]
        fn every_interval_holds_the_rate_and_lies_in_its_range(n in 1u64..500, part in 0.0f64..=1.0) {
            let hits = (n as f64 * part) as u64;
            let p = hits as f64 / n as f64;
            for interval in [
                wilson(hits, n, 0.9),
                clopper_pearson(hits, n, 0.9),
                agresti_coull(hits, n, 0.9),
            ] {
                let Interval { low, high } = interval.unwrap();
                prop_assert!(0.0 <= low && low <= p + 1e-12 && p <= high + 1e-12 && high <= 1.0);
            }
        }
    }
}
