//! Strings and numbers: what may stand in them, and what a string says.

use std::borrow::Cow;
use std::ops::Range;

use plimsoll_core::Code;

use super::FrameError;
use super::scanner::Scanner;

impl Scanner<'_> {
    /// Reads a string from its opening to past its closing quote; whether it has escapes.
    pub(super) fn string(&mut self) -> Result<bool, FrameError> {
        self.at += 1;
        let mut has_escapes = false;
        loop {
            self.skip_plain();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(has_escapes);
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.syntax("a control character must be escaped")),
                None => return Err(self.syntax("it ends within a string")),
            }
        }
    }

    /// Goes on to the next quote, backslash or control character, eight bytes at a time.
    fn skip_plain(&mut self) {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGHS: u64 = 0x8080_8080_8080_8080;
        let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGHS;
        while let Some(chunk) = self.bytes[self.at..].first_chunk::<8>() {
            let word = u64::from_le_bytes(*chunk);
            let quote = below(word ^ (ONES * u64::from(b'"')), 1);
            let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
            let special = quote | backslash | below(word, 0x20);
            if special != 0 {
                // The lowest mark is exact; borrows can only add marks above a true one.
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while let Some(byte) = self.peek() {
            if byte == b'"' || byte == b'\\' || byte < 0x20 {
                return;
            }
            self.at += 1;
        }
    }

    /// Reads one escape, and both halves of a surrogate pair.
    fn escape(&mut self) -> Result<(), FrameError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                return Ok(());
            }
            Some(b'u') => {}
            _ => return Err(self.syntax("there is no such escape in a string")),
        }
        let bad_hex = "four hexadecimal digits must follow `\\u`";
        let unit = hex4(self.bytes, self.at + 2).ok_or_else(|| self.syntax(bad_hex))?;
        let lone = "half of a surrogate pair stands alone";
        match unit {
            0xDC00..=0xDFFF => Err(self.error(Code::JsonSurrogate, lone)),
            0xD800..=0xDBFF => {
                let is_escape = self.bytes[self.at + 6..].starts_with(b"\\u");
                let low = is_escape.then(|| hex4(self.bytes, self.at + 8)).flatten();
                if !matches!(low, Some(0xDC00..=0xDFFF)) {
                    return Err(self.error(Code::JsonSurrogate, lone));
                }
                self.at += 12;
                Ok(())
            }
            _ => {
                self.at += 6;
                Ok(())
            }
        }
    }

    /// Reads a number, and makes sure that an `f64` can hold it.
    pub(super) fn number(&mut self) -> Result<(), FrameError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.at;
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.skip_digits(),
            Some(b'I' | b'N') => return Err(self.not_a_number()),
            _ => return Err(self.syntax("a digit must follow the minus sign")),
        }
        if matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.syntax("a number may not begin with 0"));
        }
        let whole_digits = self.at - whole;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("a digit must follow the decimal point")?;
        }
        let mut has_exponent = false;
        if let Some(b'e' | b'E') = self.peek() {
            has_exponent = true;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits("a digit must follow the exponent")?;
        }
        if has_exponent || whole_digits > 300 {
            self.check_range(start)?;
        }
        Ok(())
    }

    /// Refuses what overflows, judged by the two parsers that may read it later.
    fn check_range(&self, start: usize) -> Result<(), FrameError> {
        let number = &self.text[start..self.at];
        let is_finite = number.parse::<f64>().is_ok_and(f64::is_finite);
        if is_finite && serde_json::from_str::<f64>(number).is_ok() {
            return Ok(());
        }
        let mut error = self.error(Code::JsonNumber, "the number is too large for a double");
        error.offset = start;
        Err(error)
    }

    fn digits(&mut self, detail: &str) -> Result<(), FrameError> {
        let start = self.at;
        self.skip_digits();
        if self.at == start {
            return Err(self.syntax(detail));
        }
        Ok(())
    }

    fn skip_digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }
}

/// The four hexadecimal digits at `at`.
fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |number, digit| {
        Some(number << 4 | char::from(*digit).to_digit(16)?)
    })
}

/// What the scanned string whose inside is at `inside` says.
pub(super) fn unescape(bytes: &[u8], inside: Range<usize>) -> Cow<'_, str> {
    let raw = std::str::from_utf8(&bytes[inside]).expect("the scan has checked UTF-8");
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut said = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        said.push_str(&rest[..at]);
        let (character, length) = escaped(&rest.as_bytes()[at..]);
        said.push(character);
        rest = &rest[at + length..];
    }
    said.push_str(rest);
    Cow::Owned(said)
}

/// The character of a scanned escape, and the escape's length in bytes.
fn escaped(escape: &[u8]) -> (char, usize) {
    let simple = match escape[1] {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return escaped_unicode(escape),
        other => char::from(other),
    };
    (simple, 2)
}

fn escaped_unicode(escape: &[u8]) -> (char, usize) {
    let high = hex4(escape, 2).expect("the scan has checked the digits");
    if let Some(character) = char::from_u32(high) {
        return (character, 6);
    }
    let low = hex4(escape, 8).expect("the scan has checked both halves");
    let point = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    let character = char::from_u32(point).expect("a surrogate pair is a character");
    (character, 12)
}
