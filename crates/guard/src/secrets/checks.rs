//! What tells a secret from a placeholder, a word or an identifier of the same shape.

use serde::Deserialize;

/// A test that a pattern cannot express.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Check {
    /// None.
    #[default]
    None,
    /// The header must be base64 of a JSON object.
    Jwt,
    /// The whole must be base64 of a token's beginning.
    JwtBase64,
    /// A digit must be in it: words have none.
    HasDigit,
    /// Its parts may not be empty.
    NoDoubleDot,
    /// It is not known what the value is for: it must look like nothing else, and the name like a secret's.
    Generic,
}

/// Shannon's entropy of the bytes, in bits per byte.
pub(super) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for &byte in bytes {
        counts[usize::from(byte)] += 1;
    }
    let total = bytes.len() as f64;
    let parts = counts.iter().filter(|&&count| count > 0);
    parts
        .map(|&count| {
            let share = f64::from(count) / total;
            -share * share.log2()
        })
        .sum()
}

/// Whether a secret passes the test.
pub(super) fn fits(check: Check, secret: &[u8]) -> bool {
    match check {
        Check::None => true,
        Check::Jwt => is_token(secret),
        Check::JwtBase64 => {
            let decoded = base64_start(secret, 8);
            decoded.starts_with(b"eyJ") && decoded.iter().all(u8::is_ascii_alphanumeric)
        }
        Check::HasDigit => secret.iter().any(u8::is_ascii_digit),
        Check::NoDoubleDot => !secret.windows(2).any(|pair| pair == b".."),
        Check::Generic => is_generic_secret(secret),
    }
}

/// Whether header and payload of a JSON Web Token begin like JSON objects. The header of a token that
/// was shortened or masked may not decode; then three parts of a token's length are enough.
fn is_token(secret: &[u8]) -> bool {
    let mut parts = secret.split(|&byte| byte == b'.');
    let (header, payload) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let has_signature = parts.next().is_some();
    let is_object = |part: &[u8]| {
        let decoded = base64_start(part, part.len());
        decoded.starts_with(b"{\"") && decoded.iter().all(|&byte| byte >= b' ' || byte == b'\n')
    };
    is_object(header) || (has_signature && payload.len() >= 19)
}

/// The first bytes of what base64 (of either alphabet) says, as far as it is base64.
fn base64_start(text: &[u8], most: usize) -> Vec<u8> {
    let value = |byte: u8| -> Option<u32> {
        Some(match byte {
            b'A'..=b'Z' => u32::from(byte - b'A'),
            b'a'..=b'z' => u32::from(byte - b'a') + 26,
            b'0'..=b'9' => u32::from(byte - b'0') + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        })
    };
    let mut decoded = Vec::with_capacity(most);
    for group in text[..text.len().min(most)].chunks(4) {
        let values: Vec<u32> = group.iter().map_while(|&byte| value(byte)).collect();
        let sum = values
            .iter()
            .enumerate()
            .fold(0, |sum, (place, value)| sum | value << (18 - 6 * place));
        let bytes = [(sum >> 16) as u8, (sum >> 8) as u8, sum as u8];
        decoded.extend_from_slice(&bytes[..(values.len() * 6 / 8).min(3)]);
        if values.len() < 4 {
            break;
        }
    }
    decoded
}

/// Words in names that are no secret's, although they hold `key`, `token` or the like.
const HARMLESS_NAMES: &[&str] = &[
    "accessor",
    "accessib",
    "random",
    "rapid",
    "capital",
    "author_",
    "authors",
    "authored",
    "turkey",
    "monkey",
    "donkey",
    "keyboard",
    "keycode",
    "keyframe",
    "keyword",
    "keypair",
    "keyring",
    "keyname",
    "keyid",
    "keysize",
    "keylength",
    "keypress",
    "keyup",
    "keydown",
    "keystore",
    "keytab",
    "public",
    "pubkey",
    "pub_",
    "bucket",
    "foreign",
    "primary",
    "schema",
    "sequence",
    "natural",
    "idx",
    "index",
    "hotkey",
    "csrf",
    "xsrf",
    "authenticity",
    "antiforgery",
    "jsonwebtoken",
    "version",
    "hash",
    "checksum",
    "sha",
    "digest",
    "fingerprint",
    "meshing",
    "endpoint",
    "url",
    "uri",
    "file",
    "path",
    "name",
    "alias",
    "length",
    "size",
    "type",
    "secrets",
    "tokeniz",
    "_id",
    "-id",
    ".id",
    "id_",
    "credentialsid",
    "credentialid",
    "authsource",
    "authentication-results",
    "namespace",
    "vault",
    "mask",
    "pressed",
    "event",
    "cache",
    "sort",
    "partition",
    "translation",
    "i18n",
    "max",
    "min",
    "count",
    "limit",
    "usage",
    "expires",
    "expiry",
    "kms",
    "iterator",
    "algorithm",
    "jar",
    "tokens",
    "keys",
    "sign",
    "message",
    "event",
    "row",
    "column",
    "map",
    "frame",
    "license",
    "distance",
];

/// Whether a value of unknown make, assigned to this name, may be a secret.
pub(super) fn name_fits(check: Check, name: &[u8]) -> bool {
    if check != Check::Generic {
        return true;
    }
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    if HARMLESS_NAMES.iter().any(|word| name.contains(word)) {
        return false;
    }
    !name.ends_with("id")
}

/// Whether a value of unknown make looks random: letters and digits mixed, and no path, version, identifier,
/// UUID or digest of a file.
fn is_generic_secret(secret: &[u8]) -> bool {
    let digits = secret.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = secret
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    if digits < 2 || letters < 4 {
        return false;
    }
    let separators = secret.iter().filter(|byte| b".-_/=".contains(byte)).count();
    if is_uuid(secret) || separators * 6 > secret.len() {
        return false;
    }
    // Identifiers are words: parts between separators and between changes of case are long. A random
    // text changes between upper case, lower case and digits every other character.
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let changes = secret
        .windows(2)
        .filter(|pair| class(pair[0]) != class(pair[1]))
        .count();
    changes * 100 >= secret.len() * 30
}

fn is_uuid(bytes: &[u8]) -> bool {
    let fits = |(place, byte): (usize, &u8)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    bytes.len() == 36 && bytes.iter().enumerate().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_of_shannon() {
        assert!(entropy(b"aaaa").abs() < 1e-9);
        assert!((entropy(b"abcd") - 2.0).abs() < 1e-9);
        assert!((entropy(b"aabb") - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_token_is_known_by_its_header() {
        assert_eq!(
            base64_start(b"eyJhbGciOiJIUzI1NiJ9", 64),
            br#"{"alg":"HS256"}"#
        );
        assert!(is_token(b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3In0"));
        assert!(!is_token(b"bm90X2pzb25fYXRfYWxs.bm90X2pzb25fYXRfYWxs"));
    }

    #[test]
    fn words_and_identifiers_are_no_generic_secrets() {
        for harmless in [
            "library-code-names-for-words",
            "2987123a-ba93-4704-b489-ec1e5f25292c",
        ] {
            assert!(!is_generic_secret(harmless.as_bytes()), "{harmless}");
        }
        assert!(is_generic_secret(b"zQ9vX2kL7mN4pR8sT1wY"));
    }
}
