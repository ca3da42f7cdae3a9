//! Encodings of texts as texts. What does not decode to something that reads as text is left alone.

use std::ops::Range;

use super::Shape;
use super::map::{Mapped, Mapping};

/// The shortest run of base64 or hex that is worth looking into: nine bytes.
const RUN_MIN: usize = 12;
/// A run that is so long is no word, whatever it says.
const LONGER_RUN: usize = 64;
/// The most runs looked into per layer.
const RUNS_MAX: usize = 16;

/// What the bytes of a text say at a glance: whether there is anything to take off.
///
/// Each count is a loop of its own without branches, which compilers turn into vector code: together they
/// take less time than one loop that looks at each byte.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    pub(super) shape: Shape,
    percents: u32,
    escapes: u32,
    has_ampersand: bool,
    has_angle: bool,
    has_control: bool,
    has_long_run: bool,
    has_longer_run: bool,
    overrides: bool,
    hex_pairs: u32,
}

impl Scan {
    pub(super) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let has = |byte| memchr::memchr(byte, bytes).is_some();
        let is_control = |[byte]: [u8; 1]| {
            let is_blank = (byte == b'\t') | (byte == b'\n') | (byte == b'\r');
            (byte < b' ') & !is_blank | (byte == 127)
        };
        let begins_escape = |&at: &usize| {
            let next = bytes.get(at + 1);
            matches!(next, Some(b'u' | b'x' | b'U' | b'0'))
        };
        let shape = shape(bytes);
        let mut leads = memchr::memchr_iter(0xe2, bytes);
        let mut runs = runs(bytes, RUN_MIN, is_run);
        let first_run = runs.next();
        let is_longer = |run: Range<usize>| run.len() >= LONGER_RUN;
        Self {
            shape,
            percents: length(
                memchr::memchr_iter(b'%', bytes).filter(|&at| is_hex(bytes, at + 1, 2)),
            ),
            escapes: length(memchr::memchr_iter(b'\\', bytes).filter(begins_escape)),
            has_ampersand: has(b'&'),
            has_angle: has(b'<'),
            has_control: count(bytes, is_control) > 0,
            has_long_run: first_run.is_some(),
            has_longer_run: first_run.into_iter().chain(runs).any(is_longer),
            overrides: shape.beyond_ascii > 0
                && leads.any(|at| matches!(bytes.get(at + 1..at + 3), Some([0x80, 0xad | 0xae]))),
            hex_pairs: hex_pair_count(bytes),
        }
    }

    pub(super) const fn is_ascii(&self) -> bool {
        self.shape.beyond_ascii == 0
    }

    pub(super) const fn needs_stripping(&self) -> bool {
        !self.is_ascii() || self.has_control
    }

    pub(super) const fn has_percent(&self) -> bool {
        self.percents >= 3
    }

    pub(super) const fn has_entity(&self) -> bool {
        self.has_ampersand
    }

    pub(super) const fn has_escape(&self) -> bool {
        self.escapes >= 3
    }

    pub(super) const fn has_markup(&self) -> bool {
        self.has_angle
    }

    pub(super) const fn has_long_run(&self) -> bool {
        self.has_long_run
    }

    pub(super) const fn has_hex_pairs(&self) -> bool {
        self.hex_pairs >= 6
    }

    pub(super) const fn has_override(&self) -> bool {
        self.overrides
    }

    /// Whether more could be taken off.
    pub(super) const fn may_be_encoded(&self) -> bool {
        self.has_percent() || self.has_escape() || self.has_longer_run
    }
}

fn shape(bytes: &[u8]) -> Shape {
    let upper = count(bytes, |[byte]| byte.is_ascii_uppercase());
    let lower = count(bytes, |[byte]| byte.is_ascii_lowercase());
    let digits = count(bytes, |[byte]| byte.is_ascii_digit());
    Shape {
        upper,
        lower,
        camel: count(bytes, |[before, byte]| {
            before.is_ascii_lowercase() & byte.is_ascii_uppercase()
        }),
        digits,
        symbols: count(bytes, |[byte]| byte.is_ascii_graphic()) - upper - lower - digits,
        lines: count(bytes, |[byte]| byte == b'\n'),
        beyond_ascii: count(bytes, |[byte]| byte >= 0x80),
    }
}

/// Two hexadecimal digits that are a word of their own, and a blank behind them.
fn hex_pair_count(bytes: &[u8]) -> u32 {
    let is_digit = |byte: u8| byte.is_ascii_digit() | ((byte | 0x20).wrapping_sub(b'a') < 6);
    let is_letter = |byte: u8| byte.is_ascii_digit() | (byte | 0x20).is_ascii_lowercase();
    let pairs = count(bytes, |[before, first, second, behind]| {
        !is_letter(before) & is_digit(first) & is_digit(second) & (behind == b' ')
    });
    let at_start =
        matches!(bytes, [first, second, b' ', ..] if is_digit(*first) & is_digit(*second));
    pairs + u32::from(at_start)
}

/// How often it holds of `N` neighbours. Counted in single bytes as long as they cannot overflow, so that
/// many fit a vector.
fn count<const N: usize>(bytes: &[u8], holds: impl Fn([u8; N]) -> bool) -> u32 {
    let places = (bytes.len() + 1).saturating_sub(N);
    let (mut all, mut at) = (0, 0);
    while at < places {
        let end = places.min(at + usize::from(u8::MAX));
        let near: [&[u8]; N] = std::array::from_fn(|n| &bytes[at + n..end + n]);
        let here = |place: usize| holds(std::array::from_fn(|n| near[n][place]));
        let some = (0..end - at).fold(0u8, |some, place| some + u8::from(here(place)));
        all += u32::from(some);
        at = end;
    }
    all
}

fn length(found: impl Iterator) -> u32 {
    u32::try_from(found.count()).unwrap_or(u32::MAX)
}

const fn is_run(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

fn is_hex(bytes: &[u8], at: usize, count: usize) -> bool {
    let found = bytes.get(at..at + count);
    found.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// The byte of two hexadecimal digits.
fn hex_byte(digits: &[u8]) -> u8 {
    let value = digits.iter().fold(0, |value, &digit| {
        let digit = char::from(digit).to_digit(16).unwrap_or(0);
        value << 4 | digit
    });
    (value & 0xff) as u8
}

fn hex_value(digits: &str) -> Option<u32> {
    u32::from_str_radix(digits, 16).ok()
}

/// A text from decoded bytes, each from its own `origin`: none unless nine tenths of it can be read.
pub(super) fn from_bytes(
    from: &Mapped,
    bytes: &[u8],
    origin: impl Fn(usize) -> Range<usize>,
) -> Option<Mapped> {
    // A text whose end was cut off is still a text.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
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
    let mut out = Mapping::of_bytes(from, text.len());
    for (at, char) in text.char_indices() {
        let last = at + char.len_utf8() - 1;
        out.push(char, origin(at).start..origin(last).end);
    }
    Some(out.finish())
}

/// `%41`: the whole text with its percent signs taken off.
pub(super) fn url(mapped: &Mapped) -> Option<Mapped> {
    let text = mapped.text();
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut starts = Vec::with_capacity(bytes.len() + 1);
    let mut at = 0;
    while at < bytes.len() {
        starts.push(at);
        if bytes[at] == b'%' && is_hex(bytes, at + 1, 2) {
            plain.push(hex_byte(&bytes[at + 1..at + 3]));
            at += 3;
        } else {
            plain.push(bytes[at]);
            at += 1;
        }
    }
    starts.push(at);
    from_bytes(mapped, &plain, |at| starts[at]..starts[at + 1])
}

/// `&#65;`, `&#x41;`, `&lt;`: the whole text with its references taken off; none if there are none.
pub(super) fn entities(mapped: &Mapped) -> Option<Mapped> {
    replaced(mapped, b'&', |rest| {
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
    replaced(mapped, b'\\', |rest| {
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
    sign: u8,
    read: impl Fn(&str) -> Option<(char, usize)>,
) -> Option<Mapped> {
    let text = mapped.text();
    let mut out = None;
    let (mut at, mut copied) = (0, 0);
    while let Some(found) = memchr::memchr(sign, &text.as_bytes()[at..]) {
        let start = at + found;
        at = start + 1;
        if let Some((char, width)) = read(&text[start..]) {
            let out = out.get_or_insert_with(|| Mapping::of(mapped));
            out.copy(copied..start);
            at = start + width;
            out.push(char, start..at);
            copied = at;
        }
    }
    let mut out = out?;
    out.copy(copied..text.len());
    Some(out.finish())
}

/// Runs of hexadecimal digits.
pub(super) fn hex_runs(mapped: &Mapped) -> Vec<Mapped> {
    let bytes = mapped.text().as_bytes();
    let runs = runs(bytes, RUN_MIN, |byte| byte.is_ascii_hexdigit());
    let decoded = runs
        .filter(|run| run.len().is_multiple_of(2))
        .filter_map(|run| {
            let plain: Vec<u8> = bytes[run.clone()].chunks(2).map(hex_byte).collect();
            let start = |at: usize| run.start + 2 * at;
            from_bytes(mapped, &plain, |at| start(at)..start(at + 1))
        });
    decoded.take(RUNS_MAX).collect()
}

/// `57 68 61 74`: pairs of digits with spaces between them, all of the text's as one.
pub(super) fn hex_pairs(mapped: &Mapped) -> Option<Mapped> {
    let text = mapped.text();
    let (mut plain, mut spans) = (Vec::new(), Vec::new());
    let mut start = 0;
    for word in text.split([' ', '\n', ',', '\'', '"', ':']) {
        let digits = word.strip_prefix("0x").unwrap_or(word);
        if let (2, Some(value)) = (digits.len(), hex_value(digits)) {
            plain.push(u8::try_from(value).unwrap_or(0));
            spans.push(start..start + word.len());
        }
        start += word.len() + 1;
    }
    from_bytes(mapped, &plain, |at| spans[at].clone())
}

/// Runs of base64, of the standard or the URL alphabet.
pub(super) fn base64_runs(mapped: &Mapped) -> Vec<Mapped> {
    let bytes = mapped.text().as_bytes();
    let is_digit = |byte: u8| SEXTETS[byte as usize] != NO_SEXTET;
    let decoded = runs(bytes, RUN_MIN, is_digit).filter_map(|run| {
        // Prose in one word has no capitals within; paths and names have many signs.
        let digits = &bytes[run.clone()];
        let is_mixed =
            digits.iter().any(u8::is_ascii_uppercase) && digits.iter().any(u8::is_ascii_lowercase);
        if !is_mixed {
            return None;
        }
        let mut plain = Vec::with_capacity(run.len() * 3 / 4);
        let (mut bits, mut held) = (0u32, 0);
        for &digit in digits {
            bits = bits << 6 | u32::from(SEXTETS[digit as usize]);
            held += 6;
            if held >= 8 {
                held -= 8;
                plain.push((bits >> held & 0xff) as u8);
            }
        }
        // Each byte's bits stand in two digits.
        let first = |at: usize| run.start + at * 8 / 6;
        from_bytes(mapped, &plain, |at| first(at)..first(at) + 2)
    });
    decoded.take(RUNS_MAX).collect()
}

const NO_SEXTET: u8 = u8::MAX;

/// What each digit of base64 stands for.
const SEXTETS: [u8; 256] = {
    let mut table = [NO_SEXTET; 256];
    let mut byte = 0;
    while byte < 256 {
        if let Some(value) = sextet(byte as u8) {
            table[byte] = value;
        }
        byte += 1;
    }
    table
};

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

/// The runs of at least `least` bytes that fit. None is missed by looking at every so manieth byte first.
fn runs(
    bytes: &[u8],
    least: usize,
    fits: impl Fn(u8) -> bool,
) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let probe = at + least - 1;
            if !fits(*bytes.get(probe)?) {
                at = probe + 1;
                continue;
            }
            let fitting = |byte: &&u8| fits(**byte);
            let before = bytes[at..probe].iter().rev().take_while(fitting).count();
            let behind = bytes[probe..].iter().take_while(fitting).count();
            let found = probe - before..probe + behind;
            at = found.end;
            if found.len() >= least {
                return Some(found);
            }
        }
    })
}
