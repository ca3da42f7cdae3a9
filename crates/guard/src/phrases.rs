//! Phrases that may not be said: literal texts, matched without regard to ASCII case.
//!
//! Matches do not overlap: the one that ends first counts, and the search goes on behind it. That
//! can be decided while a text still arrives, so a [`PhraseWindow`] finds in a stream what
//! [`Phrases::find`] finds in the whole text, however the text is cut. It holds back no more than
//! the longest end of the text that could still become a phrase.

use std::fmt;
use std::sync::Arc;

use aho_corasick::AhoCorasick;

/// The most phrases in one list.
pub const PHRASES_MAX: usize = 10_000;

/// The longest phrase, in bytes.
pub const PHRASE_BYTES_MAX: usize = 1024;

/// The most findings told of one text or chunk.
pub const FINDINGS_MAX: usize = 100;

/// A list of phrases, ready for searching. Clones share it.
#[derive(Clone)]
pub struct Phrases {
    parts: Arc<Parts>,
}

struct Parts {
    searcher: AhoCorasick,
    /// The phrases in ASCII lower case, sorted: for asking whether a text is the start of one.
    sorted: Vec<Vec<u8>>,
    longest: usize,
}

/// Where a phrase stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Its first byte, counted from the start of the text or stream.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// Which phrase it is, by its place in the list.
    pub rule: usize,
}

/// Why a list of phrases cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PhrasesError {
    /// A phrase is empty: it would be found everywhere.
    #[error("phrase {0} is empty: take it out")]
    Empty(usize),
    /// A phrase is longer than [`PHRASE_BYTES_MAX`].
    #[error("phrase {0} is longer than {PHRASE_BYTES_MAX} bytes: shorten it")]
    TooLong(usize),
    /// There are more phrases than [`PHRASES_MAX`], or they take too much memory.
    #[error("there are {0} phrases, which are too many: the limit is {PHRASES_MAX}")]
    TooMany(usize),
}

impl Phrases {
    /// Prepares `phrases` for searching.
    ///
    /// # Errors
    /// If a phrase is empty or too long, or there are too many. Phrases are counted from 0.
    pub fn new(phrases: &[String]) -> Result<Self, PhrasesError> {
        if phrases.len() > PHRASES_MAX {
            return Err(PhrasesError::TooMany(phrases.len()));
        }
        for (index, phrase) in phrases.iter().enumerate() {
            if phrase.is_empty() {
                return Err(PhrasesError::Empty(index));
            }
            if phrase.len() > PHRASE_BYTES_MAX {
                return Err(PhrasesError::TooLong(index));
            }
        }
        let searcher = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(phrases)
            .map_err(|_| PhrasesError::TooMany(phrases.len()))?;
        let mut sorted: Vec<_> = phrases
            .iter()
            .map(|phrase| phrase.to_ascii_lowercase().into_bytes())
            .collect();
        sorted.sort_unstable();
        let longest = phrases.iter().map(String::len).max().unwrap_or(0);
        let parts = Parts {
            searcher,
            sorted,
            longest,
        };
        Ok(Self {
            parts: Arc::new(parts),
        })
    }

    /// Where phrases stand in `text`, from its start to its end, [`FINDINGS_MAX`] at most.
    pub fn find(&self, text: &str) -> Vec<Finding> {
        let matches = self.parts.searcher.find_iter(text).take(FINDINGS_MAX);
        matches.map(|found| finding(&found, 0)).collect()
    }

    /// Whether a phrase stands in `text`.
    pub fn is_match(&self, text: &str) -> bool {
        self.parts.searcher.is_match(text)
    }

    /// How many bytes at the end of `text` could be the start of a phrase.
    fn open_end(&self, text: &[u8]) -> usize {
        let longest = text.len().min(self.parts.longest.saturating_sub(1));
        let tail = text[text.len() - longest..].to_ascii_lowercase();
        let starts_phrase = |start: &[u8]| {
            let index = self
                .parts
                .sorted
                .partition_point(|phrase| phrase.as_slice() < start);
            let nearest = self.parts.sorted.get(index);
            nearest.is_some_and(|phrase| phrase.starts_with(start))
        };
        let mut lengths = (1..=longest).rev();
        lengths
            .find(|length| starts_phrase(&tail[longest - length..]))
            .unwrap_or(0)
    }
}

impl fmt::Debug for Phrases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phrases({})", self.parts.sorted.len())
    }
}

fn finding(found: &aho_corasick::Match, offset: usize) -> Finding {
    Finding {
        start: offset + found.start(),
        end: offset + found.end(),
        rule: found.pattern().as_usize(),
    }
}

/// Finds phrases in a text that arrives in chunks.
#[derive(Clone, Debug)]
pub struct PhraseWindow {
    phrases: Phrases,
    /// The end of the text that could still become a phrase.
    held: String,
    /// How many bytes came before what is held.
    safe: usize,
}

/// What is known after a chunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Release {
    /// How many bytes of the stream, from its very start, no later chunk can make part of another
    /// finding. With findings, what lies before the first of them is free of phrases.
    pub safe: usize,
    /// The phrases that this chunk completed, [`FINDINGS_MAX`] at most.
    pub findings: Vec<Finding>,
}

impl PhraseWindow {
    /// At the start of a stream.
    pub fn new(phrases: &Phrases) -> Self {
        Self {
            phrases: phrases.clone(),
            held: String::new(),
            safe: 0,
        }
    }

    /// Takes the next chunk.
    pub fn push(&mut self, chunk: &str) -> Release {
        self.held.push_str(chunk);
        let mut findings = Vec::new();
        let mut searched = 0;
        for found in self.phrases.parts.searcher.find_iter(&self.held) {
            if findings.len() < FINDINGS_MAX {
                findings.push(finding(&found, self.safe));
            }
            searched = found.end();
        }
        let rest = &self.held.as_bytes()[searched..];
        let released = self.held.len() - self.phrases.open_end(rest);
        self.held.drain(..released);
        self.safe += released;
        Release {
            safe: self.safe,
            findings,
        }
    }

    /// Ends the stream: nothing can become a phrase any more.
    pub fn finish(self) -> Release {
        Release {
            safe: self.safe + self.held.len(),
            findings: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn phrases(list: &[&str]) -> Phrases {
        let list: Vec<_> = list.iter().map(|&phrase| phrase.to_owned()).collect();
        Phrases::new(&list).unwrap()
    }

    #[test]
    fn a_phrase_is_found_whatever_its_ascii_case() {
        let found = phrases(&["secret plan", "élan"]).find("the SECRET Plan, élan, Élan");
        let spans: Vec<_> = found
            .iter()
            .map(|one| (one.start, one.end, one.rule))
            .collect();
        assert_eq!(spans, [(4, 15, 0), (17, 22, 1)]);
    }

    #[test]
    fn an_empty_list_finds_nothing_and_holds_nothing() {
        let none = phrases(&[]);
        assert!(none.find("anything").is_empty());
        assert_eq!(PhraseWindow::new(&none).push("anything").safe, 8);
    }

    #[test]
    fn empty_and_endless_phrases_are_refused() {
        let list = ["a".to_owned(), String::new()];
        assert_eq!(Phrases::new(&list).unwrap_err(), PhrasesError::Empty(1));
        let list = ["a".repeat(PHRASE_BYTES_MAX + 1)];
        assert_eq!(Phrases::new(&list).unwrap_err(), PhrasesError::TooLong(0));
    }

    #[test]
    fn only_what_could_become_a_phrase_is_held_back() {
        let mut window = PhraseWindow::new(&phrases(&["secret plan"]));
        assert_eq!(window.push("tell me the Sec").safe, 12);
        assert_eq!(window.push("ret").safe, 12);
        assert_eq!(window.push("ary").safe, 21);
        let last = window.push(" s");
        assert_eq!((last.safe, last.findings.len()), (22, 0));
        assert_eq!(window.finish().safe, 23);
    }

    #[test]
    fn a_phrase_across_chunks_is_found_where_it_stands_in_the_stream() {
        let mut window = PhraseWindow::new(&phrases(&["secret"]));
        assert!(window.push("a sec").findings.is_empty());
        let release = window.push("ret!");
        assert_eq!(
            release.findings,
            [Finding {
                start: 2,
                end: 8,
                rule: 0
            }]
        );
        assert_eq!(release.safe, 9);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn every_way_of_cutting_a_text_gives_the_same_findings(
            list in prop::collection::vec("[abAé]{1,5}", 0..6),
            chunks in prop::collection::vec("[abBé ]{0,6}", 0..12),
        ) {
            let phrases = Phrases::new(&list).unwrap();
            let text = chunks.concat();
            let mut window = PhraseWindow::new(&phrases);
            let mut found = Vec::new();
            let mut safe = 0;
            let mut arrived = 0;
            for chunk in &chunks {
                let release = window.push(chunk);
                arrived += chunk.len();
                prop_assert!(safe <= release.safe && release.safe <= arrived);
                prop_assert!(text.is_char_boundary(release.safe));
                for one in &release.findings {
                    prop_assert!(one.start >= safe, "part of a phrase was released");
                }
                safe = release.safe;
                found.extend(release.findings);
            }
            prop_assert_eq!(found, phrases.find(&text));
            prop_assert_eq!(window.finish().safe, text.len());
        }
    }
}
