//! Judging a text that arrives in chunks, so that nothing is told before it was judged, and the verdict
//! is the same however the text was cut.
//!
//! The text is taken apart at *seams*: ends of words at which no rule of the detector could go on
//! (`seams`). Whether there is a seam depends on the text before it alone, never on how it arrived.
//! Each piece between two seams is judged once, with what came before it in view, and what may be told
//! is what lies before the last seam. So the bytes that are held back are those that a rule could still
//! extend over.
//!
//! There is a bound: a piece that finds no seam for a bounded number of bytes is judged as it is, and the
//! next begins [`OVERLAP`] bytes before its end, so that a value across that cut is judged whole.

mod seams;

use crate::finding::{Direction, NotEvaluated};
use crate::judge::{Found, Judge};
use crate::phrases::{PhraseWindow, Release};
pub(crate) use seams::Seams;

/// How much of a piece that found no seam is judged again with the next.
pub const OVERLAP: usize = 256;

/// A detector's window over one text.
#[derive(Clone, Debug)]
pub struct TextWindow(Way);

/// How a text is read: phrases are found letter by letter, with a window of their own.
#[derive(Clone, Debug)]
enum Way {
    Pieces(Pieces),
    Phrases(Judge, PhraseWindow),
}

#[derive(Clone, Debug)]
struct Pieces {
    judge: Judge,
    seams: Seams,
    /// What came before the piece and is still in view, then the piece.
    text: String,
    /// How many bytes of the stream came before `text`.
    gone: usize,
    /// Where the piece begins in `text`.
    piece: usize,
    /// Where its last word does.
    word: usize,
    /// Where the search for the bound began: behind what is judged again.
    fresh: usize,
    /// Up to where the stream was judged: what ends before was told.
    judged: usize,
}

/// What is known after a chunk.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Step {
    /// How many bytes of the stream, from its very start, were judged for good.
    pub safe: usize,
    /// What was found, with spans in the stream.
    pub found: Vec<Found>,
    /// What could not judge a piece.
    pub not_evaluated: Vec<NotEvaluated>,
    /// Whether that stops the text.
    pub fails_closed: bool,
}

impl TextWindow {
    /// At the start of a stream.
    pub fn new(judge: &Judge) -> Self {
        Self(match judge.phrases() {
            Some(phrases) => Way::Phrases(judge.clone(), PhraseWindow::new(phrases)),
            None => Way::Pieces(Pieces::new(judge)),
        })
    }

    /// Takes the next chunk.
    pub fn push(&mut self, chunk: &str) -> Step {
        match &mut self.0 {
            Way::Pieces(pieces) => pieces.push(chunk),
            Way::Phrases(judge, window) => phrase_step(judge, &window.push(chunk)),
        }
    }

    /// Ends the stream: what is left is judged as it is.
    pub fn finish(self) -> Step {
        match self.0 {
            Way::Pieces(pieces) => pieces.finish(),
            Way::Phrases(judge, window) => phrase_step(&judge, &window.finish()),
        }
    }
}

fn phrase_step(judge: &Judge, release: &Release) -> Step {
    Step {
        safe: release.safe,
        found: judge.phrases_found(&release.findings, Direction::Output),
        ..Step::default()
    }
}

impl Pieces {
    fn new(judge: &Judge) -> Self {
        Self {
            seams: judge.seams(),
            judge: judge.clone(),
            text: String::new(),
            gone: 0,
            piece: 0,
            word: 0,
            fresh: 0,
            judged: 0,
        }
    }

    fn push(&mut self, chunk: &str) -> Step {
        let mut step = Step::default();
        for character in chunk.chars() {
            self.text.push(character);
            let word_ends = character.is_whitespace();
            let is_long = self.text.len() - self.fresh >= self.seams.longest();
            if !word_ends && !is_long {
                continue;
            }
            let is_seam = self.seams.pass(&self.text[self.word..]);
            self.word = self.text.len();
            if word_ends && is_seam {
                self.judge_piece(&mut step, self.text.len());
                self.seams.begin_piece();
                self.next_piece(self.text.len());
            } else if is_long {
                let from = self.text.len().saturating_sub(OVERLAP).max(self.piece);
                let from = self.text.ceil_char_boundary(from);
                self.judge_piece(&mut step, from);
                self.next_piece(from);
            }
        }
        step.safe = self.gone + self.piece;
        step
    }

    fn finish(mut self) -> Step {
        let mut step = Step::default();
        self.seams.pass(&self.text[self.word..]);
        self.judge_piece(&mut step, self.text.len());
        step.safe = self.gone + self.text.len();
        step
    }

    /// Judges the piece. What begins at `next` or behind it is judged again with the next one.
    fn judge_piece(&mut self, step: &mut Step, next: usize) {
        if self.piece == self.text.len() || self.seams.is_quiet_piece() {
            return;
        }
        let from = self.piece.saturating_sub(self.seams.view());
        let from = self.text.floor_char_boundary(from);
        let judgement = self.judge.judge(&self.text[from..], Direction::Output);
        step.not_evaluated.extend(judgement.not_evaluated);
        step.fails_closed |= judgement.fails_closed;
        let (start, judged) = (self.gone + self.piece, self.judged);
        let (offset, next) = (self.gone + from, self.gone + next);
        let found = judgement.found.into_iter().filter_map(|mut one| {
            let (begins, ends) = (
                offset + one.finding.span.start,
                offset + one.finding.span.end,
            );
            one.finding.span = begins.max(start)..ends;
            let was_told = begins < start && ends <= judged;
            (!was_told && begins < next).then_some(one)
        });
        step.found.extend(found);
        self.judged = self.gone + self.text.len();
    }

    /// The next piece begins at `start`; what is out of view is let go.
    fn next_piece(&mut self, start: usize) {
        self.piece = start;
        self.fresh = self.text.len();
        let out = self.piece.saturating_sub(self.seams.view());
        let out = self.text.floor_char_boundary(out);
        // Not byte by byte: what is let go is moved once for many pieces.
        if out >= 4 * OVERLAP {
            self.text.drain(..out);
            self.gone += out;
            for place in [&mut self.piece, &mut self.word, &mut self.fresh] {
                *place -= out;
            }
        }
    }
}

#[cfg(test)]
mod tests;
