//! Views: what a text says once its disguises are taken off.
//!
//! The original is what is forwarded; detectors see the views. Each one maps every byte back to where
//! it comes from in the original, so that a finding in the third layer of an encoding still points at
//! the bytes that the caller sent.
//!
//! The first view is always the text folded: compatibility forms, marks, case, look-alike letters and
//! characters that nobody sees are gone. The others stand only where the text gives cause for them:
//! payloads in tag characters and variation selectors, base64, hex, percent signs, HTML entities,
//! backslash escapes, hidden HTML, rot13, reversed, spaced and leet writing, and those within one
//! another down to [`DEPTH_MAX`]. All views together are bounded by [`ViewLimits`]; what did not fit is
//! said in [`Views::is_complete`]. Everything takes time linear in the text.

mod decode;
mod disguise;
mod fold;
mod html;
mod map;
mod skeleton;
mod visible;

use std::ops::Range;

use map::Mapped;
pub use visible::{Hidden, HiddenKind};

/// How deep encodings may stand within one another.
pub const DEPTH_MAX: u32 = 3;

/// How much is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ViewLimits {
    /// The most views of a text.
    pub views_max: usize,
    /// The most bytes of views per byte of the text, beside 4 KiB.
    pub growth_max: usize,
}

impl Default for ViewLimits {
    fn default() -> Self {
        Self {
            views_max: 24,
            growth_max: 6,
        }
    }
}

/// What was taken off to make a view.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ViewKind {
    /// Only folded.
    Folded,
    /// Spelt in tag characters (U+E0020 to U+E007E).
    TagCharacters,
    /// Spelt in variation selectors, a byte in each.
    VariationSelectors,
    /// Base64, standard or for URLs.
    Base64,
    /// Hexadecimal digits.
    Hex,
    /// Percent signs of RFC 3986.
    Url,
    /// HTML character references.
    HtmlEntities,
    /// Backslash escapes: `\u0041`, `\x41`.
    Escapes,
    /// HTML that a browser does not show.
    HiddenHtml,
    /// Letters moved by thirteen.
    Rot13,
    /// Written backwards.
    Reversed,
    /// Letters apart from each other.
    Spaced,
    /// Digits and signs for letters.
    Leet,
}

impl ViewKind {
    /// Its name in findings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Folded => "folded",
            Self::TagCharacters => "tag_characters",
            Self::VariationSelectors => "variation_selectors",
            Self::Base64 => "base64",
            Self::Hex => "hex",
            Self::Url => "url",
            Self::HtmlEntities => "html_entities",
            Self::Escapes => "escapes",
            Self::HiddenHtml => "hidden_html",
            Self::Rot13 => "rot13",
            Self::Reversed => "reversed",
            Self::Spaced => "spaced",
            Self::Leet => "leet",
        }
    }
}

/// One view of a text, folded.
#[derive(Clone, Debug)]
pub struct View {
    kind: ViewKind,
    depth: u32,
    mapped: Mapped,
    shape: Shape,
}

/// What folding takes away but a classifier wants to know: counted before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shape {
    /// Letters `A` to `Z`.
    pub upper: u32,
    /// Letters `a` to `z`.
    pub lower: u32,
    /// A capital right after a small letter.
    pub camel: u32,
    /// Digits.
    pub digits: u32,
    /// ASCII punctuation and symbols.
    pub symbols: u32,
    /// Line feeds.
    pub lines: u32,
    /// Bytes beyond ASCII.
    pub beyond_ascii: u32,
}

impl Shape {
    /// The part of it that a piece of `bytes` of `all` has, on average.
    pub fn share(self, bytes: usize, all: usize) -> Self {
        if bytes >= all {
            return self;
        }
        let part = |count: u32| {
            let share = u64::from(count) * bytes as u64 / all.max(1) as u64;
            u32::try_from(share).unwrap_or(count)
        };
        Self {
            upper: part(self.upper),
            lower: part(self.lower),
            camel: part(self.camel),
            digits: part(self.digits),
            symbols: part(self.symbols),
            lines: part(self.lines),
            beyond_ascii: part(self.beyond_ascii),
        }
    }
}

impl View {
    /// What was taken off last.
    pub const fn kind(&self) -> ViewKind {
        self.kind
    }

    /// How many encodings were taken off.
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// What it says, in small letters.
    pub fn text(&self) -> &str {
        self.mapped.text()
    }

    /// What was counted before folding.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Where the bytes `span` of this view come from in the original, on its character boundaries.
    pub fn original(&self, span: Range<usize>) -> Range<usize> {
        self.mapped.original(span)
    }
}

/// All views of a text.
#[derive(Clone, Debug)]
pub struct Views {
    views: Vec<View>,
    hidden: Vec<Hidden>,
    complete: bool,
}

impl Views {
    /// Looks at `text` in every way for which it gives cause.
    pub fn of(text: &str, limits: &ViewLimits) -> Self {
        Looking::new(text, limits).look()
    }

    /// The text folded: always the first view.
    pub fn folded(&self) -> &View {
        &self.views[0]
    }

    /// Every view, the folded one first.
    pub fn iter(&self) -> impl Iterator<Item = &View> {
        self.views.iter()
    }

    /// What stands in the text that nobody sees, and has no business there.
    pub fn hidden(&self) -> &[Hidden] {
        &self.hidden
    }

    /// Whether everything was looked at; false where the limits cut short.
    pub const fn is_complete(&self) -> bool {
        self.complete
    }
}

/// A text waiting to be looked at.
struct Layer {
    kind: ViewKind,
    depth: u32,
    mapped: Mapped,
}

struct Looking {
    waiting: Vec<Layer>,
    views: Vec<View>,
    hidden: Vec<Hidden>,
    bytes_left: usize,
    views_max: usize,
    complete: bool,
}

impl Looking {
    fn new(text: &str, limits: &ViewLimits) -> Self {
        let mapped = Mapped::whole(text);
        let first = Layer {
            kind: ViewKind::Folded,
            depth: 0,
            mapped,
        };
        Self {
            waiting: vec![first],
            views: Vec::new(),
            hidden: Vec::new(),
            bytes_left: text.len().saturating_mul(limits.growth_max) + 4096,
            views_max: limits.views_max.max(1),
            complete: true,
        }
    }

    fn look(mut self) -> Views {
        let mut at = 0;
        while at < self.waiting.len() {
            let room = Mapped::whole("");
            let layer = Layer {
                mapped: std::mem::replace(&mut self.waiting[at].mapped, room),
                ..self.waiting[at]
            };
            self.look_at(layer);
            at += 1;
        }
        Views {
            views: self.views,
            hidden: self.hidden,
            complete: self.complete,
        }
    }

    fn look_at(&mut self, layer: Layer) {
        let Layer {
            kind,
            depth,
            mapped,
        } = layer;
        let scan = decode::Scan::of(mapped.text());
        let mapped = if scan.needs_stripping() {
            let stripped = visible::strip(mapped);
            self.complete &= !stripped.has_more;
            for (kind, payload) in stripped.payloads {
                self.wait(kind, depth + 1, payload);
            }
            if depth == 0 {
                self.hidden = stripped.hidden;
            }
            stripped.mapped
        } else {
            mapped
        };
        if depth < DEPTH_MAX {
            self.decode(&scan, &mapped, depth + 1);
        } else if scan.may_be_encoded() {
            self.complete = false;
        }
        let folded = fold::fold(mapped, scan.is_ascii());
        let view = View {
            kind,
            depth,
            mapped: folded,
            shape: scan.shape,
        };
        self.disguises(&view, &scan);
        self.keep(view);
    }

    /// Waits to be looked at, if there is room.
    fn wait(&mut self, kind: ViewKind, depth: u32, mapped: Mapped) {
        let bytes = mapped.text().len();
        if bytes == 0 {
            return;
        }
        if depth > DEPTH_MAX || bytes > self.bytes_left || self.waiting.len() >= self.views_max {
            self.complete = false;
            return;
        }
        self.bytes_left -= bytes;
        self.waiting.push(Layer {
            kind,
            depth,
            mapped,
        });
    }

    fn keep(&mut self, view: View) {
        if self.views.len() < self.views_max {
            self.views.push(view);
        } else {
            self.complete = false;
        }
    }

    fn decode(&mut self, scan: &decode::Scan, mapped: &Mapped, depth: u32) {
        if scan.has_percent() {
            self.wait_some(ViewKind::Url, depth, decode::url(mapped));
        }
        if scan.has_entity() {
            self.wait_some(ViewKind::HtmlEntities, depth, decode::entities(mapped));
        }
        if scan.has_escape() {
            self.wait_some(ViewKind::Escapes, depth, decode::escapes(mapped));
        }
        if scan.has_markup() {
            self.wait_some(ViewKind::HiddenHtml, depth, html::hidden(mapped));
        }
        if scan.has_long_run() {
            for found in decode::hex_runs(mapped) {
                self.wait(ViewKind::Hex, depth, found);
            }
            for found in decode::base64_runs(mapped) {
                self.wait(ViewKind::Base64, depth, found);
            }
        }
        if scan.has_hex_pairs() {
            self.wait_some(ViewKind::Hex, depth, decode::hex_pairs(mapped));
        }
    }

    fn wait_some(&mut self, kind: ViewKind, depth: u32, found: Option<Mapped>) {
        if let Some(mapped) = found {
            self.wait(kind, depth, mapped);
        }
    }

    /// The disguises that keep the alphabet; they are tried on what is already folded.
    fn disguises(&mut self, view: &View, scan: &decode::Scan) {
        let is_seen = matches!(
            view.kind,
            ViewKind::Rot13 | ViewKind::Reversed | ViewKind::Spaced | ViewKind::Leet
        );
        if view.depth >= DEPTH_MAX || is_seen {
            return;
        }
        let depth = view.depth + 1;
        let words = disguise::Words::of(view.text());
        if words.is_spaced() {
            self.wait(ViewKind::Spaced, depth, disguise::unspaced(&view.mapped));
        }
        if words.is_leet() {
            self.wait(ViewKind::Leet, depth, disguise::unleet(&view.mapped));
        }
        if words.is_rot13() {
            self.wait(ViewKind::Rot13, depth, disguise::rot13(&view.mapped));
        }
        if words.is_reversed() || scan.has_override() {
            self.wait(ViewKind::Reversed, depth, disguise::reversed(&view.mapped));
        }
    }
}

#[cfg(test)]
mod tests;
