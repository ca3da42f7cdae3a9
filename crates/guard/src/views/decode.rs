//! Encodings of texts as texts. What does not decode to something that reads as text is left alone.

use std::ops::Range;

use super::Shape;
use super::map::{Mapped, Mapping};

/// The shortest run of base64 or hex that is worth looking into: nine bytes.
const RUN_MIN: usize = 12;
/// The most runs looked into per layer.
const RUNS_MAX: usize = 16;

/// What one pass over the bytes says about a text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    pub(super) shape: Shape,
    percents: u32,
    entities: u32,
    escapes: u32,
    angles: u32,
    controls: u32,
    overrides: bool,
    longest_run: usize,
    hex_pairs: u32,
}

impl Scan {
    pub(super) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut scan = Self::default();
        let shape = &mut scan.shape;
        let (mut run, mut before) = (0usize, b' ');
        for (at, &byte) in bytes.iter().enumerate() {
            let kind = KINDS[byte as usize];
            run = if kind & RUN != 0 { run + 1 } else { 0 };
            scan.longest_run = scan.longest_run.max(run);
            shape.upper += u32::from(kind & UPPER != 0);
            shape.lower += u32::from(kind & LOWER != 0);
            shape.camel += u32::from(kind & UPPER != 0 && before.is_ascii_lowercase());
            shape.digits += u32::from(kind & DIGIT != 0);
            shape.symbols += u32::from(kind & SYMBOL != 0);
            if kind & OTHER != 0 {
                match byte {
                    b'%' => scan.percents += u32::from(is_hex(bytes, at + 1, 2)),
                    b'&' => scan.entities += 1,
                    b'\\' => {
                        scan.escapes +=
                            u32::from(matches!(bytes.get(at + 1), Some(b'u' | b'x' | b'U' | b'0')));
                    }
                    b'<' => scan.angles += 1,
                    b'\n' => shape.lines += 1,
                    b'\t' | b'\r' => {}
                    0x80.. => {
                        shape.beyond_ascii += 1;
                        let is_override = bytes.get(at..at + 3);
                        scan.overrides |= matches!(is_override, Some([0xe2, 0x80, 0xad | 0xae]));
                    }
                    _ => scan.controls += 1,
                }
            }
            if byte == b' '
                && at >= 2
                && is_hex(bytes, at - 2, 2)
                && (at == 2 || !bytes[at - 3].is_ascii_alphanumeric())
            {
                scan.hex_pairs += 1;
            }
            before = byte;
        }
        scan
    }

    pub(super) const fn is_ascii(&self) -> bool {
        self.shape.beyond_ascii == 0
    }

    pub(super) const fn needs_stripping(&self) -> bool {
        !self.is_ascii() || self.controls > 0
    }

    pub(super) const fn has_percent(&self) -> bool {
        self.percents >= 3
    }

    pub(super) const fn has_entity(&self) -> bool {
        self.entities > 0
    }

    pub(super) const fn has_escape(&self) -> bool {
        self.escapes >= 3
    }

    pub(super) const fn has_markup(&self) -> bool {
        self.angles > 0
    }

    pub(super) const fn has_long_run(&self) -> bool {
        self.longest_run >= RUN_MIN
    }

    pub(super) const fn has_hex_pairs(&self) -> bool {
        self.hex_pairs >= 6
    }

    pub(super) const fn has_override(&self) -> bool {
        self.overrides
    }

    /// Whether more could be taken off.
    pub(super) const fn may_be_encoded(&self) -> bool {
        self.has_percent() || self.has_escape() || self.longest_run >= 64
    }
}

const UPPER: u8 = 1;
const LOWER: u8 = 2;
const DIGIT: u8 = 4;
const SYMBOL: u8 = 8;
const RUN: u8 = 16;
const OTHER: u8 = 32;

/// What each byte is.
const KINDS: [u8; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let byte = code as u8;
        let mut kind = match byte {
            b'A'..=b'Z' => UPPER | RUN,
            b'a'..=b'z' => LOWER | RUN,
            b'0'..=b'9' => DIGIT | RUN,
            b'+' | b'/' | b'-' | b'_' => SYMBOL | RUN,
            b' ' => 0,
            b'!'..=b'~' => SYMBOL,
            _ => 0,
        };
        if matches!(byte, b'%' | b'&' | b'\\' | b'<' | 0..=31 | 127..) {
            kind |= OTHER;
        }
        table[code] = kind;
        code += 1;
    }
    table
};

fn is_hex(bytes: &[u8], at: usize, count: usize) -> bool {
    let found = bytes.get(at..at + count);
    found.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

fn hex_value(digits: &str) -> Option<u32> {
    u32::from_str_radix(digits, 16).ok()
}

/// A text from decoded bytes, each with where it comes from: none unless nine tenths of it can be read.
pub(super) fn from_bytes(from: &Mapped, bytes: &[(u8, Range<usize>)]) -> Option<Mapped> {
    let plain: Vec<u8> = bytes.iter().map(|&(byte, _)| byte).collect();
    // A text whose end was cut off is still a text.
    let text = match std::str::from_utf8(&plain) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&plain[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let count = text.chars().count();
    let read = text
        .chars()
        .filter(|&char| !char.is_control() || matches!(char, '\n' | '\t' | '\r'));
    if count < 3 || read.count() * 10 < count * 9 {
        return None;
    }
    let mut out = Mapping::of(from);
    for (at, char) in text.char_indices() {
        let last = at + char.len_utf8() - 1;
        out.push(char, bytes[at].1.start..bytes[last].1.end);
    }
    Some(out.finish())
}

/// `%41`: the whole text with its percent signs taken off.
pub(super) fn url(mapped: &Mapped) -> Option<Mapped> {
    let text = mapped.text();
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let is_escape = bytes[at] == b'%' && is_hex(bytes, at + 1, 2);
        let (byte, width) = if is_escape {
            let value = hex_value(&text[at + 1..at + 3]).unwrap_or(0);
            (u8::try_from(value).unwrap_or(0), 3)
        } else {
            (bytes[at], 1)
        };
        plain.push((byte, at..at + width));
        at += width;
    }
    from_bytes(mapped, &plain)
}

/// `&#65;`, `&#x41;`, `&lt;`: the whole text with its references taken off; none if there are none.
pub(super) fn entities(mapped: &Mapped) -> Option<Mapped> {
    replaced(mapped, '&', |rest| {
        let end = rest
            .as_bytes()
            .iter()
            .take(12)
            .position(|&byte| byte == b';')?;
        let name = &rest[1..end];
        let char = match name.strip_prefix('#') {
            Some(number) => {
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(digits) => hex_value(digits)?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
            None => match name {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                "quot" => '"',
                "apos" => '\'',
                "nbsp" | "Tab" => ' ',
                "NewLine" => '\n',
                "excl" => '!',
                "colon" => ':',
                "lpar" => '(',
                "rpar" => ')',
                _ => return None,
            },
        };
        Some((char, end + 1))
    })
}

/// `\u0041`, `\x41`, `\u{41}`: the whole text with its escapes taken off; none if there are none.
pub(super) fn escapes(mapped: &Mapped) -> Option<Mapped> {
    replaced(mapped, '\\', |rest| {
        let kind = *rest.as_bytes().get(1)?;
        if kind == b'u' && rest.as_bytes().get(2) == Some(&b'{') {
            let end = rest
                .as_bytes()
                .iter()
                .take(12)
                .position(|&byte| byte == b'}')?;
            return Some((char::from_u32(hex_value(rest.get(3..end)?)?)?, end + 1));
        }
        let count = match kind {
            b'u' => 4,
            b'x' => 2,
            b'U' => 8,
            _ => return None,
        };
        let first = hex_value(rest.get(2..2 + count)?)?;
        if kind == b'u' && (0xd800..0xdc00).contains(&first) {
            let second = hex_value(rest.get(6..)?.strip_prefix("\\u")?.get(..4)?)?;
            let pair =
                char::decode_utf16([u16::try_from(first).ok()?, u16::try_from(second).ok()?]);
            return pair.into_iter().next()?.ok().map(|char| (char, 12));
        }
        Some((char::from_u32(first)?, 2 + count))
    })
}

/// Replaces what `read` reads at each `sign`: a character and how many bytes it takes.
fn replaced(
    mapped: &Mapped,
    sign: char,
    read: impl Fn(&str) -> Option<(char, usize)>,
) -> Option<Mapped> {
    let text = mapped.text();
    let mut out = Mapping::of(mapped);
    let (mut at, mut found) = (0, false);
    while let Some(char) = text[at..].chars().next() {
        let decoded = if char == sign {
            read(&text[at..])
        } else {
            None
        };
        found |= decoded.is_some();
        let (char, width) = decoded.unwrap_or((char, char.len_utf8()));
        out.push(char, at..at + width);
        at += width;
    }
    found.then(|| out.finish())
}

/// Runs of hexadecimal digits.
pub(super) fn hex_runs(mapped: &Mapped) -> Vec<Mapped> {
    let text = mapped.text();
    let runs = runs(text, |byte| byte.is_ascii_hexdigit());
    let decoded = runs
        .filter(|run| run.len().is_multiple_of(2))
        .filter_map(|run| {
            let pairs = run.step_by(2).map(|at| {
                let value = hex_value(&text[at..at + 2]).unwrap_or(0);
                (u8::try_from(value).unwrap_or(0), at..at + 2)
            });
            from_bytes(mapped, &pairs.collect::<Vec<_>>())
        });
    decoded.take(RUNS_MAX).collect()
}

/// `57 68 61 74`: pairs of digits with spaces between them, all of the text's as one.
pub(super) fn hex_pairs(mapped: &Mapped) -> Option<Mapped> {
    let text = mapped.text();
    let mut plain = Vec::new();
    let mut start = 0;
    for word in text.split([' ', '\n', ',', '\'', '"', ':']) {
        let digits = word.strip_prefix("0x").unwrap_or(word);
        if let (2, Some(value)) = (digits.len(), hex_value(digits)) {
            plain.push((u8::try_from(value).unwrap_or(0), start..start + word.len()));
        }
        start += word.len() + 1;
    }
    from_bytes(mapped, &plain)
}

/// Runs of base64, of the standard or the URL alphabet.
pub(super) fn base64_runs(mapped: &Mapped) -> Vec<Mapped> {
    let text = mapped.text();
    let is_digit = |byte: u8| sextet(byte).is_some();
    let decoded = runs(text, is_digit).filter_map(|run| {
        // Prose in one word has no capitals within; paths and names have many signs.
        let bytes = &text.as_bytes()[run.clone()];
        let is_mixed =
            bytes.iter().any(u8::is_ascii_uppercase) && bytes.iter().any(u8::is_ascii_lowercase);
        if !is_mixed {
            return None;
        }
        let mut plain = Vec::with_capacity(run.len() * 3 / 4);
        let (mut bits, mut held) = (0u32, 0);
        for at in run {
            bits = bits << 6 | u32::from(sextet(text.as_bytes()[at]).unwrap_or(0));
            held += 6;
            if held >= 8 {
                held -= 8;
                let byte = u8::try_from(bits >> held & 0xff).unwrap_or(0);
                plain.push((byte, at.saturating_sub(1)..at + 1));
            }
        }
        from_bytes(mapped, &plain)
    });
    decoded.take(RUNS_MAX).collect()
}

const fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// The runs of at least [`RUN_MIN`] bytes that fit.
fn runs(text: &str, fits: impl Fn(u8) -> bool) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            while at < bytes.len() && fits(bytes[at]) {
                at += 1;
            }
            let found = start..at;
            at = at.max(start + 1);
            if found.len() >= RUN_MIN {
                return Some(found);
            }
        }
        None
    })
}
