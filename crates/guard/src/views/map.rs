//! A text with, for each of its bytes, the bytes of the original that it comes from.

use std::ops::Range;

/// A text and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Mapped {
    text: String,
    origin: Origin,
}

#[derive(Clone, Debug)]
enum Origin {
    /// Byte for byte, from this one on.
    Same(usize),
    /// The range of the original for each byte.
    Spans(Vec<(u32, u32)>),
}

/// Makes a [`Mapped`] from pieces of another one.
pub(super) struct Mapping<'a> {
    from: &'a Mapped,
    text: String,
    spans: Vec<(u32, u32)>,
}

impl Mapped {
    /// The original itself.
    pub(super) fn whole(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            origin: Origin::Same(0),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The same text in small ASCII letters: nothing moves.
    pub(super) fn into_ascii_lowercase(mut self) -> Self {
        self.text.make_ascii_lowercase();
        self
    }

    /// Where the bytes `span` come from. An empty span is where it stands.
    pub(super) fn original(&self, span: Range<usize>) -> Range<usize> {
        let span = span.start.min(self.text.len())..span.end.min(self.text.len());
        match &self.origin {
            Origin::Same(offset) => span.start + offset..span.end.max(span.start) + offset,
            Origin::Spans(spans) => {
                let bytes = spans.get(span).unwrap_or_default();
                let start = bytes.iter().map(|&(start, _)| start).min();
                let end = bytes.iter().map(|&(_, end)| end).max();
                start.unwrap_or(0) as usize..end.unwrap_or(0) as usize
            }
        }
    }
}

impl<'a> Mapping<'a> {
    /// Begins an empty text made from `from`.
    pub(super) fn of(from: &'a Mapped) -> Self {
        let bytes = from.text.len();
        Self {
            from,
            text: String::with_capacity(bytes),
            spans: Vec::with_capacity(bytes),
        }
    }

    /// Adds a character that comes from the bytes `at` of the text that it is made from.
    pub(super) fn push(&mut self, char: char, at: Range<usize>) {
        let original = self.from.original(at);
        self.text.push(char);
        self.cover(&original);
    }

    /// Adds ASCII characters as they stand in the text that it is made from, in small letters.
    pub(super) fn push_ascii_lowercase(&mut self, at: Range<usize>) {
        self.text
            .push_str(&self.from.text[at.clone()].to_ascii_lowercase());
        match &self.from.origin {
            Origin::Same(offset) => {
                let bound = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
                let from = at.map(|byte| (bound(byte + offset), bound(byte + offset + 1)));
                self.spans.extend(from);
            }
            Origin::Spans(spans) => self.spans.extend_from_slice(&spans[at]),
        }
    }

    fn cover(&mut self, original: &Range<usize>) {
        // Bodies are bounded far below 4 GiB; beyond it spans would end there.
        let bound = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let span = (bound(original.start), bound(original.end));
        self.spans.resize(self.text.len(), span);
    }

    /// Takes away the last character; says whether there was one.
    pub(super) fn pop(&mut self) -> bool {
        let popped = self.text.pop().is_some();
        self.spans.truncate(self.text.len());
        popped
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn finish(self) -> Mapped {
        Mapped {
            text: self.text,
            origin: Origin::Spans(self.spans),
        }
    }
}
