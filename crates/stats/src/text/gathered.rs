//! What is counted of many texts.

use std::collections::BTreeMap;

use super::{Language, Measured, Part, Script, measured};
use crate::drift::Sample;

/// Texts that are counted and not kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gathered {
    characters: BTreeMap<u64, u64>,
    words: BTreeMap<u64, u64>,
    scripts: BTreeMap<Script, u64>,
    languages: BTreeMap<Language, u64>,
    declines: u64,
    texts: u64,
}

impl Gathered {
    /// Counts a text so many times.
    pub fn add(&mut self, text: &str, times: u64) {
        let Measured {
            characters,
            words,
            script,
            language,
            declines,
        } = measured(text);
        *self.characters.entry(characters).or_default() += times;
        *self.words.entry(words).or_default() += times;
        *self.scripts.entry(script).or_default() += times;
        *self.languages.entry(language).or_default() += times;
        self.declines += if declines { times } else { 0 };
        self.texts += times;
    }

    /// How many words a text has on average.
    pub fn mean_words(&self) -> f64 {
        let words: u64 = self.words.iter().map(|(words, texts)| words * texts).sum();
        words as f64 / self.texts.max(1) as f64
    }

    /// How many texts have each length; none of what is no number.
    pub fn numbers(&self, part: Part) -> Option<Sample> {
        let counts = match part {
            Part::Characters => &self.characters,
            Part::Words => &self.words,
            Part::Script | Part::Language | Part::Declines => return None,
        };
        let times = |(value, texts): (&u64, &u64)| {
            std::iter::repeat_n(*value as f64, usize::try_from(*texts).unwrap_or(usize::MAX))
        };
        Some(Sample::new(counts.iter().flat_map(times).collect()))
    }

    /// How many texts are of each kind; none of what is a number.
    pub fn categories(&self, part: Part) -> Option<BTreeMap<String, u64>> {
        let named = |name: &str, texts: &u64| (name.to_owned(), *texts);
        Some(match part {
            Part::Characters | Part::Words => return None,
            Part::Script => {
                let scripts = self.scripts.iter();
                scripts
                    .map(|(script, n)| named(script.as_str(), n))
                    .collect()
            }
            Part::Language => {
                let languages = self.languages.iter();
                languages
                    .map(|(language, n)| named(language.as_str(), n))
                    .collect()
            }
            Part::Declines => {
                let counts = [("no", self.texts - self.declines), ("yes", self.declines)];
                let seen = counts.iter().filter(|(_, texts)| *texts > 0);
                seen.map(|(name, texts)| named(name, texts)).collect()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_counted_as_often_as_they_come() {
        let mut gathered = Gathered::default();
        gathered.add("what is the status of my order", 3);
        gathered.add("wo ist es", 1);
        let words = gathered.numbers(Part::Words).unwrap();
        assert_eq!(words.sorted(), [3.0, 7.0, 7.0, 7.0]);
        assert_eq!(gathered.categories(Part::Language).unwrap()["english"], 3);
        assert_eq!(gathered.categories(Part::Declines).unwrap()["no"], 4);
        assert_eq!(gathered.mean_words(), 6.0);
        assert!(
            gathered.numbers(Part::Script).is_none() && gathered.categories(Part::Words).is_none()
        );
    }
}
