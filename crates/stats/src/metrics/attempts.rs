//! Repeated attempts at one item: pass@k and pass^k.

use crate::unusable::{Result, Unusable};

/// The probability that at least one of `k` attempts passes, estimated without bias from `passed` of
/// `attempts` (Chen et al. 2021).
pub fn pass_at_k(attempts: u64, passed: u64, k: u64) -> Result<f64> {
    Ok(1.0 - all_chosen_from(attempts, within(attempts, passed, k)?.1, k))
}

/// The probability that all of `k` attempts pass, estimated without bias (pass^k; Yao et al. 2024).
pub fn pass_all_k(attempts: u64, passed: u64, k: u64) -> Result<f64> {
    Ok(all_chosen_from(attempts, within(attempts, passed, k)?.0, k))
}

/// C(part, k) / C(all, k): that k, drawn without replacement, are all of the part.
fn all_chosen_from(all: u64, part: u64, k: u64) -> f64 {
    (0..k)
        .map(|i| part.saturating_sub(i) as f64 / (all - i) as f64)
        .product()
}

/// How many passed and how many failed.
fn within(attempts: u64, passed: u64, k: u64) -> Result<(u64, u64)> {
    let refuse = |what, must| Err(Unusable::OutOfRange { what, must });
    if k == 0 || k > attempts {
        return refuse("k", "at least 1 and at most the number of attempts");
    }
    if passed > attempts {
        return refuse("the passes", "no more than the attempts");
    }
    Ok((passed, attempts - passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_four_give_what_counting_gives() {
        // Of the 6 pairs of 4 attempts with 2 passes, 1 has none and 1 has both.
        assert!((pass_at_k(4, 2, 2).unwrap() - 5.0 / 6.0).abs() < 1e-15);
        assert!((pass_all_k(4, 2, 2).unwrap() - 1.0 / 6.0).abs() < 1e-15);
        assert_eq!(pass_at_k(5, 0, 3), Ok(0.0));
        assert_eq!(pass_at_k(5, 3, 5), Ok(1.0));
        assert_eq!(pass_all_k(5, 2, 3), Ok(0.0));
        assert!(pass_at_k(3, 1, 4).is_err());
    }
}
