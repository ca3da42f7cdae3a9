//! Percentiles of the time that a text takes.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How often each text is judged.
const ROUNDS: usize = 5;

/// Prints p50 and p99 over all texts and rounds, and p99 of each text's quickest round: what is left when
/// the machine was busy with something else.
pub(crate) fn print<T>(what: &str, texts: &[String], judge: impl Fn(&str) -> T) {
    if texts.is_empty() {
        println!("{what:<44} no text of this size");
        return;
    }
    for text in texts {
        black_box(judge(text));
    }
    let mut all = Vec::with_capacity(texts.len() * ROUNDS);
    let mut quickest = vec![Duration::MAX; texts.len()];
    for _ in 0..ROUNDS {
        for (text, best) in texts.iter().zip(&mut quickest) {
            let time = once(text, &judge);
            *best = time.min(*best);
            all.push(time);
        }
    }
    all.sort_unstable();
    quickest.sort_unstable();
    println!(
        "{what:<44} p50 {:>7.1} µs · p99 {:>7.1} µs · quickest p50 {:>7.1} p99 {:>7.1} · {} texts",
        micros(&all, 0.5),
        micros(&all, 0.99),
        micros(&quickest, 0.5),
        micros(&quickest, 0.99),
        texts.len()
    );
}

/// How long one judging takes.
pub(crate) fn once<T>(text: &str, judge: impl Fn(&str) -> T) -> Duration {
    let start = Instant::now();
    black_box(judge(black_box(text)));
    start.elapsed()
}

fn micros(sorted: &[Duration], share: f64) -> f64 {
    let at = ((sorted.len() - 1) as f64 * share) as usize;
    sorted[at].as_secs_f64() * 1e6
}
