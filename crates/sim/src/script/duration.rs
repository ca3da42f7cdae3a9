//! Durations as people write them: `250us`, `20ms`, `4s`, `5m`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// The longest duration that a script may ask for.
const DURATION_MAX: Duration = Duration::from_secs(3600);

/// Reads `text`, a whole number with a unit, at most an hour.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let micros = match unit.trim() {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        _ => return Err(explain(text)),
    };
    let number: u64 = number.parse().map_err(|_| explain(text))?;
    let duration = Duration::from_micros(number.saturating_mul(micros));
    if duration > DURATION_MAX {
        return Err(format!("`{text}` is longer than an hour"));
    }
    Ok(duration)
}

fn explain(text: &str) -> String {
    format!("`{text}` is not a duration: write a whole number with us, ms, s or m, such as `20ms`")
}

fn show(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        _ if micros.is_multiple_of(1_000_000) => format!("{}s", micros / 1_000_000),
        _ if micros.is_multiple_of(1_000) => format!("{}ms", micros / 1_000),
        _ => format!("{micros}us"),
    }
}

pub(crate) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&show(*value))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    parse(&text).map_err(serde::de::Error::custom)
}

/// The same for a duration that may be absent.
pub(crate) mod optional {
    use super::{Deserializer, Duration, Serializer, show};

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(duration) => serializer.serialize_str(&show(*duration)),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_survive_a_round_trip() {
        for text in ["250us", "20ms", "4s", "1500ms", "0s"] {
            assert_eq!(show(parse(text).unwrap()), text);
        }
        for text in ["", "5", "ms", "-1s", "1.5s", "2h", "99999999s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
