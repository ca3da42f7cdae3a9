//! A stream's texts, judged and changed as they pass.
//!
//! A stream weaves several texts together: the choices, their reasoning, the arguments of tool calls.
//! Each is a strand that every guard reads through a window of its own. An event passes once all that it
//! holds was judged for good; what is redacted, or put back in place of a placeholder, is written into
//! the event in which the place begins. Events whose texts stay as they are pass byte for byte.
//!
//! Reasoning is at its end where another text of its choice begins. The arguments of a call pass as a whole:
//! they are JSON, and an escape in them could hide what the letters alone do not show.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use plimsoll_core::Code;
use plimsoll_core::manifest::Mode;
use plimsoll_guard::finding::{Action, Finding};
use plimsoll_guard::judge::{Judge, Judgement};
use plimsoll_guard::tools::Provenance;
use plimsoll_guard::vault::Vault;
use plimsoll_guard::window::{Step, TextWindow};
use plimsoll_models::openai::{Channel, Part, StreamEvent, event_with_texts};

use super::{Side, Tally, texts};
use crate::exchange::Open;
use crate::failure::Failure;

/// The answer itself: what is kept of a stream.
const FIRST_CHOICE: Channel = Channel {
    choice: 0,
    part: Part::Content,
};

/// The most bytes of events that are held back, and the most texts that a stream may weave together. A
/// stream that goes beyond is ended.
const HELD_BYTES_MAX: usize = 16 * 1024 * 1024;
const STRANDS_MAX: usize = 1_024;

/// The guards' view of a stream, and the events that are held back.
pub(crate) struct Weave {
    guards: Vec<Watch>,
    vault: Vault,
    /// Whether placeholders of the vault are put back.
    restores: bool,
    enforces: bool,
    strands: BTreeMap<Channel, Strand>,
    held: VecDeque<Held>,
    held_bytes: usize,
    has_redacted: bool,
    /// The answer as it passed, with what was redacted and without what was put back.
    kept: String,
    kept_max: usize,
}

/// A guard, and what it said so far.
struct Watch {
    control: String,
    judge: Judge,
    tally: Tally,
}

/// One text of the stream.
#[derive(Default)]
struct Strand {
    /// What is not told yet, and how much came before it.
    text: String,
    gone: usize,
    /// Where the windows began: behind all that was read to its end before.
    base: usize,
    /// Whether it passes only as a whole, and is not whole yet.
    waits: bool,
    /// One for each guard.
    windows: Vec<Option<TextWindow>>,
    /// Up to where each guard has judged for good.
    judged: Vec<usize>,
    /// Up to where placeholders were looked for.
    restored: usize,
    changes: Vec<Change>,
}

/// A place that is told otherwise than it came.
struct Change {
    span: Range<usize>,
    text: String,
    /// Whether a value was put back, rather than taken out.
    restores: bool,
}

struct Held {
    event: StreamEvent,
    /// Which piece of which strand each of its texts is, in the order in which the event tells them.
    pieces: Vec<(Channel, Range<usize>)>,
}

/// Why a stream goes no further.
#[derive(Debug)]
pub(crate) struct Stop(pub(crate) Failure);

impl Weave {
    /// The output guards of a decision. With `restores`, what was redacted of its input is put back.
    pub(crate) fn new(ex: &mut Open, restores: bool) -> Self {
        let guards = ex.system.output_guards.iter().map(|guard| {
            let judge = match &ex.guarded.prompt {
                Some(prompt) => guard.judge.knowing(Arc::clone(prompt)),
                None => guard.judge.clone(),
            };
            Watch {
                control: guard.control.clone(),
                judge,
                tally: Tally::default(),
            }
        });
        let guards = guards.collect();
        let mut vault = ex.guarded.vault.take().unwrap_or_default();
        vault.keep_out();
        Self {
            enforces: ex.decision.mode == Mode::Enforce,
            ..Self::of(guards, vault, restores)
        }
    }

    /// Without guards: only puts values back.
    pub(crate) fn restoring(vault: Vault) -> Self {
        Self::of(Vec::new(), vault, true)
    }

    fn of(guards: Vec<Watch>, vault: Vault, restores: bool) -> Self {
        Self {
            restores: restores && !vault.is_empty(),
            guards,
            vault,
            enforces: true,
            strands: BTreeMap::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            has_redacted: false,
            kept: String::new(),
            kept_max: 0,
        }
    }

    /// The same, which keeps the answer as it passes, up to so many bytes.
    #[must_use]
    pub(crate) fn keeping(mut self, bytes: usize) -> Self {
        self.kept_max = bytes;
        self
    }

    /// Takes an event in and gives those that may pass now.
    pub(crate) fn push(&mut self, event: StreamEvent) -> Result<Vec<StreamEvent>, Stop> {
        if self.guards.is_empty() && !self.restores {
            return Ok(vec![event]);
        }
        let mut pieces = Vec::new();
        let first = event.delta.iter().map(|text| (FIRST_CHOICE, text));
        let more = event.more.iter().map(|piece| (piece.channel, &piece.text));
        for (channel, text) in first.chain(more) {
            if channel.part != Part::Reasoning {
                let part = Part::Reasoning;
                self.finish_strand(Channel { part, ..channel })?;
            }
            pieces.push((channel, self.read(channel, text)?));
        }
        self.held_bytes += event.raw.len();
        self.held.push_back(Held { event, pieces });
        let released = self.release()?;
        if self.held_bytes > HELD_BYTES_MAX || self.strands.len() > STRANDS_MAX {
            let message = "more of the answer would have to be held back than may be";
            return Err(Stop(Failure::new(Code::OutputTruncated, message)));
        }
        Ok(released)
    }

    /// The stream is at its end: what is left is judged as it is, and passes.
    pub(crate) fn finish(&mut self) -> Result<Vec<StreamEvent>, Stop> {
        let channels: Vec<Channel> = self.strands.keys().copied().collect();
        for channel in channels {
            self.finish_strand(channel)?;
        }
        self.release()
    }

    /// A text is at its end: what is left of it is judged as it is.
    fn finish_strand(&mut self, channel: Channel) -> Result<(), Stop> {
        for number in 0..self.guards.len() {
            let strand = self.strands.get_mut(&channel);
            let window = strand.and_then(|strand| strand.windows.get_mut(number)?.take());
            if let Some(window) = window {
                self.step(channel, number, window.finish())?;
            }
        }
        let Some(strand) = self.strands.get_mut(&channel) else {
            return Ok(());
        };
        strand.restored = strand.gone + strand.text.len();
        if std::mem::take(&mut strand.waits) {
            self.judge_decoded(channel)?;
        }
        Ok(())
    }

    /// Judges the strings of a call's arguments that stand there with escapes. What would have to be taken
    /// out of one is no place in the text, so that the call may not pass.
    fn judge_decoded(&mut self, channel: Channel) -> Result<(), Stop> {
        let Some(strand) = self.strands.get(&channel) else {
            return Ok(());
        };
        let written = strand.text.as_str();
        let arguments = Some(written).filter(|text| text.contains('\\'));
        let Some(arguments) = arguments.and_then(texts::json_within) else {
            return Ok(());
        };
        let part = part_of(channel);
        let mut hidden = texts::of_value(&arguments, &part, Provenance::Assistant, &|_| false);
        hidden.retain(|at| !written.contains(&at.text));
        for watch in &mut self.guards {
            for at in &hidden {
                let judgement = watch.judge.judge(&at.text, at.direction());
                watch.tally.take(&at.part, &judgement);
                watch.tally.fails_closed |=
                    judgement.found.iter().any(|one| one.is_to(Action::Redact));
            }
            if let Some(failure) = watch.tally.failure(Side::Output).filter(|_| self.enforces) {
                return Err(Stop(failure));
            }
        }
        Ok(())
    }

    /// Drops what is held back: it may not pass.
    pub(crate) fn forget(&mut self) {
        self.held.clear();
        self.held_bytes = 0;
    }

    /// Whether something of the answer was replaced, so that what is kept of it is what was told.
    pub(crate) fn redacted(&mut self) -> Option<String> {
        self.has_redacted.then(|| std::mem::take(&mut self.kept))
    }

    /// Notes what the guards said, and gives the vault back.
    pub(crate) fn note(self, ex: &mut Open) {
        for watch in self.guards {
            if let Some(failure) = watch.tally.failure(Side::Output)
                && !self.enforces
            {
                ex.decision.observed.push(failure.code());
            }
            watch.tally.note(ex, &watch.control, Side::Output);
        }
        ex.guarded.vault = Some(self.vault);
    }

    /// Reads a piece of a strand; which piece it is.
    fn read(&mut self, channel: Channel, text: &str) -> Result<Range<usize>, Stop> {
        let guards = &self.guards;
        let is_arguments = matches!(channel.part, Part::ToolArguments(_));
        let strand = self.strands.entry(channel).or_insert_with(|| Strand {
            waits: is_arguments && !guards.is_empty(),
            judged: vec![0; guards.len()],
            ..Strand::default()
        });
        let start = strand.gone + strand.text.len();
        if strand.windows.iter().all(Option::is_none) {
            strand.base = start;
            let window = |guard: &Watch| Some(TextWindow::new(&guard.judge));
            strand.windows = guards.iter().map(window).collect();
        }
        strand.text.push_str(text);
        for number in 0..self.guards.len() {
            let strand = self.strands.entry(channel).or_default();
            let window = strand.windows.get_mut(number).and_then(Option::as_mut);
            if let Some(window) = window {
                let step = window.push(text);
                self.step(channel, number, step)?;
            }
        }
        if self.restores {
            self.put_back(channel);
        }
        Ok(start..start + text.len())
    }

    fn step(&mut self, channel: Channel, number: usize, step: Step) -> Result<(), Stop> {
        let strand = self.strands.entry(channel).or_default();
        if let Some(judged) = strand.judged.get_mut(number) {
            *judged = strand.base + step.safe;
        }
        let base = strand.base;
        if step.found.is_empty() && step.not_evaluated.is_empty() {
            return Ok(());
        }
        let mut found = step.found;
        for one in &mut found {
            let span = &mut one.finding.span;
            *span = base + span.start..base + span.end;
        }
        let judgement = Judgement {
            found,
            not_evaluated: step.not_evaluated,
            fails_closed: step.fails_closed,
        };
        let tally = &mut self.guards[number].tally;
        tally.take(&part_of(channel), &judgement);
        if !self.enforces {
            return Ok(());
        }
        if let Some(failure) = tally.failure(Side::Output) {
            return Err(Stop(failure));
        }
        for one in judgement.found {
            if one.is_to(Action::Redact) {
                self.redact(channel, one.finding)?;
            }
        }
        Ok(())
    }

    fn redact(&mut self, channel: Channel, mut finding: Finding) -> Result<(), Stop> {
        let strand = self.strands.entry(channel).or_default();
        let span = finding.span.clone();
        let value = span
            .start
            .checked_sub(strand.gone)
            .and_then(|start| strand.text.get(start..span.end - strand.gone));
        let unfit = || {
            Stop(Failure::new(
                Code::ControlFailed,
                "the answer could not be redacted",
            ))
        };
        let value = value.ok_or_else(unfit)?;
        finding.span = 0..value.len();
        let placeholder = self.vault.redact(value, &[finding]).map_err(|_| unfit())?;
        strand.change(Change {
            span,
            text: placeholder,
            restores: false,
        });
        self.has_redacted = true;
        Ok(())
    }

    /// Looks for placeholders in what came.
    fn put_back(&mut self, channel: Channel) {
        let strand = self.strands.entry(channel).or_default();
        let from = strand.restored.max(strand.gone);
        let (found, settled) = self.vault.find(&strand.text[from - strand.gone..]);
        let is_json = matches!(channel.part, Part::ToolArguments(_));
        let changes: Vec<Change> = found
            .into_iter()
            .map(|(span, value)| Change {
                span: from + span.start..from + span.end,
                text: if is_json {
                    within_json(value)
                } else {
                    value.to_owned()
                },
                restores: true,
            })
            .collect();
        strand.restored = from + settled;
        changes.into_iter().for_each(|change| strand.change(change));
    }

    fn release(&mut self) -> Result<Vec<StreamEvent>, Stop> {
        let mut released = Vec::new();
        while let Some(held) = self.held.front() {
            let clear = |(channel, piece): &(Channel, Range<usize>)| {
                let strand = self.strands.get(channel);
                strand.is_none_or(|strand| strand.clear(self.restores) >= piece.end)
            };
            if !held.pieces.iter().all(clear) {
                break;
            }
            if let Some(held) = self.held.pop_front() {
                self.held_bytes -= held.event.raw.len();
                released.push(self.told(held)?);
            }
        }
        Ok(released)
    }

    /// The event as it is told.
    fn told(&mut self, held: Held) -> Result<StreamEvent, Stop> {
        let Held { mut event, pieces } = held;
        let mut changed = Vec::new();
        for (channel, piece) in pieces {
            let Some(strand) = self.strands.get_mut(&channel) else {
                continue;
            };
            let told = strand.told(&piece, true);
            if channel == FIRST_CHOICE && self.kept.len() < self.kept_max {
                self.kept.push_str(&strand.told(&piece, false));
            }
            if told != strand.text[piece.start - strand.gone..piece.end - strand.gone] {
                changed.push((channel, told));
            }
            strand.let_go(piece.end);
        }
        if changed.is_empty() {
            return Ok(event);
        }
        let raw = event_with_texts(&event.raw, &changed);
        event.raw = raw.ok_or_else(|| {
            Stop(Failure::new(
                Code::ControlFailed,
                "an event of the stream could not be changed",
            ))
        })?;
        for (channel, told) in changed {
            if channel == FIRST_CHOICE {
                event.delta = Some(told);
            } else if let Some(piece) = event.more.iter_mut().find(|one| one.channel == channel) {
                piece.text = told;
            }
        }
        Ok(event)
    }
}

impl Strand {
    /// Up to where nothing can change any more.
    fn clear(&self, restores: bool) -> usize {
        if self.waits {
            return self.gone;
        }
        let judged = self.judged.iter().copied().min().unwrap_or(usize::MAX);
        let restored = if restores { self.restored } else { usize::MAX };
        judged.min(restored)
    }

    /// Notes a change; what overlaps becomes one, and what is taken out stays out.
    fn change(&mut self, new: Change) {
        let overlaps =
            |old: &Change| old.span.start < new.span.end && new.span.start < old.span.end;
        let at = self.changes.iter().position(overlaps);
        let Some(at) = at else {
            let place = self
                .changes
                .partition_point(|old| old.span.start < new.span.start);
            self.changes.insert(place, new);
            return;
        };
        let old = self.changes.remove(at);
        let span = old.span.start.min(new.span.start)..old.span.end.max(new.span.end);
        let kept = if old.restores { new } else { old };
        self.change(Change { span, ..kept });
    }

    /// A piece as it is told: a change stands where its place begins.
    fn told(&self, piece: &Range<usize>, restoring: bool) -> String {
        let source = |from: usize, to: usize| &self.text[from - self.gone..to - self.gone];
        let mut told = String::new();
        let mut at = piece.start;
        let changes = self
            .changes
            .iter()
            .filter(|change| restoring || !change.restores)
            .filter(|change| change.span.start < piece.end && piece.start < change.span.end);
        for change in changes {
            if change.span.start >= piece.start {
                told.push_str(source(at, change.span.start));
                told.push_str(&change.text);
            }
            at = change.span.end.min(piece.end);
        }
        told.push_str(source(at, piece.end));
        told
    }

    /// What lies before `end` was told.
    fn let_go(&mut self, end: usize) {
        self.text.drain(..end - self.gone);
        self.gone = end;
        self.changes.retain(|change| change.span.end > end);
    }
}

/// How records name a strand.
fn part_of(channel: Channel) -> String {
    let choice = channel.choice;
    match channel.part {
        Part::Content => format!("choices[{choice}].content"),
        Part::Reasoning => format!("choices[{choice}].reasoning"),
        Part::Refusal => format!("choices[{choice}].refusal"),
        Part::ToolArguments(number) => format!("choices[{choice}].tool_calls[{number}].arguments"),
    }
}

/// A text as it stands within a JSON string.
fn within_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}
