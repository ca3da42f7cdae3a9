//! Judging a match: the checksum and the parts that a pattern cannot hold, one function for each kind
//! of number.
//!
//! Each is given the whole text and where the pattern matched; it returns where the value stands.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::checksums::{self, digits, luhn, weighted};
use super::dates;

type Span = Range<usize>;

/// The pattern says it all.
pub(super) fn any(_: &[u8], span: Span) -> Option<Span> {
    Some(span)
}

/// Wraps a test of the matched bytes.
macro_rules! judge {
    ($(#[$doc:meta])* $name:ident, $test:expr) => {
        $(#[$doc])*
        pub(super) fn $name(text: &[u8], span: Span) -> Option<Span> {
            let test: fn(&[u8]) -> bool = $test;
            test(&text[span.clone()]).then_some(span)
        }
    };
}

judge!(
    /// Weights 3, 7, 1 (American Bankers Association).
    aba_routing, |value| weighted(&digits(value), &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10));
judge!(
/// The Australian Business Number: one less in the first digit, weights, modulo 89.
au_abn, |value| {
    let mut digits = digits(value);
    if digits[0] == 0 {
        return false;
    }
    digits[0] -= 1;
    weighted(&digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]).is_multiple_of(89)
});
judge!(
/// The Australian Company Number.
au_acn, |value| {
    let digits = digits(value);
    (10 - weighted(&digits[..8], &[8, 7, 6, 5, 4, 3, 2, 1]) % 10) % 10 == digits[8]
});
judge!(
/// The Australian Medicare number.
au_medicare, |value| {
    let digits = digits(value);
    weighted(&digits[..8], &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == digits[8]
});
judge!(
    /// The Australian Tax File Number.
    au_tfn, |value| weighted(&digits(value), &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11));
judge!(
    /// The Canadian Social Insurance Number, with one kind of separator.
    ca_sin, |value| has_one_separator(value) && luhn(&digits(value)));
judge!(
/// The number of a United States DEA registration.
dea, |value| {
    let digits = digits(&value[2..]);
    (weighted(&digits[..6], &[1, 2, 1, 2, 1, 2])) % 10 == digits[6]
});
judge!(
/// A payment card. Thirteen digits that begin with 1 are milliseconds since 1970.
credit_card, |value| {
    let digits = digits(value);
    let is_time = digits.len() == 13 && digits[0] == 1;
    (12..=19).contains(&digits.len()) && !is_time && !is_one_digit(&digits) && luhn(&digits)
});
judge!(
/// A Bitcoin address of any of the three forms.
crypto, |value| {
    if value.starts_with(b"bc1") || value.starts_with(b"BC1") {
        checksums::bech32(value)
    } else {
        checksums::base58check(value)
    }
});
judge!(
    /// A date whose month and day exist.
    date, dates::written);
judge!(
/// The German health insurance number: the letter as two digits, weights 1 and 2.
de_health_insurance, |value| {
    let letter = u32::from(value[0].to_ascii_uppercase() - b'A') + 1;
    let mut all = vec![letter / 10, letter % 10];
    all.extend(digits(&value[1..]));
    let (check, rest) = all.split_last().expect("eleven digits");
    cross_sum(rest, &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2]) % 10 == *check
});
judge!(
/// The German physician number.
de_lanr, |value| {
    let digits = digits(value);
    (10 - weighted(&digits[..6], &[4, 9, 4, 9, 4, 9]) % 10) % 10 == digits[6]
});
judge!(
    /// A travel document by its check digit.
    icao_document, checksums::icao);
judge!(
    /// A German postcode.
    de_plz, |value| value != b"99999" && value != b"01000");
judge!(
/// The German pension insurance number.
de_social_security, |value| {
    let letter = u32::from(value[8].to_ascii_uppercase() - b'A') + 1;
    let mut all = digits(&value[..8]);
    let (day, month) = (all[2] * 10 + all[3], all[4] * 10 + all[5]);
    all.extend([letter / 10, letter % 10]);
    all.extend(digits(&value[9..]));
    let (check, rest) = all.split_last().expect("thirteen digits");
    let day = if day > 50 { day - 50 } else { day };
    let weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    dates::exists(month, day) && cross_sum(rest, &weights) % 10 == *check
});
judge!(
/// A German tax number of a person or of a company.
mod_11_10, |value| {
    let digits = digits(value);
    !is_one_digit(&digits) && checksums::mod_11_10(&digits)
});
judge!(
/// The number of a Spanish resident, citizen or foreigner.
es_nif, |value| {
    let number = value.iter().filter_map(|byte| match byte.to_ascii_uppercase() {
        b'X' if byte == &value[0] => Some(0),
        b'Y' if byte == &value[0] => Some(1),
        b'Z' if byte == &value[0] => Some(2),
        digit @ b'0'..=b'9' => Some(u64::from(digit - b'0')),
        _ => None,
    });
    let number = number.fold(0, |sum, digit| sum * 10 + digit);
    let letter = b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize];
    value.last().is_some_and(|last| last.to_ascii_uppercase() == letter)
});
judge!(
/// The Finnish identity code.
fi_identity_code, |value| {
    let digits = digits(&value[..10]);
    let number = digits.iter().fold(0, |sum, digit| sum * 10 + digit);
    let check = b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(number % 31) as usize];
    let (day, month) = (digits[0] * 10 + digits[1], digits[2] * 10 + digits[3]);
    dates::exists(month, day) && value[10].to_ascii_uppercase() == check
});
judge!(
/// The Indian Aadhaar, which is no palindrome.
in_aadhaar, |value| {
    let digits = digits(value);
    let is_palindrome = digits.iter().eq(digits.iter().rev());
    !is_palindrome && checksums::verhoeff(&digits)
});
judge!(
    /// The Indian tax number of goods and services, by the code of the state.
    in_gstin, |value| (1..=38).contains(&(u32::from(value[0] - b'0') * 10 + u32::from(value[1] - b'0'))));
judge!(
/// The Indian permanent account number, or anything of ten characters that could be one.
in_pan, |value| {
    let has_digits = value.windows(4).any(|four| four.iter().all(u8::is_ascii_digit));
    has_digits && value.iter().any(u8::is_ascii_alphabetic)
});
judge!(
/// The Italian fiscal code, by its last letter.
it_fiscal_code, |value| {
    const ODD: [u32; 26] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let sum: u32 = value[..15].iter().enumerate().map(|(place, byte)| {
        let value = match byte.to_ascii_uppercase() {
            digit @ b'0'..=b'9' => usize::from(digit - b'0'),
            letter => usize::from(letter - b'A'),
        };
        if place % 2 == 0 { ODD[value] } else { value as u32 }
    }).sum();
    u32::from(value[15].to_ascii_uppercase() - b'A') == sum % 26
});
judge!(
/// Numbers that Luhn's check holds, not all of one digit.
luhn_number, |value| {
    let digits = digits(value);
    !is_one_digit(&digits) && luhn(&digits)
});
judge!(
/// The Korean business registration number.
kr_brn, |value| {
    let digits = digits(value);
    let sum = weighted(&digits[..9], &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + digits[8] * 5 / 10;
    (10 - sum % 10) % 10 == digits[9]
});
judge!(
/// A Korean driving licence, by the code of the region.
kr_driver_license, |value| {
    let digits = digits(value);
    (11..=28).contains(&(digits[0] * 10 + digits[1]))
});
judge!(
    /// A number that begins with a date of birth.
    birth_first, |value| dates::year_month_day(&digits(value)));
judge!(
    /// A hardware address that is not all zero.
    mac, |value| value.iter().any(|byte| matches!(byte, b'1'..=b'9' | b'a'..=b'f' | b'A'..=b'F')));
judge!(
/// The Polish identity number; the month tells the century.
pl_pesel, |value| {
    let digits = digits(value);
    let month = (digits[2] * 10 + digits[3]) % 20;
    let sum = weighted(&digits[..10], &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
    dates::exists(month, digits[4] * 10 + digits[5]) && (10 - sum % 10) % 10 == digits[10]
});
judge!(
/// The Swedish number of an organisation, whose third digit is at least two.
se_organisation, |value| {
    let digits = digits(value);
    digits[2] >= 2 && luhn(&digits)
});
judge!(
/// The Swedish number of a person, or of one who was not born there (the day, and sixty).
se_person, |value| {
    let all = digits(value);
    let digits = &all[all.len() - 10..];
    let (month, day) = (digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]);
    dates::exists(month, if day > 60 { day - 60 } else { day }) && luhn(digits)
});
judge!(
/// The unique entity number of Singapore, in its three forms.
sg_uen, |value| {
    let upper = value.to_ascii_uppercase();
    let (check, rest) = upper.split_last().expect("nine or ten characters");
    let expected = if rest[0].is_ascii_alphabetic() {
        const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWX0123456789";
        let values = rest.iter().map(|byte| ALPHABET.iter().position(|known| known == byte).unwrap_or(0) as u32);
        let values: Vec<u32> = values.collect();
        let sum = weighted(&values, &[4, 3, 5, 3, 10, 2, 2, 5, 7]);
        ALPHABET[((sum + 11 * 100 - 5) % 11) as usize]
    } else if rest.len() == 8 {
        b"XMKECAWLJDB"[(weighted(&digits(rest), &[10, 4, 9, 3, 8, 2, 7, 1]) % 11) as usize]
    } else {
        b"ZKCMDNERGWH"[(weighted(&digits(rest), &[10, 8, 6, 4, 9, 7, 5, 3, 1]) % 11) as usize]
    };
    *check == expected
});
judge!(
/// The Thai identity number, by the code of the province and the check digit.
th_tnin, |value| {
    let digits = digits(value);
    let province = digits[1] * 10 + digits[2];
    let is_province = matches!(province, 10..=27 | 30..=58 | 60..=67 | 70..=77 | 80..=86 | 90..=96);
    let sum = weighted(&digits[..12], &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    is_province && (11 - sum % 11) % 10 == digits[12]
});
judge!(
/// The Turkish identity number.
tr_national_id, |value| {
    let digits = digits(value);
    let odd: u32 = digits[..9].iter().step_by(2).sum();
    let even: u32 = digits[1..8].iter().step_by(2).sum();
    let all: u32 = digits[..10].iter().sum();
    (odd * 7 + 100 - even) % 10 == digits[9] && all % 10 == digits[10]
});
judge!(
/// The British health service number, modulo 11.
uk_nhs, |value| {
    let digits = digits(value);
    let check = 11 - weighted(&digits[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    !is_one_digit(&digits) && check % 11 == digits[9]
});
judge!(
/// The British national insurance number: some pairs of letters are never given.
uk_nino, |value| {
    let pair = [value[0].to_ascii_uppercase(), value[1].to_ascii_uppercase()];
    ![*b"BG", *b"GB", *b"NK", *b"KN", *b"TN", *b"NT", *b"ZZ"].contains(&pair)
});
judge!(
/// The American provider number: Luhn's check behind the prefix 80840.
us_npi, |value| {
    let mut all = vec![8, 0, 8, 4, 0];
    all.extend(digits(value));
    luhn(&all)
});
judge!(
/// The American social security number: no part is all zero, none was ever an example.
us_ssn, |value| {
    let digits = digits(value);
    let part = |range: Range<usize>| digits[range].iter().fold(0, |sum, digit| sum * 10 + digit);
    let (area, group, serial) = (part(0..3), part(3..5), part(5..9));
    let is_example = matches!((area, group, serial), (78, 5, 1120) | (123, 45, 6789) | (987, 65, 4321..=4329));
    has_one_separator(value) && area != 0 && area != 666 && area < 900 && group != 0 && serial != 0
        && !is_example && !is_one_digit(&digits)
});
judge!(
/// The South African identity number: born on a day that exists, Luhn's check.
za_id, |value| {
    let digits = digits(value);
    dates::year_month_day(&digits) && digits[10] <= 2 && luhn(&digits)
});

/// A telephone number: as many digits as one has (ITU-T E.164), and no part of a longer row of digits.
pub(super) fn phone(text: &[u8], span: Span) -> Option<Span> {
    let joins = |separator: Option<&u8>, digit: Option<&u8>| {
        separator.is_some_and(|byte| b" -./".contains(byte))
            && digit.is_some_and(u8::is_ascii_digit)
    };
    let before = |places: usize| span.start.checked_sub(places).map(|at| &text[at]);
    let is_part = (text[span.start] != b'+' && joins(before(1), before(2)))
        || joins(text.get(span.end), text.get(span.end + 1));
    let count = digits(&text[span.clone()]).len();
    ((8..=15).contains(&count) && !is_part).then_some(span)
}

/// An IBAN: as long as its country's are, with its check digits; what stands behind it is left out.
pub(super) fn iban(text: &[u8], span: Span) -> Option<Span> {
    let country = &text[span.start..span.start + 2];
    let (_, length) = IBAN_LENGTHS
        .iter()
        .find(|(code, _)| code.as_bytes() == country)?;
    let mut value = Vec::with_capacity(*length);
    let mut end = span.start;
    for (place, &byte) in text[span.clone()].iter().enumerate() {
        if byte.is_ascii_alphanumeric() {
            value.push(byte);
            end = span.start + place + 1;
        }
        if value.len() == *length {
            break;
        }
    }
    let goes_on = text.get(end).is_some_and(u8::is_ascii_alphanumeric);
    (value.len() == *length && !goes_on && checksums::mod_97(&value)).then_some(span.start..end)
}

/// An internet address of either version, as the standard library reads it.
pub(super) fn ip(text: &[u8], span: Span) -> Option<Span> {
    let joins = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let before = span.start.checked_sub(1).map(|at| &text[at]);
    let run = std::str::from_utf8(&text[span.clone()]).ok()?;
    let run = run.trim_end_matches('.');
    let run = if run.ends_with("::") {
        run
    } else {
        run.trim_end_matches(':')
    };
    let end = span.start + run.len();
    let has_digit = run.bytes().any(|byte| byte.is_ascii_hexdigit());
    if run.contains("::") || run.matches(':').count() == 7 {
        let is_whole = !joins(before) && !joins(text.get(end)) && has_digit;
        if is_whole && run.parse::<Ipv6Addr>().is_ok() {
            return Some(span.start..end);
        }
    }
    // Four numbers within the run: the last of them may be followed by more.
    let at = run.rfind(':').map_or(0, |colon| colon + 1);
    let parts: Vec<&str> = run[at..].split('.').collect();
    let written = parts.get(..4)?.join(".");
    let start = span.start + at;
    let end = start + written.len();
    let is_whole = (at > 0 || !joins(before)) && !joins(text.get(end));
    let is_port = at > 0 && !run[..at].contains("::");
    (is_whole && !is_port && written.parse::<Ipv4Addr>().is_ok()).then_some(start..end)
}

/// Whether the separators within a number are all the same.
fn has_one_separator(value: &[u8]) -> bool {
    let mut separators = value.iter().filter(|byte| !byte.is_ascii_digit());
    let first = separators.next();
    separators.all(|byte| Some(byte) == first)
}

fn is_one_digit(digits: &[u32]) -> bool {
    digits.windows(2).all(|pair| pair[0] == pair[1])
}

/// The sum of the digits of the products.
fn cross_sum(digits: &[u32], weights: &[u32]) -> u32 {
    let products = digits
        .iter()
        .zip(weights)
        .map(|(digit, weight)| digit * weight);
    products.map(|product| product / 10 + product % 10).sum()
}

/// How long an IBAN is, by country (SWIFT IBAN registry).
const IBAN_LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HN", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];
