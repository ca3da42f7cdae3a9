//! The retry budget, and how long to wait before a retry.
//!
//! A budget bounds the load that retries add when a provider is failing: over ten seconds, retries
//! are at most a percentage of the requests, plus one per second (after Finagle's retry budget).
//! Pauses grow with full jitter (Brooker, "Exponential backoff and jitter", 2015).

use std::time::Duration;

use parking_lot::Mutex;
use plimsoll_core::manifest::RetrySpec;

const WINDOW_SECONDS: u64 = 10;
const FREE_PER_SECOND: u64 = 1;

/// How many retries one system may make.
pub(crate) struct RetryBudget {
    percent: u64,
    seconds: Mutex<[Second; WINDOW_SECONDS as usize]>,
}

#[derive(Clone, Copy, Default)]
struct Second {
    number: u64,
    requests: u64,
    retries: u64,
}

impl RetryBudget {
    pub(crate) fn new(percent: u32) -> Self {
        Self {
            percent: percent.into(),
            seconds: Mutex::default(),
        }
    }

    /// Counts a request at `now`, which earns a share of a retry.
    pub(crate) fn earn(&self, now: Duration) {
        slot(&mut self.seconds.lock(), now).requests += 1;
    }

    /// Takes one retry at `now`, if the budget has one.
    pub(crate) fn take(&self, now: Duration) -> bool {
        let mut seconds = self.seconds.lock();
        let oldest = now.as_secs().saturating_sub(WINDOW_SECONDS - 1);
        let recent = seconds.iter().filter(|second| second.number >= oldest);
        let (requests, retries) = recent.fold((0, 0), |(q, r), second| {
            (q + second.requests, r + second.retries)
        });
        let allowed = requests * self.percent / 100 + FREE_PER_SECOND * WINDOW_SECONDS;
        if retries >= allowed {
            return false;
        }
        slot(&mut seconds, now).retries += 1;
        true
    }
}

fn slot(seconds: &mut [Second; WINDOW_SECONDS as usize], now: Duration) -> &mut Second {
    let number = now.as_secs();
    let index = usize::try_from(number % WINDOW_SECONDS).unwrap_or(0);
    let second = &mut seconds[index];
    if second.number != number {
        *second = Second {
            number,
            ..Second::default()
        };
    }
    second
}

/// How long to wait before retry number `retry` (from 1). `random` is uniform over all `u64`.
pub(crate) fn pause(spec: &RetrySpec, retry: u32, random: u64) -> Duration {
    let doubled = spec
        .base_ms
        .saturating_mul(1_u64.checked_shl(retry - 1).unwrap_or(u64::MAX));
    let ceiling = doubled.min(spec.cap_ms);
    Duration::from_millis(if ceiling == 0 {
        0
    } else {
        random % (ceiling + 1)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn retries_are_a_share_of_requests_plus_one_per_second() {
        let budget = RetryBudget::new(10);
        let now = Duration::from_secs(100);
        (0..100).for_each(|_| budget.earn(now));
        let taken = (0..100).filter(|_| budget.take(now)).count();
        assert_eq!(
            taken, 20,
            "ten percent of 100, and one for each of ten seconds"
        );
        assert!(!budget.take(Duration::from_secs(109)));
        assert!(budget.take(Duration::from_secs(110)), "the window moved on");
    }

    proptest! {
        #[test]
        fn a_pause_never_exceeds_its_cap(retry in 1..200_u32, random: u64, base_ms in 0..5000_u64, cap_ms in 0..9000_u64) {
            let spec = RetrySpec { attempts_max: 3, base_ms, cap_ms, budget_percent: 10 };
            prop_assert!(pause(&spec, retry, random) <= Duration::from_millis(cap_ms));
        }
    }
}
