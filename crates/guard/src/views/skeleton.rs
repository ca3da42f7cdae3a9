//! Letters that look like Latin ones, after the confusables of UTS 39.
//!
//! A word is read as Latin only if all of it then is, and only in a text in which some word mixes Latin
//! letters with look-alikes: a Russian text keeps its letters, `раураl` becomes `paypal`.

use std::sync::LazyLock;

use unicode_security::confusable_detection::skeleton;

use super::map::{Mapped, Mapping};

/// The characters beyond which no letter looks Latin that the decomposition has left.
const END: usize = 0xac00;

/// For each character the small Latin letter that it looks like, or 0.
static LATIN: LazyLock<Box<[u8]>> = LazyLock::new(|| {
    let mut table = vec![0; END].into_boxed_slice();
    let mut buffer = [0; 4];
    for code in 0x80..END {
        // Ideographs and syllables of their own look like nothing Latin.
        if (0x900..0x10a0).contains(&code) || (0x2e80..0xa000).contains(&code) {
            continue;
        }
        let char = u32::try_from(code).ok().and_then(char::from_u32);
        let Some(char) = char.filter(|char| char.is_alphabetic()) else {
            continue;
        };
        let mut looks = skeleton(char.encode_utf8(&mut buffer));
        if let (Some(latin), None) = (looks.next(), looks.next())
            && latin.is_ascii_alphabetic()
        {
            table[code] = u8::try_from(latin.to_ascii_lowercase()).unwrap_or(0);
        }
    }
    for (char, latin) in NEARLY {
        table[u32::from(char) as usize] = latin;
    }
    table
});

/// Small letters that pass for Latin ones in a word, though the standard tells them apart.
const NEARLY: [(char, u8); 31] = [
    ('\u{432}', b'b'),
    ('\u{43a}', b'k'),
    ('\u{43c}', b'm'),
    ('\u{43d}', b'h'),
    ('\u{442}', b't'),
    ('\u{433}', b'r'),
    ('\u{438}', b'u'),
    ('\u{43f}', b'n'),
    ('\u{44c}', b'b'),
    ('\u{3b5}', b'e'),
    ('\u{3b7}', b'n'),
    ('\u{3b9}', b'i'),
    ('\u{3ba}', b'k'),
    ('\u{3bc}', b'u'),
    ('\u{3bd}', b'v'),
    ('\u{3c4}', b't'),
    ('\u{3c5}', b'u'),
    ('\u{3c7}', b'x'),
    ('\u{3c9}', b'w'),
    ('\u{3b1}', b'a'),
    ('\u{3b2}', b'b'),
    ('\u{3c1}', b'p'),
    ('\u{3c3}', b'o'),
    ('\u{131}', b'i'),
    ('\u{251}', b'a'),
    ('\u{261}', b'g'),
    ('\u{26a}', b'i'),
    ('\u{274}', b'n'),
    ('\u{280}', b'r'),
    ('\u{1d07}', b'e'),
    ('\u{29f}', b'l'),
];

fn latin(char: char) -> Option<char> {
    let found = LATIN.get(u32::from(char) as usize).copied().unwrap_or(0);
    (found != 0).then(|| char::from(found))
}

/// Whether Latin letters stand beside letters that only look it.
fn is_mixed(word: &str) -> bool {
    let is_ascii = |char: char| char.is_ascii();
    !word.is_ascii()
        && word.contains(is_ascii)
        && word
            .chars()
            .all(|char| char.is_ascii() || latin(char).is_some())
}

/// Reads words as Latin that are Latin to the eye.
pub(super) fn look_alikes(mapped: Mapped) -> Mapped {
    let text = mapped.text();
    let mut words = text.split(|char: char| !char.is_alphabetic());
    if !words.any(is_mixed) {
        return mapped;
    }
    let mut out = Mapping::of(&mapped);
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let end = rest.find(|char: char| !char.is_alphabetic());
        let word = &rest[..end.unwrap_or(rest.len())];
        let is_latin = word
            .chars()
            .all(|char| char.is_ascii() || latin(char).is_some());
        for (offset, char) in word.char_indices() {
            let start = at + offset;
            let read = if is_latin { latin(char) } else { None };
            out.push(read.unwrap_or(char), start..start + char.len_utf8());
        }
        at += word.len();
        if let Some(other) = text[at..].chars().next() {
            out.push(other, at..at + other.len_utf8());
            at += other.len_utf8();
        }
    }
    out.finish()
}
