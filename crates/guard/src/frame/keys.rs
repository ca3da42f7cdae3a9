//! Finding a key that stands twice in one object.
//!
//! All open objects share one stack; when an object closes, its keys are compared and dropped. Few
//! keys are compared in pairs, many are sorted: the time is bounded whatever keys a caller chooses,
//! which a hash table without a secret could not promise.

use std::cmp::Ordering;
use std::ops::Range;

use super::text;

/// Up to this many keys are compared in pairs.
const PAIRS_MAX: usize = 16;

/// A key, by where it is.
pub(super) struct Key {
    /// The key's length and the first bytes of what it says: unequal means unequal keys.
    prefix: u64,
    /// Where its inside is.
    inside: Range<usize>,
    has_escapes: bool,
}

impl Key {
    pub(super) fn new(inside: Range<usize>, unescaped: &str, has_escapes: bool) -> Self {
        let bytes = unescaped.as_bytes();
        let prefix = match bytes.first_chunk::<8>() {
            Some(first) => u64::from_le_bytes(*first) ^ (bytes.len() as u64).rotate_right(8),
            None => bytes
                .iter()
                .fold(bytes.len() as u64, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        Self {
            prefix,
            inside,
            has_escapes,
        }
    }

    /// Compares what the keys say.
    fn order(&self, other: &Self, bytes: &[u8]) -> Ordering {
        self.prefix.cmp(&other.prefix).then_with(|| {
            if self.has_escapes || other.has_escapes {
                let said = |key: &Self| text::unescape(bytes, key.inside.clone());
                said(self).cmp(&said(other))
            } else {
                bytes[self.inside.clone()].cmp(&bytes[other.inside.clone()])
            }
        })
    }
}

/// The keys of all open objects.
pub(super) struct Keys(Vec<Key>);

impl Keys {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(PAIRS_MAX))
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, key: Key) {
        self.0.push(key);
    }

    /// Drops the keys from `from` on; where the inside of one begins that stands twice.
    pub(super) fn close(&mut self, from: usize, bytes: &[u8]) -> Option<usize> {
        let keys = &mut self.0[from..];
        let twice = if keys.len() <= PAIRS_MAX {
            twice_in_pairs(keys, bytes)
        } else {
            keys.sort_unstable_by(|a, b| a.order(b, bytes));
            let mut neighbours = keys.windows(2);
            neighbours
                .find(|pair| pair[0].order(&pair[1], bytes).is_eq())
                .map(|pair| pair[0].inside.start.max(pair[1].inside.start))
        };
        self.0.truncate(from);
        twice
    }
}

fn twice_in_pairs(keys: &[Key], bytes: &[u8]) -> Option<usize> {
    for (index, key) in keys.iter().enumerate() {
        let mut before = keys[..index].iter();
        if before.any(|other| key.prefix == other.prefix && key.order(other, bytes).is_eq()) {
            return Some(key.inside.start);
        }
    }
    None
}
