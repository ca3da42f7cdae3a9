//! How long all rules take to be ready, and the memory that they take.

use std::sync::Arc;
use std::time::Instant;

use plimsoll_guard::finding::Direction;
use plimsoll_guard::pii::Pii;
use plimsoll_guard::policy::Policy;
use plimsoll_guard::scan::Guard;
use plimsoll_guard::secrets::Secrets;

/// Makes the guard that `plimsoll guard scan` judges by, every pattern compiled, and says what it took.
pub(crate) fn print() -> Guard {
    let before = resident_bytes();
    let start = Instant::now();
    let secrets = Secrets::shipped();
    let guard = Guard::new(Policy::default(), &[]).unwrap();
    let guard = guard
        .beside(Arc::new(secrets.clone()))
        .beside(Arc::new(Pii::new()));
    // The first text builds the tables that are made when they are first needed.
    guard.scan("The first text: vïew 1, a@b.example", Direction::Input);
    let ready = start.elapsed();
    secrets.compile().unwrap();
    let all = start.elapsed();
    let taken = resident_bytes().saturating_sub(before) as f64 / f64::from(1 << 20);
    println!(
        "start-up of all rules: {:.1} ms until the first text is judged, {:.1} ms with every pattern \
         compiled · {taken:.1} MiB resident",
        ready.as_secs_f64() * 1e3,
        all.as_secs_f64() * 1e3
    );
    guard
}

/// The resident memory of this process; 0 where the system does not say.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0usize) * 4096
}
