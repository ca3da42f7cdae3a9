//! Reading the folder, and counting.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

/// A folder of `.jsonl` files.
pub(crate) struct Folder {
    path: PathBuf,
    shows_misses: bool,
}

impl Folder {
    pub(crate) fn new(path: &str, shows_misses: bool) -> Self {
        let path = path.into();
        Self { path, shows_misses }
    }

    /// A file's text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.path.join(name)).ok();
        if text.is_none() {
            println!("{name}: not in the folder");
        }
        text
    }

    /// A file's rows; none if the file is not there.
    pub(crate) fn rows(&self, name: &str) -> Vec<Value> {
        let text = self.text(name).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Prints a row that was judged wrongly, if that was asked for.
    pub(crate) fn miss(&self, what: &str, row: &str) {
        if self.shows_misses {
            println!(
                "    {what}: {}",
                row.chars().take(220).collect::<String>().escape_debug()
            );
        }
    }
}

/// How many of how many.
#[derive(Clone, Copy, Default)]
pub(crate) struct Share {
    held: usize,
    all: usize,
}

impl Share {
    pub(crate) fn count(&mut self, held: bool) -> bool {
        self.all += 1;
        self.held += usize::from(held);
        held
    }

    pub(crate) fn print(self, what: &str) {
        let percent = 100.0 * self.held as f64 / self.all.max(1) as f64;
        println!(
            "{what:<58} {:>6} of {:<6} {percent:>6.2} %",
            self.held, self.all
        );
    }
}

/// A row's text member.
pub(crate) fn text<'r>(row: &'r Value, key: &str) -> &'r str {
    row[key].as_str().unwrap_or_default()
}
