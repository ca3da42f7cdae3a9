//! A moment, as people type it.

use plimsoll_core::Timestamp;

/// A moment as people type it: a time, or how long ago.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    /// This time.
    At(Timestamp),
    /// So many seconds ago.
    Ago(u64),
}

impl Moment {
    /// The time that is meant.
    pub(crate) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(seconds) => now.minus(std::time::Duration::from_secs(seconds)),
        }
    }
}

impl std::str::FromStr for Moment {
    type Err = plimsoll_core::clock::TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unit = |c| match c {
            's' => Some(1),
            'm' => Some(60),
            'h' => Some(3_600),
            'd' => Some(86_400),
            _ => None,
        };
        let ago = text.char_indices().next_back().and_then(|(end, last)| {
            let seconds = text[..end].parse::<u64>().ok()?.checked_mul(unit(last)?)?;
            Some(Self::Ago(seconds))
        });
        ago.map_or_else(|| Timestamp::parse(text).map(Self::At), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() {
        let now = Timestamp::parse("2026-03-14T10:00:00Z").unwrap();
        let resolved = |text: &str| text.parse::<Moment>().unwrap().resolve(now);
        assert_eq!(
            resolved("2h"),
            Timestamp::parse("2026-03-14T08:00:00Z").unwrap()
        );
        assert_eq!(
            resolved("2026-03-14"),
            Timestamp::parse("2026-03-14").unwrap()
        );
        for bad in ["", "h", "2y", "-1h", "yesterday", "99999999999999999999d"] {
            assert!(bad.parse::<Moment>().is_err(), "{bad}");
        }
    }
}
