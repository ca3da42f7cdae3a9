//! Whether two windows have the same shares of categories: Pearson's chi square and the G test.
//!
//! Both windows are samples. A test that takes the reference for the truth (goodness of fit) is wrong
//! in a third of the cases and more; this one pools them.

use serde::Serialize;

use crate::special::chi_square_sf;
use crate::unusable::{Result, Unusable, paired};

/// What the test says.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Homogeneity {
    /// The statistic.
    pub statistic: f64,
    /// The degrees of freedom: one less than there are categories that occur.
    pub freedom: usize,
    /// The probability of one as large or larger when nothing changed.
    pub p: f64,
    /// The least count that was expected in a cell; below 5, take `p` as a rough figure.
    pub least_expected: f64,
    /// Cramér's V, between 0 and 1: how strongly the shares depend on the window.
    pub cramers_v: f64,
}

/// Pearson's chi square test of homogeneity, without continuity correction.
pub fn chi_square_homogeneity(reference: &[u64], current: &[u64]) -> Result<Homogeneity> {
    tested(reference, current, |observed, expected| {
        (observed - expected) * (observed - expected) / expected
    })
}

/// The G test (likelihood ratio) of homogeneity, without continuity correction.
pub fn g_homogeneity(reference: &[u64], current: &[u64]) -> Result<Homogeneity> {
    tested(reference, current, |observed, expected| {
        if observed > 0.0 {
            2.0 * observed * (observed / expected).ln()
        } else {
            0.0
        }
    })
}

fn tested(
    reference: &[u64],
    current: &[u64],
    part: impl Fn(f64, f64) -> f64,
) -> Result<Homogeneity> {
    paired(reference.len(), current.len())?;
    let total = |counts: &[u64]| counts.iter().map(|count| *count as f64).sum::<f64>();
    let (n, m) = (total(reference), total(current));
    if n == 0.0 || m == 0.0 {
        return Err(Unusable::Empty);
    }
    let (mut statistic, mut categories, mut least_expected) = (0.0, 0_usize, f64::INFINITY);
    for (r, c) in reference.iter().zip(current) {
        let both = *r as f64 + *c as f64;
        if both == 0.0 {
            continue;
        }
        categories += 1;
        for (observed, size) in [(*r as f64, n), (*c as f64, m)] {
            let expected = both * size / (n + m);
            least_expected = least_expected.min(expected);
            statistic += part(observed, expected);
        }
    }
    let freedom = categories - 1;
    let statistic = f64::max(statistic, 0.0);
    let p = if freedom == 0 {
        1.0
    } else {
        chi_square_sf(statistic, freedom as f64)
    };
    Ok(Homogeneity {
        statistic,
        freedom,
        p,
        least_expected,
        cramers_v: (statistic / (n + m)).sqrt(),
    })
}
