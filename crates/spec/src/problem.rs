//! What is wrong with a workspace: where, what, and how to mend it.

use std::fmt;

use serde::Serialize;

/// How much a problem matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The workspace cannot be used.
    Error,
    /// It can, but is perhaps not what was meant.
    Warning,
}

impl Severity {
    /// The word in front of a problem.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong, with its place and its fix.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// The file, relative to the workspace's folder, with `/` between folders.
    pub file: String,
    /// The line, from 1; 0 if it is about the file as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 if it is about the file as a whole.
    pub column: usize,
    /// The line as it stands in the file, secrets blotted out and cut if it is long; empty if there
    /// is none.
    pub excerpt: String,
    /// Where in the excerpt the place begins, in characters from 0.
    pub caret: usize,
    /// How many characters of the excerpt it is about.
    pub width: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// How much it matters.
    pub severity: Severity,
}

impl Problem {
    /// A problem of a file as a whole.
    pub(crate) fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            excerpt: String::new(),
            caret: 0,
            width: 0,
            message: message.into(),
            hint: None,
            severity: Severity::Error,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.severity.as_str(), self.message)?;
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        if self.line == 0 {
            write!(f, "{margin} --> {}", self.file)?;
        } else {
            write!(
                f,
                "{margin} --> {}:{}:{}",
                self.file, self.line, self.column
            )?;
        }
        if !self.excerpt.is_empty() {
            let blank: String = self.excerpt.chars().take(self.caret).map(blank).collect();
            write!(
                f,
                "\n{margin} |\n{number} | {}\n{margin} | {blank}{}",
                self.excerpt,
                "^".repeat(self.width.max(1))
            )?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n{margin} = help: {hint}")?;
        }
        Ok(())
    }
}

/// Keeps the caret under its character where the line is indented with tabs.
const fn blank(c: char) -> char {
    if c == '\t' { '\t' } else { ' ' }
}

/// Everything that is wrong with a workspace, errors and warnings, in the order of the files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Those that stand in the way.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.0
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
    }

    /// Whether anything stands in the way.
    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            write!(f, "{problem}\n\n")?;
        }
        let errors = self.errors().count();
        let warnings = self.0.len() - errors;
        match (errors, warnings) {
            (errors, 0) => write!(f, "{}", counted(errors, "error")),
            (0, warnings) => write!(f, "{}", counted(warnings, "warning")),
            (errors, warnings) => write!(
                f,
                "{}, {}",
                counted(errors, "error"),
                counted(warnings, "warning")
            ),
        }
    }
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

impl std::error::Error for Problems {}
