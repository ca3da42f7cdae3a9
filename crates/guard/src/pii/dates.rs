//! Days that exist: what tells a date of birth within a number from any six digits.

/// Whether a month and a day exist, in some year.
pub(super) const fn exists(month: u32, day: u32) -> bool {
    let longest = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 0,
    };
    day >= 1 && day <= longest
}

/// Whether six digits are a year of two digits, a month and a day.
pub(super) fn year_month_day(digits: &[u32]) -> bool {
    matches!(digits, [_, _, m1, m2, d1, d2, ..] if exists(m1 * 10 + m2, d1 * 10 + d2))
}

/// Whether a written date may be one: its parts are numbers of months, days and years in some order.
pub(super) fn written(bytes: &[u8]) -> bool {
    if bytes.iter().any(u8::is_ascii_alphabetic) {
        return true;
    }
    let parts = bytes
        .split(|byte| !byte.is_ascii_digit())
        .filter(|part| !part.is_empty());
    let numbers: Vec<(usize, u32)> = parts
        .map(|part| {
            (
                part.len(),
                part.iter()
                    .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')),
            )
        })
        .collect();
    match numbers[..] {
        [(4, _), (_, month), (_, day)] => exists(month, day),
        [(_, a), (_, b), _] => exists(a, b) || exists(b, a),
        [(_, month), _] => (1..=12).contains(&month),
        _ => false,
    }
}
