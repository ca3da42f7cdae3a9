//! A file of the workspace as it was read: where a byte stands, and what its line looks like without
//! the secrets on it.

use std::cell::RefCell;
use std::ops::Range;

use crate::problem::{Problem, Severity};

/// The longest excerpt, in characters; a longer line is cut around the place it is about.
const EXCERPT_CHARS_MAX: usize = 160;

/// A place in a file, in bytes.
pub(crate) type Span = Range<usize>;

/// A text file and what must not be shown of it.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the workspace's folder, with `/`.
    pub(crate) file: String,
    /// Its text.
    pub(crate) text: String,
    /// Where secrets stand, in the order of the file.
    blotted: RefCell<Vec<Span>>,
}

impl Source {
    pub(crate) const fn new(file: String, text: String) -> Self {
        Self {
            file,
            text,
            blotted: RefCell::new(Vec::new()),
        }
    }

    /// Never shows what stands at `secrets`.
    pub(crate) fn blot(&self, secrets: impl IntoIterator<Item = Span>) {
        let mut blotted = self.blotted.borrow_mut();
        blotted.extend(secrets);
        blotted.sort_by_key(|span| span.start);
    }

    /// A problem at `span`; an empty span at the beginning of the file is about the file as a whole.
    pub(crate) fn problem(
        &self,
        severity: Severity,
        span: &Span,
        message: impl Into<String>,
    ) -> Problem {
        let mut problem = Problem::of_file(&self.file, message);
        problem.severity = severity;
        if *span == (0..0) {
            return problem;
        }
        let start = floor(&self.text, span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..]
            .find(['\n', '\r'])
            .map_or(self.text.len(), |at| start + at);
        let end = floor(&self.text, span.end).clamp(start, line_end);
        problem.line = self.text[..start].matches('\n').count() + 1;
        problem.column = self.text[line_start..start].chars().count() + 1;
        let line = self.shown(line_start..line_end);
        let caret = line
            .iter()
            .position(|(at, _)| *at >= start)
            .unwrap_or(line.len());
        let width = line
            .iter()
            .filter(|(at, _)| (start..end).contains(at))
            .count();
        // A long line is cut so that what it is about is seen.
        let first = caret
            .saturating_sub(EXCERPT_CHARS_MAX / 2)
            .min(line.len().saturating_sub(EXCERPT_CHARS_MAX));
        let cut = line.iter().skip(first).take(EXCERPT_CHARS_MAX);
        problem.excerpt = cut.map(|(_, c)| *c).collect();
        problem.caret = caret - first;
        problem.width = width.clamp(
            1,
            EXCERPT_CHARS_MAX - problem.caret.min(EXCERPT_CHARS_MAX - 1),
        );
        problem
    }

    /// The characters of a line, each with the byte where it stands, `…` for each secret.
    fn shown(&self, line: Span) -> Vec<(usize, char)> {
        let blotted = self.blotted.borrow();
        let mut shown = Vec::new();
        for (offset, c) in self.text[line.clone()].char_indices() {
            let at = line.start + offset;
            match blotted.iter().find(|blot| blot.contains(&at)) {
                Some(blot) if at == blot.start.max(line.start) => shown.push((at, '…')),
                Some(_) => {}
                None => shown.push((at, c)),
            }
        }
        shown
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

/// Everything that was found so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    problems: Vec<Problem>,
}

impl Report {
    /// Something that stands in the way.
    pub(crate) fn error(
        &mut self,
        source: &Source,
        span: &Span,
        message: impl Into<String>,
    ) -> &mut Problem {
        self.push(source.problem(Severity::Error, span, message))
    }

    /// Something that is perhaps not what was meant.
    pub(crate) fn warning(
        &mut self,
        source: &Source,
        span: &Span,
        message: impl Into<String>,
    ) -> &mut Problem {
        self.push(source.problem(Severity::Warning, span, message))
    }

    /// Something about a file as a whole that stands in the way.
    pub(crate) fn file_error(&mut self, file: &str, message: impl Into<String>) -> &mut Problem {
        self.push(Problem::of_file(file, message))
    }

    /// Something about a file as a whole that is perhaps not what was meant.
    pub(crate) fn file_warning(&mut self, file: &str, message: impl Into<String>) -> &mut Problem {
        let mut problem = Problem::of_file(file, message);
        problem.severity = Severity::Warning;
        self.push(problem)
    }

    fn push(&mut self, problem: Problem) -> &mut Problem {
        self.problems.push(problem);
        self.problems.last_mut().expect("one was just pushed")
    }

    /// Takes over what another report found, as far as `keep` says.
    pub(crate) fn absorb(&mut self, other: Self, keep: impl Fn(&Problem) -> bool) {
        self.problems
            .extend(other.problems.into_iter().filter(|problem| keep(problem)));
    }

    /// How many errors there are.
    pub(crate) fn errors(&self) -> usize {
        self.problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .count()
    }

    /// All of it, in the order of files and lines, each thing once.
    pub(crate) fn into_sorted(mut self) -> Vec<Problem> {
        let order = |p: &Problem| (p.file.clone(), p.line, p.column, p.severity);
        self.problems.sort_by_key(order);
        self.problems.dedup();
        self.problems
    }
}

impl Problem {
    /// Says what to do about it.
    pub(crate) fn help(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The word among `words` that `text` is most likely meant to be.
pub(crate) fn nearest<'a>(text: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = text.to_lowercase().replace('-', "_");
    let distance =
        |word: &str| strsim::damerau_levenshtein(&lower, &word.to_lowercase().replace('-', "_"));
    let (word, found) = words
        .into_iter()
        .map(|word| (word, distance(word)))
        .min_by_key(|(_, found)| *found)?;
    let near = (word.chars().count().max(text.chars().count()) / 3).max(1);
    (found <= near).then_some(word)
}

/// `did you mean …?`, or what there is to choose from.
pub(crate) fn did_you_mean<'a>(
    text: &str,
    words: &[&'a str],
    otherwise: impl FnOnce(&[&'a str]) -> String,
) -> String {
    match nearest(text, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => otherwise(words),
    }
}

/// `a`, `b` and `c`, in backticks.
pub(crate) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => "none".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_line_with_a_caret_below() {
        let source = Source::new("a.toml".into(), "x = 1\n\tmüde = \"ja\"\n".into());
        let at = source.text.find("\"ja\"").unwrap();
        let mut problem = source.problem(Severity::Error, &(at..at + 4), "no");
        problem.help("yes");
        insta::assert_snapshot!(problem.to_string().replace('\t', "→"), @r#"
        error: no
          --> a.toml:2:9
          |
        2 | →müde = "ja"
          | →       ^^^^
          = help: yes
        "#);
    }

    #[test]
    fn what_is_blotted_is_never_shown() {
        let source = Source::new("a.toml".into(), "key = \"hunter2\"  # hm\n".into());
        source.blot(Some(6..15));
        let problem = source.problem(Severity::Error, &(6..15), "no");
        assert_eq!(problem.excerpt, "key = …  # hm");
        assert!(!problem.to_string().contains("hunter2"));
    }

    #[test]
    fn a_long_line_is_cut_around_what_it_is_about() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let source = Source::new("a.toml".into(), text);
        let problem = source.problem(Severity::Error, &(500..501), "no");
        assert_eq!((problem.column, problem.width), (501, 1));
        assert_eq!(problem.excerpt.chars().count(), EXCERPT_CHARS_MAX);
        assert_eq!(problem.excerpt.chars().nth(problem.caret), Some('X'));
    }

    #[test]
    fn the_nearest_word_is_offered_only_if_it_is_near() {
        assert_eq!(nearest("misssing", ["missing", "schema"]), Some("missing"));
        assert_eq!(
            nearest("in-flight-max", ["in_flight_max"]),
            Some("in_flight_max")
        );
        assert_eq!(nearest("colour", ["missing", "schema"]), None);
    }
}
