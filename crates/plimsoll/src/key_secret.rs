//! The secrets of keys: what one looks like.
//!
//! `plim_live_`, 43 random characters (256 bits), and 6 that are a CRC-32C of all before them, in base 62.
//! Programs that look for leaked secrets know one by `plim_live_[0-9A-Za-z]{49}`, and by the checksum tell
//! it from a text that only looks like one, without asking anybody.

use plimsoll_core::Secret;

/// How every secret begins.
const PREFIX: &str = "plim_live_";
/// Random characters; 62^43 is more than 2^256.
const RANDOM: usize = 43;
/// Characters of the checksum; 62^6 is more than 2^32.
const CHECKSUM: usize = 6;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new secret.
pub(crate) fn fresh() -> Secret {
    let mut text = String::with_capacity(PREFIX.len() + RANDOM + CHECKSUM);
    text.push_str(PREFIX);
    let mut left = RANDOM;
    let mut bytes = [0_u8; 2 * RANDOM];
    while left > 0 {
        getrandom::fill(&mut bytes).expect("the operating system always has random bytes");
        // Of 256 values, 248 are four times 62: the others are left out, so that no letter is likelier.
        let even = bytes.iter().filter(|byte| **byte < 248).take(left);
        for byte in even {
            text.push(char::from(ALPHABET[usize::from(*byte % 62)]));
            left -= 1;
        }
    }
    text.push_str(&checksum(&text));
    Secret::new(text)
}

/// How it is known again: its beginning, and its last four characters.
pub(crate) fn hint(secret: &Secret) -> String {
    let text = secret.expose();
    format!("{PREFIX}…{}", &text[text.len() - 4..])
}

fn checksum(text: &str) -> String {
    let mut rest = crc32c::crc32c(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_the_form_that_scanners_know() {
        let secret = fresh();
        let text = secret.expose();
        let (before, sum) = text.split_at(text.len() - CHECKSUM);
        assert_eq!(text.len(), 59);
        assert!(text.starts_with(PREFIX));
        assert!(
            text[PREFIX.len()..]
                .bytes()
                .all(|b| b.is_ascii_alphanumeric())
        );
        assert_eq!(checksum(before), sum);
        assert_ne!(checksum(&before.replace(PREFIX, "plim_test_")), sum);
        assert_ne!(fresh().expose(), text);
        let hint = hint(&secret);
        assert!(hint.len() < 20 && hint.ends_with(&text[55..]), "{hint}");
    }

    #[test]
    fn the_checksum_is_the_one_that_is_documented() {
        let text = format!("{PREFIX}{}", "0".repeat(RANDOM));
        // CRC-32C (RFC 3720, appendix B.4) of the text in base 62, the most significant digit first.
        let sum = crc32c::crc32c(text.as_bytes());
        let value = checksum(&text).bytes().fold(0_u64, |value, digit| {
            let place = ALPHABET.iter().position(|known| *known == digit);
            value * 62 + place.unwrap() as u64
        });
        assert_eq!(value, u64::from(sum));
    }
}
