//! One rate against another: of different items (two windows, two releases on their own traffic), or of
//! the same items judged twice.

use serde::Serialize;

use crate::proportion::{Interval, share, two_sided, wilson};
use crate::special::{
    binomial_pmf, binomial_sf, ln_choose, normal_sf, student_t_quantile, student_t_sf,
};
use crate::unusable::{Result, Unusable, enough, finite, level, paired};

/// Which way a difference is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The baseline's rate is higher: the candidate is worse.
    Greater,
    /// Either.
    Both,
}

/// `hits` in `trials`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tally {
    /// How often.
    pub hits: u64,
    /// In how many.
    pub trials: u64,
}

impl Tally {
    fn rate(self) -> Result<f64> {
        share(self.hits, self.trials)
    }
}

/// The z test with a pooled variance: its statistic and p-value. Two rates of 0 or of 1 differ by nothing.
pub fn two_proportions(base: Tally, candidate: Tally, side: Side) -> Result<(f64, f64)> {
    let difference = base.rate()? - candidate.rate()?;
    let (n, m) = (base.trials as f64, candidate.trials as f64);
    let pooled = (base.hits + candidate.hits) as f64 / (n + m);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    let z = if deviation > 0.0 {
        difference / deviation
    } else {
        0.0
    };
    let p = match side {
        Side::Greater => normal_sf(z),
        Side::Both => (2.0 * normal_sf(z.abs())).min(1.0),
    };
    Ok((z, p))
}

/// Newcombe's interval (1998, method 10) for base minus candidate.
pub fn newcombe(base: Tally, candidate: Tally, confidence: f64) -> Result<Interval> {
    let (p1, p2) = (base.rate()?, candidate.rate()?);
    let one = wilson(base.hits, base.trials, confidence)?;
    let two = wilson(candidate.hits, candidate.trials, confidence)?;
    let difference = p1 - p2;
    Ok(Interval {
        low: difference - (p1 - one.low).hypot(two.high - p2),
        high: difference + (one.high - p1).hypot(p2 - two.low),
    })
}

/// Fisher's exact test: the p-value.
pub fn fisher_exact(base: Tally, candidate: Tally, side: Side) -> Result<f64> {
    base.rate()?;
    candidate.rate()?;
    let (n, m) = (base.trials, candidate.trials);
    let hits = base.hits + candidate.hits;
    let all = ln_choose(n + m, hits);
    let ln_of = |k: u64| ln_choose(n, k) + ln_choose(m, hits - k) - all;
    let (first, last) = (hits.saturating_sub(m), hits.min(n));
    let sum = |counts: &dyn Fn(u64) -> bool| -> f64 {
        let counted = (first..=last).filter(|k| counts(*k));
        counted.map(|k| ln_of(k).exp()).sum::<f64>().min(1.0)
    };
    Ok(match side {
        Side::Greater => sum(&|k| k >= base.hits),
        // As likely or less, with room for rounding.
        Side::Both => {
            let own = ln_of(base.hits) + 1e-7;
            sum(&|k| ln_of(k) <= own)
        }
    })
}

/// The same items judged under a baseline and under a candidate: where the two disagree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Discordant {
    /// The baseline passed and the candidate failed.
    pub regressed: u64,
    /// The other way round.
    pub improved: u64,
}

/// The p-values of McNemar's test.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct McNemar {
    /// Exact, two-sided.
    pub exact_two_sided: f64,
    /// With half of the point's own probability, two-sided.
    pub mid_p_two_sided: f64,
    /// Exact, that the candidate is worse.
    pub exact_regression: f64,
}

/// McNemar's test: of the items on which the two disagree, half should go each way.
pub fn mcnemar(pairs: Discordant) -> McNemar {
    let n = pairs.regressed + pairs.improved;
    let more = pairs.regressed.max(pairs.improved);
    let exact_two_sided = (2.0 * binomial_sf(more, n, 0.5)).min(1.0);
    let point = binomial_pmf(more, n, 0.5);
    let mid = if pairs.regressed == pairs.improved {
        1.0
    } else {
        exact_two_sided - point
    };
    McNemar {
        exact_two_sided,
        mid_p_two_sided: mid,
        exact_regression: binomial_sf(pairs.regressed, n, 0.5),
    }
}

/// The interval of Bonett and Price (2012) for the baseline's rate minus the candidate's, of `n` items.
pub fn bonett_price(pairs: Discordant, n: u64, confidence: f64) -> Result<Interval> {
    share(pairs.regressed + pairs.improved, n)?;
    let size = n as f64 + 2.0;
    let (p1, p2) = (
        (pairs.regressed as f64 + 1.0) / size,
        (pairs.improved as f64 + 1.0) / size,
    );
    let difference = p1 - p2;
    let error = ((p1 + p2 - difference * difference) / size).sqrt();
    Ok(Interval::around(difference, two_sided(confidence)? * error).within(-1.0, 1.0))
}

/// A mean of differences with what is known about it.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct MeanDifference {
    /// The mean of candidate minus baseline.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// The degrees of freedom of the t distribution.
    pub freedom: u64,
    /// The interval at the confidence that was asked for.
    pub interval: Interval,
    /// The two-sided p-value of "no difference".
    pub p: f64,
}

/// Paired differences of scores, item by item.
pub fn paired_difference(
    base: &[f64],
    candidate: &[f64],
    confidence: f64,
) -> Result<MeanDifference> {
    let differences = differences(base, candidate)?;
    enough(differences.len(), 2)?;
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let squares: f64 = differences.iter().map(|d| (d - mean) * (d - mean)).sum();
    let error = (squares / (n - 1.0) / n).sqrt();
    told(mean, error, differences.len() as u64 - 1, confidence)
}

/// The same where items belong to clusters (a document with several questions): `cluster` says to which.
/// The standard error is that of Miller (2024), with the correction for few clusters.
pub fn clustered_difference(
    base: &[f64],
    candidate: &[f64],
    cluster: &[usize],
    confidence: f64,
) -> Result<MeanDifference> {
    let differences = differences(base, candidate)?;
    paired(differences.len(), cluster.len())?;
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let mut sums = std::collections::BTreeMap::new();
    for (difference, cluster) in differences.iter().zip(cluster) {
        *sums.entry(*cluster).or_insert(0.0) += difference - mean;
    }
    enough(sums.len(), 2)?;
    let clusters = sums.len() as f64;
    let squares: f64 = sums.values().map(|sum: &f64| sum * sum).sum();
    let error = (clusters / (clusters - 1.0) * squares).sqrt() / n;
    told(mean, error, sums.len() as u64 - 1, confidence)
}

fn differences(base: &[f64], candidate: &[f64]) -> Result<Vec<f64>> {
    paired(base.len(), candidate.len())?;
    finite(base)?;
    finite(candidate)?;
    Ok(base.iter().zip(candidate).map(|(b, c)| c - b).collect())
}

fn told(mean: f64, standard_error: f64, freedom: u64, confidence: f64) -> Result<MeanDifference> {
    level("confidence", confidence)?;
    let quantile = student_t_quantile(0.5 + confidence / 2.0, freedom as f64);
    let p = match (standard_error > 0.0, mean == 0.0) {
        (true, _) => 2.0 * student_t_sf((mean / standard_error).abs(), freedom as f64),
        // All differences are one: either nothing at all, or the same every time.
        (false, true) => 1.0,
        (false, false) => 0.0,
    };
    Ok(MeanDifference {
        mean,
        standard_error,
        freedom,
        interval: Interval::around(mean, quantile * standard_error),
        p,
    })
}

/// How many items a comparison needs, one-sided.
pub mod sample_size {
    use super::{Result, Unusable, level};
    use crate::special::normal_quantile;
    use crate::unusable::rate;

    /// Per arm, to see a drop from `base` to `candidate` on different items: by Cohen's h, the
    /// difference of arcsine-transformed rates.
    pub fn unpaired(base: f64, candidate: f64, alpha: f64, power: f64) -> Result<u64> {
        rate("the baseline's rate", base)?;
        rate("the candidate's rate", candidate)?;
        let h = 2.0 * base.sqrt().asin() - 2.0 * candidate.sqrt().asin();
        let z = quantiles(alpha, power)?;
        whole(2.0 * (z.0 + z.1).powi(2) / (h * h))
    }

    /// Of items judged twice (Connor 1987): `disagree` is the share on which the two differ, `drop` the
    /// drop to be seen, no larger than it.
    pub fn paired(disagree: f64, drop: f64, alpha: f64, power: f64) -> Result<u64> {
        rate("the share that disagrees", disagree)?;
        if drop <= 0.0 || drop > disagree {
            let must = "above 0 and no larger than the share that disagrees";
            return Err(Unusable::OutOfRange {
                what: "the drop",
                must,
            });
        }
        let z = quantiles(alpha, power)?;
        let root = z.0 * disagree.sqrt() + z.1 * (disagree - drop * drop).sqrt();
        whole((root / drop).powi(2))
    }

    fn quantiles(alpha: f64, power: f64) -> Result<(f64, f64)> {
        level("alpha", alpha)?;
        level("the power", power)?;
        Ok((normal_quantile(1.0 - alpha), normal_quantile(power)))
    }

    fn whole(n: f64) -> Result<u64> {
        if n.is_finite() && n < 1e15 {
            return Ok(n.ceil() as u64);
        }
        let must = "so large that it can be seen at all";
        Err(Unusable::OutOfRange {
            what: "the drop",
            must,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_that_do_not_differ_give_no_difference_and_no_nan() {
        let told = paired_difference(&[0.5, 0.7], &[0.5, 0.7], 0.95).unwrap();
        assert_eq!((told.mean, told.p), (0.0, 1.0));
        assert!(paired_difference(&[0.5], &[0.7], 0.95).is_err());
        assert!(paired_difference(&[f64::NAN, 1.0], &[0.7, 1.0], 0.95).is_err());
        assert!(clustered_difference(&[0.1, 0.2], &[0.2, 0.4], &[7, 7], 0.95).is_err());
    }

    #[test]
    fn a_drop_that_is_none_has_no_sample_size() {
        assert!(sample_size::unpaired(0.9, 0.9, 0.05, 0.8).is_err());
        assert!(sample_size::paired(0.1, 0.2, 0.05, 0.8).is_err());
        assert_eq!(sample_size::paired(0.1, 0.05, 0.05, 0.8), Ok(246));
    }

    #[test]
    fn two_windows_without_a_single_failure_do_not_differ() {
        let all = Tally { hits: 9, trials: 9 };
        assert_eq!(two_proportions(all, all, Side::Both), Ok((0.0, 1.0)));
        let none = mcnemar(Discordant {
            regressed: 0,
            improved: 0,
        });
        assert_eq!((none.exact_two_sided, none.exact_regression), (1.0, 1.0));
    }
}
