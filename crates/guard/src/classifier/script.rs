//! Which texts the classifier can judge: those in scripts of which its training had enough.

/// Whether most of the letters stand in scripts that the training data has.
///
/// Persian is told from Arabic, of which there was some, by the letters that only it has.
pub fn can_judge(text: &str) -> bool {
    if text.is_ascii() {
        return text.bytes().any(|byte| byte.is_ascii_alphanumeric());
    }
    let (mut known, mut unknown) = (0u32, 0u32);
    for char in text.chars().filter(|char| char.is_alphanumeric()) {
        if is_persian(char) {
            return false;
        }
        if is_known(char) {
            known += 1;
        } else {
            unknown += 1;
        }
    }
    known > unknown
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
