//! The parts of the judging by themselves.

use std::sync::LazyLock;

use plimsoll_guard::classifier::{Classifier, HeadName};
use plimsoll_guard::finding::Direction;
use plimsoll_guard::pack::Packs;
use plimsoll_guard::pii::Pii;
use plimsoll_guard::secrets::Secrets;
use plimsoll_guard::views::{ViewLimits, Views};

use crate::texts::Named;
use crate::timing;

static PACKS: LazyLock<Packs> = LazyLock::new(|| Packs::with(&[]).unwrap());
static CLASSIFIER: LazyLock<Classifier> = LazyLock::new(|| Classifier::shipped().unwrap());

/// Prints how long each part takes.
pub(crate) fn print(family: &Named) {
    let limits = ViewLimits::default();
    let texts = &family.texts;
    timing::print("  views", texts, |text| Views::of(text, &limits));
    timing::print("  views and rule packs", texts, |text| {
        let views = Views::of(text, &limits);
        let found = views
            .iter()
            .map(|view| PACKS.find(view.text(), Direction::Input).len());
        found.sum::<usize>()
    });
    timing::print("  views and classifier", texts, |text| {
        let views = Views::of(text, &limits);
        let scores = views
            .iter()
            .filter_map(|view| CLASSIFIER.logit(HeadName::Prompt, view));
        scores.map(|(score, _)| score).fold(f64::MIN, f64::max)
    });
    timing::print("  secrets", texts, |text| Secrets::shipped().find(text));
    timing::print("  personal data", texts, |text| Pii::new().find(text));
    let views: usize = texts
        .iter()
        .map(|text| Views::of(text, &limits).iter().count())
        .sum();
    println!(
        "  {:.2} views a text",
        views as f64 / texts.len().max(1) as f64
    );
}
