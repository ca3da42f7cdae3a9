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
    /// Whether each place was found: a byte each, for bits cost the processor more than they save.
    seen: Vec<u8>,
    found: Vec<u32>,
    count: usize,
    concepts: Vec<(u32, Concept)>,
    bits: u32,
}

/// Where found places go. Nothing here branches on what was found: whether a feature was there before is
/// a coin toss to the processor, and there are three features for each character.
struct Places<'a> {
    seen: &'a mut [u8],
    found: &'a mut [u32],
    count: usize,
    shift: u32,
}

impl Places<'_> {
    #[inline]
    fn put(&mut self, hash: u64) {
        self.put_if(true, hash);
    }

    /// Puts the place of a feature if `holds` is 1, and nothing if it is 0.
    #[inline]
    fn put_if(&mut self, holds: bool, hash: u64) {
        let mixed = (hash ^ hash >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = mixed >> self.shift;
        let seen = &mut self.seen[place as usize];
        let is_new = u8::from(holds) & !*seen;
        *seen |= u8::from(holds);
        // A place that is not new is written over by the next one.
        self.found[self.count] = place as u32;
        self.count += usize::from(is_new);
    }
}

impl Extractor {
    /// Lends the thread's own.
    pub fn with<T>(use_it: impl FnOnce(&mut Self) -> T) -> T {
        EXTRACTOR.with(|kept| use_it(&mut kept.borrow_mut()))
    }

    /// The places of the features of `text` in a table of 2^`bits` weights, each once.
    pub fn extract(&mut self, text: &str, shape: Shape, bits: u32) -> &[u32] {
        let places = 1usize << bits;
        if self.seen.len() != places {
            self.seen = vec![0; places];
        } else {
            for &place in &self.found[..self.count] {
                self.seen[place as usize] = 0;
            }
        }
        self.bits = bits;
        self.count = 0;
        let text = &text[..text.floor_char_boundary(BYTES_MAX)];
        self.words(text);
        self.pieces(text);
        self.concepts(text);
        self.shape(text, shape);
        &self.found[..self.count]
    }

    /// Lends room for `more` places.
    fn places(&mut self, more: usize, put: impl FnOnce(&mut Places<'_>)) {
        let room = self.count + more + 1;
        if self.found.len() < room {
            self.found.resize(room, 0);
        }
        let mut places = Places {
            seen: &mut self.seen,
            found: &mut self.found,
            count: self.count,
            shift: 64 - self.bits,
        };
        put(&mut places);
        self.count = places.count;
    }

    /// Words, pairs of neighbours, and pairs with one word between.
    fn words(&mut self, text: &str) {
        let mut concepts = std::mem::take(&mut self.concepts);
        concepts.clear();
        self.places(3 * text.len().div_ceil(2), |places| {
            let (mut last, mut before_last, mut count) = (START, START, 0u32);
            let bytes = text.as_bytes();
            let mut at = 0;
            while at < bytes.len() {
                let start = at;
                let mut hash = WORD;
                while at < bytes.len() && IS_WORD[bytes[at] as usize] {
                    hash = step(hash, u64::from(bytes[at]));
                    at += 1;
                }
                if at == start {
                    at += 1;
                    continue;
                }
                places.put(hash);
                places.put(step(last.wrapping_mul(3), hash));
                places.put(step(before_last.wrapping_mul(5), hash));
                if at - start >= 3
                    && let Some(concept) = concepts::of_word(&bytes[start..at])
                {
                    concepts.push((count, concept));
                }
                (before_last, last) = (last, hash);
                count += 1;
            }
        });
        self.concepts = concepts;
    }

    /// Pieces of three to five characters within what blanks separate, a blank at each side.
    fn pieces(&mut self, text: &str) {
        let end = std::iter::once(u64::from(' '));
        self.places(3 * (text.len() + 1), |places| {
            if text.is_ascii() {
                pieces(places, text.bytes().map(u64::from).chain(end));
            } else {
                pieces(places, text.chars().map(u64::from).chain(end));
            }
        });
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
        self.places(found.len() * 6, |places| {
            for (index, &(at, concept)) in found.iter().enumerate() {
                let one = step(CONCEPT, u64::from(concept));
                places.put(one);
                let near = |&&(next, _): &&(u32, Concept)| next - at <= CONCEPT_REACH;
                for (skipped, &(_, second)) in found[index + 1..]
                    .iter()
                    .take(4)
                    .take_while(near)
                    .enumerate()
                {
                    let two = step(one.wrapping_mul(13), u64::from(second));
                    places.put(two);
                    if skipped == 0
                        && let Some(&(_, third)) = found.get(index + 2).filter(|next| near(next))
                    {
                        places.put(step(two.wrapping_mul(17), u64::from(third)));
                    }
                }
            }
        });
        self.concepts = found;
    }

    /// How long the text is and what it is made of, in coarse steps.
    fn shape(&mut self, text: &str, shape: Shape) {
        let length = u64::from(usize::BITS - text.len().leading_zeros());
        let letters = u64::from(shape.upper + shape.lower).max(1);
        let tenths = |part: u32, of: u64| (u64::from(part) * 20 / of.max(1)).min(20);
        let parts = [
            tenths(shape.upper, letters),
            tenths(shape.camel * 4, letters),
            tenths(shape.symbols, text.len() as u64),
            tenths(shape.digits, text.len() as u64),
            tenths(shape.lines * 4, text.len() as u64),
        ];
        self.places(parts.len() + 1, |places| {
            places.put(step(SHAPE, length));
            for (number, part) in (1u64..).zip(parts) {
                places.put(step(step(SHAPE, number << 8), part));
            }
        });
    }
}

/// Pieces of a text whose last character is a blank. A piece holds blanks at its ends only, so how many
/// characters stand since the last blank says which of the three pieces that end here there are.
fn pieces(places: &mut Places<'_>, chars: impl Iterator<Item = u64>) {
    const BLANK: u64 = ' ' as u64;
    // By itself, so that the count stays in a register.
    let mut own = Places {
        seen: &mut *places.seen,
        found: &mut *places.found,
        ..*places
    };
    let (mut a, mut b, mut c, mut d) = (BLANK, BLANK, BLANK, BLANK);
    let mut since_blank = 0u32;
    chars.for_each(|char| {
        let is_blank = matches!(char, 0x20 | 0x09 | 0x0a | 0x0c | 0x0d);
        let char = if is_blank { BLANK } else { char };
        let three = step(step(step(PIECE, c), d), char);
        own.put_if(since_blank >= 1, three);
        own.put_if(since_blank >= 2, step(three.wrapping_mul(7), b));
        let five = step(step(three.wrapping_mul(11), b), a);
        own.put_if(since_blank >= 3, five);
        since_blank = if is_blank { 0 } else { since_blank + 1 };
        (a, b, c, d) = (b, c, d, char);
    });
    places.count = own.count;
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

/// Letters, digits, and whatever is beyond ASCII.
const IS_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    loop {
        table[byte as usize] = byte.is_ascii_alphanumeric() || byte >= 0x80;
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    table
};

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
