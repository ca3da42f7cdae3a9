//! Where a detector's text may be cut: at the end of a word, when none of its rules could go on.
//!
//! Each kind of detector has marks of its own: digits for personal data, an open tag for links. All of
//! them see the text word by word, once, so that the whole takes linear time.

use crate::leak::{Leakage, word_hashes};

/// How far behind a digit a word may still say what the number is.
const PII_BEHIND: usize = 40;
/// A line that is so long without a blank may be one of a block of base64.
const BASE64_LINE_MIN: usize = 40;
/// The words of a prompt that are kept of a piece: more than the longest beginning.
const WORDS_KEPT: usize = 8;

/// The seams of one detector, and how the text stands.
#[derive(Clone, Debug)]
pub(crate) struct Seams {
    kind: Kind,
    /// Whether nothing in the piece could be part of a finding.
    is_quiet: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Never, before the end.
    None,
    Pii {
        /// How many bytes came since the last digit or `@`.
        since_mark: usize,
    },
    Secrets {
        in_key: Key,
        in_command: bool,
        line: usize,
    },
    Links(Markup),
    Leakage {
        leakage: Leakage,
        words: Vec<u64>,
        end: String,
    },
}

/// Where a block of a private key stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Key {
    Outside,
    Within,
    Ending,
}

/// What is open of Markdown and HTML.
#[derive(Clone, Debug, Default)]
struct Markup {
    brackets: u32,
    in_target: bool,
    in_tag: bool,
    in_style: bool,
    /// The last bytes, small.
    before: [u8; 6],
    line_is_blank: bool,
}

impl Seams {
    const fn of(kind: Kind) -> Self {
        Self {
            kind,
            is_quiet: true,
        }
    }

    pub(crate) const fn none() -> Self {
        Self::of(Kind::None)
    }

    pub(crate) const fn pii() -> Self {
        Self::of(Kind::Pii {
            since_mark: PII_BEHIND,
        })
    }

    pub(crate) const fn secrets() -> Self {
        Self::of(Kind::Secrets {
            in_key: Key::Outside,
            in_command: false,
            line: 0,
        })
    }

    pub(crate) fn links() -> Self {
        Self::of(Kind::Links(Markup::default()))
    }

    pub(crate) const fn leakage(leakage: Leakage) -> Self {
        Self::of(Kind::Leakage {
            leakage,
            words: Vec::new(),
            end: String::new(),
        })
    }

    /// How long a piece may become before it is judged though there is no seam.
    pub(crate) const fn longest(&self) -> usize {
        match self.kind {
            Kind::Pii { .. } => 1024,
            Kind::Secrets { .. } | Kind::Links(_) | Kind::None => 8192,
            Kind::Leakage { .. } => 4096,
        }
    }

    /// How many bytes before a piece its rules look at.
    pub(crate) const fn view(&self) -> usize {
        match self.kind {
            Kind::Pii { .. } => 128,
            Kind::Secrets { .. } | Kind::Links(_) => 512,
            Kind::None | Kind::Leakage { .. } => 0,
        }
    }

    /// Whether nothing in the piece so far could be part of a finding.
    pub(crate) const fn is_quiet_piece(&self) -> bool {
        self.is_quiet
    }

    pub(crate) fn begin_piece(&mut self) {
        self.is_quiet = true;
        if let Kind::Leakage { words, .. } = &mut self.kind {
            words.drain(..words.len().saturating_sub(WORDS_KEPT));
        }
    }

    /// Takes in a word with the blank behind it; whether the text may be cut there.
    pub(crate) fn pass(&mut self, word: &str) -> bool {
        match &mut self.kind {
            Kind::None => {
                self.is_quiet = false;
                false
            }
            Kind::Pii { since_mark } => {
                match last_mark(word.as_bytes()) {
                    Some(at) => {
                        self.is_quiet = false;
                        *since_mark = word.len() - at;
                    }
                    None => *since_mark = since_mark.saturating_add(word.len()),
                }
                *since_mark >= PII_BEHIND
            }
            Kind::Secrets {
                in_key,
                in_command,
                line,
            } => {
                self.is_quiet &= word.len() < 5;
                *in_key = in_key.after(word);
                let ends_line = word.ends_with('\n');
                let is_base64 = ends_line && *line == 0 && word.len() > BASE64_LINE_MIN;
                *line = if ends_line { 0 } else { *line + word.len() };
                if word.contains("curl") {
                    *in_command = true;
                } else if ends_line && !word.ends_with("\\\n") {
                    *in_command = false;
                }
                *in_key == Key::Outside && !*in_command && !is_base64
            }
            Kind::Links(markup) => {
                let marks = |byte: u8| b":/\\<[&@.".contains(&byte);
                self.is_quiet &= !word.bytes().any(marks) && markup.is_closed();
                word.bytes().for_each(|byte| markup.pass(byte));
                markup.is_closed()
            }
            Kind::Leakage {
                leakage,
                words,
                end,
            } => {
                self.is_quiet = false;
                words.extend(word_hashes(word));
                keep_end(end, word, 128);
                !leakage.may_go_on(words) && !leakage.may_become_a_canary(end)
            }
        }
    }
}

fn keep_end(end: &mut String, word: &str, bytes: usize) {
    end.push_str(word);
    let from = end.ceil_char_boundary(end.len().saturating_sub(bytes));
    end.drain(..from);
}

/// Where the last byte of a word stands that may be part of personal data.
fn last_mark(word: &[u8]) -> Option<usize> {
    let is_mark = |at: &usize| {
        let byte = word[*at];
        byte.is_ascii_digit()
            || byte == b'@'
            || (matches!(byte, b':' | b'-')
                && *at > 0
                && word[*at - 1].is_ascii_hexdigit()
                && word.get(*at + 1).is_some_and(u8::is_ascii_hexdigit))
    };
    (0..word.len()).rev().find(is_mark)
}

impl Key {
    fn after(self, word: &str) -> Self {
        let has = |part: &str| {
            word.as_bytes()
                .windows(part.len())
                .any(|at| at.eq_ignore_ascii_case(part.as_bytes()))
        };
        match self {
            Self::Ending if has("-----\n") || word.trim_end().ends_with("-----") => Self::Outside,
            Self::Outside | Self::Within if has("-----end") => {
                if word.trim_end().ends_with("key-----") {
                    Self::Outside
                } else {
                    Self::Ending
                }
            }
            Self::Outside if has("-----begin") => Self::Within,
            other => other,
        }
    }
}

impl Markup {
    const fn is_closed(&self) -> bool {
        self.brackets == 0 && !self.in_target && !self.in_tag && !self.in_style
    }

    fn pass(&mut self, byte: u8) {
        let last = self.before[5];
        match byte {
            b'\n' => {
                // Nothing of Markdown but code reaches over a blank line.
                if self.line_is_blank {
                    (self.brackets, self.in_target) = (0, false);
                }
                self.line_is_blank = true;
            }
            b' ' | b'\t' | b'\r' => {}
            _ => self.line_is_blank = false,
        }
        match byte {
            b'[' => self.brackets += 1,
            b']' => self.brackets = self.brackets.saturating_sub(1),
            b'(' if last == b']' => self.in_target = true,
            b')' => self.in_target = false,
            b'>' => self.in_tag = false,
            _ if last == b'<' && (byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'!')) => {
                self.in_tag = true;
            }
            _ => {}
        }
        self.before.rotate_left(1);
        self.before[5] = byte.to_ascii_lowercase();
        if self.before == *b"<style" {
            self.in_style = true;
        } else if self.before == *b"/style" {
            self.in_style = false;
        }
    }
}
