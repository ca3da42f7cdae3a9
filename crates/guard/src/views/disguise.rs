//! Disguises that keep the alphabet: rot13, backwards, letters apart, digits for letters.
//!
//! Any text can be read in these ways, mostly as nonsense; so they are tried only where the text reads
//! worse as it stands. What tells is how many of the commonest short words there are in each reading.

use super::map::{Mapped, Mapping};

/// The commonest short words of languages in Latin letters.
const COMMON: [&str; 64] = [
    "the", "and", "to", "of", "you", "is", "in", "it", "that", "for", "are", "this", "with",
    "your", "all", "not", "now", "how", "what", "me", "my", "as", "an", "do", "if", "so", "der",
    "die", "und", "ist", "das", "den", "nicht", "les", "des", "est", "que", "de", "la", "el",
    "los", "una", "por", "para", "con", "che", "di", "il", "per", "um", "uma", "ang", "mga", "ng",
    "sa", "yang", "dan", "bir", "ve", "bu", "please", "tell", "write", "ignore",
];

/// How often the commonest words stand in a text, in each reading of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Words {
    count: u32,
    single: u32,
    plain: u32,
    turned: u32,
    backwards: u32,
    mixed: u32,
}

/// The words looked at: what is disguised shows it early.
const WORDS_MAX: u32 = 400;
/// A bit for each word in each reading, so that most words cost one look.
const TABLE: usize = 1 << 12;

const PLAIN: u8 = 1;
const TURNED: u8 = 2;
const BACKWARDS: u8 = 4;

static READINGS: std::sync::LazyLock<Box<[u8; TABLE]>> = std::sync::LazyLock::new(|| {
    let mut table = Box::new([0; TABLE]);
    let mut put = |word: Vec<u8>, bit: u8| table[slot(&word)] |= bit;
    for word in COMMON {
        put(word.bytes().collect(), PLAIN);
        put(word.bytes().map(turn).collect(), TURNED);
        if !word.bytes().rev().eq(word.bytes()) {
            put(word.bytes().rev().collect(), BACKWARDS);
        }
    }
    table
});

fn slot(word: &[u8]) -> usize {
    let hash = word.iter().fold(0u32, |hash, &byte| {
        (hash.wrapping_mul(31).wrapping_add(u32::from(byte))).wrapping_mul(0x9e37_79b1)
    });
    (hash >> 20) as usize
}

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let readings = &*READINGS;
        let mut words = Self::default();
        for word in text.split_ascii_whitespace().take(WORDS_MAX as usize) {
            words.count += 1;
            let bytes = word.as_bytes();
            let start = bytes.iter().position(u8::is_ascii_alphanumeric);
            words.single += u32::from(bytes.len() <= 4 && word.chars().nth(1).is_none());
            let Some(start) = start else { continue };
            let end = bytes
                .iter()
                .rposition(u8::is_ascii_alphanumeric)
                .unwrap_or(start);
            let core = &bytes[start..=end];
            if core.len() <= 6 {
                let found = readings[slot(core)];
                words.plain += u32::from(found & PLAIN != 0);
                words.turned += u32::from(found & TURNED != 0);
                words.backwards += u32::from(found & BACKWARDS != 0);
            }
            words.mixed += u32::from(is_mixed(bytes));
        }
        words
    }

    pub(super) const fn is_spaced(&self) -> bool {
        self.count >= 8 && self.single * 10 >= self.count * 6
    }

    pub(super) const fn is_leet(&self) -> bool {
        self.mixed >= 2 && self.mixed * 5 >= self.count
    }

    pub(super) const fn is_rot13(&self) -> bool {
        self.count >= 3 && self.turned >= 2 && self.turned > self.plain
    }

    pub(super) const fn is_reversed(&self) -> bool {
        self.count >= 3 && self.backwards >= 2 && self.backwards > self.plain
    }
}

/// A word in which digits or signs stand between or before letters.
fn is_mixed(word: &[u8]) -> bool {
    // Most words are letters, and done with.
    let may_be_leet = |byte: &u8| matches!(byte, b'0'..=b'9' | b'@' | b'$' | b'!' | b'|');
    if !word.iter().any(may_be_leet) {
        return false;
    }
    let letters = word
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    let leet = word.iter().enumerate().filter(|&(at, &byte)| {
        let before_letter = word.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
        (byte.is_ascii_digit() || (before_letter && matches!(byte, b'@' | b'$' | b'!' | b'|')))
            && leet(byte).is_some()
    });
    let leet = leet.count();
    leet > 0 && letters > 0 && word.len() <= 24 || leet >= 2 && leet == word.len() && leet <= 4
}

const fn leet(byte: u8) -> Option<char> {
    Some(match byte {
        b'4' | b'@' => 'a',
        b'8' => 'b',
        b'3' => 'e',
        b'6' | b'9' => 'g',
        b'1' | b'!' | b'|' => 'i',
        b'0' => 'o',
        b'5' | b'$' => 's',
        b'7' | b'+' => 't',
        b'2' => 'z',
        _ => return None,
    })
}

const fn turn(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (byte - b'A' + 13) % 26 + b'A',
        _ => byte,
    }
}

fn mapped_chars(mapped: &Mapped, to: impl Fn(char) -> char) -> Mapped {
    let mut out = Mapping::of(mapped);
    for (at, char) in mapped.text().char_indices() {
        out.push(to(char), at..at + char.len_utf8());
    }
    out.finish()
}

/// Letters moved by thirteen.
pub(super) fn rot13(mapped: &Mapped) -> Mapped {
    let turned = |char| u8::try_from(char).map_or(char, |byte| char::from(turn(byte)));
    mapped_chars(
        mapped,
        |char| if char.is_ascii() { turned(char) } else { char },
    )
}

/// Letters for digits and signs; a sign at the end of a word stays one.
pub(super) fn unleet(mapped: &Mapped) -> Mapped {
    let bytes = mapped.text().as_bytes();
    let mut out = Mapping::of(mapped);
    for (at, char) in mapped.text().char_indices() {
        let next = bytes.get(at + 1).copied().unwrap_or(b' ');
        let is_within = char.is_ascii_digit()
            || next.is_ascii_alphanumeric()
            || leet(next).is_some() && next != b'!';
        let read = u8::try_from(char).ok().filter(|_| is_within).and_then(leet);
        out.push(read.unwrap_or(char), at..at + char.len_utf8());
    }
    out.finish()
}

/// From the last character to the first.
pub(super) fn reversed(mapped: &Mapped) -> Mapped {
    let mut out = Mapping::of(mapped);
    for (at, char) in mapped.text().char_indices().rev() {
        out.push(char, at..at + char.len_utf8());
    }
    out.finish()
}

/// Letters together again: one blank between them goes, of several one stays.
pub(super) fn unspaced(mapped: &Mapped) -> Mapped {
    let mut out = Mapping::of(mapped);
    let mut blanks = 0;
    for (at, char) in mapped.text().char_indices() {
        if matches!(char, ' ' | '\t') {
            blanks += 1;
            if blanks == 2 {
                out.push(' ', at..at + 1);
            }
        } else {
            blanks = 0;
            out.push(char, at..at + char.len_utf8());
        }
    }
    out.finish()
}
