//! Characters that nobody sees: which of them belong, which hide something.
//!
//! What belongs (Unicode 16, UTS 51, UAX 31): joiners between emoji and within Arabic and Indic words,
//! flags of regions, one variation selector behind a character, soft hyphens, a byte order mark at the
//! start, isolates that are closed. All of them are left out of the view, for they say nothing; only
//! what does not belong is told as [`Hidden`].

use std::ops::Range;

use super::ViewKind;
use super::map::{Mapped, Mapping};

/// Something that nobody sees and that has no business there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hidden {
    /// What it is.
    pub kind: HiddenKind,
    /// Where it is in the original.
    pub span: Range<usize>,
}

/// What is hidden.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HiddenKind {
    /// A text in tag characters.
    Tags,
    /// A text in variation selectors.
    Selectors,
    /// The direction of writing is turned around (U+202D, U+202E).
    Override,
    /// Characters without width within words, too many for a typesetter's.
    ZeroWidth,
    /// Control characters; a backspace takes away what stands before it.
    Control,
}

/// What is left of a text, and what stood in it.
pub(super) struct Stripped {
    pub(super) mapped: Mapped,
    pub(super) payloads: Vec<(ViewKind, Mapped)>,
    pub(super) hidden: Vec<Hidden>,
    /// Whether there were more payloads than [`PAYLOADS_MAX`].
    pub(super) has_more: bool,
}

impl Stripped {
    /// Nothing stood in the text that nobody sees.
    const fn nothing(mapped: Mapped) -> Self {
        Self {
            mapped,
            payloads: Vec::new(),
            hidden: Vec::new(),
            has_more: false,
        }
    }
}

/// How many characters without width within words are no accident.
const ZERO_WIDTH_MIN: usize = 3;
/// The most things told as hidden.
const HIDDEN_MAX: usize = 32;
/// The most payloads that are spelt out.
const PAYLOADS_MAX: usize = 8;
/// The fewest variation selectors in a row that spell something.
const SELECTORS_MIN: usize = 4;

/// Takes out what nobody sees.
pub(super) fn strip(mapped: Mapped) -> Stripped {
    let text = mapped.text();
    let mut next = first_unseen(text);
    if next.is_none() {
        return Stripped::nothing(mapped);
    }
    let mut stripping = Stripping::of(&mapped);
    // What is seen is copied in one piece up to what is not.
    let mut copied = 0;
    while let Some(at) = next {
        stripping.copy(copied..at);
        copied = stripping.take(at);
        next = first_unseen(&text[copied..]).map(|further| copied + further);
    }
    stripping.copy(copied..text.len());
    stripping.finish()
}

/// A text whose unseen characters are being taken out.
struct Stripping<'m> {
    mapped: &'m Mapped,
    out: Mapping<'m>,
    /// The last character that is seen.
    before: Option<char>,
    payloads: Vec<(ViewKind, Mapped)>,
    has_more: bool,
    hidden: Vec<Hidden>,
    /// Where characters without width stand that do no work, the first and the last, and how many.
    zero_width: Option<(usize, usize, usize)>,
}

impl<'m> Stripping<'m> {
    fn of(mapped: &'m Mapped) -> Self {
        Self {
            mapped,
            out: Mapping::of(mapped),
            before: None,
            payloads: Vec::new(),
            has_more: false,
            hidden: Vec::new(),
            zero_width: None,
        }
    }

    fn copy(&mut self, seen: Range<usize>) {
        let last = self.mapped.text()[seen.clone()].chars().next_back();
        self.before = last.or(self.before);
        self.out.copy(seen);
    }

    fn tell(&mut self, kind: HiddenKind, span: Range<usize>) {
        if self.hidden.len() < HIDDEN_MAX {
            let span = self.mapped.original(span);
            self.hidden.push(Hidden { kind, span });
        }
    }

    /// Keeps what is spelt, if there is room.
    fn spell(&mut self, kind: ViewKind, spelt: impl FnOnce(&Mapped) -> Option<Mapped>) {
        if self.payloads.len() >= PAYLOADS_MAX {
            self.has_more = true;
        } else if let Some(spelt) = spelt(self.mapped) {
            self.payloads.push((kind, spelt));
        }
    }

    /// Takes out what stands at `at`; where that ends.
    fn take(&mut self, at: usize) -> usize {
        let text = self.mapped.text();
        let char = text[at..].chars().next().unwrap_or_default();
        let mut end = at + char.len_utf8();
        match class(char) {
            Class::Seen | Class::Unseen => {}
            Class::Tag => {
                end = run_end(text, at, Class::Tag);
                if self.before != Some('\u{1F3F4}') || !is_region_flag(&text[at..end]) {
                    self.tell(HiddenKind::Tags, at..end);
                    let kind = ViewKind::TagCharacters;
                    self.spell(kind, |mapped| Some(spelt_in_tags(mapped, at..end)));
                }
            }
            Class::Selector => {
                end = run_end(text, at, Class::Selector);
                if text[at..end].chars().count() >= SELECTORS_MIN {
                    self.tell(HiddenKind::Selectors, at..end);
                    let kind = ViewKind::VariationSelectors;
                    self.spell(kind, |mapped| spelt_in_selectors(mapped, at..end));
                }
            }
            Class::ZeroWidth => {
                let after = text[end..].chars().next();
                if !belongs(char, self.before, after) && is_word(self.before) && is_word(after) {
                    let (first, _, count) = self.zero_width.unwrap_or((at, at, 0));
                    self.zero_width = Some((first, at, count + 1));
                }
            }
            Class::Override => self.tell(HiddenKind::Override, at..end),
            Class::Backspace => {
                self.tell(HiddenKind::Control, at..end);
                self.out.pop();
            }
            Class::Control => self.tell(HiddenKind::Control, at..end),
        }
        end
    }

    fn finish(mut self) -> Stripped {
        if let Some((first, last, ZERO_WIDTH_MIN..)) = self.zero_width {
            self.tell(HiddenKind::ZeroWidth, first..last + 3);
        }
        Stripped {
            mapped: self.out.finish(),
            payloads: self.payloads,
            hidden: self.hidden,
            has_more: self.has_more,
        }
    }
}

/// Where the first character stands that is not seen.
fn first_unseen(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
        at += bytes[at..].iter().position(|&byte| !plain(byte))?;
        for char in text[at..].chars() {
            if class(char) != Class::Seen {
                return Some(at);
            }
            at += char.len_utf8();
            if char.is_ascii() {
                break;
            }
        }
    }
    None
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Seen,
    Tag,
    Selector,
    /// Joiners, non-joiners and spaces without width.
    ZeroWidth,
    Override,
    Backspace,
    Control,
    /// Others that are not drawn and may stand anywhere.
    Unseen,
}

const fn class(char: char) -> Class {
    match char {
        '\t' | '\n' | '\r' => Class::Seen,
        '\u{8}' | '\u{7f}' => Class::Backspace,
        '\0'..='\u{1f}' => Class::Control,
        ' '..='\u{ac}' => Class::Seen,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202c}'
        | '\u{2061}'..='\u{206f}'
        | '\u{3164}'
        | '\u{ffa0}'
        | '\u{1d173}'..='\u{1d17a}' => Class::Unseen,
        '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' => Class::ZeroWidth,
        '\u{202d}' | '\u{202e}' => Class::Override,
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => Class::Selector,
        '\u{e0000}'..='\u{e007f}' => Class::Tag,
        _ => Class::Seen,
    }
}

fn run_end(text: &str, from: usize, wanted: Class) -> usize {
    let mut chars = text[from..].char_indices();
    let end = chars.find(|&(_, char)| class(char) != wanted);
    end.map_or(text.len(), |(at, _)| from + at)
}

/// A subdivision flag behind a black flag: at most six letters or digits, then the end of tags.
fn is_region_flag(tags: &str) -> bool {
    let Some(name) = tags.strip_suffix('\u{e007f}') else {
        return false;
    };
    let is_name = |char| matches!(char, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
    (3..=6).contains(&name.chars().count()) && name.chars().all(is_name)
}

fn spelt_in_tags(mapped: &Mapped, span: Range<usize>) -> Mapped {
    let mut out = Mapping::of_bytes(mapped, span.len() / 4);
    for (at, char) in mapped.text()[span.clone()].char_indices() {
        let ascii = u32::from(char).wrapping_sub(0xe0000);
        if let Some(plain) = char::from_u32(ascii).filter(char::is_ascii)
            && (plain == '\n' || !plain.is_control())
        {
            let start = span.start + at;
            out.push(plain, start..start + char.len_utf8());
        }
    }
    out.finish()
}

/// A byte in each selector, the first 16 in U+FE00, the others from U+E0100 on; some writers put ASCII
/// from U+E0100 on instead. Whichever of the two reads as text is taken.
fn spelt_in_selectors(mapped: &Mapped, span: Range<usize>) -> Option<Mapped> {
    let text = &mapped.text()[span.clone()];
    let byte = |char: char, supplement: u32| {
        let value = match char {
            '\u{fe00}'..='\u{fe0f}' => u32::from(char) - 0xfe00,
            _ => u32::from(char) - 0xe0100 + supplement,
        };
        u8::try_from(value).unwrap_or(0)
    };
    let starts = text.char_indices().map(|(at, _)| span.start + at);
    let starts: Vec<usize> = starts.chain([span.end]).collect();
    let readings = [16, 0].map(|supplement| {
        let bytes: Vec<u8> = text.chars().map(|char| byte(char, supplement)).collect();
        super::decode::from_bytes(mapped, &bytes, |at| starts[at]..starts[at + 1])
    });
    let [standard, plain] = readings;
    let letters = |found: &Option<Mapped>| {
        let text = found.as_ref().map_or("", Mapped::text);
        text.bytes().filter(u8::is_ascii_alphabetic).count()
    };
    if letters(&plain) > letters(&standard) {
        plain
    } else {
        standard
    }
}

fn is_word(char: Option<char>) -> bool {
    char.is_some_and(|char| char.is_alphanumeric() || class(char) == Class::ZeroWidth)
}

/// Whether a character without width does its work between these two.
fn belongs(char: char, before: Option<char>, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else {
        return true;
    };
    match char {
        '\u{200c}' | '\u{200d}' if is_joined_script(before) || is_joined_script(after) => true,
        '\u{200d}' => is_pictograph(before) && is_pictograph(after),
        '\u{200b}' => is_unspaced_script(before) || is_unspaced_script(after),
        _ => false,
    }
}

/// Arabic, Syriac, N'Ko, Mongolian and the Indic scripts, in which joiners shape letters.
const fn is_joined_script(char: char) -> bool {
    matches!(char, '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{18af}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
        | '\u{a8e0}'..='\u{a8ff}' | '\u{11000}'..='\u{11fff}')
}

/// Scripts that have no spaces between words, where U+200B marks where a line may break.
const fn is_unspaced_script(char: char) -> bool {
    matches!(char, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}')
}

const fn is_pictograph(char: char) -> bool {
    matches!(char, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}' | '\u{fe0f}' | '\u{a9}' | '\u{ae}')
}
