//! Which texts the classifier can judge: those in scripts of which its training had enough.

use std::sync::LazyLock;

/// Whether most of the letters stand in scripts that the training data has.
///
/// Persian is told from Arabic, of which there was some, by the letters that only it has.
pub fn can_judge(text: &str) -> bool {
    if text.is_ascii() {
        return text.bytes().any(|byte| byte.is_ascii_alphanumeric());
    }
    let letters = &*LETTERS;
    let (mut known, mut unknown) = (0u32, 0u32);
    for char in text.chars() {
        let letter = letters.get(u32::from(char) as usize);
        match letter.copied().unwrap_or_else(|| Letter::of(char)) {
            Letter::None => {}
            Letter::Known => known += 1,
            Letter::Unknown => unknown += 1,
            Letter::Persian => return false,
        }
    }
    known > unknown
}

/// What a character says of a text's script.
#[derive(Clone, Copy)]
enum Letter {
    None,
    Known,
    Unknown,
    Persian,
}

/// The commoner characters, looked up once.
static LETTERS: LazyLock<Box<[Letter]>> = LazyLock::new(|| {
    let chars = (0..0xa000).map(|code| char::from_u32(code).unwrap_or_default());
    chars.map(Letter::of).collect()
});

impl Letter {
    fn of(char: char) -> Self {
        match char {
            _ if !char.is_alphanumeric() => Self::None,
            _ if is_persian(char) => Self::Persian,
            _ if is_known(char) => Self::Known,
            _ => Self::Unknown,
        }
    }
}

const fn is_persian(char: char) -> bool {
    matches!(
        char,
        '\u{67e}' | '\u{686}' | '\u{698}' | '\u{6a9}' | '\u{6af}' | '\u{6cc}'
    )
}

const fn is_known(char: char) -> bool {
    matches!(char, '\0'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{400}'..='\u{4ff}'
        | '\u{600}'..='\u{6ff}' | '\u{900}'..='\u{9ff}' | '\u{e00}'..='\u{e7f}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{2070}'..='\u{2bff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_without_training_data_is_not_judged() {
        for known in ["hello", "привет", "こんにちは", "नमस्ते", "a မြန်"]
        {
            assert_eq!(can_judge(known), known != "a မြန်", "{known}");
        }
        for unknown in ["မင်္ဂလာပါ", "می‌خواهم این", "გამარჯობა", "…", ""]
        {
            assert!(!can_judge(unknown), "{unknown}");
        }
    }
}
