//! How many tokens a text is for a model of OpenAI's, as its own tokenizers count (byte-pair encodings over
//! UTF-8, as tiktoken has them).
//!
//! Counting is linear in the text whatever the text is: pieces without a blank a megabyte long are cut by
//! backtracking over an automaton (the crate `bpe`), where the usual merging takes the square of their
//! length, and the expressions that cut a text into pieces never go back. And often it is not needed: a
//! token stands for at least one byte and at most [`TOKEN_BYTES_MAX`], so that a short text fits and a long
//! one does not, whatever they say.

use std::io::Read as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bpe::byte_pair_encoding::BytePairEncoding;
use plimsoll_core::manifest::{TokenLimit, Tokenizer};
use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};

/// The longest token of both vocabularies, in bytes.
pub const TOKEN_BYTES_MAX: usize = 128;

/// What OpenAI adds for each message, and once for the answer that is to follow.
const TOKENS_PER_MESSAGE: usize = 3;
const TOKENS_OF_ANSWER: usize = 3;

/// Spreads the tokens of the vocabularies without two falling together; another one would panic at once.
const HASH_FACTOR: u64 = 17_846_336_922_010_275_747;

/// A vocabulary, and the expressions that cut a text into the pieces whose bytes are merged.
struct Vocabulary {
    encoding: BytePairEncoding,
    pieces: Regex,
}

/// Of the two expressions after the first, `\s+\s` stands for `\s+(?!\S)`: its last character is looked at and not taken.
const BLANKS: [&str; 2] = [r"\s+\s", r"\s+"];
const LOOKS_AHEAD: usize = 1;

static O200K_BASE: LazyLock<Vocabulary> = LazyLock::new(|| {
    const UPPER: &str = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}";
    const LOWER: &str = r"\p{Ll}\p{Lm}\p{Lo}\p{M}";
    const ENDING: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";
    let words = format!(
        r"[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]*[{LOWER}]+{ENDING}|[^\r\n\p{{L}}\p{{N}}]?[{UPPER}]+[{LOWER}]*{ENDING}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+$"
    );
    let data = include_bytes!("../data/vocabularies/o200k_base.tiktoken.gz");
    Vocabulary::read(data, &words)
});

static CL100K_BASE: LazyLock<Vocabulary> = LazyLock::new(|| {
    let words = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+$";
    let data = include_bytes!("../data/vocabularies/cl100k_base.tiktoken.gz");
    Vocabulary::read(data, words)
});

impl Vocabulary {
    fn read(compressed: &[u8], words: &str) -> Self {
        let mut lines = String::new();
        flate2::read::GzDecoder::new(compressed)
            .read_to_string(&mut lines)
            .expect("the vocabulary is part of the program");
        // Each line is a token in base64 and its rank; the lines are in the order of the ranks.
        let token = |line: &str| {
            let token = line.split(' ').next().unwrap_or_default();
            BASE64_STANDARD
                .decode(token)
                .expect("the vocabulary is part of the program")
        };
        let tokens = lines.lines().map(token);
        let pieces = [words, BLANKS[0], BLANKS[1]];
        Self {
            encoding: BytePairEncoding::from_dictionary(tokens, Some(HASH_FACTOR)),
            pieces: Regex::new_many(&pieces).expect("the expressions are part of the program"),
        }
    }

    fn of(tokenizer: Tokenizer) -> &'static Self {
        match tokenizer {
            Tokenizer::O200kBase => &O200K_BASE,
            Tokenizer::Cl100kBase => &CL100K_BASE,
        }
    }

    /// The tokens of `text`; none if they are more than `most`.
    fn count(&self, text: &str, most: usize) -> Option<usize> {
        let (mut at, mut count) = (0, 0);
        while at < text.len() {
            let rest = &text[at..];
            let found = self.pieces.find(Input::new(rest).anchored(Anchored::Yes));
            // Every character is of one of the classes; were one not, it would be counted on its own.
            let mut end = found.as_ref().map_or_else(
                || rest.chars().next().map_or(rest.len(), char::len_utf8),
                |found| found.end(),
            );
            if found.is_some_and(|found| found.pattern().as_usize() == LOOKS_AHEAD) {
                end -= rest[..end].chars().next_back().map_or(0, char::len_utf8);
            }
            let piece = &rest.as_bytes()[..end];
            count += self.encoding.count_till_limit(piece, most - count)?;
            at += end;
        }
        Some(count)
    }
}

/// How many tokens a text is for models that read with `tokenizer`.
pub fn count(tokenizer: Tokenizer, text: &str) -> usize {
    let counted = Vocabulary::of(tokenizer).count(text, usize::MAX);
    counted.unwrap_or(usize::MAX)
}

/// The most tokens that an input may be.
#[derive(Clone, Copy)]
pub struct TokenBudget {
    max: u32,
    vocabulary: &'static Vocabulary,
}

impl TokenBudget {
    /// Makes ready to count, which takes about a second and, for `o200k_base`, some 60 MiB, once for the
    /// whole process.
    pub fn new(limit: TokenLimit) -> Self {
        Self {
            max: limit.max,
            vocabulary: Vocabulary::of(limit.tokenizer),
        }
    }

    /// The most tokens.
    pub const fn max(&self) -> u32 {
        self.max
    }

    /// Whether a request of `bytes` bytes of JSON fits whatever it says: what stands around the text of a
    /// message is more bytes than the message counts for.
    pub const fn surely_holds(&self, bytes: usize) -> bool {
        bytes <= self.max as usize
    }

    /// Whether the texts of `messages` messages fit together. Stops at the first token too many.
    pub fn holds<'t>(&self, texts: impl Iterator<Item = &'t str> + Clone, messages: usize) -> bool {
        let Some(mut left) = (self.max as usize).checked_sub(overhead(messages)) else {
            return false;
        };
        let least: usize = texts
            .clone()
            .map(|text| text.len().div_ceil(TOKEN_BYTES_MAX))
            .sum();
        if least > left {
            return false;
        }
        for text in texts {
            match self.vocabulary.count(text, left) {
                Some(count) => left -= count,
                None => return false,
            }
        }
        true
    }
}

const fn overhead(messages: usize) -> usize {
    match messages {
        0 => 0,
        messages => messages
            .saturating_mul(TOKENS_PER_MESSAGE)
            .saturating_add(TOKENS_OF_ANSWER),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn budget(max: u32) -> TokenBudget {
        TokenBudget::new(TokenLimit {
            max,
            tokenizer: Tokenizer::Cl100kBase,
        })
    }

    #[test]
    fn texts_are_as_many_tokens_as_tiktoken_says() {
        let cases: Vec<(String, usize, usize)> =
            serde_json::from_str(include_str!("../data/vocabularies/counts.json")).unwrap();
        assert!(cases.len() > 30);
        for (text, o200k, cl100k) in cases {
            assert_eq!(count(Tokenizer::O200kBase, &text), o200k, "{text:?}");
            assert_eq!(count(Tokenizer::Cl100kBase, &text), cl100k, "{text:?}");
        }
    }

    #[test]
    fn an_input_with_one_token_too_many_does_not_fit() {
        let text = "How many tokens are these, of whoever asks?";
        let tokens = u32::try_from(count(Tokenizer::Cl100kBase, text)).unwrap();
        assert!(budget(tokens).holds([text].into_iter(), 0));
        assert!(!budget(tokens - 1).holds([text].into_iter(), 0));
        assert!(budget(2 * tokens + 9).holds([text, text].into_iter(), 2));
        assert!(!budget(2 * tokens + 8).holds([text, text].into_iter(), 2));
        assert!(!budget(5).holds(std::iter::empty(), 1));
    }

    #[test]
    fn what_is_short_or_long_enough_is_not_counted() {
        assert!(budget(100).surely_holds(100));
        assert!(!budget(100).surely_holds(101));
        assert!(!budget(100).holds(
            ["a".repeat(100 * TOKEN_BYTES_MAX + 1).as_str()].into_iter(),
            0
        ));
    }

    #[test]
    fn blanks_and_letters_without_end_are_counted() {
        assert_eq!(count(Tokenizer::Cl100kBase, &"a".repeat(1 << 20)), 131_072);
        let blanks = format!("{}x", " ".repeat(1 << 20));
        assert!(count(Tokenizer::Cl100kBase, &blanks) > 8_192);
    }

    proptest! {
        #[test]
        fn a_text_has_no_more_tokens_than_bytes_and_no_fewer_than_its_bound(text in any::<String>()) {
            let counted = count(Tokenizer::Cl100kBase, &text);
            prop_assert!(counted <= text.len());
            prop_assert!(counted >= text.len().div_ceil(TOKEN_BYTES_MAX));
        }

        #[test]
        fn a_text_fits_exactly_from_its_own_count_on(text in ".{0,200}", max in 0_u32..300) {
            let fits = budget(max).holds([text.as_str()].into_iter(), 0);
            prop_assert_eq!(fits, count(Tokenizer::Cl100kBase, &text) <= max as usize);
        }
    }
}
