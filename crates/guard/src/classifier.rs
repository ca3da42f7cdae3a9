//! A linear classifier of texts: does this try to make a model do what its operator does not want?
//!
//! Features are hashed into tables of int8 weights: words, pairs of words, pieces of three to five
//! characters ([`features`]), and *concepts*, words that mean the same in twenty languages
//! ([`concepts`]). One table judges prompts, a smaller one judges windows of documents and tool
//! results. Weights and thresholds stand in one file that [`train`] makes reproducibly from a manifest.
//!
//! A linear model catches what resembles what it was trained on. The card says how much of what it
//! never saw it catches; adaptive attackers pass. A text in a script that it was not trained on is not
//! scored at all: see [`script`].

pub mod concepts;
pub mod features;
pub mod script;
pub mod styles;
pub mod train;
pub mod weights;

use std::ops::Range;

use crate::views::View;
use features::Extractor;
pub use weights::{Head, HeadName, Weights, WeightsError};

/// The weights that come with the release.
static SHIPPED: &[u8] = include_bytes!("../data/injection.weights");

/// A classifier, ready to score.
#[derive(Clone, Debug)]
pub struct Classifier {
    weights: std::sync::Arc<Weights>,
}

impl Classifier {
    /// The classifier that comes with the release.
    ///
    /// # Errors
    /// Only if the release itself is broken.
    pub fn shipped() -> Result<Self, WeightsError> {
        Weights::parse(SHIPPED).map(Self::new)
    }

    /// The bytes of the weights that come with the release.
    pub fn shipped_weights() -> &'static [u8] {
        SHIPPED
    }

    /// A classifier with these weights.
    pub fn new(weights: Weights) -> Self {
        Self {
            weights: std::sync::Arc::new(weights),
        }
    }

    /// Its weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The score of a view in logits, that of its worst window if it is long, and where that is in the
    /// view; none if the text is in no script that it can judge.
    pub fn logit(&self, head: HeadName, view: &View) -> Option<(f64, Range<usize>)> {
        if !script::can_judge(view.text()) {
            return None;
        }
        let head = self.weights.head(head);
        let scored = windows(view.text()).map(|window| {
            let text = &view.text()[window.clone()];
            let shape = view.shape().share(text.len(), view.text().len());
            let logit = Extractor::with(|extractor| {
                head.logit(extractor.extract(text, shape, head.bits()))
            });
            (logit, window)
        });
        scored.max_by(|a, b| a.0.total_cmp(&b.0))
    }
}

/// The bytes of a window of a long text, and how far the next one begins behind it.
const WINDOW_BYTES: usize = features::BYTES_MAX;
const WINDOW_STEP: usize = WINDOW_BYTES * 3 / 4;

/// The windows of a text: one if it is short.
fn windows(text: &str) -> impl Iterator<Item = Range<usize>> {
    let last = text.len().saturating_sub(WINDOW_BYTES);
    let starts = (0..last).step_by(WINDOW_STEP).chain(std::iter::once(last));
    starts.map(|start| {
        let start = text.floor_char_boundary(start);
        start..text.floor_char_boundary(start + WINDOW_BYTES)
    })
}

/// A score from 0 to 1 for a logit.
pub fn probability(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}
