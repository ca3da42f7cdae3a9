//! Windows of time: calendar minutes, hours, days and months of a time zone, and the life of a session.
//!
//! Windows of one kind partition the time line: each moment lies in exactly one, also where clocks are
//! put forward or back. Hours and minutes end where the zone's offset changes; days and months begin
//! when the zone's clocks first show them.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::clock::Timestamp;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// In which time a ceiling counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Window {
    /// A minute of the clock.
    Minute,
    /// An hour of the clock.
    Hour,
    /// A day of the calendar.
    Day,
    /// A month of the calendar.
    Month,
    /// The life of a session, from its first request.
    Session,
}

impl Window {
    /// All of them, the shortest first.
    pub const ALL: [Self; 5] = [
        Self::Minute,
        Self::Hour,
        Self::Day,
        Self::Month,
        Self::Session,
    ];

    /// The name as it stands in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Session => "session",
        }
    }

    /// The window with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.as_str() == text)
    }
}

/// From when to when, the end left out; microseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// The first moment.
    pub start: i64,
    /// The first moment that is not in it any more.
    pub end: i64,
}

impl Span {
    /// Whether `at` lies in it.
    pub const fn holds(self, at: i64) -> bool {
        self.start <= at && at < self.end
    }
}

/// The time zone with this name of the IANA database, which is part of the binary.
pub fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

/// The names of all time zones.
pub fn time_zones() -> Vec<String> {
    jiff::tz::db()
        .available()
        .map(|name| name.to_string())
        .collect()
}

/// The windows that hold a moment, found once and kept until they end.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
    current: [Span; 4],
}

impl Calendar {
    /// The windows of `zone`.
    pub const fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            current: [Span { start: 0, end: 0 }; 4],
        }
    }

    /// The window that holds `now`; of a session that lives for `life`, the one that begins `now`.
    pub fn window(&mut self, window: Window, life: Duration, now: Timestamp) -> Span {
        let end = now.plus(life).as_micros();
        let now = now.as_micros();
        let place = match window {
            Window::Minute => 0,
            Window::Hour => 1,
            Window::Day => 2,
            Window::Month => 3,
            Window::Session => return Span { start: now, end },
        };
        if !self.current[place].holds(now) {
            self.current[place] = find(&self.zone, window, now);
        }
        self.current[place]
    }
}

/// The window of `zone` that holds `now`. Where the calendar has no answer (years that no clock shows),
/// everything is one window.
fn find(zone: &TimeZone, window: Window, now: i64) -> Span {
    let found = match window {
        Window::Minute => of_clock(zone, now, 60),
        Window::Hour => of_clock(zone, now, 3_600),
        Window::Day => of_calendar(zone, now, false),
        Window::Month | Window::Session => of_calendar(zone, now, true),
    };
    found.filter(|span| span.holds(now)).unwrap_or(Span {
        start: i64::MIN,
        end: i64::MAX,
    })
}

fn of_clock(zone: &TimeZone, now: i64, seconds: i64) -> Option<Span> {
    let at = jiff::Timestamp::from_microsecond(now).ok()?;
    let offset = i64::from(zone.to_offset(at).seconds()) * MICROS_PER_SECOND;
    let length = seconds * MICROS_PER_SECOND;
    let start = (now + offset).div_euclid(length) * length - offset;
    let micros = |at: jiff::Timestamp| at.as_microsecond();
    // `preceding` leaves the moment itself out; one step later takes it in.
    let after = at.checked_add(jiff::SignedDuration::from_micros(1)).ok()?;
    let before = zone.preceding(after).next();
    let before = before.map_or(i64::MIN, |transition| micros(transition.timestamp()));
    let next = zone.following(at).next();
    let next = next.map_or(i64::MAX, |transition| micros(transition.timestamp()));
    Some(Span {
        start: start.max(before),
        end: (start + length).min(next),
    })
}

fn of_calendar(zone: &TimeZone, now: i64, is_month: bool) -> Option<Span> {
    let at = jiff::Timestamp::from_microsecond(now).ok()?;
    let today = at.to_zoned(zone.clone()).date();
    let (first, next) = if is_month {
        let first = today.first_of_month();
        (first, today.last_of_month().tomorrow().ok()?)
    } else {
        (today, today.tomorrow().ok()?)
    };
    let begins = |day: jiff::civil::Date| {
        let zoned = day.to_zoned(zone.clone()).ok()?;
        Some(zoned.timestamp().as_microsecond())
    };
    Some(Span {
        start: begins(first)?,
        end: begins(next)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn at(text: &str) -> i64 {
        Timestamp::parse(text).unwrap().as_micros()
    }

    fn window(zone_name: &str, window: Window, moment: &str) -> (String, String) {
        let span = find(&zone(zone_name), window, at(moment));
        let shown = |micros| Timestamp::from_micros(micros).to_string();
        (shown(span.start), shown(span.end))
    }

    #[test]
    fn a_day_begins_at_midnight_of_its_zone_and_has_as_many_hours_as_it_has() {
        let day = window("Europe/Berlin", Window::Day, "2026-03-29T10:00:00Z");
        let (start, end) = ("2026-03-28T23:00:00.000000Z", "2026-03-29T22:00:00.000000Z");
        assert_eq!(
            day,
            (start.into(), end.into()),
            "23 hours: clocks go forward"
        );
        let month = window("America/New_York", Window::Month, "2026-11-15T00:00:00Z");
        let (start, end) = ("2026-11-01T04:00:00.000000Z", "2026-12-01T05:00:00.000000Z");
        assert_eq!(month, (start.into(), end.into()));
    }

    #[test]
    fn an_hour_ends_where_half_an_hour_is_put_back() {
        // Lord Howe Island puts its clocks back by half an hour at 02:00, to 01:30.
        let hour = window("Australia/Lord_Howe", Window::Hour, "2026-04-04T14:45:00Z");
        let (start, end) = ("2026-04-04T14:00:00.000000Z", "2026-04-04T15:00:00.000000Z");
        assert_eq!(hour, (start.into(), end.into()));
        let hour = window("Australia/Lord_Howe", Window::Hour, "2026-04-04T15:10:00Z");
        let (start, end) = ("2026-04-04T15:00:00.000000Z", "2026-04-04T15:30:00.000000Z");
        assert_eq!(hour, (start.into(), end.into()));
    }

    proptest! {
        #[test]
        fn windows_partition_the_time_line(
            name in prop::sample::select(vec![
                "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia",
                "Asia/Kathmandu", "America/St_Johns", "Africa/Casablanca", "Antarctica/Troll",
            ]),
            window in prop::sample::select(vec![
                Window::Minute, Window::Hour, Window::Day, Window::Month,
            ]),
            now in at("2005-01-01")..at("2035-01-01"),
            share in 0.0..1.0_f64,
        ) {
            let zone = zone(name);
            let span = find(&zone, window, now);
            prop_assert!(span.holds(now));
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a place in it")]
            let inside = span.start + ((span.end - span.start) as f64 * share) as i64;
            prop_assert_eq!(find(&zone, window, inside.min(span.end - 1)), span);
            prop_assert_eq!(find(&zone, window, span.end).start, span.end);
            prop_assert_eq!(find(&zone, window, span.start - 1).end, span.start);
        }
    }
}
