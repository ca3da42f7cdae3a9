//! A distribution, told by the counts and sums of narrow buckets.
//!
//! Each power of two is divided into 128 buckets (log-linear, as in `HdrHistogram`), so that a bucket is
//! less than 1 % as wide as the numbers in it, and a number below 256 has one of its own. What stands for
//! a bucket is the mean of its numbers: it is less than 1 % off, and exact where all of them are equal,
//! as costs often are.
//!
//! Sketches add up, and what was added can be taken back: the sketch of a union is the sum of the
//! sketches, whatever was added in between. All of it is whole numbers: the same on every machine.

use std::collections::BTreeMap;

/// The layout of the bytes.
const FORMAT: u8 = 1;

/// Buckets for each power of two, as a power of two.
const SUB_BITS: u32 = 7;
const SUBS: u64 = 1 << SUB_BITS;

/// A distribution of whole numbers: microseconds, or 10⁻¹² of the currency.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sketch {
    buckets: BTreeMap<u16, Bucket>,
}

/// How many numbers there are in a bucket, and their sum. Both are below zero in a sketch that takes
/// back more than it adds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Bucket {
    count: i64,
    sum: i128,
}

impl Sketch {
    /// Adds `number`, `times` times; takes it back if that is below zero.
    pub fn add(&mut self, number: u64, times: i64) {
        let sum = i128::from(number) * i128::from(times);
        self.change(bucket(number), Bucket { count: times, sum });
    }

    /// Adds all that `other` has.
    pub fn merge(&mut self, other: &Self) {
        for (index, bucket) in &other.buckets {
            self.change(*index, *bucket);
        }
    }

    fn change(&mut self, index: u16, by: Bucket) {
        let bucket = self.buckets.entry(index).or_default();
        bucket.count = bucket.count.saturating_add(by.count);
        bucket.sum = bucket.sum.saturating_add(by.sum);
        if *bucket == Bucket::default() {
            self.buckets.remove(&index);
        }
    }

    /// How many numbers there are.
    pub fn count(&self) -> u64 {
        let counts = self.buckets.values().map(|bucket| i128::from(bucket.count));
        u64::try_from(counts.sum::<i128>()).unwrap_or(0)
    }

    /// Whether nothing was added that was not taken back.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The number that `percent` of a hundred numbers do not exceed (nearest rank), less than 1 % off;
    /// none if there are none.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let count = i128::from(self.count());
        let rank = (count * i128::from(percent.min(100)) + 99) / 100;
        let mut seen = 0;
        self.buckets.values().find_map(|bucket| {
            seen += i128::from(bucket.count);
            (seen >= rank.max(1)).then(|| bucket.mean())
        })
    }

    /// The largest number, less than 1 % off.
    pub fn max(&self) -> Option<u64> {
        self.percentile(100)
    }

    /// A few bytes for each bucket that is not empty.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 + 6 * self.buckets.len());
        bytes.push(FORMAT);
        let mut next = 0;
        for (index, bucket) in &self.buckets {
            put(&mut bytes, u128::from(index - next));
            put(&mut bytes, zigzag(i128::from(bucket.count)));
            put(&mut bytes, zigzag(bucket.beyond(*index)));
            next = index + 1;
        }
        bytes
    }

    /// The sketch with these bytes; none if there is none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&format, mut rest) = bytes.split_first()?;
        if format != FORMAT {
            return None;
        }
        let mut buckets = BTreeMap::new();
        let mut next = 0_u16;
        while !rest.is_empty() {
            let gap = u16::try_from(take(&mut rest)?).ok()?;
            let index = next
                .checked_add(gap)
                .filter(|index| *index <= bucket(u64::MAX))?;
            let count = i64::try_from(unzigzag(take(&mut rest)?)).ok()?;
            let beyond = unzigzag(take(&mut rest)?);
            let sum = beyond.checked_add(i128::from(count) * i128::from(least(index)))?;
            buckets.insert(index, Bucket { count, sum });
            next = index + 1;
        }
        Some(Self { buckets })
    }
}

impl Bucket {
    fn mean(self) -> u64 {
        let count = i128::from(self.count.max(1));
        u64::try_from((self.sum + count / 2).div_euclid(count)).unwrap_or(0)
    }

    /// How much its numbers are together beyond the bucket's least.
    fn beyond(self, index: u16) -> i128 {
        self.sum - i128::from(self.count) * i128::from(least(index))
    }
}

/// The bucket of a number.
fn bucket(number: u64) -> u16 {
    let power = number.max(SUBS).ilog2() - SUB_BITS;
    let index = u64::from(power) * SUBS + (number >> power);
    u16::try_from(index).unwrap_or(u16::MAX)
}

/// The least number of a bucket.
fn least(index: u16) -> u64 {
    let index = u64::from(index);
    let power = (index / SUBS).saturating_sub(1);
    (index - power * SUBS) << power
}

/// Small numbers of both signs as small numbers: 0, -1, 1, -2, …
const fn zigzag(number: i128) -> u128 {
    ((number << 1) ^ (number >> 127)).cast_unsigned()
}

const fn unzigzag(number: u128) -> i128 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

/// Seven bits in each byte, the lowest first, with the eighth set in all but the last (LEB128).
fn put(bytes: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or(0));
}

fn take(bytes: &mut &[u8]) -> Option<u128> {
    let mut number = 0_u128;
    for shift in (0..128).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u128::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch(numbers: &[u64]) -> Sketch {
        let mut sketch = Sketch::default();
        for number in numbers {
            sketch.add(*number, 1);
        }
        sketch
    }

    /// Numbers of every size.
    fn numbers() -> impl Strategy<Value = Vec<u64>> {
        let number = (any::<u64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift);
        prop::collection::vec(number, 0..200)
    }

    proptest! {
        #[test]
        fn the_sketch_of_a_union_is_the_sum_of_the_sketches(one in numbers(), other in numbers()) {
            let mut sum = sketch(&one);
            sum.merge(&sketch(&other));
            prop_assert_eq!(sum, sketch(&[one, other].concat()));
        }

        #[test]
        fn what_was_added_can_be_taken_back(kept in numbers(), gone in numbers()) {
            let mut sketch = sketch(&[kept.clone(), gone.clone()].concat());
            for number in &gone {
                sketch.add(*number, -1);
            }
            prop_assert_eq!(sketch, self::sketch(&kept));
        }

        #[test]
        fn every_percentile_is_less_than_one_per_cent_off(mut numbers in numbers(), percent in 0_u64..=100) {
            let found = sketch(&numbers).percentile(percent);
            numbers.sort_unstable();
            let rank = (numbers.len() * usize::try_from(percent).unwrap()).div_ceil(100).max(1);
            let Some(&exact) = numbers.get(rank - 1) else {
                prop_assert_eq!(found, None);
                return Ok(());
            };
            prop_assert!(u128::from(found.unwrap().abs_diff(exact)) * 100 <= u128::from(exact));
        }

        #[test]
        fn a_sketch_reads_back_as_it_was_written(added in numbers(), taken in numbers()) {
            let mut sketch = sketch(&added);
            for number in taken {
                sketch.add(number, -2);
            }
            prop_assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), Some(sketch));
        }

        #[test]
        fn bytes_that_are_no_sketch_are_refused_or_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(sketch) = Sketch::from_bytes(&bytes) {
                sketch.percentile(50);
            }
        }

        #[test]
        fn equal_numbers_come_back_exactly(number: u64, times in 1_i64..1000) {
            let mut sketch = Sketch::default();
            sketch.add(number, times);
            prop_assert_eq!((sketch.percentile(50), sketch.max()), (Some(number), Some(number)));
        }
    }

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for index in 0..bucket(u64::MAX) {
            let (least, next) = (least(index), least(index + 1));
            assert_eq!((bucket(least), bucket(next - 1)), (index, index));
            assert!(
                (next - 1 - least) * 100 <= least,
                "bucket {index} is wider than 1 %"
            );
        }
    }

    #[test]
    fn a_thousand_latencies_take_little_room() {
        let latencies: Vec<u64> = (0..1000).map(|n| 400 + n * n % 977).collect();
        let length = sketch(&latencies).to_bytes().len();
        assert!(length < 1_000, "{length} bytes");
    }
}
