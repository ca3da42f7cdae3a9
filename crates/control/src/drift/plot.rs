//! What is drawn of a column: shares of both tables side by side.

use std::collections::BTreeMap;

use plimsoll_stats::drift::{Cuts, Sample, Shares};

use super::cells::Texts;

/// Pieces of equal width that numbers are drawn in.
const PIECES: usize = 30;
/// The most categories that are drawn; the others are one.
const DRAWN_MAX: usize = 12;

/// Shares to draw: label, of the reference, of the current table.
type Drawn = Vec<(String, f64, f64)>;

/// Between the outermost thousandths of both, in pieces of equal width; what lies beyond is in the first and
/// the last.
pub(super) fn shares_of_numbers(reference: &Sample, current: &Sample) -> Drawn {
    let ends =
        [reference, current].map(|sample| sample.quantile(0.001).zip(sample.quantile(0.999)));
    let [Some((low_r, high_r)), Some((low_c, high_c))] = ends else {
        return Vec::new();
    };
    let (low, high) = (low_r.min(low_c), high_r.max(high_c));
    let width = (high - low) / PIECES as f64;
    let mut inner: Vec<f64> = (1..PIECES).map(|i| low + width * i as f64).collect();
    inner.dedup();
    let Ok(cuts) = Cuts::at(inner) else {
        return Vec::new();
    };
    let Ok(shares) = Shares::of(&cuts.counts(reference), &cuts.counts(current)) else {
        return Vec::new();
    };
    let label = |i: usize| figure(low + width * i as f64);
    let pairs = shares.pairs().iter().enumerate();
    pairs.map(|(i, (r, c))| (label(i), *r, *c)).collect()
}

/// The most frequent texts of both, then the others.
pub(super) fn shares_of_texts(reference: &Texts, current: &Texts) -> Drawn {
    let (n, m) = (
        reference.present().max(1) as f64,
        current.present().max(1) as f64,
    );
    let mut both: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (name, count) in reference.counts() {
        both.entry(name).or_default().0 = *count as f64 / n;
    }
    for (name, count) in current.counts() {
        both.entry(name).or_default().1 = *count as f64 / m;
    }
    let mut all: Drawn = both
        .into_iter()
        .map(|(name, (r, c))| (name.to_owned(), r, c))
        .collect();
    all.sort_by(|a, b| b.1.max(b.2).total_cmp(&a.1.max(a.2)).then(a.0.cmp(&b.0)));
    all.truncate(DRAWN_MAX);
    let left = all
        .iter()
        .fold((1.0, 1.0), |(r, c), drawn| (r - drawn.1, c - drawn.2));
    if left.0 > 1e-9 || left.1 > 1e-9 {
        all.push(("(others)".to_owned(), left.0.max(0.0), left.1.max(0.0)));
    }
    all
}

/// A number in few characters.
pub(super) fn figure(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
