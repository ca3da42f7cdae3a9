//! The scan itself: a loop over values with an explicit stack of open arrays and objects.
//!
//! Invariant: `at` never passes the end of the text, and every byte before it has been accepted.

use std::borrow::Cow;

use plimsoll_core::Code;

use super::keys::{Key, Keys};
use super::{Frame, FrameError, FrameLimits, Member, ValueKind, text};

/// An array or object that is not closed yet.
struct Open {
    is_object: bool,
    /// How many keys were on the shared stack of keys when it was opened.
    keys_before: usize,
}

/// What must come next.
enum Next {
    /// A value, or `]` in an array just opened.
    FirstItem,
    /// A key, or `}` in an object just opened.
    FirstKey,
    /// A key after a comma.
    Key,
    /// A value.
    Value,
    /// A comma or the end of what is open.
    Separator,
}

pub(super) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    depth_max: usize,
    values_left: u32,
    open: Vec<Open>,
    keys: Keys,
    members: Vec<Member<'a>>,
}

pub(super) fn scan<'a>(bytes: &'a [u8], limits: &FrameLimits) -> Result<Frame<'a>, FrameError> {
    if bytes.len() > limits.bytes_max {
        let detail = format!("the limit is {} bytes", limits.bytes_max);
        return Err(fault(Code::BodyTooLarge, limits.bytes_max, detail));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| fault(Code::NotUtf8, error.valid_up_to(), "it is not UTF-8"))?;
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(fault(Code::JsonSyntax, 0, "a byte order mark is not JSON"));
    }
    let mut scanner = Scanner {
        text,
        bytes,
        at: 0,
        depth_max: limits.depth_max.min(FrameLimits::DEPTH_CEILING) as usize,
        values_left: limits.values_max,
        open: Vec::with_capacity(8),
        keys: Keys::new(),
        members: Vec::new(),
    };
    let kind = scanner.text()?;
    let end = scanner.at;
    scanner.skip_blanks();
    if scanner.at < bytes.len() {
        return Err(scanner.syntax("nothing may follow the value"));
    }
    Ok(Frame {
        bytes,
        kind,
        members: scanner.members,
        end,
    })
}

fn fault(code: Code, offset: usize, detail: impl Into<String>) -> FrameError {
    FrameError {
        code,
        offset,
        detail: detail.into(),
    }
}

impl<'a> Scanner<'a> {
    /// One whole value, and the kind of it.
    fn text(&mut self) -> Result<ValueKind, FrameError> {
        self.skip_blanks();
        let kind = self.kind_here()?;
        let mut next = Next::Value;
        loop {
            self.skip_blanks();
            next = match next {
                Next::FirstItem if self.peek() == Some(b']') => self.close()?,
                Next::FirstItem | Next::Value => self.value()?,
                Next::FirstKey if self.peek() == Some(b'}') => self.close()?,
                Next::FirstKey | Next::Key => self.key()?,
                Next::Separator => self.separator()?,
            };
            if self.open.is_empty() {
                return Ok(kind);
            }
        }
    }

    /// Reads a scalar whole, or the opening of an array or object.
    fn value(&mut self) -> Result<Next, FrameError> {
        let kind = self.kind_here()?;
        let start = self.at;
        if self.values_left == 0 {
            return Err(self.error(Code::JsonCount, "it has more values than the limit"));
        }
        self.values_left -= 1;
        let next = match kind {
            ValueKind::Array => self.push(false)?,
            ValueKind::Object => self.push(true)?,
            ValueKind::String => {
                self.string()?;
                Next::Separator
            }
            ValueKind::Number => {
                self.number()?;
                Next::Separator
            }
            ValueKind::Null | ValueKind::Bool => {
                self.literal()?;
                Next::Separator
            }
        };
        let is_container = matches!(kind, ValueKind::Array | ValueKind::Object);
        let depth = self.open.len() - usize::from(is_container);
        if depth == 1
            && let Some(member) = self.members.last_mut()
        {
            member.kind = kind;
            member.value = start..self.at;
        }
        Ok(next)
    }

    /// What kind of value begins here.
    fn kind_here(&self) -> Result<ValueKind, FrameError> {
        match self.peek() {
            Some(b'"') => Ok(ValueKind::String),
            Some(b'{') => Ok(ValueKind::Object),
            Some(b'[') => Ok(ValueKind::Array),
            Some(b'-' | b'0'..=b'9') => Ok(ValueKind::Number),
            Some(b't' | b'f') => Ok(ValueKind::Bool),
            Some(b'n') => Ok(ValueKind::Null),
            Some(b'N' | b'I') => Err(self.not_a_number()),
            Some(_) => Err(self.syntax("a value must stand here")),
            None => Err(self.syntax("it ends where a value must stand")),
        }
    }

    fn push(&mut self, is_object: bool) -> Result<Next, FrameError> {
        if self.open.len() >= self.depth_max {
            let detail = format!("it is nested more than {} deep", self.depth_max);
            return Err(self.error(Code::JsonDepth, detail));
        }
        self.open.push(Open {
            is_object,
            keys_before: self.keys.len(),
        });
        self.at += 1;
        Ok(if is_object {
            Next::FirstKey
        } else {
            Next::FirstItem
        })
    }

    /// Reads the bracket that closes what is open.
    fn close(&mut self) -> Result<Next, FrameError> {
        self.at += 1;
        let closed = self
            .open
            .pop()
            .expect("something is open where this is called");
        if closed.is_object
            && let Some(offset) = self.keys.close(closed.keys_before, self.bytes)
        {
            let detail = "the same key stands twice in one object";
            return Err(fault(Code::JsonDuplicateKey, offset, detail));
        }
        if self.open.len() == 1
            && let Some(member) = self.members.last_mut()
        {
            member.value.end = self.at;
        }
        Ok(Next::Separator)
    }

    /// Reads a key and its colon.
    fn key(&mut self) -> Result<Next, FrameError> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax("a key in double quotes must stand here"));
        }
        let key_start = self.at;
        let has_escapes = self.string()?;
        let inside = key_start + 1..self.at - 1;
        let unescaped = if has_escapes {
            text::unescape(self.bytes, inside.clone())
        } else {
            Cow::Borrowed(&self.text[inside.clone()])
        };
        self.keys.push(Key::new(inside, &unescaped, has_escapes));
        if self.open.len() == 1 {
            if self.members.capacity() == 0 {
                self.members.reserve(8);
            }
            self.members.push(Member {
                key: unescaped,
                key_start,
                value: 0..0,
                kind: ValueKind::Null,
            });
        }
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return Err(self.syntax("a colon must follow the key"));
        }
        self.at += 1;
        Ok(Next::Value)
    }

    fn separator(&mut self) -> Result<Next, FrameError> {
        let is_object = self.open.last().is_some_and(|open| open.is_object);
        match (self.peek(), is_object) {
            (Some(b','), true) => {
                self.at += 1;
                Ok(Next::Key)
            }
            (Some(b','), false) => {
                self.at += 1;
                Ok(Next::Value)
            }
            (Some(b'}'), true) | (Some(b']'), false) => self.close(),
            (_, true) => Err(self.syntax("a comma or `}` must stand here")),
            (_, false) => Err(self.syntax("a comma or `]` must stand here")),
        }
    }

    fn literal(&mut self) -> Result<(), FrameError> {
        let rest = &self.bytes[self.at..];
        let words: [&[u8]; 3] = [b"true", b"false", b"null"];
        let Some(word) = words.into_iter().find(|word| rest.starts_with(word)) else {
            return Err(self.syntax("only `true`, `false` and `null` may stand without quotes"));
        };
        self.at += word.len();
        Ok(())
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    pub(super) fn not_a_number(&self) -> FrameError {
        self.error(Code::JsonNumber, "NaN and Infinity are not JSON numbers")
    }

    pub(super) fn syntax(&self, detail: &str) -> FrameError {
        self.error(Code::JsonSyntax, detail)
    }

    pub(super) fn error(&self, code: Code, detail: impl Into<String>) -> FrameError {
        fault(code, self.at, detail)
    }
}
