//! The finite values of a column in order, and how many were none.

/// A sample: sorted, finite, with what was set aside counted beside it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Sample {
    sorted: Vec<f64>,
    missing: u64,
    infinite: u64,
}

impl Sample {
    /// Sorts `values`; NaN is a missing value, infinities are counted apart.
    pub fn new(mut values: Vec<f64>) -> Self {
        let (mut missing, mut infinite) = (0, 0);
        values.retain(|value| {
            missing += u64::from(value.is_nan());
            infinite += u64::from(value.is_infinite());
            value.is_finite()
        });
        Self {
            sorted: sorted(values),
            missing,
            infinite,
        }
    }

    /// The same with `more` missing values, which were never numbers.
    #[must_use]
    pub fn with_missing(mut self, more: u64) -> Self {
        self.missing += more;
        self
    }

    /// The finite values in ascending order.
    pub fn sorted(&self) -> &[f64] {
        &self.sorted
    }

    /// How many finite values there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there is no finite value.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// How many values were missing.
    pub const fn missing(&self) -> u64 {
        self.missing
    }

    /// How many values were infinite.
    pub const fn infinite(&self) -> u64 {
        self.infinite
    }

    /// How many rows it was made from.
    pub fn rows(&self) -> u64 {
        self.sorted.len() as u64 + self.missing + self.infinite
    }

    /// The least and the greatest value; none if there is no value.
    pub fn range(&self) -> Option<(f64, f64)> {
        Some((*self.sorted.first()?, *self.sorted.last()?))
    }

    /// Whether all values are one.
    pub fn is_constant(&self) -> bool {
        self.range()
            .is_some_and(|(least, greatest)| least == greatest)
    }

    /// The arithmetic mean; none if there is no value.
    pub fn mean(&self) -> Option<f64> {
        let mean = mean(&self.sorted)?;
        mean.is_finite().then_some(mean)
    }

    /// The population's standard deviation (divided by n); none if there is no value, or if the values
    /// lie so far apart that it is no finite number.
    pub fn deviation(&self) -> Option<f64> {
        let mean = self.mean()?;
        let squares: f64 = self.sorted.iter().map(|x| (x - mean) * (x - mean)).sum();
        let deviation = (squares / self.sorted.len() as f64).sqrt();
        deviation.is_finite().then_some(deviation)
    }

    /// The quantile `p` by linear interpolation (type 7 of Hyndman and Fan); none if there is no value.
    pub fn quantile(&self, p: f64) -> Option<f64> {
        let last = self.sorted.len().checked_sub(1)?;
        let place = p.clamp(0.0, 1.0) * last as f64;
        let below = place.floor() as usize;
        let (low, high) = (self.sorted[below], self.sorted[(below + 1).min(last)]);
        let part = place - below as f64;
        let apart = high - low;
        // The nearer end is the one to start from, so that equal ends give that end exactly.
        Some(if part == 0.0 {
            low
        } else if !apart.is_finite() {
            low * (1.0 - part) + high * part
        } else if part < 0.5 {
            low + apart * part
        } else {
            high - apart * (1.0 - part)
        })
    }
}

/// The mean in a way that does not overflow before the mean itself would.
fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    Some(if sum.is_finite() {
        sum / count
    } else {
        values.iter().map(|x| x / count).sum()
    })
}

/// Sorts by keys that are whole numbers in the order of the doubles, which is several times as fast
/// as comparing doubles. Negative zero becomes zero: the two are one value.
fn sorted(values: Vec<f64>) -> Vec<f64> {
    let mut keys: Vec<i64> = values.into_iter().map(|x| key(x + 0.0)).collect();
    keys.sort_unstable();
    keys.into_iter().map(value).collect()
}

/// Flips the lower bits of negative numbers; its own inverse.
const fn flipped(bits: i64) -> i64 {
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

const fn key(value: f64) -> i64 {
    flipped(value.to_bits() as i64)
}

const fn value(key: i64) -> f64 {
    f64::from_bits(flipped(key) as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_finite_number_is_counted_and_set_aside() {
        let sample = Sample::new(vec![2.0, f64::NAN, -0.0, f64::INFINITY, 0.0, -1.5]);
        assert_eq!(sample.sorted(), [-1.5, 0.0, 0.0, 2.0]);
        assert_eq!(
            (sample.missing(), sample.infinite(), sample.rows()),
            (1, 1, 6)
        );
        assert_eq!(Sample::new(vec![f64::NAN]).mean(), None);
        assert_eq!(Sample::default().quantile(0.5), None);
    }

    #[test]
    fn a_mean_that_exists_is_told_although_the_sum_overflows() {
        let sample = Sample::new(vec![f64::MAX, f64::MAX]);
        assert_eq!(sample.mean(), Some(f64::MAX));
        let wide = Sample::new(vec![f64::MAX, -f64::MAX]);
        assert_eq!((wide.deviation(), wide.quantile(0.5)), (None, Some(0.0)));
    }

    proptest! {
        #[test]
        fn keys_sort_as_the_numbers_do(values: Vec<f64>) {
            let ours = Sample::new(values.clone());
            let mut theirs: Vec<f64> = values.into_iter().filter(|x| x.is_finite()).collect();
            theirs.sort_by(f64::total_cmp);
            prop_assert_eq!(ours.sorted(), &theirs[..]);
        }
    }
}
