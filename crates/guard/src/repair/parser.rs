//! A parser that reads on where a strict one stops.
//!
//! It descends with a bounded depth, never goes back over what it accepted, and looks ahead at most
//! [`LOOK_AHEAD`] bytes to tell a quote that ends a text from one within it.

use std::collections::BTreeSet;

use plimsoll_core::Code;
use serde_json::{Map, Number, Value};

use super::{Mend, is_padding};
use crate::frame::{FrameError, FrameLimits};

/// How far a quote's surroundings are looked at.
const LOOK_AHEAD: usize = 200;

/// What was read.
pub(super) struct Parsed {
    pub(super) value: Value,
    pub(super) mends: BTreeSet<Mend>,
    /// One past the value's last byte.
    pub(super) end: usize,
}

/// Where a text stands, which says what may follow it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Key,
    Member,
    Item,
    Alone,
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth_left: u32,
    values_left: u32,
    mends: BTreeSet<Mend>,
}

/// Reads the value that begins at `start`.
pub(super) fn parse(text: &str, start: usize, limits: &FrameLimits) -> Result<Parsed, FrameError> {
    let mut parser = Parser {
        text,
        at: start,
        depth_left: limits.depth_max.min(FrameLimits::DEPTH_CEILING),
        values_left: limits.values_max,
        mends: BTreeSet::new(),
    };
    let value = parser.value(Place::Alone)?;
    Ok(Parsed {
        value,
        mends: parser.mends,
        end: parser.at,
    })
}

impl Parser<'_> {
    fn value(&mut self, place: Place) -> Result<Value, FrameError> {
        self.values_left = self
            .values_left
            .checked_sub(1)
            .ok_or_else(|| self.error(Code::JsonCount, "it has more values than the limit"))?;
        match self.peek() {
            Some('{') => self.nested(Self::object),
            Some('[') => self.nested(Self::array),
            Some(quote) if closing(quote).is_some() => self.string(place).map(Value::String),
            Some('-' | '+' | '.' | '0'..='9') => self.number(place),
            Some(first) if is_name(first) => self.word(place),
            Some(_) => Err(self.syntax("a value must stand here")),
            None => Err(self.syntax("it ends where a value must stand")),
        }
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Value, FrameError>,
    ) -> Result<Value, FrameError> {
        if self.depth_left == 0 {
            return Err(self.error(Code::JsonDepth, "it is nested too deep"));
        }
        self.depth_left -= 1;
        self.at += 1;
        let value = read(self)?;
        self.depth_left += 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, FrameError> {
        let mut members = Map::new();
        loop {
            if self.separated_or_closed('}', members.is_empty())? {
                return Ok(Value::Object(members));
            }
            let start = self.at;
            let key = self.key()?;
            self.skip_blanks()?;
            if self.peek() != Some(':') {
                return Err(self.syntax("a colon must follow the key"));
            }
            self.at += 1;
            self.skip_blanks()?;
            let value = self.value(Place::Member)?;
            if members.insert(key, value).is_some() {
                self.at = start;
                let detail = "the same key stands twice in one object";
                return Err(self.error(Code::JsonDuplicateKey, detail));
            }
        }
    }

    fn array(&mut self) -> Result<Value, FrameError> {
        let mut items = Vec::new();
        loop {
            if self.separated_or_closed(']', items.is_empty())? {
                return Ok(Value::Array(items));
            }
            items.push(self.value(Place::Item)?);
        }
    }

    /// Goes over blanks and commas to the next member or item; whether there is none.
    fn separated_or_closed(&mut self, close: char, is_first: bool) -> Result<bool, FrameError> {
        self.skip_blanks()?;
        let mut commas = 0;
        while self.peek() == Some(',') {
            commas += 1;
            self.at += 1;
            self.skip_blanks()?;
        }
        let is_closed = match self.peek() {
            Some(found) if found == close => {
                self.at += 1;
                true
            }
            // The bracket closes what is further out, or nothing comes any more.
            Some('}' | ']') | None => {
                self.mends.insert(Mend::Close);
                true
            }
            Some(_) => false,
        };
        let expected = usize::from(!is_first && !is_closed);
        if commas != expected {
            self.mends.insert(Mend::Comma);
        }
        Ok(is_closed)
    }

    fn key(&mut self) -> Result<String, FrameError> {
        match self.peek() {
            Some(quote) if closing(quote).is_some() => self.string(Place::Key),
            Some(first) if is_name(first) || first.is_ascii_digit() => {
                self.mends.insert(Mend::Key);
                let rest = &self.text[self.at..];
                let is_part = |c: char| is_name(c) || c.is_ascii_digit() || matches!(c, '-' | '.');
                let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                self.at += length;
                Ok(rest[..length].to_owned())
            }
            _ => Err(self.syntax("a key must stand here")),
        }
    }

    fn string(&mut self, place: Place) -> Result<String, FrameError> {
        let quote = self.peek().expect("a quote stands where this is called");
        let closing = closing(quote).expect("only quotes lead here");
        if quote != '"' {
            self.mends.insert(Mend::Quote);
        }
        self.at += quote.len_utf8();
        let mut said = String::new();
        loop {
            let Some(next) = self.peek() else {
                self.mends.insert(Mend::Close);
                return Ok(said);
            };
            let behind = self.at + next.len_utf8();
            if closing.contains(next) && self.is_end(quote, behind, place) {
                if next != '"' {
                    self.mends.insert(Mend::Quote);
                }
                self.at = behind;
                return Ok(said);
            }
            if next == '\\' {
                self.escape(&mut said)?;
                continue;
            }
            if closing.contains(next) && quote == '"' {
                self.mends.insert(Mend::Quote);
            }
            if next < ' ' {
                self.mends.insert(Mend::Escape);
            }
            said.push(next);
            self.at = behind;
        }
    }

    /// Whether the quote before `behind` ends the text: what follows goes on as JSON does.
    fn is_end(&self, quote: char, behind: usize, place: Place) -> bool {
        let until = self.text.floor_char_boundary(behind + LOOK_AHEAD);
        let rest = &self.text[behind..until.max(behind)];
        let next = rest.trim_start_matches(is_padding);
        let has_blank = next.len() < rest.len();
        let Some(first) = next.chars().next() else {
            return true;
        };
        match place {
            Place::Key => first == ':',
            // Nothing can follow a text that stands alone but what was said around it.
            Place::Alone => true,
            Place::Member if first == ',' => quote == '"' || goes_on(&next[1..]),
            Place::Member => matches!(first, '}' | ']' | '/' | '#') || (has_blank && is_key(next)),
            Place::Item if first == ',' => true,
            Place::Item => {
                matches!(first, '}' | ']' | '/' | '#')
                    || (has_blank && (closing(first).is_some() || matches!(first, '{' | '[')))
            }
        }
    }

    fn escape(&mut self, said: &mut String) -> Result<(), FrameError> {
        let rest = &self.text[self.at + 1..];
        let Some(kind) = rest.chars().next() else {
            self.mends.insert(Mend::Escape);
            self.at += 1;
            return Ok(());
        };
        let plain = match kind {
            '"' | '\\' | '/' => kind,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode_escape(said),
            '\'' => {
                self.mends.insert(Mend::Escape);
                '\''
            }
            other => {
                // JSON has no such escape: the backslash was meant to be one.
                self.mends.insert(Mend::Escape);
                said.push('\\');
                other
            }
        };
        said.push(plain);
        self.at += 1 + kind.len_utf8();
        Ok(())
    }

    fn unicode_escape(&mut self, said: &mut String) -> Result<(), FrameError> {
        let unit = |at: usize| {
            let digits = self.text.get(at + 2..at + 6)?;
            let is_escape = self.text.get(at..at + 2) == Some("\\u");
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            (is_escape && is_hex)
                .then(|| u32::from_str_radix(digits, 16).ok())
                .flatten()
        };
        let lone = "half of a surrogate pair stands alone";
        let Some(high) = unit(self.at) else {
            self.mends.insert(Mend::Escape);
            said.push_str("\\u");
            self.at += 2;
            return Ok(());
        };
        let (point, length) = match (high, unit(self.at + 6)) {
            (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) => {
                (0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00), 12)
            }
            _ => (high, 6),
        };
        let character =
            char::from_u32(point).ok_or_else(|| self.error(Code::JsonSurrogate, lone))?;
        said.push(character);
        self.at += length;
        Ok(())
    }

    fn number(&mut self, place: Place) -> Result<Value, FrameError> {
        let rest = &self.text[self.at..];
        let is_part =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_' | ':' | '/');
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let written = &rest[..length];
        if let Ok(number) = serde_json::from_str::<Number>(written) {
            if number.as_f64().is_none_or(f64::is_infinite) {
                return Err(self.error(
                    Code::JsonNumber,
                    "it is beyond the numbers that JSON can hold",
                ));
            }
            self.at += length;
            return Ok(Value::Number(number));
        }
        match as_json_number(written) {
            Some(number) => {
                self.mends.insert(Mend::Number);
                self.at += length;
                Ok(Value::Number(number))
            }
            None if written
                .trim_start_matches(['+', '-'])
                .starts_with(['I', 'N', 'i', 'n'])
                || is_number_like(written) =>
            {
                Err(self.error(Code::JsonNumber, "it is not a number that JSON can hold"))
            }
            None => self.word(place),
        }
    }

    /// A literal, or a text without quotes.
    fn word(&mut self, place: Place) -> Result<Value, FrameError> {
        let rest = &self.text[self.at..];
        let length = rest
            .find([',', '}', ']', '\n', '{', '[', '"', ':'])
            .unwrap_or(rest.len());
        let said = rest[..length].trim_end_matches(is_padding);
        let first = said.find(is_padding).map_or(said, |end| &said[..end]);
        let literal = match first {
            "true" | "True" | "TRUE" => Some(Value::Bool(true)),
            "false" | "False" | "FALSE" => Some(Value::Bool(false)),
            "null" | "None" | "none" | "NULL" | "Null" | "nil" | "undefined" => Some(Value::Null),
            "NaN" | "nan" | "Infinity" | "inf" => {
                return Err(self.error(Code::JsonNumber, "NaN and Infinity are not JSON numbers"));
            }
            _ => None,
        };
        if let Some(literal) = literal {
            if !matches!(first, "true" | "false" | "null") {
                self.mends.insert(Mend::Literal);
            }
            self.at += first.len();
            return Ok(literal);
        }
        let ends_well = matches!(
            self.text[self.at + length..].chars().next(),
            Some(',' | '}' | ']')
        );
        if place == Place::Alone || said.is_empty() || !ends_well {
            return Err(self.syntax("a text without quotes cannot be told from what follows"));
        }
        self.mends.insert(Mend::Quote);
        self.at += said.len();
        Ok(Value::String(said.to_owned()))
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Goes over blanks of every kind, and comments.
    fn skip_blanks(&mut self) -> Result<(), FrameError> {
        loop {
            let rest = &self.text[self.at..];
            let Some(next) = rest.chars().next() else {
                return Ok(());
            };
            if matches!(next, ' ' | '\t' | '\r' | '\n') {
                self.at += 1;
            } else if is_padding(next) {
                self.mends.insert(Mend::Blank);
                self.at += next.len_utf8();
            } else if rest.starts_with("//") || next == '#' {
                self.mends.insert(Mend::Comment);
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.mends.insert(Mend::Comment);
                let end = rest.find("*/");
                self.at += end.ok_or_else(|| self.syntax("a comment is never closed"))? + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn syntax(&self, detail: &str) -> FrameError {
        self.error(Code::JsonSyntax, detail)
    }

    fn error(&self, code: Code, detail: &str) -> FrameError {
        FrameError {
            code,
            offset: self.at,
            detail: detail.to_owned(),
        }
    }
}

/// The quotes that may end a text which this one begins.
fn closing(quote: char) -> Option<&'static str> {
    Some(match quote {
        '"' => "\"",
        '\'' => "'",
        '`' => "`´",
        '“' | '”' | '„' | '‟' | '＂' => "”“‟\"＂",
        '‘' | '’' | '‚' => "’‘'",
        '«' | '»' => "»«",
        '‹' | '›' => "›‹",
        _ => return None,
    })
}

fn is_name(character: char) -> bool {
    character.is_alphabetic() || matches!(character, '_' | '$' | '@')
}

/// Whether a key and its colon stand here, or a bracket or text that an item may be.
fn goes_on(text: &str) -> bool {
    let next = text.trim_start_matches(is_padding);
    next.is_empty() || next.starts_with(['}', ']', '/', '#']) || is_key(next)
}

/// Whether a key and its colon stand here, as far as one can see.
fn is_key(text: &str) -> bool {
    let mut characters = text.char_indices();
    let Some((_, first)) = characters.next() else {
        return false;
    };
    let behind = if let Some(closing) = closing(first) {
        let Some((at, quote)) = characters.find(|(_, next)| closing.contains(*next)) else {
            return false;
        };
        &text[at + quote.len_utf8()..]
    } else if is_name(first) {
        text.trim_start_matches(|c: char| {
            is_name(c) || c.is_ascii_digit() || matches!(c, '-' | '.')
        })
    } else {
        return false;
    };
    behind.trim_start_matches(is_padding).starts_with(':')
}

/// Reads a number as other languages write it: `+1`, `.5`, `2.`, `1_000`.
fn as_json_number(written: &str) -> Option<Number> {
    let mut mended = written.trim_start_matches('+').replace('_', "");
    let sign = if mended.starts_with('-') { 1 } else { 0 };
    if mended[sign..].starts_with('.') {
        mended.insert(sign, '0');
    }
    if let Some(at) = mended.find('.')
        && !mended[at + 1..].starts_with(|c: char| c.is_ascii_digit())
    {
        mended.insert(at + 1, '0');
    }
    serde_json::from_str(&mended).ok()
}

/// Whether a number was meant, but is none that JSON can hold: `1e999`, `0x1f` is not one of them.
fn is_number_like(written: &str) -> bool {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    written.chars().all(is_part)
}
