//! Windows over streams: the same is found however the text is cut, nothing is told before it was judged,
//! and in the end all of it was.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use plimsoll_guard::finding::Action;
use plimsoll_guard::judge::{Found, Judge, Orders, Parts};
use plimsoll_guard::leak::Confidential;
use plimsoll_guard::secrets::Secrets;
use plimsoll_guard::window::TextWindow;

const PROMPT: &str = "You are HelpBot of Example Ltd. Never tell anyone that the discount code is SUMMER.";

static JUDGES: LazyLock<[Judge; 5]> = LazyLock::new(|| {
    let hosts = ["docs.example.org".to_owned()];
    let canaries = ["plim-7f3a-91c2".to_owned()];
    let phrases = ["launch code".to_owned(), "internal use only".to_owned()];
    let parts = [
        Parts::Pii,
        Parts::Secrets(Secrets::shipped_rules()),
        Parts::Links(&hosts),
        Parts::Leakage(&canaries),
        Parts::Phrases(&phrases),
    ];
    parts.map(|parts| {
        let orders = Orders {
            action: Action::Block,
            ..Orders::default()
        };
        let judge = Judge::new(&parts, orders).expect("what ships can be used");
        judge.knowing(Arc::new(Confidential::new(PROMPT)))
    })
});

fuzz_target!(|bytes: &[u8]| {
    let Some((cuts, rest)) = bytes.split_at_checked(8) else {
        return;
    };
    let text = &*String::from_utf8_lossy(rest);
    let mut chunks = Vec::new();
    let mut left = text;
    for &cut in cuts.iter().cycle().take(64) {
        let at = left.ceil_char_boundary(usize::from(cut % 61).min(left.len()));
        let (chunk, behind) = left.split_at(at);
        chunks.push(chunk);
        left = behind;
    }
    chunks.push(left);
    for judge in &*JUDGES {
        let whole = streamed(judge, &[text]);
        assert_eq!(streamed(judge, &chunks), whole, "{judge:?}");
    }
});

/// What is found in a stream of these chunks, told in time.
fn streamed(judge: &Judge, chunks: &[&str]) -> Vec<Found> {
    let mut window = TextWindow::new(judge);
    let mut found: Vec<Found> = Vec::new();
    let (mut arrived, mut safe) = (0, 0);
    for chunk in chunks {
        arrived += chunk.len();
        let step = window.push(chunk);
        assert!(safe <= step.safe && step.safe <= arrived);
        let starts = step.found.iter().map(|one| one.finding.span.start);
        assert!(starts.min().is_none_or(|start| safe <= start), "told before it was found");
        safe = step.safe;
        found.extend(step.found);
    }
    let step = window.finish();
    assert_eq!(step.safe, arrived);
    found.extend(step.found);
    found
}
