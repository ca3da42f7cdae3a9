//! Quantities as people write them: durations, sizes, money and bounds, each with its unit.

use std::time::Duration;

use plimsoll_core::Money;
use plimsoll_core::system::Bound;

/// A text that is no such quantity: what was expected, in words that a hint can hold.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct QuantityError(String);

fn unfit(text: impl Into<String>) -> QuantityError {
    QuantityError(text.into())
}

const DURATIONS: [(&str, u64); 6] = [
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

const SIZES: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads a duration: a number and one of `us`, `ms`, `s`, `m`, `h`, `d`, as in `200us`, `1.5s`, `400d`.
///
/// # Errors
/// If `text` is none, or its unit is missing.
pub fn duration(text: &str) -> Result<Duration, QuantityError> {
    let nanos = scaled(
        text,
        &DURATIONS,
        "a duration",
        "write it as in \"50ms\", \"20s\", \"4h\" or \"30d\"",
    )?;
    Ok(Duration::from_nanos(nanos))
}

/// A duration as [`duration`] reads it, in the largest unit that it is a whole number of: `184d`, `90s`.
pub fn duration_text(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let fits = |(_, unit): &&(&str, u64)| nanos.is_multiple_of(u128::from(*unit));
    let (name, unit) = DURATIONS.iter().rev().find(fits).unwrap_or(&DURATIONS[0]);
    format!("{}{name}", nanos / u128::from(*unit))
}

/// Reads a size in bytes: a number and a unit, as in `64 MiB`.
///
/// # Errors
/// If `text` is none, or its unit is missing.
pub fn size(text: &str) -> Result<u64, QuantityError> {
    scaled(
        text,
        &SIZES,
        "a size",
        "write it as in \"1 MiB\" or \"50 GiB\"",
    )
}

/// Reads an amount in the workspace's currency: `0.05 USD`.
///
/// # Errors
/// If `text` is none, its currency is missing or is another one.
pub fn money(text: &str, currency: &str) -> Result<Money, QuantityError> {
    let (number, unit) = split(text);
    if unit.is_empty() {
        return Err(unfit(format!(
            "it has no currency: write \"{} {currency}\"",
            number.trim()
        )));
    }
    amount(text, currency)
}

/// Reads a price, which may leave out the workspace's currency: `0.25`, `0.25 USD`.
///
/// # Errors
/// If `text` is none, is below zero, or is in another currency.
pub fn amount(text: &str, currency: &str) -> Result<Money, QuantityError> {
    let (number, unit) = split(text);
    if !unit.is_empty() && unit != currency {
        return Err(unfit(format!(
            "it is in {unit}, and the workspace's currency is {currency}: write it in {currency}, or set `server.currency`"
        )));
    }
    let amount: Money = number.parse().map_err(|_| {
        unfit(format!(
            "write a decimal number with at most 12 decimals, as in \"0.05 {currency}\""
        ))
    })?;
    if amount < Money::ZERO {
        return Err(unfit("an amount is never below zero"));
    }
    Ok(amount)
}

/// Reads a bound: `>= 0.92` or `<= 0.1`.
///
/// # Errors
/// If the comparison is missing or the rest is no finite number.
pub fn bound(text: &str) -> Result<Bound, QuantityError> {
    let help = || unfit("write it as in \">= 0.92\" or \"<= 0.1\"");
    let (at_least, rest) = comparison(text).ok_or_else(help)?;
    let value: f64 = rest.parse().map_err(|_| help())?;
    if !value.is_finite() {
        return Err(help());
    }
    Ok(Bound { at_least, value })
}

/// Reads the most that something may cost: `<= 0.001 USD`; the comparison may be left out.
///
/// # Errors
/// If it is a lower bound or no amount in the workspace's currency.
pub fn money_at_most(text: &str, currency: &str) -> Result<Money, QuantityError> {
    match comparison(text) {
        Some((true, _)) => Err(unfit(format!(
            "it is a ceiling: write it as in \"<= 0.001 {currency}\""
        ))),
        Some((false, rest)) => money(rest, currency),
        None => money(text, currency),
    }
}

fn comparison(text: &str) -> Option<(bool, &str)> {
    let text = text.trim();
    let at_least = text.strip_prefix(">=").or_else(|| text.strip_prefix('≥'));
    let at_most = text.strip_prefix("<=").or_else(|| text.strip_prefix('≤'));
    match (at_least, at_most) {
        (Some(rest), _) => Some((true, rest.trim())),
        (None, Some(rest)) => Some((false, rest.trim())),
        (None, None) => None,
    }
}

/// The number in front and the unit behind it.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '_')))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number.trim(), unit.trim())
}

fn scaled(
    text: &str,
    units: &[(&str, u64)],
    what: &str,
    example: &str,
) -> Result<u64, QuantityError> {
    let (number, unit) = split(text);
    let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
    if number.is_empty() {
        return Err(unfit(format!("it is not {what}: {example}")));
    }
    let found = units.iter().find(|(name, _)| *name == unit);
    let Some((_, scale)) = found else {
        let problem = if unit.is_empty() {
            "it has no unit".to_owned()
        } else {
            format!("`{unit}` is not a unit")
        };
        return Err(unfit(format!(
            "{problem}: {example} ({})",
            names.join(", ")
        )));
    };
    decimal(number, *scale).ok_or_else(|| unfit(format!("it is not {what} that fits: {example}")))
}

/// `number` × `scale`, exactly; none if it is below zero, too large or finer than one.
fn decimal(number: &str, scale: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let plain = |s: &str| !s.is_empty() && s.len() <= 18 && s.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(part) {
        return None;
    }
    let ten = 10_u128.pow(u32::try_from(part.len()).ok()?);
    let digits = whole.parse::<u128>().ok()? * ten + part.parse::<u128>().ok()?;
    let exact = digits.checked_mul(u128::from(scale))?;
    if exact % ten != 0 {
        return None;
    }
    u64::try_from(exact / ten).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_and_sizes_need_their_unit() {
        assert_eq!(duration("200us"), Ok(Duration::from_micros(200)));
        assert_eq!(duration("1.5 s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("400d"), Ok(Duration::from_secs(400 * 86_400)));
        assert_eq!(size("64 MiB"), Ok(64 << 20));
        assert_eq!(size("1.5KB"), Ok(1500));
        assert_eq!(duration_text(Duration::from_secs(184 * 86_400)), "184d");
        assert_eq!(duration_text(Duration::from_secs(5_400)), "90m");
        for bad in [
            "50",
            "",
            "ms",
            "-1s",
            "1e3s",
            "5 parsecs",
            "1..5s",
            "99999999999999d",
            "0.0001us",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        let error = duration("50").unwrap_err().to_string();
        assert!(
            error.starts_with("it has no unit: write it as in"),
            "{error}"
        );
    }

    #[test]
    fn money_is_in_the_currency_of_the_workspace() {
        assert_eq!(money("0.05 USD", "USD").unwrap().to_string(), "0.05");
        assert_eq!(amount("0.25", "USD").unwrap().to_string(), "0.25");
        assert_eq!(
            money_at_most("<= 0.001 USD", "USD").unwrap().to_string(),
            "0.001"
        );
        assert_eq!(
            money("5", "USD").unwrap_err().to_string(),
            "it has no currency: write \"5 USD\""
        );
        assert!(
            money("5 EUR", "USD")
                .unwrap_err()
                .to_string()
                .contains("the workspace's currency is USD")
        );
        assert!(money("-5 USD", "USD").is_err());
        assert!(money_at_most(">= 1 USD", "USD").is_err());
    }

    #[test]
    fn a_bound_says_which_way_it_goes() {
        assert_eq!(
            bound(">= 0.92"),
            Ok(Bound {
                at_least: true,
                value: 0.92
            })
        );
        assert_eq!(
            bound("<=1"),
            Ok(Bound {
                at_least: false,
                value: 1.0
            })
        );
        for bad in ["0.92", "> 0.9", ">=", ">= x", ">= inf", ">= NaN"] {
            assert!(bound(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text in "\\PC{0,24}") {
            let answers = (duration(&text), size(&text), money(&text, "USD"), bound(&text));
            prop_assert!(answers.0.is_ok() || !answers.0.unwrap_err().to_string().is_empty());
        }

        #[test]
        fn a_duration_reads_back_as_it_is_told(micros in 0..10_u64.pow(14)) {
            let told = Duration::from_micros(micros);
            prop_assert_eq!(duration(&duration_text(told)), Ok(told));
        }

        #[test]
        fn a_duration_in_milliseconds_is_exact(millis in 0..10_u64.pow(12)) {
            prop_assert_eq!(duration(&format!("{millis}ms")), Ok(Duration::from_millis(millis)));
        }
    }
}
