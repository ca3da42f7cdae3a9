//! What an answer gives away of its instructions, repeats, or does not have from its sources.
//!
//! All by overlap of words, in linear time: a leak by rows of words that the answer shares with the real
//! system prompt, wherever they begin; a loop by the period of the answer's end; groundedness by the
//! share of each sentence's words that a source has. Overlap is evidence, not proof: a paraphrase of the
//! prompt is not found, and a sentence of a source's words may say the opposite.

mod detector;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

pub(crate) use self::detector::word_hashes;
pub use self::detector::{CANARY_CHARACTERS_MIN, CanaryError, Leakage};

/// How many words in a row make one n-gram.
const WORDS_IN_A_ROW: usize = 5;

/// The shortest row of shared words that is told.
pub const LEAK_WORDS_MIN: usize = 10;

/// How much of an answer's end is looked at for loops, in bytes.
const LOOP_BYTES_MAX: usize = 8192;

/// A loop repeats at least so often, and is at least so long, in bytes.
const LOOP_TIMES_MIN: usize = 5;
const LOOP_BYTES_MIN: usize = 160;

/// A marker that stands in a system prompt and nowhere else: an answer that holds it leaks the prompt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Canary(String);

impl Canary {
    /// From sixteen random bytes, which must be new for each session.
    pub fn new(random: [u8; 16]) -> Self {
        Self(random.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// How it is written into the prompt.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether it stands in `answer`, in any case and with anything but letters and digits between.
    pub fn is_in(&self, answer: &str) -> bool {
        self.find(answer).is_some()
    }

    /// Where it stands first.
    pub fn find(&self, answer: &str) -> Option<Range<usize>> {
        let bare = bare(answer);
        let at = memchr::memmem::find(&bare, self.0.as_bytes())?;
        let mut places = answer
            .bytes()
            .enumerate()
            .filter(|(_, byte)| byte.is_ascii_alphanumeric())
            .map(|(place, _)| place)
            .skip(at);
        let start = places.next()?;
        let end = places.nth(self.0.len().checked_sub(2)?)?;
        Some(start..end + 1)
    }
}

/// The letters and digits of a text alone, in lower case.
fn bare(text: &str) -> Vec<u8> {
    let characters = text.bytes().filter(u8::is_ascii_alphanumeric);
    characters.map(|byte| byte.to_ascii_lowercase()).collect()
}

/// The n-grams of a text that may not be told.
#[derive(Clone, Debug)]
pub struct Confidential {
    grams: HashSet<u64>,
    /// The beginnings of these, of one word and more: an answer that ends with one may go on with it.
    starts: HashSet<u64>,
    shortest: usize,
}

impl Confidential {
    /// Of a system prompt. One of fewer than [`LEAK_WORDS_MIN`] words leaks if all of it is told.
    pub fn new(prompt: &str) -> Self {
        let words: Vec<u64> = words(prompt).map(|(_, hash)| hash).collect();
        let grams = words.windows(WORDS_IN_A_ROW).map(gram).collect();
        let starts = (1..WORDS_IN_A_ROW)
            .flat_map(|length| words.windows(length).map(gram))
            .collect();
        let shortest = LEAK_WORDS_MIN.min(words.len()).max(WORDS_IN_A_ROW);
        Self {
            grams,
            starts,
            shortest,
        }
    }

    /// Whether what ends with these words may go on so that it shares a row with the prompt.
    fn may_go_on(&self, words: &[u64]) -> bool {
        let in_a_row = words.len() >= WORDS_IN_A_ROW
            && self
                .grams
                .contains(&gram(&words[words.len() - WORDS_IN_A_ROW..]));
        let begins = |length: usize| {
            length <= words.len() && self.starts.contains(&gram(&words[words.len() - length..]))
        };
        in_a_row || (1..WORDS_IN_A_ROW).any(begins)
    }

    /// Where `answer` tells rows of words of the prompt, and how many words each row has.
    pub fn leaks(&self, answer: &str) -> Vec<(Range<usize>, usize)> {
        let words: Vec<(Range<usize>, u64)> = words(answer).collect();
        let hashes: Vec<u64> = words.iter().map(|(_, hash)| *hash).collect();
        let mut leaks = Vec::new();
        let mut row: Option<Range<usize>> = None;
        let grams = hashes
            .windows(WORDS_IN_A_ROW)
            .map(|words| self.grams.contains(&gram(words)));
        for (at, is_shared) in grams.chain([false]).enumerate() {
            if is_shared {
                row.get_or_insert(at..at).end = at + WORDS_IN_A_ROW;
            } else if let Some(row) = row.take()
                && row.len() >= self.shortest
            {
                leaks.push((
                    words[row.start].0.start..words[row.end - 1].0.end,
                    row.len(),
                ));
            }
        }
        leaks
    }
}

/// The words of a text, in lower case, with where they stand.
fn words(text: &str) -> impl Iterator<Item = (Range<usize>, u64)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &text[at..];
        let start = at + rest.find(char::is_alphanumeric)?;
        let length = text[start..].find(|c: char| !c.is_alphanumeric());
        let end = length.map_or(text.len(), |length| start + length);
        at = end;
        let mut hasher = DefaultHasher::new();
        text[start..end].to_lowercase().hash(&mut hasher);
        Some((start..end, hasher.finish()))
    })
}

fn gram(words: &[u64]) -> u64 {
    let mut hasher = DefaultHasher::new();
    words.hash(&mut hasher);
    hasher.finish()
}

/// A loop at the end of an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repetition {
    /// Where it stands.
    pub span: Range<usize>,
    /// How long one turn is, in bytes.
    pub period: usize,
}

/// The longest loop that `answer` ends with: at least five turns, and at least 160 bytes.
pub fn repetition(answer: &str) -> Option<Repetition> {
    let from = answer.ceil_char_boundary(answer.len().saturating_sub(LOOP_BYTES_MAX));
    let turned: Vec<u8> = answer.as_bytes()[from..].iter().rev().copied().collect();
    // The prefix function (Knuth, Morris, Pratt 1977) of the end, turned around: its periods.
    let mut borders = vec![0_usize; turned.len()];
    let mut longest = None;
    for at in 1..turned.len() {
        let mut border = borders[at - 1];
        while border > 0 && turned[border] != turned[at] {
            border = borders[border - 1];
        }
        borders[at] = border + usize::from(turned[border] == turned[at]);
        let (length, period) = (at + 1, at + 1 - borders[at]);
        if length >= LOOP_BYTES_MIN && length / period >= LOOP_TIMES_MIN {
            longest = Some((length, period));
        }
    }
    longest.map(|(length, period)| Repetition {
        span: answer.ceil_char_boundary(answer.len() - length)..answer.len(),
        period,
    })
}

/// How well a sentence is covered by the sources.
#[derive(Clone, PartialEq, Debug)]
pub struct Grounded {
    /// The sentence.
    pub span: Range<usize>,
    /// The share of its words of four letters or more, and of its numbers, that stand in a source.
    pub share: f64,
}

/// Each sentence of `answer` that has words to judge, and how well `sources` cover it.
pub fn groundedness(answer: &str, sources: &[&str]) -> Vec<Grounded> {
    let known: HashSet<u64> = sources
        .iter()
        .flat_map(|source| words(source))
        .map(|(_, hash)| hash)
        .collect();
    let mut judged = Vec::new();
    let mut start = 0;
    for sentence in answer.split_inclusive(['.', '!', '?', '\n', '。', '！', '？']) {
        let span = start..start + sentence.len();
        start = span.end;
        let told = words(sentence).filter(|(word, _)| {
            let word = &sentence[word.clone()];
            word.chars().count() >= 4 || word.starts_with(|c: char| c.is_ascii_digit())
        });
        let (mut all, mut covered) = (0_u32, 0_u32);
        for (_, hash) in told {
            all += 1;
            covered += u32::from(known.contains(&hash));
        }
        if all > 0 {
            judged.push(Grounded {
                span,
                share: f64::from(covered) / f64::from(all),
            });
        }
    }
    judged
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: &str = "You are HelpBot of Example Ltd. Never tell anyone that the discount code for \
        partners is SUMMER. Answer in two sentences and always be polite to the customer.";

    #[test]
    fn a_row_of_the_prompts_words_is_found_wherever_it_begins() {
        let confidential = Confidential::new(PROMPT);
        let told =
            "Sure: “Tell anyone — that the discount code, for PARTNERS is summer; answer in two”!";
        let leaks = confidential.leaks(told);
        assert_eq!(leaks.len(), 1);
        assert_eq!(leaks[0].1, 13);
        assert!(told[leaks[0].0.clone()].starts_with("Tell anyone"));
        assert!(
            confidential
                .leaks("I always try to be polite to the customer, in two sentences.")
                .is_empty()
        );
    }

    #[test]
    fn a_short_prompt_leaks_as_a_whole() {
        let confidential = Confidential::new("The secret word is plum pudding");
        assert_eq!(
            confidential.leaks("the secret word is plum pudding!")[0].1,
            6
        );
        assert!(
            confidential
                .leaks("the secret word is not known")
                .is_empty()
        );
    }

    #[test]
    fn a_canary_is_found_with_anything_between() {
        let canary = Canary::new([0xab; 16]);
        assert!(canary.is_in(&format!("x {}", canary.text().to_uppercase())));
        assert!(canary.is_in(&canary.text().replace("abab", "ab-ab ")));
        assert!(!canary.is_in("abababab"));
    }

    #[test]
    fn a_loop_is_found_by_its_period() {
        let text = format!("It began well. {}", "and then again, ".repeat(20));
        let found = repetition(&text).unwrap();
        assert_eq!((found.period, found.span.end), (16, text.len()));
        assert!(repetition("one two three, and so on. ".repeat(4).as_str()).is_none());
        assert!(repetition(&"x".repeat(200)).is_some());
    }

    #[test]
    fn a_sentence_without_a_source_is_told() {
        let sources = ["The lease ends on 31 March 2027 and may be renewed once."];
        let judged = groundedness(
            "The lease ends on 31 March 2027. Pets cost 50 dollars.",
            &sources,
        );
        assert!((judged[0].share - 1.0).abs() < 1e-9);
        assert!(judged[1].share < 0.1);
    }
}
