//! Letters that look like Latin ones, after the confusables of UTS 39.
//!
//! A word is read as Latin only if all of it then is, and only in a text in which some word mixes Latin
//! letters with look-alikes: a Russian text keeps its letters, `раураl` becomes `paypal`.

use std::sync::LazyLock;

use unicode_security::confusable_detection::skeleton;

use super::map::{Mapped, Mapping};

/// The characters beyond which no letter looks Latin that the decomposition has left.
const END: usize = 0xac00;

/// In [`LATIN`]: a letter that looks like none of the Latin ones.
const OTHER: u8 = 1;

/// For each character the small Latin letter that it looks like, [`OTHER`], or 0 if it is no letter.
static LATIN: LazyLock<Box<[u8]>> = LazyLock::new(|| {
    let mut table = vec![0; END].into_boxed_slice();
    let mut buffer = [0; 4];
    for code in 0x80..END {
        let char = u32::try_from(code).ok().and_then(char::from_u32);
        let Some(char) = char.filter(|char| char.is_alphabetic()) else {
            continue;
        };
        table[code] = OTHER;
        // Ideographs and syllables of their own look like nothing Latin.
        if (0x900..0x10a0).contains(&code) || (0x2e80..0xa000).contains(&code) {
            continue;
        }
        let mut looks = skeleton(char.encode_utf8(&mut buffer));
        if let (Some(latin), None) = (looks.next(), looks.next())
            && latin.is_ascii_alphabetic()
        {
            table[code] = u8::try_from(latin.to_ascii_lowercase()).unwrap_or(OTHER);
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
    (found > OTHER).then(|| char::from(found))
}

fn is_letter(char: char) -> bool {
    match LATIN.get(u32::from(char) as usize) {
        Some(&found) if !char.is_ascii() => found != 0,
        _ => char.is_alphabetic(),
    }
}

/// Whether some word mixes Latin letters with letters that only look it.
fn has_mixed_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    // Only words with something beyond ASCII can be mixed, so only those are gone through.
    while let Some(beyond) = bytes[at..].iter().position(|byte| !byte.is_ascii()) {
        at += beyond;
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let mut has_ascii = before.is_some_and(|byte| byte.is_ascii_alphabetic());
        let (mut is_latin, mut is_word) = (true, false);
        for char in text[at..].chars() {
            if !is_letter(char) {
                // What ends no word is gone over by itself.
                at += if is_word { 0 } else { char.len_utf8() };
                break;
            }
            is_word = true;
            has_ascii |= char.is_ascii();
            is_latin &= char.is_ascii() || latin(char).is_some();
            at += char.len_utf8();
        }
        if is_word && has_ascii && is_latin {
            return true;
        }
    }
    false
}

/// Reads words as Latin that are Latin to the eye.
pub(super) fn look_alikes(mapped: Mapped) -> Mapped {
    let text = mapped.text();
    if !has_mixed_word(text) {
        return mapped;
    }
    let mut out = Mapping::of(&mapped);
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let end = rest.find(|char: char| !is_letter(char));
        let word = &rest[..end.unwrap_or(rest.len())];
        let is_latin = !word.is_ascii()
            && word
                .chars()
                .all(|char| char.is_ascii() || latin(char).is_some());
        if is_latin {
            for (offset, char) in word.char_indices() {
                let start = at + offset;
                let read = latin(char).unwrap_or(char);
                out.push(read, start..start + char.len_utf8());
            }
        } else {
            out.copy(at..at + word.len());
        }
        at += word.len();
        if let Some(other) = text[at..].chars().next() {
            out.copy(at..at + other.len_utf8());
            at += other.len_utf8();
        }
    }
    out.finish()
}
