//! The two-sample Kolmogorov-Smirnov test: the statistic exactly, its p-value as scipy gives it.

use serde::Serialize;

use super::Sample;
use crate::special::kolmogorov_sf;
use crate::unusable::{Result, Unusable};

/// The largest window for which the p-value is exact, as in scipy's `method="auto"`.
const EXACT_MAX: usize = 10_000;

/// How the p-value is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum KsTail {
    /// Exact where neither window is larger than 10,000, asymptotic above.
    #[default]
    Auto,
    /// By counting lattice paths (Hodges 1958).
    Exact,
    /// By the one-sample distribution of n m / (n + m) values.
    Asymptotic,
}

/// What the test says.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Ks {
    /// The largest distance of the two distribution functions.
    pub statistic: f64,
    /// The probability of one as large or larger when nothing changed.
    pub p: f64,
}

/// Runs the two-sided test.
pub fn ks(reference: &Sample, current: &Sample, tail: KsTail) -> Result<Ks> {
    let (gap, _) = walk(reference, current)?;
    Ok(judged(gap, reference.len(), current.len(), tail))
}

/// The test and the Wasserstein distance W₁ in one pass over both samples.
pub fn ks_and_wasserstein(reference: &Sample, current: &Sample) -> Result<(Ks, f64)> {
    let (gap, area) = walk(reference, current)?;
    let ks = judged(gap, reference.len(), current.len(), KsTail::Auto);
    Ok((ks, area))
}

/// The largest distance as a whole number, times both sizes, and the area between the functions.
fn walk(reference: &Sample, current: &Sample) -> Result<(u128, f64)> {
    let (left, right) = (reference.sorted(), current.sorted());
    let (Some((left_least, _)), Some((right_least, _))) = (reference.range(), current.range())
    else {
        return Err(Unusable::Empty);
    };
    let (n, m) = (left.len() as i64, right.len() as i64);
    let unit = 1.0 / (n as f64 * m as f64);
    let (mut i, mut j) = (0_usize, 0_usize);
    let mut at = left_least.min(right_least);
    // By how much the left function is ahead, times both sizes: a whole number below n m, which fits for
    // windows of up to three thousand million values.
    let mut ahead = 0_i64;
    let (mut gap, mut area) = (0_i64, 0.0);
    // While both have values, no branch depends on whose is next: nobody could guess it.
    while i < left.len() && j < right.len() {
        let (x, y) = (left[i], right[j]);
        let next = if x < y { x } else { y };
        // Among equal values there is no distance yet: some of them are still to come.
        gap = gap.max(if next > at { ahead.abs() } else { 0 });
        area += (next - at) * (ahead.abs() as f64 * unit);
        at = next;
        let (left_passes, right_passes) = (x <= next, y <= next);
        i += usize::from(left_passes);
        j += usize::from(right_passes);
        ahead += i64::from(left_passes) * m - i64::from(right_passes) * n;
    }
    let rest = left[i..].iter().map(|x| (*x, m));
    for (next, step) in rest.chain(right[j..].iter().map(|y| (*y, -n))) {
        gap = gap.max(if next > at { ahead.abs() } else { 0 });
        area += (next - at) * (ahead.abs() as f64 * unit);
        at = next;
        ahead += step;
    }
    Ok((u128::from(gap.unsigned_abs()), area))
}

fn judged(gap: u128, n: usize, m: usize, tail: KsTail) -> Ks {
    let statistic = gap as f64 / (n as f64 * m as f64);
    let is_exact = match tail {
        KsTail::Auto => n.max(m) <= EXACT_MAX,
        KsTail::Exact => true,
        KsTail::Asymptotic => false,
    };
    let p = if is_exact {
        exact_tail(gap, n, m)
    } else {
        let effective = n as f64 * m as f64 / (n as f64 + m as f64);
        kolmogorov_sf(effective.round_ties_even() as u64, statistic)
    };
    Ks { statistic, p }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

fn exact_tail(gap: u128, n: usize, m: usize) -> f64 {
    let divisor = greatest_common_divisor(n, m);
    // The gap is a multiple of the divisor: both of its terms are.
    let steps = usize::try_from(gap / divisor as u128).unwrap_or(usize::MAX);
    if steps == 0 {
        return 1.0;
    }
    let p = if n == m {
        outside_square(n, steps)
    } else {
        outside_band(n.max(m), n.min(m), divisor, steps)
    };
    p.clamp(0.0, 1.0)
}

/// Windows of one size: an alternating sum of binomials, by Horner.
fn outside_square(n: usize, steps: usize) -> f64 {
    // p ← r (1 - p), where r leads from one binomial to the next.
    let p = (1..=n / steps)
        .rev()
        .fold(0.0, |p, k| square_ratio(n, k, steps) * (1.0 - p));
    2.0 * p
}

/// C(2n, n - kh) / C(2n, n - (k - 1) h).
fn square_ratio(n: usize, k: usize, steps: usize) -> f64 {
    let (low, high) = (
        n as f64 - (k * steps) as f64,
        n as f64 + ((k - 1) * steps) as f64,
    );
    (0..steps).fold(1.0, |ratio, j| {
        ratio * (low + (steps - j) as f64) / (high + (j + 1) as f64)
    })
}

/// Windows of different sizes, the first the larger: the probability that a path leaves the band,
/// point by point, where each is the weighted mean of the two before it. Nothing is ever taken away.
fn outside_band(n: usize, m: usize, divisor: usize, steps: usize) -> f64 {
    let (n_step, m_step) = (n / divisor, m / divisor);
    // At column x, the rows y with |x m_step - y n_step| < steps are inside.
    let inside = |x: usize| {
        let at = x * m_step;
        let first = if at < steps {
            0
        } else {
            (at - steps) / n_step + 1
        };
        let last = (at + steps).div_ceil(n_step);
        (first, last.min(m + 1))
    };
    let mut outside = vec![1.0; m + 1];
    let (_, last) = inside(0);
    outside[..last].fill(0.0);
    let mut before = (0, last);
    for x in 1..=n {
        let (first, last) = inside(x);
        // What was inside and is no longer counts as outside from here on.
        outside[before.0..first.min(before.1).max(before.0)].fill(1.0);
        for y in first..last {
            let below = if y == 0 {
                0.0
            } else {
                outside[y - 1] * y as f64
            };
            outside[y] = (outside[y] * x as f64 + below) / (x + y) as f64;
        }
        before = (first, last);
    }
    outside[m]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec())
    }

    #[test]
    fn small_cases_are_what_counting_by_hand_gives() {
        // Two against two, wholly apart: 2 of the 6 orders do that.
        let apart = ks(&sample(&[1.0, 2.0]), &sample(&[3.0, 4.0]), KsTail::Exact).unwrap();
        assert_eq!(apart.statistic, 1.0);
        assert!((apart.p - 2.0 / 6.0).abs() < 1e-15);
        // Two against one: the single value is at either end in 2 of 3 orders.
        let end = ks(&sample(&[1.0, 2.0]), &sample(&[3.0]), KsTail::Exact).unwrap();
        assert!((end.p - 2.0 / 3.0).abs() < 1e-15);
        assert!(ks(&sample(&[]), &sample(&[1.0]), KsTail::Auto).is_err());
    }

    proptest! {
        #[test]
        fn the_test_is_symmetric_and_a_probability(
            left in proptest::collection::vec(-20i32..20, 1..60),
            right in proptest::collection::vec(-20i32..20, 1..60),
        ) {
            let floats = |values: &[i32]| Sample::new(values.iter().copied().map(f64::from).collect());
            let (left, right) = (floats(&left), floats(&right));
            for tail in [KsTail::Exact, KsTail::Asymptotic] {
                let (one, other) = (ks(&left, &right, tail).unwrap(), ks(&right, &left, tail).unwrap());
                prop_assert!((one.p - other.p).abs() < 1e-12);
                prop_assert!((0.0..=1.0).contains(&one.p));
                prop_assert!((0.0..=1.0).contains(&one.statistic));
            }
            let (_, distance) = ks_and_wasserstein(&left, &right).unwrap();
            let means = (left.mean().unwrap() - right.mean().unwrap()).abs();
            prop_assert!(distance >= means - 1e-9);
        }

        #[test]
        fn both_ways_of_counting_paths_agree(n in 1usize..40, steps in 1usize..40) {
            prop_assume!(steps <= n);
            let (square, band) = (outside_square(n, steps), outside_band(n, n, n, steps));
            prop_assert!((square - band).abs() < 1e-12, "{} {}", square, band);
        }
    }
}
