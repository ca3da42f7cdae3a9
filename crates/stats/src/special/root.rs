//! Where a monotone function crosses zero.

/// More halvings than a double has bits in any interval that is not astronomically wide.
const HALVINGS_MAX: u32 = 400;

/// The point of `[low, high]` where `is_below` turns from true to false, to the last bit. `is_below`
/// is true first and then false.
pub(crate) fn crossing(mut low: f64, mut high: f64, is_below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS_MAX {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if is_below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low + (high - low) / 2.0
}

/// The same without a known upper end: it is doubled until the function has turned.
pub(crate) fn crossing_upwards(low: f64, guess: f64, is_below: impl Fn(f64) -> bool) -> f64 {
    let mut high = guess.max(f64::MIN_POSITIVE);
    while high < f64::MAX / 2.0 && is_below(high) {
        high *= 2.0;
    }
    crossing(low, high, is_below)
}
