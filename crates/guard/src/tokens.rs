//! How many tokens a text may be, without asking a tokenizer.
//!
//! The tokenizers of current models (byte-pair encodings over UTF-8, as tiktoken has them) split a text
//! before they merge; no token of theirs stands for less than a byte or more than 128. So a text has at
//! most as many tokens as bytes, and at least one for each 128 of them. What
//! passes by the upper bound needs no counting, what fails by the lower bound needs none either.

/// The longest token of the common vocabularies, in bytes.
const TOKEN_BYTES_MAX: usize = 128;

/// Between which numbers of tokens a text lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TokenBound {
    /// At least.
    pub least: usize,
    /// About: four bytes of Latin text, one and a half of others.
    pub about: usize,
    /// At most.
    pub most: usize,
}

/// Whether a text fits a budget of tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fits {
    /// Whatever the tokenizer.
    Surely,
    /// By the estimate; a tokenizer would know.
    Probably,
    /// Not by the estimate.
    ProbablyNot,
    /// Whatever the tokenizer.
    SurelyNot,
}

impl TokenBound {
    /// The bound of a text, in one pass over its bytes.
    pub fn of(text: &str) -> Self {
        let latin = text.bytes().filter(u8::is_ascii).count();
        let other = text.len() - latin;
        Self {
            least: text.len().div_ceil(TOKEN_BYTES_MAX),
            about: latin.div_ceil(4) + (other * 2).div_ceil(3),
            most: text.len(),
        }
    }

    /// Whether a text within this bound fits `budget` tokens.
    pub const fn fits(self, budget: usize) -> Fits {
        if self.most <= budget {
            Fits::Surely
        } else if self.least > budget {
            Fits::SurelyNot
        } else if self.about <= budget {
            Fits::Probably
        } else {
            Fits::ProbablyNot
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_surely_fits_and_surely_does_not_is_known_without_counting() {
        let bound = TokenBound::of("How many tokens are these?");
        assert_eq!(bound.fits(26), Fits::Surely);
        assert_eq!(bound.fits(8), Fits::Probably);
        assert_eq!(bound.fits(5), Fits::ProbablyNot);
        assert_eq!(TokenBound::of(&"a".repeat(1000)).fits(7), Fits::SurelyNot);
    }
}
