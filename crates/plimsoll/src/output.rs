//! What is printed: tables for people or JSON for programs on standard output, and everything else
//! (progress, warnings, errors) on standard error.

use std::io::{IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use plimsoll_control::paint::Paint;
use plimsoll_spec::{Environment as _, ProcessEnvironment};
use serde::Serialize;

use crate::exit::{Failure, Outcome};

/// How wide text is where there is no terminal to ask.
const COLUMNS: usize = 120;

/// Standard output, and who reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// Whether programs read it.
    pub(crate) json: bool,
    /// Whether colours may be used.
    pub(crate) paint: Paint,
    /// How many columns there are.
    pub(crate) columns: usize,
}

impl Output {
    /// Looks at who reads standard output.
    pub(crate) fn new(json: bool) -> Self {
        let wants_plain = ProcessEnvironment
            .var("NO_COLOR")
            .is_some_and(|text| !text.is_empty());
        let is_terminal = std::io::stdout().is_terminal() && !json;
        let size = terminal_size::terminal_size();
        let columns = size.map_or(COLUMNS, |(width, _)| usize::from(width.0).clamp(60, 160));
        Self {
            json,
            paint: Paint::when(is_terminal && !wants_plain),
            columns,
        }
    }

    /// Prints `value` for programs, or what `text` makes for people.
    pub(crate) fn show<T: Serialize + ?Sized>(
        self,
        value: &T,
        text: impl FnOnce() -> String,
    ) -> Outcome<()> {
        if self.json {
            self.print_json(value)
        } else {
            self.print(&text())
        }
    }

    /// Prints text as it is.
    #[expect(
        clippy::unused_self,
        reason = "printing goes through whoever knows the reader"
    )]
    pub(crate) fn print(self, text: &str) -> Outcome<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        out.flush()?;
        Ok(())
    }

    /// Prints JSON.
    pub(crate) fn print_json<T: Serialize + ?Sized>(self, value: &T) -> Outcome<()> {
        let internal = |error| Failure::new(crate::exit::Exit::Internal, anyhow::Error::new(error));
        let text = serde_json::to_string_pretty(value).map_err(internal)?;
        self.print(&text)
    }
}

/// A line on standard error, for people.
pub(crate) fn note(text: impl std::fmt::Display) {
    // Nobody is left to be told if this fails.
    writeln!(std::io::stderr(), "{text}").ok();
}

/// A progress bar on standard error; hidden when that is no terminal.
pub(crate) fn progress(total: Option<u64>, unit: &'static str) -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(10);
    let bar = ProgressBar::with_draw_target(total, target);
    let template = match total {
        Some(_) => "{bar:30} {human_pos} of {human_len} {prefix} · {per_sec} · {eta} left {msg}",
        None => "{spinner} {human_pos} {prefix} · {per_sec} {msg}",
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("━╸─"));
    bar.set_prefix(unit);
    bar
}

/// An error with its causes, and what to do if it says so.
pub(crate) fn tell(failure: &Failure) {
    if let Some(problems) = failure.error.downcast_ref::<plimsoll_spec::Problems>() {
        // They say themselves what they are.
        note(problems);
        return;
    }
    let mut causes = failure.error.chain();
    if let Some(first) = causes.next() {
        note(format_args!("error: {first}"));
    }
    for cause in causes {
        note(format_args!("  caused by: {cause}"));
    }
}
