//! How fast rows are counted into a window, and how fast a detector takes values. Run it with
//! `cargo run --release -p plimsoll-stats --example drift-speed`.
//!
//! Prints rows per second over ten columns on one core, nanoseconds for a row of ten features, updates of the
//! change detector per second, and the size of the reference.

#![expect(clippy::print_stdout, reason = "an example prints what it measured")]
#![expect(
    clippy::disallowed_methods,
    reason = "it measures the machine, not a clock that is given"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use plimsoll_stats::change::ShiryaevRoberts;
use plimsoll_stats::drift::{Sample, TolerantPsi};
use plimsoll_stats::stream::{Reference, Value, Window};

const ROWS: usize = 1_000_000;
const COLUMNS: usize = 10;

fn main() {
    let values = random(ROWS * COLUMNS);
    let mut reference = Reference::default();
    for column in 0..COLUMNS {
        let sample = values.iter().skip(column).step_by(COLUMNS).take(50_000);
        let sample = Sample::new(sample.copied().collect());
        if reference
            .add_numbers(&format!("feature_{column}"), &sample, 10_000)
            .is_err()
        {
            return;
        }
    }
    let bytes = serde_json::to_vec(&reference).map_or(0, |bytes| bytes.len());
    println!("reference of {COLUMNS} columns: {bytes} bytes as JSON");
    let reference = Arc::new(reference);

    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let mut window = Window::new(Arc::clone(&reference));
        let start = Instant::now();
        for row in values.chunks_exact(COLUMNS) {
            window.add(row.iter().map(|value| Value::Number(*value)));
        }
        best = best.min(start.elapsed().as_secs_f64());
        black_box(&window);
    }
    println!(
        "window: {:.2} million rows/s of {COLUMNS} columns",
        ROWS as f64 / best / 1e6
    );
    println!(
        "a request of ten features: {:.0} ns",
        best * 1e9 / ROWS as f64
    );

    let mut window = Window::new(reference);
    for row in values.chunks_exact(COLUMNS).take(10_000) {
        window.add(row.iter().map(|value| Value::Number(*value)));
    }
    let start = Instant::now();
    black_box(window.judge(&TolerantPsi::default()));
    println!(
        "judging a window: {:.0} µs",
        start.elapsed().as_secs_f64() * 1e6
    );

    if let Ok(mut detector) = ShiryaevRoberts::new(0.6, 1e12) {
        let start = Instant::now();
        for value in &values {
            black_box(detector.update(*value));
        }
        let rate = values.len() as f64 / start.elapsed().as_secs_f64();
        println!("change detector: {:.0} million values/s", rate / 1e6);
    }
}

/// Uniform numbers, by `SplitMix64`.
fn random(count: usize) -> Vec<f64> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    };
    std::iter::repeat_with(next).take(count).collect()
}
