//! HTML as far as addresses go: tags, attributes and their values, as a browser's tokeniser splits them.
//!
//! Every `<` that a letter follows is taken for a tag, wherever it stands: what a page shows as code in
//! one place is a tag in the next.

use std::ops::Range;

use super::text::decode_entities;

/// The most bytes of one tag.
const TAG_BYTES_MAX: usize = 8192;

/// Attributes whose value is an address.
const ADDRESSES: [&[u8]; 17] = [
    b"src",
    b"href",
    b"xlink:href",
    b"action",
    b"formaction",
    b"poster",
    b"data",
    b"background",
    b"cite",
    b"longdesc",
    b"ping",
    b"manifest",
    b"profile",
    b"usemap",
    b"dynsrc",
    b"lowsrc",
    b"codebase",
];

/// Gives each address in a tag of `text`, decoded, with the span of its tag.
pub(super) fn each_address(text: &str, give: &mut dyn FnMut(&str, Range<usize>)) {
    for_each_tag(text, 0, give);
}

fn for_each_tag(text: &str, depth: usize, give: &mut dyn FnMut(&str, Range<usize>)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(open) = memchr::memchr(b'<', &bytes[at..]).map(|found| at + found) {
        at = open + 1;
        if bytes.get(at).is_some_and(u8::is_ascii_alphabetic) {
            let until = text.floor_char_boundary((open + TAG_BYTES_MAX).min(text.len()));
            let mut tag = Attributes {
                text: &text[..until],
                at,
            };
            tag.skip_name();
            let mut found = Vec::new();
            while let Some((name, value)) = tag.next() {
                found.push((name, value));
            }
            let span = open..tag.at;
            for (name, value) in found {
                attribute(&name, value, &span, depth, give);
            }
            at = span.end.max(at);
        }
    }
}

fn attribute(
    name: &[u8],
    value: &str,
    span: &Range<usize>,
    depth: usize,
    give: &mut dyn FnMut(&str, Range<usize>),
) {
    let value = decode_entities(value);
    if ADDRESSES.contains(&name) {
        // Addresses of mail go to nobody's server by being shown.
        if !value.trim().to_ascii_lowercase().starts_with("mailto:") {
            give(&value, span.clone());
        }
    } else if name.ends_with(b"srcset") {
        for candidate in value.split(',') {
            give(
                candidate.split_whitespace().next().unwrap_or_default(),
                span.clone(),
            );
        }
    } else if name == b"style" {
        super::text::each_css_address(&value, &mut |address| give(address, span.clone()));
    } else if name == b"content" {
        let lower = value.to_ascii_lowercase();
        if let Some(at) = lower.find("url") {
            let address = value[at + 3..].trim_start_matches([' ', '=', '\t']);
            give(address.trim_matches(['\'', '"', ' ']), span.clone());
        }
    } else if name == b"srcdoc" && depth == 0 {
        for_each_tag(&value, 1, &mut |address, _| give(address, span.clone()));
    }
}

/// The attributes of a tag, from behind its name to its `>`.
struct Attributes<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Attributes<'t> {
    fn run(&mut self, fits: impl Fn(u8) -> bool) -> &'t str {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        self.at += rest
            .iter()
            .position(|&byte| !fits(byte))
            .unwrap_or(rest.len());
        &self.text[start..self.at]
    }

    fn skip_name(&mut self) {
        self.run(|byte| !byte.is_ascii_whitespace() && byte != b'>' && byte != b'/');
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<(Vec<u8>, &'t str)> {
        self.run(|byte| byte.is_ascii_whitespace() || byte == b'/');
        match self.peek() {
            None | Some(b'<') => return None,
            Some(b'>') => {
                self.at += 1;
                return None;
            }
            Some(_) => {}
        }
        let name =
            self.run(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'=' | b'>' | b'/'));
        let name = name.to_ascii_lowercase().into_bytes();
        self.run(|byte| byte.is_ascii_whitespace());
        if self.peek() != Some(b'=') {
            return Some((name, ""));
        }
        self.at += 1;
        self.run(|byte| byte.is_ascii_whitespace());
        let value = match self.peek() {
            Some(quote @ (b'"' | b'\'')) => {
                self.at += 1;
                let value = self.run(|byte| byte != quote);
                self.at = (self.at + 1).min(self.text.len());
                value
            }
            _ => self.run(|byte| !byte.is_ascii_whitespace() && byte != b'>'),
        };
        Some((name, value))
    }
}
