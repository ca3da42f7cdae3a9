//! Prints what the detectors reach on a folder of labelled texts: `cargo run -p plimsoll-guard --example
//! figures -- FOLDER [--misses]`. A file that is not in the folder is skipped, and said so.

#![expect(
    clippy::disallowed_methods,
    reason = "a measurement reads the machine's clock"
)]
#![expect(clippy::print_stdout, reason = "printing is what it is for")]
#![expect(
    clippy::unwrap_used,
    reason = "a measurement stops at what it did not expect"
)]

mod json;
mod outputs;
mod pii;
mod rows;
mod secrets;
mod speed;
mod tabular;

use rows::Folder;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments.first().expect("name a folder of corpora");
    let folder = Folder::new(folder, arguments.iter().any(|one| one == "--misses"));
    speed::print_start();
    secrets::print(&folder);
    pii::print(&folder);
    json::print(&folder);
    outputs::print(&folder);
    tabular::print(&folder);
    speed::print(&folder);
}
