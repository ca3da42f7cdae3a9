//! How often somebody may try to sign in: per account, and per address, within a window.
//!
//! A try counts before the password is looked at, so that tries at the same time do not get past the bound;
//! a success clears its account. Only accounts that exist are counted, so that made-up names take no memory;
//! addresses are bounded in number, and an IPv6 network counts as one address, as whoever has one has 2⁶⁴.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use plimsoll_core::Timestamp;

/// How long a window is.
const WINDOW: Duration = Duration::from_mins(15);

/// How many tries of one account fit into a window.
pub(super) const TRIES_OF_ACCOUNT: u32 = 10;

/// How many tries from one address fit into a window.
pub(super) const TRIES_FROM_ADDRESS: u32 = 60;

/// How many addresses are remembered. Beyond that the oldest is forgotten: the bound per account still holds.
const ADDRESSES_MAX: usize = 4_096;

/// The tries of one account or address.
#[derive(Clone, Copy, Debug)]
struct Tries {
    since: Timestamp,
    count: u32,
}

/// The tries of everybody.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    accounts: HashMap<String, Tries>,
    addresses: HashMap<IpAddr, Tries>,
}

/// Too many tries: after how long another one may be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany {
    /// Until the window ends.
    pub retry_after: Duration,
}

impl Throttle {
    /// Counts a try, or says that there were too many.
    pub(super) fn begin(
        &mut self,
        account: Option<&str>,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), TooMany> {
        if let Some(address) = address.map(network) {
            self.make_room(now);
            let tries = self.addresses.entry(address).or_insert(Tries::none(now));
            tries.count(TRIES_FROM_ADDRESS, now)?;
        }
        if let Some(account) = account {
            let tries = self.accounts.entry(account.to_owned());
            let tries = tries.or_insert(Tries::none(now));
            tries.count(TRIES_OF_ACCOUNT, now)?;
        }
        Ok(())
    }

    /// Whoever signed in begins anew.
    pub(super) fn succeeded(&mut self, account: &str) {
        self.accounts.remove(account);
    }

    fn make_room(&mut self, now: Timestamp) {
        if self.addresses.len() < ADDRESSES_MAX {
            return;
        }
        self.addresses.retain(|_, tries| !tries.is_over(now));
        if self.addresses.len() >= ADDRESSES_MAX {
            let oldest = self.addresses.iter().min_by_key(|(_, tries)| tries.since);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                self.addresses.remove(&oldest);
            }
        }
    }
}

impl Tries {
    const fn none(since: Timestamp) -> Self {
        Self { since, count: 0 }
    }

    /// A clock that was set back begins a new window, as one that is over does.
    fn is_over(&self, now: Timestamp) -> bool {
        now >= self.since.plus(WINDOW) || now < self.since
    }

    fn count(&mut self, most: u32, now: Timestamp) -> Result<(), TooMany> {
        if self.is_over(now) {
            *self = Self::none(now);
        }
        if self.count >= most {
            let left = self.since.plus(WINDOW).as_micros() - now.as_micros();
            let retry_after = Duration::from_micros(u64::try_from(left).unwrap_or_default());
            return Err(TooMany { retry_after });
        }
        self.count += 1;
        Ok(())
    }
}

/// The network that stands for an address: of IPv6, its first 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(1_000_000).plus(Duration::from_secs(seconds))
    }

    fn v4(last: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(std::net::Ipv4Addr::from_bits(last)))
    }

    #[test]
    fn an_account_may_be_tried_ten_times_in_a_window_from_wherever() {
        let mut throttle = Throttle::default();
        for n in 0..TRIES_OF_ACCOUNT {
            assert_eq!(throttle.begin(Some("ann"), v4(n), at(n.into())), Ok(()));
        }
        let refused = throttle.begin(Some("ann"), v4(99), at(60)).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(15 * 60 - 60));
        assert_eq!(throttle.begin(Some("bob"), v4(99), at(60)), Ok(()));
        assert_eq!(throttle.begin(Some("ann"), v4(99), at(15 * 60)), Ok(()));
        throttle.succeeded("ann");
        assert!(!throttle.accounts.contains_key("ann"));
    }

    #[test]
    fn an_address_is_bounded_whatever_names_it_tries() {
        let mut throttle = Throttle::default();
        for _ in 0..TRIES_FROM_ADDRESS {
            assert_eq!(throttle.begin(None, v4(7), at(0)), Ok(()));
        }
        assert!(throttle.begin(None, v4(7), at(1)).is_err());
        assert!(throttle.accounts.is_empty(), "made-up names take no memory");
        let of_network =
            |last: u16| Some(IpAddr::V6(Ipv6Addr::new(0x2001, 1, 2, 3, 0, 0, 0, last)));
        for last in 0..60 {
            assert_eq!(throttle.begin(None, of_network(last), at(0)), Ok(()));
        }
        assert!(throttle.begin(None, of_network(61), at(1)).is_err());
    }

    #[test]
    fn what_is_remembered_of_addresses_is_bounded() {
        let mut throttle = Throttle::default();
        for n in 0..20_000_u32 {
            throttle.begin(None, v4(n), at(u64::from(n) / 100)).unwrap();
            assert!(throttle.addresses.len() <= ADDRESSES_MAX);
        }
    }
}
