//! The logarithm of the gamma function, and the regularised incomplete gamma functions.

const ITERATIONS_MAX: u32 = 100_000;
const TINY: f64 = 1e-300;

/// ln Γ(x) for x > 0.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// ln(x^a e^-x / Γ(a + 1)): the common factor of both expansions.
fn ln_factor(a: f64, x: f64) -> f64 {
    a * x.ln() - x - ln_gamma(a + 1.0)
}

/// x^a e^-x / Γ(a + 1), which is P(a, x) - P(a + 1, x).
pub(crate) fn gamma_step(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    ln_factor(a, x).exp()
}

/// The lower regularised incomplete gamma function P(a, x) and the upper Q(a, x), for a > 0: the
/// series below a + 1, Legendre's continued fraction (by Lentz) above.
pub(crate) fn gamma_tails(a: f64, x: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if x == f64::INFINITY {
        return (1.0, 0.0);
    }
    if x < a + 1.0 {
        let lower = (lower_series(a, x) * gamma_step(a, x)).min(1.0);
        return (lower, 1.0 - lower);
    }
    let upper = (upper_fraction(a, x) * a * gamma_step(a, x)).min(1.0);
    (1.0 - upper, upper)
}

fn lower_series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..ITERATIONS_MAX {
        term *= x / (a + f64::from(n));
        sum += term;
        if term < sum * f64::EPSILON / 4.0 {
            break;
        }
    }
    sum
}

fn upper_fraction(a: f64, x: f64) -> f64 {
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut h = d;
    for i in 1..ITERATIONS_MAX {
        let i = f64::from(i);
        let an = -i * (i - a);
        b += 2.0;
        d = away_from_zero(an * d + b).recip();
        c = away_from_zero(b + an / c);
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    h
}

fn away_from_zero(x: f64) -> f64 {
    if x.abs() < TINY { TINY } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tails_add_up_and_agree_with_closed_forms() {
        for x in [0.01, 0.5, 1.0, 3.0, 30.0] {
            let (lower, upper) = gamma_tails(1.0, x);
            assert!((upper - f64::exp(-x)).abs() < 1e-15, "{x}");
            assert!((lower + upper - 1.0).abs() < 1e-15);
            let (half, _) = gamma_tails(0.5, x);
            assert!((half - libm::erf(x.sqrt())).abs() < 1e-14, "{x}");
        }
        // Far in the tail it keeps its digits: Q(1, 700) = e^-700.
        let (_, far) = gamma_tails(1.0, 700.0);
        assert!((far / f64::exp(-700.0) - 1.0).abs() < 1e-12);
    }
}
