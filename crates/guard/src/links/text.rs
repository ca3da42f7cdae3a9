//! Addresses that stand in a text as they are, or in the escapes of HTML, JSON and Markdown.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

/// Gives each address in `text`, with where it stands; the whole line if it stands there in escapes.
pub(super) fn each_address(text: &str, give: &mut impl FnMut(&str, Range<usize>)) {
    bare(text, &mut |span| give(&text[span.clone()], span));
    each_css_address_in(text, &mut |address, span| give(address, span));
    if !text.contains(['&', '\\', '\u{ad}', '\u{200b}', '\u{2060}', '\u{feff}']) {
        return;
    }
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let span = start..start + line.trim_end().len();
        start += line.len();
        let decoded = decode_escapes(&decode_entities(line)).into_owned();
        if decoded != line {
            let mut found = Vec::new();
            bare(&decoded, &mut |inner| found.push(inner));
            let already = found
                .into_iter()
                .filter(|inner| !line.contains(&decoded[inner.clone()]));
            already.for_each(|inner| give(&decoded[inner], span.clone()));
        }
    }
}

/// Gives the spans of bare addresses: `scheme://…`, `www.…`, and `"//host…"` within quotes or brackets.
fn bare(text: &str, give: &mut impl FnMut(Range<usize>)) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for at in memmem::find_iter(bytes, "//") {
        if at < done {
            continue;
        }
        let start = match at.checked_sub(1).map(|before| bytes[before]) {
            Some(b':') => scheme_start(bytes, at - 1),
            Some(b'"' | b'\'' | b'(' | b'`') if is_host(&bytes[at + 2..]) => Some(at),
            _ => None,
        };
        if let Some(start) = start {
            done = address_end(text, at + 2);
            if done > at + 2 {
                give(start..done);
            }
        }
    }
    for at in memmem::find_iter(bytes, "www.") {
        let begins =
            at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || b"/.-@".contains(&bytes[at - 1]));
        if begins && is_host(&bytes[at..]) {
            // An address without scheme is none to the policy: a reader makes it one.
            give(at..address_end(text, at));
        }
    }
}

/// Where the scheme before a colon begins.
fn scheme_start(bytes: &[u8], colon: usize) -> Option<usize> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let length = bytes[..colon]
        .iter()
        .rev()
        .take(32)
        .take_while(|byte| is_part(byte))
        .count();
    let letters = bytes[colon - length..colon].iter();
    let skipped = letters
        .take_while(|byte| !byte.is_ascii_alphabetic())
        .count();
    (skipped < length).then(|| colon - length + skipped)
}

/// Whether a host with a dot in it stands here.
fn is_host(bytes: &[u8]) -> bool {
    let is_part =
        |byte: &&u8| byte.is_ascii_alphanumeric() || b"-.".contains(byte) || !byte.is_ascii();
    let host = &bytes[..bytes.iter().take(255).take_while(is_part).count()];
    host.first()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
        && host
            .iter()
            .rposition(|&byte| byte == b'.')
            .is_some_and(|dot| dot + 2 < host.len())
}

/// Where an address ends: before a blank, a quote or a bracket, without the sentence's own marks.
fn address_end(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let ends = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(
                c,
                '"' | '\'' | '<' | '>' | '`' | '{' | '}' | ')' | ']' | '|' | '\\' | '^' | '[' | '('
            )
    };
    let length = rest.find(ends).unwrap_or(rest.len());
    at + rest[..length]
        .trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '_'])
        .len()
}

/// Gives the addresses that CSS loads: `url(…)` and `@import "…"`.
pub(super) fn each_css_address(css: &str, give: &mut impl FnMut(&str)) {
    each_css_address_in(css, &mut |address, _| give(address));
}

fn each_css_address_in(css: &str, give: &mut impl FnMut(&str, Range<usize>)) {
    let bytes = css.as_bytes();
    for open in memchr::memchr_iter(b'(', bytes) {
        let is_url = open >= 3 && bytes[open - 3..open].eq_ignore_ascii_case(b"url");
        let is_word = open >= 4 && bytes[open - 4].is_ascii_alphanumeric();
        if is_url && !is_word {
            let until = css.floor_char_boundary((open + 4096).min(css.len()));
            let inside = &css[open + 1..until];
            let length = inside.find(')').unwrap_or(inside.len());
            let address = inside[..length].trim().trim_matches(['\'', '"']);
            give(address, open - 3..open + 1 + length);
        }
    }
    for at in memmem::find_iter(bytes, "@import") {
        let until = css.floor_char_boundary((at + 4096).min(css.len()));
        let rest = css[at + 7..until].trim_start();
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let address = rest[1..].split(quote).next().unwrap_or_default();
            give(address, at..at + 7);
        }
    }
}

/// Decodes HTML's numeric entities, and those named ones that an address can be written with.
pub(super) fn decode_entities(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some((character, length)) = entity(rest) else {
            decoded.push('&');
            rest = &rest[1..];
            continue;
        };
        decoded.push(character);
        rest = &rest[length..];
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

/// The character that an entity stands for, and how long the entity is. Browsers need no semicolon behind
/// a number.
fn entity(text: &str) -> Option<(char, usize)> {
    const NAMED: [(&str, char); 22] = [
        ("amp;", '&'),
        ("lt;", '<'),
        ("gt;", '>'),
        ("quot;", '"'),
        ("apos;", '\''),
        ("colon;", ':'),
        ("sol;", '/'),
        ("bsol;", '\\'),
        ("period;", '.'),
        ("commat;", '@'),
        ("quest;", '?'),
        ("equals;", '='),
        ("num;", '#'),
        ("lpar;", '('),
        ("rpar;", ')'),
        ("Tab;", '\t'),
        ("NewLine;", '\n'),
        ("nbsp;", '\u{a0}'),
        ("percnt;", '%'),
        ("lowbar;", '_'),
        ("hyphen;", '-'),
        ("amp", '&'),
    ];
    let body = &text[1..];
    if let Some(number) = body.strip_prefix('#') {
        let (digits, radix, prefix) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16, 3),
            None => (number, 10, 2),
        };
        let count = digits
            .bytes()
            .take(8)
            .take_while(|byte| char::from(*byte).is_digit(radix))
            .count();
        let character = char::from_u32(u32::from_str_radix(&digits[..count], radix).ok()?)?;
        let semicolon = usize::from(digits[count..].starts_with(';'));
        return Some((character, prefix + count + semicolon));
    }
    let (name, character) = NAMED.iter().find(|(name, _)| body.starts_with(name))?;
    Some((*character, 1 + name.len()))
}

/// Decodes `\uXXXX`, `\xXX`, and backslashes before marks; drops characters without width.
fn decode_escapes(text: &str) -> Cow<'_, str> {
    let is_invisible = |c: char| matches!(c, '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}');
    if !text.contains(|c| c == '\\' || is_invisible(c)) {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c| c == '\\' || is_invisible(c)) {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        if !rest.starts_with('\\') {
            rest = &rest[rest.chars().next().map_or(1, char::len_utf8)..];
            continue;
        }
        let digits = match rest.as_bytes().get(1) {
            Some(b'u') => 4,
            Some(b'x') => 2,
            _ => 0,
        };
        let point = rest
            .get(2..2 + digits)
            .filter(|_| digits > 0)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok());
        if let Some(character) = point.and_then(char::from_u32) {
            decoded.push(character);
            rest = &rest[2 + digits..];
        } else {
            rest = &rest[1..];
            if !rest.starts_with(|c: char| c.is_ascii_punctuation()) {
                decoded.push('\\');
            } else if let Some(mark) = rest.chars().next() {
                decoded.push(mark);
                rest = &rest[1..];
            }
        }
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}
