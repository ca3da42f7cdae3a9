//! HTML that a browser does not show, or only to few: comments, elements that are hidden by attribute or
//! style, and the texts of attributes.
//!
//! This is no parser of HTML but a tokenizer that errs on the side of looking: what it takes for hidden
//! is looked at once more by itself, where it is not drowned by what surrounds it.

use std::ops::Range;

use memchr::memchr;

use super::map::{Mapped, Mapping};

/// Attributes whose text no reader sees at first.
const ATTRIBUTES: [&str; 6] = [
    "alt",
    "title",
    "aria-label",
    "placeholder",
    "content",
    "data-prompt",
];

/// Elements that are never shown.
const ELEMENTS: [&str; 4] = ["template", "noscript", "noframes", "noembed"];

/// Styles, without blanks, that hide an element.
const STYLES: [&str; 12] = [
    "display:none",
    "visibility:hidden",
    "opacity:0",
    "font-size:0",
    "font-size:1px",
    "color:white",
    "color:#fff",
    "color:transparent",
    "height:0",
    "width:0",
    "left:-",
    "text-indent:-",
];

/// A tag is shorter than this, in bytes. What looks like one for longer is none, and one that is never
/// closed neither.
const TAG_BYTES_MAX: usize = 4096;

/// What is hidden in the text, piece by piece on lines of its own; none if nothing is.
pub(super) fn hidden(mapped: &Mapped) -> Option<Mapped> {
    let text = mapped.text();
    let bytes = text.as_bytes();
    let mut out = Mapping::of_bytes(mapped, 0);
    let (mut at, mut close) = (0, 0);
    while let Some(open) = memchr(b'<', &bytes[at..]).map(|found| at + found) {
        at = open + 1;
        let rest = &text[open..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            let end = comment.find("-->").unwrap_or(comment.len());
            piece(&mut out, text, open + 4..open + 4 + end);
            at = open + 4 + end;
            continue;
        }
        if !bytes.get(at).is_some_and(u8::is_ascii_alphabetic) {
            continue;
        }
        // Where the next tag closes is looked for once, however many open before it.
        if close < at {
            close = memchr(b'>', &bytes[at..]).map_or(bytes.len(), |found| at + found);
        }
        if close == bytes.len() || close - open >= TAG_BYTES_MAX {
            continue;
        }
        let tag = &text[at..close];
        attributes(&mut out, text, at..close);
        let inside = close + 1;
        at = inside;
        if is_hidden(tag) {
            let end = text[inside..]
                .find("</")
                .map_or(text.len(), |found| inside + found);
            piece(&mut out, text, inside..end);
            at = end;
        }
    }
    (!out.text().trim().is_empty()).then(|| out.finish())
}

fn is_hidden(tag: &str) -> bool {
    let mut words = tag.split_ascii_whitespace();
    let name = words.next().unwrap_or_default();
    if ELEMENTS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
    {
        return true;
    }
    if words.any(|word| word.eq_ignore_ascii_case("hidden")) {
        return true;
    }
    if !tag.contains(':') {
        return false;
    }
    let packed: String = tag.chars().filter(|char| !char.is_whitespace()).collect();
    let packed = packed.to_ascii_lowercase();
    STYLES.iter().any(|style| packed.contains(style))
}

/// The values of telling attributes of a tag.
fn attributes(out: &mut Mapping<'_>, text: &str, tag: Range<usize>) {
    let mut at = tag.start;
    while let Some(quote) = text[at..tag.end].find(['"', '\'']).map(|found| at + found) {
        let sign = char::from(text.as_bytes()[quote]);
        let value = quote + 1;
        let end = text[value..tag.end]
            .find(sign)
            .map_or(tag.end, |found| value + found);
        if is_telling(&text[tag.start..quote]) {
            piece(out, text, value..end);
        }
        at = (end + 1).min(tag.end);
    }
}

/// Whether what stands before a value is the name of a telling attribute.
fn is_telling(before: &str) -> bool {
    let before = before.trim_end().trim_end_matches('=').trim_end();
    let bytes = before.as_bytes();
    ATTRIBUTES.iter().any(|known| {
        let Some(start) = bytes.len().checked_sub(known.len()) else {
            return false;
        };
        let is_known = bytes[start..].eq_ignore_ascii_case(known.as_bytes());
        let head = before.get(..start).unwrap_or_default();
        is_known && head.chars().next_back().is_none_or(char::is_whitespace)
    })
}

fn piece(out: &mut Mapping<'_>, text: &str, span: Range<usize>) {
    if text[span.clone()].trim().is_empty() {
        return;
    }
    out.copy(span.clone());
    out.push('\n', span.end..span.end);
}
