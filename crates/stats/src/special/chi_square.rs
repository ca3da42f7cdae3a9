//! The chi square distribution, central and not.

use super::gamma::{gamma_step, gamma_tails, ln_gamma};
use super::root::crossing_upwards;

/// How many standard deviations of the Poisson weights are summed on each side.
const SPREAD: f64 = 12.0;

/// P(X ≤ x) with `freedom` degrees of freedom.
pub fn chi_square_cdf(x: f64, freedom: f64) -> f64 {
    gamma_tails(freedom / 2.0, x / 2.0).0
}

/// P(X > x) with `freedom` degrees of freedom.
pub fn chi_square_sf(x: f64, freedom: f64) -> f64 {
    gamma_tails(freedom / 2.0, x / 2.0).1
}

/// Where P(X ≤ x) is `p`.
pub fn chi_square_quantile(p: f64, freedom: f64) -> f64 {
    crossing_upwards(0.0, freedom, |x| {
        if p < 0.5 {
            chi_square_cdf(x, freedom) < p
        } else {
            chi_square_sf(x, freedom) > 1.0 - p
        }
    })
}

/// P(X > x) with `freedom` degrees of freedom and the noncentrality `shift`: central tails weighted
/// by a Poisson distribution, summed upwards, so that no term is ever taken away.
pub fn noncentral_chi_square_sf(x: f64, freedom: f64, shift: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if shift <= 0.0 {
        return chi_square_sf(x, freedom);
    }
    let (mean, half) = (shift / 2.0, x / 2.0);
    let spread = SPREAD * mean.sqrt() + 20.0;
    let first = (mean - spread).floor().max(0.0);
    let last = (mean + spread).ceil();
    let mut index = first;
    let mut weight = (index * mean.ln() - mean - ln_gamma(index + 1.0)).exp();
    let a = freedom / 2.0 + index;
    let mut tail = gamma_tails(a, half).1;
    let mut step = gamma_step(a, half);
    let mut sum = 0.0;
    while index <= last {
        sum += weight * tail;
        tail = (tail + step).min(1.0);
        index += 1.0;
        weight *= mean / index;
        step *= half / (freedom / 2.0 + index);
    }
    sum.min(1.0)
}

/// Where P(X ≤ x) is `p`, for p of at least one half.
pub fn noncentral_chi_square_quantile(p: f64, freedom: f64, shift: f64) -> f64 {
    let deviation = (2.0 * (freedom + 2.0 * shift)).sqrt();
    let guess = freedom + shift + 4.0 * deviation;
    crossing_upwards(0.0, guess, |x| {
        noncentral_chi_square_sf(x, freedom, shift) > 1.0 - p
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_shift_the_distribution_is_the_central_one() {
        for x in [0.5, 9.0, 40.0] {
            let (near, far) = (
                noncentral_chi_square_sf(x, 9.0, 1e-12),
                chi_square_sf(x, 9.0),
            );
            assert!((near - far).abs() < 1e-11);
        }
    }

    #[test]
    fn the_critical_values_of_the_tolerant_test_are_those_of_its_table() {
        // PSI critical values at alpha .001, delta .02, ten bins, a reference of 20,000.
        for (current, wanted) in [
            (200.0, 0.192),
            (1_000.0, 0.069),
            (5_000.0, 0.039),
            (20_000.0, 0.031),
        ] {
            let unit = 1.0 / 20_000.0 + 1.0 / current;
            let critical = unit * noncentral_chi_square_quantile(0.999, 9.0, 0.02 / unit);
            assert!((critical - wanted).abs() < 6e-4, "{current}: {critical}");
        }
    }

    #[test]
    fn a_shift_of_millions_is_summed_in_time_and_stays_a_probability() {
        let shift = 1e7;
        let middle = noncentral_chi_square_sf(shift + 9.0, 9.0, shift);
        assert!((middle - 0.5).abs() < 1e-2, "{middle}");
    }
}
