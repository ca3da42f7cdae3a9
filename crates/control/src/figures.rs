//! Figures as people read them: counts with separators, spans of time with a unit, shares in percent.

use std::time::Duration;

use plimsoll_core::{Money, Timestamp};

/// `84,112`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 decision`, `84,112 decisions`.
pub fn counted(value: u64, noun: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(value))
}

/// `412 µs`, `18 ms`, `4.2 s`, `12 min`: three figures at the most.
pub fn micros(value: u64) -> String {
    match value {
        0..1_000 => format!("{value} µs"),
        1_000..10_000 => tenths(value, 1_000, "ms"),
        10_000..1_000_000 => format!("{} ms", value / 1_000),
        1_000_000..10_000_000 => tenths(value, 1_000_000, "s"),
        10_000_000..120_000_000 => format!("{} s", value / 1_000_000),
        _ => span(Duration::from_micros(value)),
    }
}

fn tenths(value: u64, unit: u64, name: &str) -> String {
    let tenths = value / (unit / 10);
    match tenths % 10 {
        0 => format!("{} {name}", tenths / 10),
        rest => format!("{}.{rest} {name}", tenths / 10),
    }
}

/// `6 s`, `4 min`, `2 h`, `41 days`: the largest unit that leaves at least one, rounded down.
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `2 h ago`.
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    format!("{} ago", span(now.since(then)))
}

/// `100 %`, `99.95 %`: never rounded up to 100, never down to 0.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "– %".to_owned();
    }
    let hundredths = u128::from(part) * 10_000 / u128::from(whole);
    match (hundredths / 100, hundredths % 100) {
        (0, 0) if part > 0 => "< 0.01 %".to_owned(),
        (all, 0) => format!("{all} %"),
        (all, rest) if rest % 10 == 0 => format!("{all}.{} %", rest / 10),
        (all, rest) => format!("{all}.{rest:02} %"),
    }
}

/// `812 B`, `1.2 MiB`.
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut tenths, mut unit) = (u128::from(value) * 10 / 1024, 0);
    if tenths < 10 {
        return format!("{value} B");
    }
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    match (tenths / 10, tenths % 10) {
        (whole, rest) if whole < 10 && rest > 0 => format!("{whole}.{rest} {}", UNITS[unit]),
        (whole, _) => format!("{whole} {}", UNITS[unit]),
    }
}

/// An amount with three significant figures: `0.00021 USD`; averages have more than anybody reads.
pub fn money(amount: Money, currency: &str) -> String {
    let pico = amount.as_pico();
    let digits = pico
        .unsigned_abs()
        .checked_ilog10()
        .map_or(1, |log| log + 1);
    let scale = 10_i128.pow(digits.saturating_sub(3));
    let rounded = Money::from_pico((pico + pico.signum() * scale / 2) / scale * scale);
    format!("{rounded} {currency}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(84_112), "84,112");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(counted(1, "decision"), "1 decision");
    }

    #[test]
    fn spans_have_the_unit_that_fits() {
        assert_eq!(micros(412), "412 µs");
        assert_eq!(micros(4_210), "4.2 ms");
        assert_eq!(micros(18_400), "18 ms");
        assert_eq!(micros(4_000_000), "4 s");
        assert_eq!(span(Duration::from_secs(41 * 86_400 + 5)), "41 days");
        assert_eq!(span(Duration::from_hours(2)), "2 h");
        assert_eq!(span(Duration::from_secs(6)), "6 s");
    }

    #[test]
    fn sizes_have_the_unit_that_fits() {
        let shown = [0, 1023, 1024, 1_300_000, 64 << 20, 5 << 30].map(bytes);
        assert_eq!(
            shown,
            ["0 B", "1023 B", "1 KiB", "1.2 MiB", "64 MiB", "5 GiB"]
        );
    }

    #[test]
    fn a_share_is_whole_only_when_it_is() {
        assert_eq!(percent(84_112, 84_112), "100 %");
        assert_eq!(percent(84_111, 84_112), "99.99 %");
        assert_eq!(percent(1, 1_000_000), "< 0.01 %");
        assert_eq!(percent(0, 5), "0 %");
        assert_eq!(percent(1, 2), "50 %");
        assert_eq!(percent(0, 0), "– %");
    }

    #[test]
    fn money_has_three_figures_that_count() {
        let shown = |text: &str| money(text.parse().unwrap(), "USD");
        assert_eq!(shown("0.000208333333"), "0.000208 USD");
        assert_eq!(shown("0"), "0 USD");
        assert_eq!(shown("12.3456"), "12.3 USD");
        assert_eq!(shown("1234.5"), "1230 USD");
        assert_eq!(shown("-0.0019996"), "-0.002 USD");
    }
}
