//! Folding: compatibility decomposition (NFKD), marks off, small letters, look-alikes as what they look
//! like. After it `Ｉｇｎóre`, `𝐈𝐠𝐧𝐨𝐫𝐞` and `іgnоrе` in Cyrillic letters are all `ignore`.

use std::sync::LazyLock;

use unicode_normalization::char::decompose_compatible;

use super::map::{Mapped, Mapping};
use super::skeleton;

/// The characters below which [`FOLDED`] knows what becomes of them.
const KNOWN_END: usize = 0x3400;
/// In [`FOLDED`]: nothing is left of it.
const NOTHING: u32 = u32::MAX;
/// In [`FOLDED`]: it becomes several characters.
const SEVERAL: u32 = 0;

/// The one character that each of the commoner scripts' becomes.
static FOLDED: LazyLock<Box<[u32]>> = LazyLock::new(|| {
    let folded = (0..KNOWN_END).map(|code| {
        let char = u32::try_from(code).ok().and_then(char::from_u32);
        let mut parts = Vec::new();
        decomposed(char.unwrap_or_default(), |part| parts.push(part));
        match parts[..] {
            [] => NOTHING,
            [one] => u32::from(one),
            _ => SEVERAL,
        }
    });
    folded.collect()
});

/// Folds a text from which was taken what nobody sees.
pub(super) fn fold(mapped: Mapped, is_ascii: bool) -> Mapped {
    if is_ascii {
        return mapped.into_ascii_lowercase();
    }
    let mut out = Mapping::of(&mapped);
    let text = mapped.text();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let run = bytes[at..].iter().position(|byte| !byte.is_ascii());
        let beyond = run.map_or(bytes.len(), |run| at + run);
        out.copy_ascii_lowercase(at..beyond);
        at = beyond;
        for char in text[at..].chars() {
            if char.is_ascii() {
                break;
            }
            let span = at..at + char.len_utf8();
            at = span.end;
            if keeps_its_form(char) {
                out.push(char, span);
                continue;
            }
            match FOLDED.get(u32::from(char) as usize) {
                Some(&NOTHING) => {}
                None | Some(&SEVERAL) => decomposed(char, |part| out.push(part, span.clone())),
                Some(&one) => out.push(char::from_u32(one).unwrap_or(char), span),
            }
        }
    }
    skeleton::look_alikes(out.finish())
}

/// What becomes of a character.
fn decomposed(char: char, mut to: impl FnMut(char)) {
    decompose_compatible(char, |part| {
        if !is_mark(part) {
            let small = part.to_lowercase().filter(|&small| !is_mark(small));
            small.for_each(&mut to);
        }
    });
}

/// Hangul syllables and Han: their decomposition says nothing.
const fn keeps_its_form(char: char) -> bool {
    matches!(char, '\u{ac00}'..='\u{d7a3}' | '\u{3400}'..='\u{9fff}' | '\u{900}'..='\u{dff}')
}

/// Marks of the scripts that write without them too; those of Indic scripts and Thai are letters.
const fn is_mark(char: char) -> bool {
    matches!(char, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}'
        | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}
