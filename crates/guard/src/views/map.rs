//! A text with, for each of its characters, the bytes of the original that it comes from.
//!
//! Most of a view stands as it stood, so what is kept are runs: pieces that come from the original byte
//! for byte, and between them characters that come together from a piece of it.

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
    /// By runs, in the order of the text.
    Runs(Vec<Run>),
}

/// Bytes of the text, from `at` to the next run, and where they come from.
#[derive(Clone, Copy, Debug)]
struct Run {
    at: u32,
    origin: u32,
    /// How many bytes of the original each of the characters stands for; [`EACH`]: its own.
    width: u32,
}

/// Byte for byte.
const EACH: u32 = u32::MAX;

/// Bodies are bounded far below 4 GiB; beyond it spans would end there.
fn bound(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX - 1)
}

impl Run {
    /// Where the bytes `span` of the text come from, all of which are in this run.
    const fn original(self, span: &Range<usize>) -> Range<usize> {
        let origin = self.origin as usize;
        if self.width == EACH {
            let at = self.at as usize;
            origin + span.start - at..origin + span.end - at
        } else {
            origin..origin + self.width as usize
        }
    }
}

/// Makes a [`Mapped`] from pieces of another one.
pub(super) struct Mapping<'a> {
    from: &'a Mapped,
    /// The run of `from` that was read last: the next one is mostly the same.
    read: usize,
    text: String,
    runs: Vec<Run>,
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

    /// Where the characters of `span` come from. An empty span is where it stands.
    pub(super) fn original(&self, span: Range<usize>) -> Range<usize> {
        let mut anywhere = usize::MAX;
        self.original_near(span, &mut anywhere)
    }

    /// The same, looked for from the run that was read last.
    fn original_near(&self, span: Range<usize>, read: &mut usize) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.start);
        let end = self.text.ceil_char_boundary(span.end).max(start);
        let runs = match &self.origin {
            Origin::Same(offset) => return start + offset..end + offset,
            Origin::Runs(runs) => runs,
        };
        *read = run_at(runs, start, *read);
        let mut original: Option<Range<usize>> = None;
        for (index, run) in runs.iter().enumerate().skip(*read) {
            let from = start.max(run.at as usize);
            let until = run_end(runs, index, self.text.len()).min(end).max(from);
            let piece = run.original(&(from..until));
            original = Some(match original {
                Some(found) => found.start.min(piece.start)..found.end.max(piece.end),
                None if start == end => piece.start..piece.start,
                None => piece,
            });
            if until >= end {
                break;
            }
        }
        original.unwrap_or(0..0)
    }
}

/// The run that holds the byte `at`: `near` or one beside it, else looked for among all.
fn run_at(runs: &[Run], at: usize, near: usize) -> usize {
    let begins = |index: usize| runs.get(index).is_none_or(|run| run.at as usize > at);
    for index in near.saturating_sub(1)..near.saturating_add(3) {
        if !begins(index) && begins(index + 1) {
            return index;
        }
    }
    let behind = runs.partition_point(|run| run.at as usize <= at);
    behind.saturating_sub(1)
}

fn run_end(runs: &[Run], index: usize, text_end: usize) -> usize {
    runs.get(index + 1)
        .map_or(text_end, |next| next.at as usize)
}

impl<'a> Mapping<'a> {
    /// Begins an empty text made from `from`, about as long.
    pub(super) fn of(from: &'a Mapped) -> Self {
        Self::of_bytes(from, from.text.len())
    }

    /// Begins an empty text of about `bytes` made from `from`.
    pub(super) fn of_bytes(from: &'a Mapped, bytes: usize) -> Self {
        Self {
            from,
            read: 0,
            text: String::with_capacity(bytes),
            runs: Vec::new(),
        }
    }

    /// Adds a character that comes from the bytes `at` of the text that it is made from.
    #[inline]
    pub(super) fn push(&mut self, char: char, at: Range<usize>) {
        let original = match &self.from.origin {
            Origin::Same(offset) => at.start + offset..at.end + offset,
            Origin::Runs(_) => self.from.original_near(at, &mut self.read),
        };
        let width = if original.len() == char.len_utf8() {
            EACH
        } else {
            bound(original.len())
        };
        self.cover(bound(original.start), width);
        self.text.push(char);
    }

    /// Adds a piece of the text that it is made from as it stands there.
    pub(super) fn copy(&mut self, at: Range<usize>) {
        match &self.from.origin {
            _ if at.is_empty() => return,
            Origin::Same(offset) => self.cover(bound(at.start + offset), EACH),
            Origin::Runs(runs) => {
                self.read = run_at(runs, at.start, self.read);
                let (text_end, first) = (self.from.text.len(), self.read);
                let base = self.text.len();
                for (index, run) in runs.iter().enumerate().skip(first) {
                    let from = at.start.max(run.at as usize);
                    if from >= at.end {
                        break;
                    }
                    let until = run_end(runs, index, text_end).min(at.end);
                    let origin = run.original(&(from..until)).start;
                    let begins = base + from - at.start;
                    add(&mut self.runs, begins, bound(origin), run.width);
                    self.read = index;
                }
            }
        }
        self.text.push_str(&self.from.text[at]);
    }

    /// The same, in small ASCII letters.
    pub(super) fn copy_ascii_lowercase(&mut self, at: Range<usize>) {
        let begins = self.text.len();
        self.copy(at);
        self.text[begins..].make_ascii_lowercase();
    }

    /// Says where the next bytes come from.
    fn cover(&mut self, origin: u32, width: u32) {
        add(&mut self.runs, self.text.len(), origin, width);
    }

    /// Takes away the last character; says whether there was one.
    pub(super) fn pop(&mut self) -> bool {
        let popped = self.text.pop().is_some();
        let end = self.text.len();
        while self.runs.last().is_some_and(|run| run.at as usize >= end) {
            self.runs.pop();
        }
        popped
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn finish(self) -> Mapped {
        Mapped {
            text: self.text,
            origin: Origin::Runs(self.runs),
        }
    }
}

/// Begins a run at `at`, unless the last one goes on.
fn add(runs: &mut Vec<Run>, at: usize, origin: u32, width: u32) {
    let at = bound(at);
    let goes_on = runs.last().is_some_and(|last| {
        let next = if width == EACH {
            last.origin.saturating_add(at - last.at)
        } else {
            last.origin
        };
        last.width == width && next == origin
    });
    if !goes_on {
        runs.push(Run { at, origin, width });
    }
}
