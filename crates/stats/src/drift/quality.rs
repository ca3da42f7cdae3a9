//! Checks of a column's quality that are no comparison of distributions: missing values, values out of
//! the reference's range, categories that the reference did not have.

use serde::Serialize;

use super::Sample;
use crate::proportion::wilson;
use crate::special::normal_sf;
use crate::unusable::{Result, Unusable};

/// A new category is told when it has at least so many rows.
const NEW_CATEGORY_ROWS: u64 = 3;
/// And when its share is this much for sure.
const NEW_CATEGORY_SHARE: f64 = 0.001;
/// How much more may be missing than was: a hundredth.
const MISSING_MARGIN: f64 = 0.01;
/// Below this expected count, the exact test takes over.
const EXACT_BELOW: f64 = 10.0;

/// Whether more values are missing than were, by more than a hundredth of the rows.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct MissingTest {
    /// The share that was missing in the reference.
    pub reference: f64,
    /// The share that is missing now.
    pub current: f64,
    /// The probability of as many or more missing if at most the margin had been added.
    pub p: f64,
}

/// Tests `missing` of so many rows, each of the reference and of the current window.
pub fn missing_share(
    (reference_missing, reference_rows): (u64, u64),
    (current_missing, current_rows): (u64, u64),
) -> Result<MissingTest> {
    if reference_rows == 0 || current_rows == 0 {
        return Err(Unusable::Empty);
    }
    let (n, m) = (reference_rows as f64, current_rows as f64);
    let (reference, current) = (reference_missing as f64 / n, current_missing as f64 / m);
    let allowed = (reference + MISSING_MARGIN).min(1.0);
    let expected = [allowed * m, (1.0 - allowed) * m];
    let p = if current <= allowed {
        1.0
    } else if expected.iter().any(|count| *count < EXACT_BELOW) {
        crate::special::binomial_sf(current_missing, current_rows, allowed)
    } else {
        let variance = reference * (1.0 - reference) / n + allowed * (1.0 - allowed) / m;
        normal_sf((current - allowed) / variance.sqrt())
    };
    Ok(MissingTest {
        reference,
        current,
        p,
    })
}

/// Values that the reference never reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct OutOfRange {
    /// How many lie below the reference's least.
    pub below: u64,
    /// How many lie above its greatest.
    pub above: u64,
    /// Whether they are more than two samples of one population would have, for sure.
    pub is_excessive: bool,
}

/// Counts them; none if one of the samples is empty.
pub fn out_of_range(reference: &Sample, current: &Sample) -> Option<OutOfRange> {
    let (least, greatest) = reference.range()?;
    let sorted = current.sorted();
    if sorted.is_empty() {
        return None;
    }
    let below = sorted.partition_point(|value| *value < least) as u64;
    let above = (sorted.len() - sorted.partition_point(|value| *value <= greatest)) as u64;
    // A new value falls out on one side with probability 1/(n + 1).
    let tolerated = 2.0 / (reference.len() as f64 + 1.0);
    let lower = wilson(below + above, sorted.len() as u64, 0.999);
    let is_excessive = lower.is_ok_and(|interval| interval.low > tolerated);
    Some(OutOfRange {
        below,
        above,
        is_excessive,
    })
}

/// Whether a category of `rows` in `total` rows, which the reference did not have, is to be told: at
/// least three rows, and more than a thousandth for sure.
pub fn new_category(rows: u64, total: u64) -> bool {
    rows >= NEW_CATEGORY_ROWS
        && wilson(rows, total, 0.95).is_ok_and(|share| share.low > NEW_CATEGORY_SHARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_more_missing_values_are_told_and_a_few_are_not() {
        let told = |current| missing_share((10, 400), (current, 400)).unwrap().p;
        assert!(told(52) < 1e-6);
        assert_eq!(told(10), 1.0);
        assert!(told(16) > 0.05);
        assert!(missing_share((0, 1_000), (30, 1_000)).unwrap().p < 1e-3);
        assert!(missing_share((0, 0), (1, 1)).is_err());
    }

    #[test]
    fn a_wider_range_is_excessive_and_a_stray_value_is_not() {
        let reference = Sample::new((0..400).map(f64::from).collect());
        let stray = Sample::new((1..=400).map(f64::from).collect());
        assert!(!out_of_range(&reference, &stray).unwrap().is_excessive);
        let wide = Sample::new((-40..440).map(f64::from).collect());
        let told = out_of_range(&reference, &wide).unwrap();
        assert_eq!((told.below, told.above, told.is_excessive), (40, 40, true));
    }
}
