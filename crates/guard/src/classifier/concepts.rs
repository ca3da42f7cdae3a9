//! Concepts: words that mean the same, in the languages that callers write.
//!
//! A text that no source of the training data resembles still has to say *ignore*, *rules*, *reveal*,
//! *pretend*. Which concepts follow one another is a feature of its own, so that what was learnt of one
//! wording, or in one language, is known of others.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

/// The lexicon: a concept on each line, then its words; a `*` at the end stands for any ending.
const LEXICON: &str = include_str!("../../data/concepts.txt");

/// A concept by its place in the lexicon, from 1.
pub type Concept = u8;

struct Lexicon {
    /// A bit for the hash of each word and stem, so that what is neither costs no look-up.
    known: Box<[u64; KNOWN_BITS / 64]>,
    words: HashMap<u64, Concept, BuildHasherDefault<Passed>>,
    stems: HashMap<u64, Concept, BuildHasherDefault<Passed>>,
    /// Words of scripts without blanks, found anywhere.
    within: aho_corasick::AhoCorasick,
    within_concepts: Vec<Concept>,
}

/// Some thirty times as many as there are words.
const KNOWN_BITS: usize = 1 << 15;

/// The lengths in bytes of stems that are looked up.
const STEM_MIN: usize = 4;
const STEM_MAX: usize = 14;

/// Hashes that are already hashes.
#[derive(Default)]
struct Passed(u64);

impl Hasher for Passed {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

static LEXICON_READ: LazyLock<Lexicon> = LazyLock::new(|| {
    let (mut words, mut stems) = (HashMap::default(), HashMap::default());
    let (mut within, mut within_concepts) = (Vec::new(), Vec::new());
    let lines = LEXICON.lines().filter(|line| !line.starts_with('#'));
    for (number, line) in lines.filter(|line| !line.trim().is_empty()).enumerate() {
        let concept = Concept::try_from(number + 1).unwrap_or(Concept::MAX);
        let (_, list) = line.split_once(':').unwrap_or_default();
        for word in list.split_whitespace() {
            if is_unspaced(word) {
                within.push(word);
                within_concepts.push(concept);
            } else if let Some(stem) = word.strip_suffix('*') {
                stems.insert(hash(stem.as_bytes()), concept);
            } else {
                words.insert(hash(word.as_bytes()), concept);
            }
        }
    }
    let within = aho_corasick::AhoCorasick::builder()
        .match_kind(aho_corasick::MatchKind::LeftmostLongest)
        .build(within)
        .expect("the lexicon is small and its words are not empty");
    let mut known = Box::new([0; KNOWN_BITS / 64]);
    for &hash in words.keys().chain(stems.keys()) {
        let (word, bit) = place(hash);
        known[word] |= bit;
    }
    Lexicon {
        known,
        words,
        stems,
        within,
        within_concepts,
    }
});

fn is_unspaced(word: &str) -> bool {
    let first = word.chars().next().unwrap_or(' ');
    matches!(first, '\u{e00}'..='\u{e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

fn hash(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(SEED, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    mixed(hash)
}

const fn mixed(hash: u64) -> u64 {
    (hash ^ hash >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Where the bit of a hash stands.
const fn place(hash: u64) -> (usize, u64) {
    let bit = hash >> (64 - KNOWN_BITS.trailing_zeros());
    ((bit >> 6) as usize, 1 << (bit & 63))
}

impl Lexicon {
    fn find(&self, word: &[u8]) -> Option<Concept> {
        let mut running = SEED;
        let mut found = None;
        for (at, &byte) in word.iter().enumerate() {
            running = (running ^ u64::from(byte)).wrapping_mul(PRIME);
            let length = at + 1;
            let is_stem = (STEM_MIN..=STEM_MAX).contains(&length);
            if length < word.len() && !is_stem {
                continue;
            }
            let hash = mixed(running);
            let (place, bit) = place(hash);
            if self.known[place] & bit == 0 {
                continue;
            }
            if length == word.len()
                && let Some(&concept) = self.words.get(&hash)
            {
                return Some(concept);
            }
            if is_stem {
                found = self.stems.get(&hash).copied().or(found);
            }
        }
        found
    }
}

/// The concept of a folded word, by its bytes.
pub fn of_word(word: &[u8]) -> Option<Concept> {
    LEXICON_READ.find(word)
}

/// The concepts in a text of a script without blanks between words, in their order.
pub fn within(text: &str) -> impl Iterator<Item = Concept> {
    let lexicon = &*LEXICON_READ;
    let found = lexicon.within.find_iter(text);
    found.map(|at| lexicon.within_concepts[at.pattern().as_usize()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concept_is_found_in_any_of_its_languages() {
        let ignore = of_word(b"ignore").unwrap();
        for word in ["disregard", "ignoriere", "olvida", "ignorez", "игнорируи"] {
            assert_eq!(of_word(word.as_bytes()), Some(ignore), "{word}");
        }
        assert_eq!(within("忽略之前的").next(), Some(ignore));
        assert_eq!(of_word(b"table"), None);
    }
}
