//! Views: each character of each view comes from characters of the original, and all views together stay
//! within their bounds. So do the findings of everything that judges by them.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use plimsoll_guard::finding::Direction;
use plimsoll_guard::policy::Policy;
use plimsoll_guard::scan::{FINDINGS_MAX, Guard};
use plimsoll_guard::views::{DEPTH_MAX, ViewLimits, Views};

static GUARD: LazyLock<Guard> =
    LazyLock::new(|| Guard::new(Policy::default(), &[]).expect("what ships can be used"));

fuzz_target!(|bytes: &[u8]| {
    let text = &*String::from_utf8_lossy(bytes);
    let limits = ViewLimits::default();
    let views = Views::of(text, &limits);
    let mut views_seen = 0;
    for view in views.iter() {
        views_seen += 1;
        assert!(view.depth() <= DEPTH_MAX);
        for (at, char) in view.text().char_indices() {
            let span = view.original(at..at + char.len_utf8());
            assert!(text.get(span.clone()).is_some(), "{span:?} of {:?}", view.kind());
        }
        let whole = view.original(0..view.text().len());
        assert!(text.get(whole).is_some());
    }
    assert!((1..=limits.views_max).contains(&views_seen));
    // Folding makes at most eleven bytes of one, the longest compatibility decomposition.
    let bytes: usize = views.iter().map(|view| view.text().len()).sum();
    assert!(bytes <= 11 * ((limits.growth_max + 1) * text.len() + 4096));
    for hidden in views.hidden() {
        assert!(text.get(hidden.span.clone()).is_some());
    }
    for direction in [Direction::Input, Direction::Tool] {
        let verdict = GUARD.scan(text, direction);
        assert!((0.0..=1.0).contains(&verdict.score) && verdict.findings.len() <= FINDINGS_MAX);
        for finding in &verdict.findings {
            assert!(text.get(finding.span.clone()).is_some(), "{finding:?}");
        }
    }
});
