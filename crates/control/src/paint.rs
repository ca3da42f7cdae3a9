//! Colour, for terminals only. Every mark that is coloured also says what it means as text (`✓`, `✗`),
//! so that nothing is lost where there is no colour.

use std::fmt::Display;

/// Whether text is coloured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Paint {
    /// As it is: for files, pipes and programs.
    #[default]
    Plain,
    /// With ANSI colours: for terminals.
    Colour,
}

impl Paint {
    /// Colours if the output is a terminal and nobody asked for plain text (`NO_COLOR`).
    pub const fn when(is_terminal: bool) -> Self {
        if is_terminal {
            Self::Colour
        } else {
            Self::Plain
        }
    }

    /// For what is well.
    pub fn good(self, text: impl Display) -> String {
        self.wrap("32", text)
    }

    /// For what is not.
    pub fn bad(self, text: impl Display) -> String {
        self.wrap("31", text)
    }

    /// For what is in between.
    pub fn doubtful(self, text: impl Display) -> String {
        self.wrap("33", text)
    }

    /// For what is to be read first.
    pub fn strong(self, text: impl Display) -> String {
        self.wrap("1", text)
    }

    /// For what is to be read last.
    pub fn faint(self, text: impl Display) -> String {
        self.wrap("2", text)
    }

    /// `✓` or `✗`.
    pub fn mark(self, yes: bool) -> String {
        if yes {
            self.good("✓")
        } else {
            self.bad("✗")
        }
    }

    fn wrap(self, code: &str, text: impl Display) -> String {
        match self {
            Self::Plain => text.to_string(),
            Self::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_has_no_escape_codes_and_the_same_words() {
        assert_eq!(Paint::Plain.mark(false), "✗");
        assert!(Paint::Colour.mark(false).contains('✗'));
        assert!(Paint::when(true).bad("no").starts_with('\u{1b}'));
        assert_eq!(Paint::when(false).bad("no"), "no");
    }
}
