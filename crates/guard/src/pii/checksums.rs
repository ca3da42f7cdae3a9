//! Check digits: the arithmetic that tells a number somebody was given from one somebody typed.

/// The digits among the bytes.
pub(super) fn digits(bytes: &[u8]) -> Vec<u32> {
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit());
    digits.map(|byte| u32::from(byte - b'0')).collect()
}

/// The sum of digits times weights, as far as both go.
pub(super) fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits
        .iter()
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .sum()
}

/// Luhn's check (ISO/IEC 7812-1, annex B).
pub(super) fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => *digit,
            (_, doubled) => doubled / 10 + doubled % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO/IEC 7064, MOD 11-10: of German tax numbers.
pub(super) fn mod_11_10(digits: &[u32]) -> bool {
    let Some((check, rest)) = digits.split_last() else {
        return false;
    };
    let product = rest.iter().fold(10, |product, digit| {
        let sum = (digit + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == *check
}

/// ISO/IEC 7064, MOD 97-10, of an IBAN without blanks (ISO 13616).
pub(super) fn mod_97(iban: &[u8]) -> bool {
    let turned = iban[4..].iter().chain(&iban[..4]);
    let rest = turned.fold(0_u32, |rest, &byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    rest == 1
}

/// Verhoeff's check, by the dihedral group of order ten: of the Indian Aadhaar.
pub(super) fn verhoeff(digits: &[u32]) -> bool {
    const PERMUTATION: [usize; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let times = |a: usize, b: usize| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a - 5 + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let check = digits
        .iter()
        .rev()
        .enumerate()
        .fold(0, |check, (place, &digit)| {
            let turned = (0..place % 8).fold(digit as usize, |digit, _| PERMUTATION[digit]);
            times(check, turned)
        });
    check == 0
}

/// The check digit of machine-readable travel documents (ICAO 9303): weights 7, 3, 1.
pub(super) fn icao(bytes: &[u8]) -> bool {
    let Some((check, rest)) = bytes.split_last() else {
        return false;
    };
    let value = |byte: u8| match byte.to_ascii_uppercase() {
        byte @ b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        byte => u32::from(byte - b'0'),
    };
    let weights = [7, 3, 1].into_iter().cycle();
    let sum: u32 = rest
        .iter()
        .zip(weights)
        .map(|(&byte, weight)| value(byte) * weight)
        .sum();
    check.is_ascii_digit() && sum % 10 == u32::from(check - b'0')
}

/// The checksum of a bech32 or bech32m address (BIP 173, BIP 350).
pub(super) fn bech32(address: &[u8]) -> bool {
    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    let lower = address.to_ascii_lowercase();
    let Some(split) = lower.iter().rposition(|&byte| byte == b'1') else {
        return false;
    };
    let (prefix, data) = (&lower[..split], &lower[split + 1..]);
    let high = prefix.iter().map(|byte| u32::from(byte >> 5));
    let low = prefix.iter().map(|byte| u32::from(byte & 31));
    let mut check = 1_u32;
    let mut add = |value: u32| {
        let top = check >> 25;
        check = (check & 0x01ff_ffff) << 5 ^ value;
        for (bit, generator) in GENERATOR.iter().enumerate() {
            check ^= if top >> bit & 1 == 1 { *generator } else { 0 };
        }
    };
    high.chain([0]).chain(low).for_each(&mut add);
    for byte in data {
        match ALPHABET.iter().position(|known| known == byte) {
            Some(value) => add(value as u32),
            None => return false,
        }
    }
    check == 1 || check == 0x2bc8_30a3
}

/// `Base58Check` (as Bitcoin's addresses have it): a version, twenty bytes and four bytes of a double SHA-256.
pub(super) fn base58check(address: &[u8]) -> bool {
    use sha2::{Digest, Sha256};
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = [0_u8; 25];
    for byte in address {
        let Some(value) = ALPHABET.iter().position(|known| known == byte) else {
            return false;
        };
        let mut carry = value as u32;
        for place in bytes.iter_mut().rev() {
            carry += u32::from(*place) * 58;
            *place = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry != 0 {
            return false;
        }
    }
    let once = Sha256::digest(&bytes[..21]);
    Sha256::digest(once)[..4] == bytes[21..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers_hold_and_their_neighbours_do_not() {
        let check = |by: fn(&[u32]) -> bool, good: &str| {
            let mut bad = good.as_bytes().to_vec();
            let last = bad.len() - 1;
            bad[last] = if bad[last] == b'9' {
                b'0'
            } else {
                bad[last] + 1
            };
            assert!(by(&digits(good.as_bytes())), "{good}");
            assert!(!by(&digits(&bad)), "{good}");
        };
        check(luhn, "4012888888881881");
        check(mod_11_10, "136695976");
        check(verhoeff, "312345678909");
        assert!(mod_97(b"GB82WEST12345698765432") && !mod_97(b"GB82WEST12345698765433"));
        assert!(icao(b"C01X00T41") && !icao(b"C01X00T47"));
        assert!(bech32(b"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"));
        assert!(!bech32(b"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp"));
        assert!(base58check(b"3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"));
        assert!(!base58check(b"3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLz"));
    }
}
