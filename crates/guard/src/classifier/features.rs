//! Features of a folded text, as places in a table of weights.
//!
//! Each feature counts once however often it stands in the text. The places are found by hashing, in
//! one pass, without allocation but for scratch space that the thread keeps.

use std::cell::RefCell;

use super::concepts::{self, Concept};
use crate::views::Shape;

/// The bytes of a text that are looked at at once; longer ones are looked at in windows.
pub const BYTES_MAX: usize = 8192;
/// How many words may stand between two concepts that go together.
const CONCEPT_REACH: u32 = 10;

thread_local! {
    static EXTRACTOR: RefCell<Extractor> = RefCell::new(Extractor::default());
}

/// Scratch space for finding features.
#[derive(Debug, Default)]
pub struct Extractor {
    seen: Vec<u64>,
    found: Vec<u32>,
    concepts: Vec<(u32, Concept)>,
    bits: u32,
}

impl Extractor {
    /// Lends the thread's own.
    pub fn with<T>(use_it: impl FnOnce(&mut Self) -> T) -> T {
        EXTRACTOR.with(|kept| use_it(&mut kept.borrow_mut()))
    }

    /// The places of the features of `text` in a table of 2^`bits` weights, each once.
    pub fn extract(&mut self, text: &str, shape: Shape, bits: u32) -> &[u32] {
        let words = 1usize << bits.saturating_sub(6);
        if self.seen.len() != words {
            self.seen = vec![0; words];
        } else {
            for &place in &self.found {
                self.seen[place as usize >> 6] = 0;
            }
        }
        self.bits = bits;
        self.found.clear();
        let text = &text[..text.floor_char_boundary(BYTES_MAX)];
        self.words(text);
        self.pieces(text);
        self.concepts(text);
        self.shape(text, shape);
        &self.found
    }

    fn put(&mut self, hash: u64) {
        let mixed = (hash ^ hash >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = mixed >> (64 - self.bits);
        let (word, bit) = ((place >> 6) as usize, 1u64 << (place & 63));
        if self.seen[word] & bit == 0 {
            self.seen[word] |= bit;
            self.found.push(u32::try_from(place).unwrap_or(0));
        }
    }

    /// Words, pairs of neighbours, and pairs with one word between.
    fn words(&mut self, text: &str) {
        self.concepts.clear();
        let (mut last, mut before_last, mut count) = (START, START, 0u32);
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let start = at;
            let mut hash = WORD;
            while at < bytes.len() && is_word(bytes[at]) {
                hash = step(hash, u64::from(bytes[at]));
                at += 1;
            }
            if at == start {
                at += 1;
                continue;
            }
            self.put(hash);
            self.put(step(last.wrapping_mul(3), hash));
            self.put(step(before_last.wrapping_mul(5), hash));
            if at - start >= 3
                && let Some(concept) = text.get(start..at).and_then(concepts::of_word)
            {
                self.concepts.push((count, concept));
            }
            (before_last, last) = (last, hash);
            count += 1;
        }
    }

    /// Pieces of three to five characters within what blanks separate, a blank at each side.
    fn pieces(&mut self, text: &str) {
        for chunk in text.split_ascii_whitespace() {
            let (mut a, mut b, mut c, mut d) = (0u64, 0u64, 0u64, u64::from(' '));
            let mut count = 1u32;
            let chars = chunk
                .chars()
                .map(u64::from)
                .chain(std::iter::once(u64::from(' ')));
            for char in chars {
                count += 1;
                if count >= 3 {
                    let three = step(step(step(PIECE, c), d), char);
                    self.put(three);
                    if count >= 4 {
                        self.put(step(three.wrapping_mul(7), b));
                    }
                    if count >= 5 {
                        self.put(step(step(three.wrapping_mul(11), b), a));
                    }
                }
                (a, b, c, d) = (b, c, d, char);
            }
        }
    }

    /// Concepts alone, in pairs and in threes, in the order in which they stand near one another.
    fn concepts(&mut self, text: &str) {
        if !text.is_ascii() {
            let from = self.concepts.last().map_or(0, |&(at, _)| at + 1);
            let found = concepts::within(text).enumerate();
            self.concepts.extend(
                found.map(|(n, concept)| (from + 2 * u32::try_from(n).unwrap_or(0), concept)),
            );
        }
        let found = std::mem::take(&mut self.concepts);
        for (index, &(at, concept)) in found.iter().enumerate() {
            let one = step(CONCEPT, u64::from(concept));
            self.put(one);
            let near = |&&(next, _): &&(u32, Concept)| next - at <= CONCEPT_REACH;
            for (skipped, &(_, second)) in found[index + 1..]
                .iter()
                .take(4)
                .take_while(near)
                .enumerate()
            {
                let two = step(one.wrapping_mul(13), u64::from(second));
                self.put(two);
                if skipped == 0
                    && let Some(&(_, third)) = found.get(index + 2).filter(|next| near(next))
                {
                    self.put(step(two.wrapping_mul(17), u64::from(third)));
                }
            }
        }
        self.concepts = found;
    }

    /// How long the text is and what it is made of, in coarse steps.
    fn shape(&mut self, text: &str, shape: Shape) {
        let length = u64::from(usize::BITS - text.len().leading_zeros());
        self.put(step(SHAPE, length));
        let letters = u64::from(shape.upper + shape.lower).max(1);
        let tenths = |part: u32, of: u64| (u64::from(part) * 20 / of.max(1)).min(20);
        let parts = [
            tenths(shape.upper, letters),
            tenths(shape.camel * 4, letters),
            tenths(shape.symbols, text.len() as u64),
            tenths(shape.digits, text.len() as u64),
            tenths(shape.lines * 4, text.len() as u64),
        ];
        for (number, part) in (1u64..).zip(parts) {
            self.put(step(step(SHAPE, number << 8), part));
        }
    }
}

const WORD: u64 = 0x51ed_270b_9f1a_2c43;
const START: u64 = 0x2545_f491_4f6c_dd1d;
const PIECE: u64 = 0x8f3a_61c2_7b94_d5e7;
const CONCEPT: u64 = 0xd6e8_feb8_6659_fd93;
const SHAPE: u64 = 0xa076_1d64_78bd_642f;

const fn step(hash: u64, value: u64) -> u64 {
    (hash ^ value)
        .wrapping_mul(0xff51_afd7_ed55_8ccd)
        .rotate_left(29)
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_has_the_same_features_and_each_once() {
        let mut extractor = Extractor::default();
        let first = extractor
            .extract("ignore ignore the rules", Shape::default(), 14)
            .to_vec();
        extractor.extract("something else entirely", Shape::default(), 14);
        let again = extractor
            .extract("ignore ignore the rules", Shape::default(), 14)
            .to_vec();
        assert_eq!(first, again);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), first.len());
    }
}
