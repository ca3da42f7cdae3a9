//! Verdicts: whether a figure is as good as was asked, and never a bare number.
//!
//! Three answers: established to be good enough, established to be worse, or neither, with about how many
//! more items would tell. What always holds: where the truth lies exactly on the target (or a candidate is
//! exactly as good as its baseline), REGRESSED is said with a probability of at most alpha. Rates therefore
//! have to clear Wilson's bound *and* the exact binomial tail: Wilson's alone is too narrow for rates
//! near 1. An interval that comes with a verdict is the pair of its one-sided bounds, so that what is
//! shown is what decided.

use serde::Serialize;

use crate::comparison::{Discordant, bonett_price, mcnemar, sample_size};
use crate::proportion::{Interval, share, wilson_at};
use crate::special::{
    binomial_cdf, binomial_sf, normal_quantile, student_t_quantile, student_t_sf,
};
use crate::unusable::{Result, Unusable, enough, finite, level, paired, rate};

/// The probability of a false REGRESSED, and of a false PASS, unless another is chosen.
pub const ALPHA: f64 = 0.05;
/// The drop against a baseline that is tolerated, unless another is chosen: two points.
pub const MARGIN: f64 = 0.02;
/// The probability of seeing a drop for which sizes are worked out.
pub const POWER: f64 = 0.8;

/// What is established.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It is good enough.
    Pass,
    /// It is worse than it may be.
    Regressed,
    /// Neither.
    Inconclusive {
        /// About how many more items would tell, if things stay as they look; none if no number would.
        needs: Option<u64>,
    },
}

/// What a figure has to reach.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Target {
    /// Whether it must be at least, or else at most, the value.
    pub at_least: bool,
    /// The value.
    pub value: f64,
}

/// A figure held against a target.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Held {
    /// The figure.
    pub value: f64,
    /// Its one-sided lower and upper bound.
    pub interval: Interval,
    /// What follows; none if there was no target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

/// `hits` of `trials` against a target: Wilson's bounds, held to the exact binomial tails.
pub fn rate_against_target(
    hits: u64,
    trials: u64,
    target: Option<Target>,
    alpha: f64,
) -> Result<Held> {
    let value = share(hits, trials)?;
    level("alpha", alpha)?;
    let z = normal_quantile(1.0 - alpha);
    let interval = wilson_at(value, trials as f64, z);
    let verdict = match target {
        None => None,
        Some(target) => {
            rate("the target", target.value)?;
            Some(rate_verdict(hits, trials, target, alpha))
        }
    };
    Ok(Held {
        value,
        interval,
        verdict,
    })
}

fn rate_verdict(hits: u64, trials: u64, target: Target, alpha: f64) -> Verdict {
    // A ceiling on what happens is a floor under what does not.
    let (hits, bar) = if target.at_least {
        (hits, target.value)
    } else {
        (trials - hits, 1.0 - target.value)
    };
    let (n, value) = (trials as f64, hits as f64 / trials as f64);
    let z = normal_quantile(1.0 - alpha);
    let bounds = wilson_at(value, n, z);
    let at_least_so_many = match bar {
        0.0 => 0.0,
        1.0 => 1.0,
        bar => binomial_sf(hits, trials, bar),
    };
    let at_most_so_many = match bar {
        0.0 => 1.0,
        1.0 if hits < trials => 0.0,
        1.0 => 1.0,
        bar => binomial_cdf(hits, trials, bar),
    };
    if bounds.low >= bar && at_least_so_many <= alpha {
        return Verdict::Pass;
    }
    if bounds.high < bar && at_most_so_many <= alpha || bar >= 1.0 && hits < trials {
        return Verdict::Regressed;
    }
    // Wilson's bound reaches the bar when (value - bar)² n = z² bar (1 - bar).
    let gap = value - bar;
    let needed = z * z * bar * (1.0 - bar) / (gap * gap);
    Verdict::Inconclusive {
        needs: more(needed, trials),
    }
}

/// How many more than `have`, if `needed` is a number that somebody could reach.
fn more(needed: f64, have: u64) -> Option<u64> {
    (needed.is_finite() && needed < 1e12)
        .then(|| (needed.ceil() as u64).saturating_sub(have).max(1))
}

/// An estimate with its standard error, from `n` items, against a target. The bounds are normal.
pub fn estimate_against_target(
    value: f64,
    standard_error: f64,
    n: u64,
    target: Option<Target>,
    alpha: f64,
) -> Result<Held> {
    finite(&[value, standard_error])?;
    level("alpha", alpha)?;
    let z = normal_quantile(1.0 - alpha);
    let interval = Interval::around(value, z * standard_error);
    Ok(held(value, interval, standard_error * z, n, target))
}

/// What an interval says of a target; its half width shrinks with the root of `n`.
fn held(value: f64, interval: Interval, half: f64, n: u64, target: Option<Target>) -> Held {
    let verdict = target.map(|target| {
        let (good, bad) = if target.at_least {
            (interval.low >= target.value, interval.high < target.value)
        } else {
            (interval.high <= target.value, interval.low > target.value)
        };
        match (good, bad) {
            (true, _) => Verdict::Pass,
            (_, true) => Verdict::Regressed,
            _ => Verdict::Inconclusive {
                needs: more(n as f64 * (half / (value - target.value)).powi(2), n),
            },
        }
    });
    Held {
        value,
        interval,
        verdict,
    }
}

/// The mean of values against a target, with a standard error over clusters (each value its own cluster,
/// if they are independent). For values that lie in [0, 1], `bounded` widens each bound by one more value
/// at the far end, as small samples of rare failures ask for.
pub fn mean_against_target(
    values: &[f64],
    cluster: &[usize],
    bounded: bool,
    target: Option<Target>,
    alpha: f64,
) -> Result<Held> {
    paired(values.len(), cluster.len())?;
    finite(values)?;
    level("alpha", alpha)?;
    let moments = |extra: Option<f64>| clustered_mean(values, cluster, extra);
    let (value, error, clusters) = moments(None)?;
    let low = if bounded {
        moments(Some(0.0))?
    } else {
        (value, error, clusters)
    };
    let high = if bounded {
        moments(Some(1.0))?
    } else {
        (value, error, clusters)
    };
    let bound = |(mean, error, clusters): (f64, f64, usize), sign: f64| {
        mean + sign * student_t_quantile(1.0 - alpha, clusters as f64 - 1.0) * error
    };
    let mut interval = Interval {
        low: bound(low, -1.0),
        high: bound(high, 1.0),
    };
    if bounded {
        interval = interval.within(0.0, 1.0);
    }
    let half = (interval.high - interval.low) / 2.0;
    Ok(held(value, interval, half, values.len() as u64, target))
}

/// The mean, its clustered standard error, and how many clusters there are; `extra` is one more value
/// in a cluster of its own.
fn clustered_mean(
    values: &[f64],
    cluster: &[usize],
    extra: Option<f64>,
) -> Result<(f64, f64, usize)> {
    let n = (values.len() + usize::from(extra.is_some())) as f64;
    let mean = (values.iter().sum::<f64>() + extra.unwrap_or(0.0)) / n;
    let mut sums = std::collections::HashMap::new();
    for (value, cluster) in values.iter().zip(cluster) {
        *sums.entry(Some(*cluster)).or_insert(0.0) += value - mean;
    }
    if let Some(extra) = extra {
        sums.insert(None, extra - mean);
    }
    enough(sums.len(), 2)?;
    let clusters = sums.len() as f64;
    let squares: f64 = sums.values().map(|sum: &f64| sum * sum).sum();
    let error = (clusters / (clusters - 1.0) * squares).sqrt() / n;
    Ok((mean, error, sums.len()))
}

/// A candidate held against a baseline on the same items.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Compared {
    /// The candidate's figure minus the baseline's: below zero, it is worse.
    pub difference: f64,
    /// Its one-sided bounds.
    pub interval: Interval,
    /// The probability of a drop this large if there is none.
    pub p: f64,
    /// Of how many items.
    pub items: u64,
    /// What follows.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Items that pass or fail under both: REGRESSED by the exact one-sided McNemar test, PASS if Bonett and
/// Price's bound rules out a drop of more than `margin`.
pub fn pairs_against_baseline(
    pairs: Discordant,
    items: u64,
    margin: f64,
    alpha: f64,
) -> Result<Compared> {
    level("alpha", alpha)?;
    rate("the margin", margin)?;
    let drop = bonett_price(pairs, items, 1.0 - 2.0 * alpha)?;
    let p = mcnemar(pairs).exact_regression;
    let (b, c, n) = (pairs.regressed as f64, pairs.improved as f64, items as f64);
    let fall = (b - c) / n;
    let verdict = if p <= alpha {
        Verdict::Regressed
    } else if drop.high <= margin {
        Verdict::Pass
    } else {
        let disagree = (b + c + 1.0) / (n + 2.0);
        let needed = if fall > margin {
            sample_size::paired(disagree.max(fall), fall, alpha, POWER).ok()
        } else {
            let z = normal_quantile(1.0 - alpha);
            let n = z * z * disagree / (margin - fall).powi(2);
            (n.is_finite() && n < 1e12).then(|| n.ceil() as u64)
        };
        let needs = needed.map(|needed| needed.saturating_sub(items).max(1));
        Verdict::Inconclusive { needs }
    };
    Ok(Compared {
        difference: -fall,
        interval: Interval {
            low: -drop.high,
            high: -drop.low,
        },
        p,
        items,
        verdict,
    })
}

/// Graded items under both, in clusters: REGRESSED by the one-sided t test of the paired differences,
/// PASS if the lower bound rules out a drop of more than `margin`.
pub fn scores_against_baseline(
    base: &[f64],
    candidate: &[f64],
    cluster: &[usize],
    margin: f64,
    alpha: f64,
) -> Result<Compared> {
    paired(base.len(), candidate.len())?;
    finite(base)?;
    finite(candidate)?;
    level("alpha", alpha)?;
    paired(base.len(), cluster.len())?;
    let differences: Vec<f64> = candidate.iter().zip(base).map(|(c, b)| c - b).collect();
    let (difference, error, clusters) = clustered_mean(&differences, cluster, None)?;
    let freedom = clusters as f64 - 1.0;
    // Where every cluster changed by the same, nothing was seen of the spread: the share of clusters that
    // change otherwise may be as large as one that leaves such a sample with a chance of `alpha`, by as much as
    // the whole scale; and a drop is one by the sign test.
    let half = if error > 0.0 {
        student_t_quantile(1.0 - alpha, freedom) * error
    } else {
        1.0 - alpha.powf(1.0 / clusters as f64)
    };
    let interval = Interval::around(difference, half);
    let p = match (error > 0.0, difference < 0.0) {
        (true, _) => student_t_sf(-difference / error, freedom),
        (false, true) => 0.5_f64.powf(clusters as f64),
        (false, false) => 1.0,
    };
    let items = differences.len() as u64;
    let verdict = if p <= alpha {
        Verdict::Regressed
    } else if interval.low >= -margin {
        Verdict::Pass
    } else {
        let far = if difference < -margin {
            difference
        } else {
            difference + margin
        };
        Verdict::Inconclusive {
            needs: more(items as f64 * (half / far).powi(2), items),
        }
    };
    Ok(Compared {
        difference,
        interval,
        p,
        items,
        verdict,
    })
}

/// What a set can see at all against a target: the rate at or below which `n` items say REGRESSED with
/// the given power. None if no rate is low enough.
pub fn detectable_rate(n: u64, target: f64, alpha: f64, power: f64) -> Result<Option<f64>> {
    rate("the target", target)?;
    level("alpha", alpha)?;
    level("the power", power)?;
    if n == 0 {
        return Err(Unusable::Empty);
    }
    let (z, beta) = (normal_quantile(1.0 - alpha), normal_quantile(power));
    let seen = |p: f64| {
        let noise = z * (target * (1.0 - target)).sqrt() + beta * (p * (1.0 - p)).sqrt();
        target - p >= noise / (n as f64).sqrt()
    };
    if !seen(0.0) {
        return Ok(None);
    }
    let (mut low, mut high) = (0.0, target);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if seen(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(Some(low))
}

/// What a set can see at all against a baseline: the smallest drop that `n` items on which the two
/// disagree with probability `disagree` show with the given power. None if even all of them would not.
pub fn detectable_drop(n: u64, disagree: f64, alpha: f64, power: f64) -> Result<Option<f64>> {
    if n == 0 {
        return Err(Unusable::Empty);
    }
    rate("the share that disagrees", disagree)?;
    let seen = |drop: f64| sample_size::paired(disagree, drop, alpha, power).is_ok_and(|m| m <= n);
    if disagree <= 0.0 || !seen(disagree) {
        return Ok(None);
    }
    let (mut low, mut high) = (0.0, disagree);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if seen(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(Some(high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::special::binomial_pmf;

    const AT_LEAST: fn(f64) -> Option<Target> = |value| {
        Some(Target {
            at_least: true,
            value,
        })
    };

    fn of_rate(hits: u64, trials: u64, bar: f64) -> Verdict {
        rate_against_target(hits, trials, AT_LEAST(bar), ALPHA)
            .unwrap()
            .verdict
            .unwrap()
    }

    #[test]
    fn on_the_target_itself_neither_verdict_is_said_more_often_than_alpha() {
        // Not simulated but summed over every outcome, with its exact probability.
        for bar in [0.5, 0.8, 0.9, 0.95, 0.99, 0.999] {
            for n in [1, 2, 5, 10, 20, 45, 52, 59, 100, 200, 500] {
                let said = |verdict: Verdict| -> f64 {
                    let outcomes = (0..=n).filter(|hits| of_rate(*hits, n, bar) == verdict);
                    outcomes.map(|hits| binomial_pmf(hits, n, bar)).sum()
                };
                let (regressed, passed) = (said(Verdict::Regressed), said(Verdict::Pass));
                assert!(regressed <= ALPHA + 1e-9, "{bar} {n}: {regressed}");
                assert!(passed <= ALPHA + 1e-9, "{bar} {n}: {passed}");
            }
        }
    }

    #[test]
    fn a_ceiling_is_a_floor_seen_from_the_other_side() {
        for hits in 0..=60 {
            let most = Some(Target {
                at_least: false,
                value: 0.1,
            });
            let of_most = rate_against_target(hits, 60, most, ALPHA).unwrap();
            assert_eq!(of_most.verdict, Some(of_rate(60 - hits, 60, 0.9)), "{hits}");
        }
    }

    #[test]
    fn the_number_that_is_asked_for_is_about_enough() {
        let Verdict::Inconclusive { needs: Some(needs) } = of_rate(93, 100, 0.9) else {
            panic!("93 of 100 says nothing of 0.9")
        };
        let n = 100 + needs;
        let hits = (0.93 * n as f64).round() as u64;
        assert_eq!(of_rate(hits + 2, n, 0.9), Verdict::Pass);
        assert_ne!(of_rate(hits * 2 / 3, n * 2 / 3, 0.9), Verdict::Pass);
        // Exactly on the bar, no number would tell.
        assert_eq!(of_rate(90, 100, 0.9), Verdict::Inconclusive { needs: None });
        assert_eq!(of_rate(99, 100, 1.0), Verdict::Regressed);
        assert!(rate_against_target(0, 0, None, ALPHA).is_err());
    }

    #[test]
    fn five_lost_and_none_won_is_a_regression_and_two_won_leave_doubt() {
        let of = |regressed, improved, items| {
            let pairs = Discordant {
                regressed,
                improved,
            };
            pairs_against_baseline(pairs, items, MARGIN, ALPHA).unwrap()
        };
        assert_eq!(of(5, 0, 100).verdict, Verdict::Regressed);
        assert!(matches!(
            of(8, 2, 100).verdict,
            Verdict::Inconclusive { needs: Some(_) }
        ));
        assert_eq!(of(3, 3, 2_000).verdict, Verdict::Pass);
        assert!((of(5, 0, 100).p - 0.03125).abs() < 1e-12);
    }

    /// Xorshift: the same numbers in every run.
    struct Chance(u64);

    impl Chance {
        fn unit(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    #[test]
    fn a_candidate_as_good_as_its_baseline_is_seldom_called_worse() {
        let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
        let (mut by_pairs, mut by_scores) = (0, 0);
        const RUNS: usize = 2_000;
        for _ in 0..RUNS {
            let (mut base, mut candidate, mut cluster) = (Vec::new(), Vec::new(), Vec::new());
            let (mut regressed, mut improved) = (0, 0);
            for item in 0..120 {
                // Items of one document share its difficulty.
                let hard = 0.75 + 0.2 * chance.unit();
                let of = |chance: &mut Chance| f64::from(u8::from(chance.unit() < hard));
                let (b, c) = (of(&mut chance), of(&mut chance));
                regressed += u64::from(b > c);
                improved += u64::from(c > b);
                base.push(b);
                candidate.push(c);
                cluster.push(item / 3);
            }
            let pairs = Discordant {
                regressed,
                improved,
            };
            let told = pairs_against_baseline(pairs, 120, MARGIN, ALPHA).unwrap();
            by_pairs += usize::from(told.verdict == Verdict::Regressed);
            let told = scores_against_baseline(&base, &candidate, &cluster, MARGIN, ALPHA).unwrap();
            by_scores += usize::from(told.verdict == Verdict::Regressed);
        }
        let share = |count: usize| count as f64 / RUNS as f64;
        assert!(share(by_pairs) <= ALPHA, "{}", share(by_pairs));
        // Three standard errors of the simulation itself.
        assert!(share(by_scores) <= ALPHA + 0.015, "{}", share(by_scores));
    }

    #[test]
    fn a_mean_on_its_target_is_seldom_called_worse_however_skewed() {
        let mut chance = Chance(0xD1B5_4A32_D192_ED03);
        // Mostly right with rare failures; graded; all or nothing.
        type Draw = fn(f64) -> f64;
        let draws: [(f64, Draw); 3] = [
            (0.95, |u| if u < 0.05 { 0.0 } else { 1.0 }),
            (2.0 / 3.0, f64::sqrt),
            (0.9, |u| if u < 0.2 { 0.5 } else { 1.0 }),
        ];
        for (mean, draw) in draws {
            for n in [5, 20, 60, 200] {
                let cluster: Vec<usize> = (0..n).collect();
                let mut wrong = 0;
                for _ in 0..2_000 {
                    let values: Vec<f64> = (0..n).map(|_| draw(chance.unit())).collect();
                    let held = mean_against_target(&values, &cluster, true, AT_LEAST(mean), ALPHA);
                    wrong += u32::from(held.unwrap().verdict == Some(Verdict::Regressed));
                }
                let share = f64::from(wrong) / 2_000.0;
                assert!(share <= ALPHA + 0.015, "{mean} {n}: {share}");
            }
        }
    }

    #[test]
    fn a_set_knows_what_it_can_see() {
        let seen = detectable_rate(50, 0.95, ALPHA, POWER).unwrap().unwrap();
        assert!((0.82..0.90).contains(&seen), "{seen}");
        assert!(detectable_rate(2, 0.5, ALPHA, POWER).unwrap().is_none());
        // Connor: 246 items see a drop of 0.05 where a tenth disagrees.
        let drop = detectable_drop(246, 0.1, ALPHA, POWER).unwrap().unwrap();
        assert!((drop - 0.05).abs() < 1e-3, "{drop}");
        assert!(detectable_drop(5, 0.1, ALPHA, POWER).unwrap().is_none());
    }

    #[test]
    fn what_is_no_number_gets_no_verdict() {
        assert!(mean_against_target(&[f64::NAN, 1.0], &[0, 1], true, None, ALPHA).is_err());
        assert!(mean_against_target(&[], &[], true, None, ALPHA).is_err());
        assert!(estimate_against_target(f64::INFINITY, 0.1, 3, None, ALPHA).is_err());
        assert!(rate_against_target(1, 2, AT_LEAST(1.5), ALPHA).is_err());
    }

    #[test]
    fn a_few_clusters_that_all_change_alike_prove_nothing() {
        let compared = |n: usize, drop: f64| {
            let (base, cluster): (Vec<f64>, Vec<usize>) = (vec![0.75; n], (0..n).collect());
            let candidate = vec![0.75 - drop; n];
            scores_against_baseline(&base, &candidate, &cluster, 0.02, ALPHA).unwrap()
        };
        for drop in [0.0, 0.25] {
            let verdict = compared(3, drop).verdict;
            assert!(
                matches!(verdict, Verdict::Inconclusive { .. }),
                "{verdict:?}"
            );
        }
        assert_eq!(compared(200, 0.0).verdict, Verdict::Pass);
        assert_eq!(compared(200, 0.25).verdict, Verdict::Regressed);
    }
}
