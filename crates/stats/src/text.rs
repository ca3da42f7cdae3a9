//! What is counted of a text that is not kept: how long it is, in which script and language.
//!
//! One reading of the text, without allocating: its length, up to 64 KiB, and script and language from its beginning. The
//! language is guessed from short function words ("the", "und", "que"), which is right for most texts of a few
//! sentences in the languages below, and says so where it does not know; whether an answer declines is guessed from how
//! it opens ("I'm sorry, but"). A guess that is wrong in the same way in both windows moves nothing.

mod gathered;

pub use gathered::Gathered;

use crate::stream::Value;

/// No more of a text is read, in bytes: a longer one counts as one of this length.
const READ_BYTES_MAX: usize = 64 * 1024;
/// So much of a text says in which script and language it is, in bytes.
const HEAD_BYTES: usize = 2_048;
/// A text that declines says so at once, in bytes.
const OPENING_BYTES: usize = 160;
/// The longest function word, in bytes.
const WORD_BYTES_MAX: usize = 5;
/// So many function words of a language make a guess.
const HITS_MIN: u32 = 2;

/// What is counted of one text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Measured {
    /// Characters, as Unicode scalar values.
    pub characters: u64,
    /// Runs of what is no white space; each ideograph and kana counts as one.
    pub words: u64,
    /// The script of most of its letters.
    pub script: Script,
    /// The language, as far as it is known.
    pub language: Language,
    /// Whether it opens like an answer that declines to answer.
    pub declines: bool,
}

/// What is held against a reference of a text, each as a column of its own: `question (words)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// [`Measured::characters`].
    Characters,
    /// [`Measured::words`].
    Words,
    /// [`Measured::script`].
    Script,
    /// [`Measured::language`].
    Language,
    /// [`Measured::declines`].
    Declines,
}

impl Part {
    /// All of them, in the order of their columns.
    pub const ALL: [Self; 5] = [
        Self::Characters,
        Self::Words,
        Self::Script,
        Self::Language,
        Self::Declines,
    ];

    /// The name as it stands in the name of a column.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Characters => "characters",
            Self::Words => "words",
            Self::Script => "script",
            Self::Language => "language",
            Self::Declines => "declines",
        }
    }

    /// The name of the column that holds this of the texts of `column`.
    pub fn column(self, column: &str) -> String {
        format!("{column} ({})", self.as_str())
    }

    /// The column of texts, and what of them, that a column of this name holds.
    pub fn of_column(name: &str) -> Option<(&str, Self)> {
        let (column, part) = name.strip_suffix(')')?.rsplit_once(" (")?;
        let part = Self::ALL.into_iter().find(|known| known.as_str() == part)?;
        Some((column, part))
    }
}

impl Measured {
    /// This of it, as a window counts it.
    #[must_use]
    pub fn value(&self, part: Part) -> Value<'static> {
        match part {
            Part::Characters => Value::Number(self.characters as f64),
            Part::Words => Value::Number(self.words as f64),
            Part::Script => Value::Category(self.script.as_str()),
            Part::Language => Value::Category(self.language.as_str()),
            Part::Declines => Value::Category(if self.declines { "yes" } else { "no" }),
        }
    }
}

/// The script of most letters of a text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Script {
    /// No letters: digits, signs, emoji, nothing.
    #[default]
    None,
    /// Latin.
    Latin,
    /// Cyrillic.
    Cyrillic,
    /// Greek.
    Greek,
    /// Arabic.
    Arabic,
    /// Hebrew.
    Hebrew,
    /// Devanagari and the other scripts of India.
    Indic,
    /// Chinese characters, also in Japanese texts with few kana.
    Han,
    /// Hiragana and katakana.
    Kana,
    /// Hangul.
    Hangul,
    /// Thai, Lao, Khmer and Burmese.
    SoutheastAsian,
    /// Any other.
    Other,
}

/// The language of a text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Language {
    /// Not known: too short, or none of those below.
    #[default]
    Unknown,
    /// English.
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
    /// Portuguese.
    Portuguese,
    /// Italian.
    Italian,
    /// Dutch.
    Dutch,
    /// Polish.
    Polish,
    /// Turkish.
    Turkish,
}

impl Script {
    /// All of them, in the order of their places.
    pub const ALL: [Self; 12] = [
        Self::None,
        Self::Latin,
        Self::Cyrillic,
        Self::Greek,
        Self::Arabic,
        Self::Hebrew,
        Self::Indic,
        Self::Han,
        Self::Kana,
        Self::Hangul,
        Self::SoutheastAsian,
        Self::Other,
    ];

    /// The name as it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Latin => "latin",
            Self::Cyrillic => "cyrillic",
            Self::Greek => "greek",
            Self::Arabic => "arabic",
            Self::Hebrew => "hebrew",
            Self::Indic => "indic",
            Self::Han => "han",
            Self::Kana => "kana",
            Self::Hangul => "hangul",
            Self::SoutheastAsian => "southeast asian",
            Self::Other => "other",
        }
    }

    /// The script of a letter; none of what is no letter.
    fn of(character: char) -> Option<Self> {
        Some(match u32::from(character) {
            0x41..=0x5a | 0x61..=0x7a | 0xc0..=0x24f | 0x1e00..=0x1eff => Self::Latin,
            0x370..=0x3ff | 0x1f00..=0x1fff => Self::Greek,
            0x400..=0x52f | 0x1c80..=0x1c8f | 0x2de0..=0x2dff => Self::Cyrillic,
            0x590..=0x5ff => Self::Hebrew,
            0x600..=0x6ff | 0x750..=0x77f | 0x8a0..=0x8ff | 0xfb50..=0xfdff | 0xfe70..=0xfeff => {
                Self::Arabic
            }
            0x900..=0xdff => Self::Indic,
            0xe00..=0xeff | 0x1000..=0x109f | 0x1780..=0x17ff => Self::SoutheastAsian,
            0x1100..=0x11ff | 0x3130..=0x318f | 0xac00..=0xd7af => Self::Hangul,
            0x3040..=0x30ff | 0x31f0..=0x31ff | 0xff66..=0xff9f => Self::Kana,
            0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x2_0000..=0x3_ffff => Self::Han,
            _ if character.is_alphabetic() => Self::Other,
            _ => return None,
        })
    }
}

impl Language {
    /// All of them, in the order of their places.
    pub const ALL: [Self; 10] = [
        Self::Unknown,
        Self::English,
        Self::German,
        Self::French,
        Self::Spanish,
        Self::Portuguese,
        Self::Italian,
        Self::Dutch,
        Self::Polish,
        Self::Turkish,
    ];

    /// The name as it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::English => "english",
            Self::German => "german",
            Self::French => "french",
            Self::Spanish => "spanish",
            Self::Portuguese => "portuguese",
            Self::Italian => "italian",
            Self::Dutch => "dutch",
            Self::Polish => "polish",
            Self::Turkish => "turkish",
        }
    }

    /// The language that alone has this function word, or nearly so; `word` is in small letters.
    fn of(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"the" | b"of" | b"and" | b"with" | b"this" | b"that" | b"you" | b"my" | b"what"
            | b"how" | b"are" | b"can" | b"it" | b"have" | b"from" | b"not" => Self::English,
            b"und" | b"der" | b"das" | b"ist" | b"nicht" | b"ich" | b"ein" | b"eine" | b"mit"
            | b"auf" | b"wie" | b"sie" | b"bitte" | b"zu" => Self::German,
            b"les" | b"et" | b"est" | b"pas" | b"je" | b"vous" | b"dans" | b"pour" | b"une"
            | b"avec" | b"mon" | b"sur" | b"des" | b"du" => Self::French,
            b"el" | b"los" | b"las" | b"es" | b"y" | b"por" | b"una" | b"con" | b"mi" | b"pero"
            | b"del" | b"como" => Self::Spanish,
            b"os" | b"uma" | b"um" | b"com" | b"meu" | b"minha" | b"ao" | b"mas" | b"em"
            | b"isso" | b"dos" => Self::Portuguese,
            b"il" | b"che" | b"di" | b"sono" | b"gli" | b"della" | b"mio" | b"ho" | b"nel"
            | b"anche" => Self::Italian,
            b"het" | b"een" | b"niet" | b"ik" | b"van" | b"voor" | b"zijn" | b"mijn" | b"aan"
            | b"dat" | b"wat" => Self::Dutch,
            b"nie" | b"jest" | b"na" | b"czy" | b"jak" | b"moje" | b"prosz" | b"ale" | b"si" => {
                Self::Polish
            }
            b"bir" | b"ve" | b"bu" | b"ne" | b"benim" | b"ama" | b"bana" | b"olan" => Self::Turkish,
            _ => return None,
        })
    }
}

/// Counts a text.
#[must_use]
pub fn measured(text: &str) -> Measured {
    let text = &text[..text.floor_char_boundary(READ_BYTES_MAX)];
    let head = &text[..text.floor_char_boundary(HEAD_BYTES)];
    let script = script(head);
    let (characters, words) = lengths(text);
    let language = match script {
        Script::Latin => language(head.as_bytes()),
        _ => Language::Unknown,
    };
    Measured {
        characters,
        words,
        script,
        language,
        declines: declines(head),
    }
}

/// How answers open that decline, in small letters.
const DECLINES: [&str; 14] = [
    "i'm sorry, but i can",
    "i'm sorry, i can",
    "i am sorry, but i can",
    "sorry, but i can",
    "sorry, i can",
    "i can't help",
    "i can't assist",
    "i cannot help",
    "i cannot assist",
    "i'm unable to",
    "i am unable to",
    "es tut mir leid, aber",
    "je suis désolé, mais",
    "lo siento, pero",
];

fn declines(head: &str) -> bool {
    let opening = head.trim_start();
    let opening = &opening[..opening.floor_char_boundary(OPENING_BYTES)];
    // Curly apostrophes are what most models write.
    let begins = |phrase: &str| {
        let mut said = opening
            .chars()
            .map(|c| if c == '\u{2019}' { '\'' } else { c });
        phrase.chars().all(|wanted| {
            said.next()
                .is_some_and(|c| c.to_ascii_lowercase() == wanted)
        })
    };
    DECLINES.iter().any(|phrase| begins(phrase))
}

fn lengths(text: &str) -> (u64, u64) {
    if text.is_ascii() {
        let mut words = 0;
        let mut was_space = true;
        for byte in text.bytes() {
            let is_space = byte.is_ascii_whitespace();
            words += u64::from(was_space && !is_space);
            was_space = is_space;
        }
        return (text.len() as u64, words);
    }
    let (mut characters, mut words) = (0, 0);
    let mut was_space = true;
    for character in text.chars() {
        characters += 1;
        let stands_alone = matches!(Script::of(character), Some(Script::Han | Script::Kana));
        let is_space = character.is_whitespace();
        words += u64::from(stands_alone || (was_space && !is_space));
        was_space = is_space || stands_alone;
    }
    (characters, words)
}

fn script(head: &str) -> Script {
    if head.is_ascii() {
        let has_letters = head.bytes().any(|byte| byte.is_ascii_alphabetic());
        return if has_letters {
            Script::Latin
        } else {
            Script::None
        };
    }
    let mut counts = [0_u32; Script::ALL.len()];
    for script in head.chars().filter_map(Script::of) {
        counts[script as usize] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    let found = Script::ALL
        .into_iter()
        .find(|script| counts[*script as usize] == most);
    found.filter(|_| most > 0).unwrap_or(Script::None)
}

fn language(head: &[u8]) -> Language {
    let mut hits = [0_u32; Language::ALL.len()];
    let words = head.split(|byte| !byte.is_ascii_alphabetic());
    let mut small = [0_u8; WORD_BYTES_MAX];
    for word in words.filter(|word| (1..=WORD_BYTES_MAX).contains(&word.len())) {
        let small = &mut small[..word.len()];
        small.copy_from_slice(word);
        small.make_ascii_lowercase();
        if let Some(language) = Language::of(small) {
            hits[language as usize] += 1;
        }
    }
    let most = hits.iter().copied().max().unwrap_or(0);
    let mut best = Language::ALL
        .into_iter()
        .filter(|one| hits[*one as usize] == most);
    match (best.next(), best.next()) {
        (Some(only), None) if most >= HITS_MIN => only,
        _ => Language::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_are_those_of_the_lists() {
        for (place, script) in Script::ALL.into_iter().enumerate() {
            assert_eq!(script as usize, place);
        }
        for (place, language) in Language::ALL.into_iter().enumerate() {
            assert_eq!(language as usize, place);
        }
    }

    #[test]
    fn languages_and_scripts_are_told_apart() {
        for (text, script, language) in [
            (
                "What is the status of my order, and how can I return it?",
                Script::Latin,
                Language::English,
            ),
            (
                "Wie kann ich das Paket zurückgeben? Es ist nicht das, was ich wollte.",
                Script::Latin,
                Language::German,
            ),
            (
                "Je voudrais savoir où est mon colis, avec le suivi des étapes.",
                Script::Latin,
                Language::French,
            ),
            (
                "¿Dónde está mi pedido? Lo compré con una tarjeta, pero no llega.",
                Script::Latin,
                Language::Spanish,
            ),
            (
                "Onde está o meu pedido? Comprei com um cartão, mas não chega em casa.",
                Script::Latin,
                Language::Portuguese,
            ),
            (
                "Vorrei sapere che fine ha fatto il mio pacco, ho pagato anche di più.",
                Script::Latin,
                Language::Italian,
            ),
            (
                "Ik wil het pakket niet, mijn bestelling is van een ander.",
                Script::Latin,
                Language::Dutch,
            ),
            (
                "Где мой заказ? Хочу вернуть деньги.",
                Script::Cyrillic,
                Language::Unknown,
            ),
            ("我的订单在哪里", Script::Han, Language::Unknown),
            ("ご注文はどこですか", Script::Kana, Language::Unknown),
            ("أين طلبي", Script::Arabic, Language::Unknown),
            ("12345 !!", Script::None, Language::Unknown),
            ("", Script::None, Language::Unknown),
            ("xyzzy plugh", Script::Latin, Language::Unknown),
        ] {
            let told = measured(text);
            assert_eq!((told.script, told.language), (script, language), "{text}");
        }
    }

    #[test]
    fn an_answer_that_declines_is_known_by_how_it_opens() {
        assert!(measured("I\u{2019}m sorry, but I can\u{2019}t help with that.").declines);
        assert!(measured("  Es tut mir leid, aber das geht nicht.").declines);
        assert!(!measured("Your order is late; we are sorry, but I can tell you more.").declines);
        assert!(!measured("I").declines);
    }

    #[test]
    fn columns_of_texts_are_found_by_their_names() {
        for part in Part::ALL {
            assert_eq!(
                Part::of_column(&part.column("a (b)")),
                Some(("a (b)", part))
            );
        }
        for other in ["question", "question (mood)", "(words", " (words)x"] {
            assert_eq!(Part::of_column(other), None);
        }
    }

    #[test]
    fn words_are_runs_between_spaces_and_ideographs_one_by_one() {
        assert_eq!(measured("  two  words\n").words, 2);
        assert_eq!(measured("zwei Wörter").words, 2);
        assert_eq!(measured("我的 order").words, 3);
        assert_eq!(measured("我的").characters, 2);
    }

    #[test]
    fn no_more_than_64_kibibytes_of_a_text_are_read() {
        let most = READ_BYTES_MAX as u64;
        assert_eq!(measured(&"a".repeat(READ_BYTES_MAX)).characters, most);
        assert_eq!(measured(&"a".repeat(READ_BYTES_MAX + 7)).characters, most);
        assert_eq!(measured(&"我".repeat(READ_BYTES_MAX)).characters, most / 3);
    }

    proptest! {
        #[test]
        fn any_text_is_measured_and_a_longer_one_is_no_shorter(text in "\\PC{0,4000}", more in "\\PC{0,40}") {
            let (one, both) = (measured(&text), measured(&format!("{text}{more}")));
            prop_assert_eq!(one.characters, text.chars().count() as u64);
            prop_assert!(one.words <= one.characters.max(1));
            prop_assert!(both.words >= one.words && both.characters >= one.characters);
        }
    }
}
