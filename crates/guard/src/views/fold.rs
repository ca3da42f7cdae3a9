//! Folding: compatibility decomposition (NFKD), marks off, small letters, look-alikes as what they look
//! like. After it `Ｉｇｎóre`, `𝐈𝐠𝐧𝐨𝐫𝐞` and `іgnоrе` in Cyrillic letters are all `ignore`.

use unicode_normalization::char::decompose_compatible;

use super::map::{Mapped, Mapping};
use super::skeleton;

/// Folds a text from which was taken what nobody sees.
pub(super) fn fold(mapped: Mapped, is_ascii: bool) -> Mapped {
    if is_ascii {
        return mapped.into_ascii_lowercase();
    }
    let mut out = Mapping::of(&mapped);
    let text = mapped.text();
    let mut at = 0;
    while let Some(char) = text[at..].chars().next() {
        let span = at..at + char.len_utf8();
        if char.is_ascii() {
            let rest = &text.as_bytes()[at..];
            let run = rest
                .iter()
                .position(|byte| !byte.is_ascii())
                .unwrap_or(rest.len());
            out.push_ascii_lowercase(at..at + run);
            at += run;
            continue;
        } else if keeps_its_form(char) {
            out.push(char, span.clone());
        } else {
            decompose_compatible(char, |part| {
                if !is_mark(part) {
                    for small in part.to_lowercase().filter(|&small| !is_mark(small)) {
                        out.push(small, span.clone());
                    }
                }
            });
        }
        at = span.end;
    }
    skeleton::look_alikes(out.finish())
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
