//! Krippendorff's alpha: any number of raters, missing ratings, several scales.

use crate::unusable::{Result, Unusable};

/// What a difference between two ratings means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scale {
    /// Categories without order.
    Nominal,
    /// Ranks.
    Ordinal,
    /// Numbers whose differences mean something.
    Interval,
}

/// Alpha of `items`, each with what the raters who rated it said; items with less than two ratings tell
/// nothing. No item with two: [`Unusable::Empty`]; all ratings one: [`Unusable::Constant`].
pub fn krippendorff_alpha(items: &[Vec<f64>], scale: Scale) -> Result<f64> {
    for item in items {
        crate::unusable::finite(item)?;
    }
    let usable: Vec<&Vec<f64>> = items.iter().filter(|item| item.len() >= 2).collect();
    let mut values: Vec<f64> = usable
        .iter()
        .flat_map(|item| item.iter().copied())
        .collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let place = |value: f64| values.partition_point(|other| *other < value);
    let width = values.len();
    if width == 0 {
        return Err(Unusable::Empty);
    }
    let mut together = vec![0.0; width * width];
    for item in usable {
        let weight = 1.0 / (item.len() as f64 - 1.0);
        for (i, a) in item.iter().enumerate() {
            for (j, b) in item.iter().enumerate() {
                if i != j {
                    together[place(*a) * width + place(*b)] += weight;
                }
            }
        }
    }
    let totals: Vec<f64> = together.chunks(width).map(|row| row.iter().sum()).collect();
    let all: f64 = totals.iter().sum();
    let distance = |a: usize, b: usize| match scale {
        Scale::Nominal => f64::from(u8::from(a != b)),
        Scale::Interval => (values[a] - values[b]).powi(2),
        Scale::Ordinal => {
            let (low, high) = (a.min(b), a.max(b));
            let between: f64 = totals[low..=high].iter().sum();
            (between - f64::midpoint(totals[a], totals[b])).powi(2)
        }
    };
    let (mut observed, mut expected) = (0.0, 0.0);
    for a in 0..width {
        for b in 0..width {
            observed += together[a * width + b] * distance(a, b);
            expected += totals[a] * totals[b] * distance(a, b);
        }
    }
    if expected <= 0.0 {
        return Err(Unusable::Constant);
    }
    Ok(1.0 - (all - 1.0) * observed / expected)
}
