//! How fast texts are judged: `cargo run --release -p plimsoll-guard --example guard-bench --
//! [--stages] [--ordinary] [--verdicts FILE] [FILE.jsonl ...]`.
//!
//! Prints the start-up of all rules and the memory they take, p50 and p99 by size of ordinary texts (those
//! of the files given, by their `text`, and some of our own), and nanoseconds per byte of texts made to be
//! slow, at three sizes. Exits with 1 if time per byte grows with the length by more than
//! [`worst::GROWTH_MAX`]: judging is linear in the text or it is a way to stop the service.
//!
//! `--stages` says which part of the judging takes how long, `--ordinary` leaves the slow texts out. `--verdicts` writes what was decided about
//! each text, a line each, so that a change made for speed can be seen to change nothing else.

#![expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the machine's clock"
)]
#![expect(clippy::print_stdout, reason = "printing is what it is for")]
#![expect(
    clippy::unwrap_used,
    reason = "a measurement stops at what it did not expect"
)]

mod stages;
mod start;
mod texts;
mod timing;
mod worst;

use std::io::Write as _;
use std::process::ExitCode;

use plimsoll_guard::finding::Direction;
use plimsoll_guard::scan::Guard;

use texts::Named;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut files, mut verdicts) = (Vec::new(), None);
    let (mut stages, mut ordinary) = (false, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--stages" => stages = true,
            "--ordinary" => ordinary = true,
            "--verdicts" => verdicts = arguments.next(),
            _ => files.push(argument),
        }
    }
    let guard = start::print();
    let given: Vec<Named> = files.iter().map(|file| texts::of_file(file)).collect();
    if let Some(file) = verdicts {
        write_verdicts(&guard, &given, &file);
        return ExitCode::SUCCESS;
    }
    for bytes in [600, 4096] {
        for family in texts::own(bytes).iter().chain(&texts::cut(&given, bytes)) {
            timing::print(&family.name, &family.texts, |text| {
                guard.scan(text, Direction::Input)
            });
            if stages {
                stages::print(family);
            }
        }
    }
    if ordinary || worst::print(&guard) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Writes what is decided about each text, in each direction.
fn write_verdicts(guard: &Guard, given: &[Named], file: &str) {
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).unwrap());
    let slow = worst::families(4096);
    let own = [600, 4096].map(texts::own).into_iter().flatten();
    let own: Vec<Named> = own.collect();
    for named in given.iter().chain(&own).chain(&slow) {
        for text in &named.texts {
            for direction in [Direction::Input, Direction::Output, Direction::Tool] {
                let verdict = guard.scan(text, direction);
                let told = serde_json::to_string(&verdict).unwrap();
                writeln!(out, "{} {} {told}", named.name, direction.as_str()).unwrap();
            }
        }
    }
}
