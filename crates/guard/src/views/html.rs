//! HTML that a browser does not show, or only to few: comments, elements that are hidden by attribute or
//! style, and the texts of attributes.
//!
//! This is no parser of HTML but a tokenizer that errs on the side of looking: what it takes for hidden
//! is looked at once more by itself, where it is not drowned by what surrounds it.

use std::ops::Range;

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

/// What is hidden in the text, piece by piece on lines of its own; none if nothing is.
pub(super) fn hidden(mapped: &Mapped) -> Option<Mapped> {
    let text = mapped.text();
    let mut out = Mapping::of(mapped);
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|found| at + found) {
        at = open + 1;
        let rest = &text[open..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            let end = comment.find("-->").unwrap_or(comment.len());
            piece(&mut out, text, open + 4..open + 4 + end);
            at = open + 4 + end;
            continue;
        }
        // A tag that is never closed is none; what looks like one for too long neither.
        let Some(close) = rest.bytes().take(4096).position(|byte| byte == b'>') else {
            continue;
        };
        let tag = &rest[1..close];
        if !tag.starts_with(|char: char| char.is_ascii_alphabetic()) {
            continue;
        }
        attributes(&mut out, text, open + 1..open + close);
        let inside = open + close + 1;
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
    let tag = tag.to_ascii_lowercase();
    let name = tag.split_ascii_whitespace().next().unwrap_or_default();
    let packed: String = tag.chars().filter(|char| !char.is_whitespace()).collect();
    ELEMENTS.contains(&name)
        || tag
            .split_ascii_whitespace()
            .skip(1)
            .any(|word| word == "hidden")
        || STYLES.iter().any(|style| packed.contains(style))
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
        let name = text[tag.start..quote]
            .trim_end()
            .trim_end_matches('=')
            .trim_end();
        let name = name
            .rsplit(|char: char| char.is_whitespace())
            .next()
            .unwrap_or_default();
        if ATTRIBUTES
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
        {
            piece(out, text, value..end);
        }
        at = (end + 1).min(tag.end);
    }
}

fn piece(out: &mut Mapping<'_>, text: &str, span: Range<usize>) {
    if text[span.clone()].trim().is_empty() {
        return;
    }
    for (offset, char) in text[span.clone()].char_indices() {
        let start = span.start + offset;
        out.push(char, start..start + char.len_utf8());
    }
    out.push('\n', span.end..span.end);
}
