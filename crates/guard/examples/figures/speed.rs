//! Times, per text of about 600 bytes and of 4 KiB.

use std::hint::black_box;
use std::time::{Duration, Instant};

use plimsoll_guard::pii::Pii;
use plimsoll_guard::secrets::Secrets;

use crate::rows::{Folder, text};

/// How long the rules take to be ready, before anything else needed them.
pub(crate) fn print_start() {
    let start = Instant::now();
    let secrets = Secrets::shipped();
    println!(
        "{:<58} {:>7.1} ms",
        "secrets · reading the rules",
        start.elapsed().as_secs_f64() * 1e3
    );
    let start = Instant::now();
    black_box(Pii::new());
    println!(
        "{:<58} {:>7.1} ms",
        "pii · compiling the recognisers",
        start.elapsed().as_secs_f64() * 1e3
    );
    let start = Instant::now();
    secrets.compile().unwrap();
    println!(
        "{:<58} {:>7.1} ms",
        "secrets · compiling every pattern",
        start.elapsed().as_secs_f64() * 1e3
    );
}

pub(crate) fn print(folder: &Folder) {
    let prompts = folder.rows("prompts.jsonl");
    let texts: Vec<&str> = prompts.iter().map(|row| text(row, "text")).collect();
    let short: Vec<&str> = texts
        .iter()
        .copied()
        .filter(|said| (400..800).contains(&said.len()))
        .collect();
    let joined = texts.join("\n");
    let long: Vec<&str> = (0..200)
        .map(|index| {
            let start = joined.ceil_char_boundary(index * 4096);
            &joined[start..joined.floor_char_boundary(start + 4096)]
        })
        .collect();
    let secrets = Secrets::shipped();
    let pii = Pii::new();
    for (name, texts) in [("600 bytes", &short), ("4 KiB", &long)] {
        time(&format!("secrets · {name}"), texts, |said| {
            black_box(secrets.find(said).is_ok());
        });
        time(&format!("pii · {name}"), texts, |said| {
            black_box(pii.find(said));
        });
    }
}

fn time(what: &str, texts: &[&str], judge: impl Fn(&str)) {
    for said in texts {
        judge(said);
    }
    let mut times: Vec<Duration> = Vec::with_capacity(texts.len());
    for said in texts {
        let start = Instant::now();
        judge(said);
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    println!(
        "{what:<58} p50 {:>7.1} µs · p99 {:>7.1} µs · {} texts",
        at(0.5),
        at(0.99),
        times.len()
    );
}
