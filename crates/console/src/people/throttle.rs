//! How often somebody may try to sign in: per name, and per address, within a window.
//!
//! A try counts before the password is looked at, so that tries at the same time do not get past the bound;
//! a success clears its name. A name counts alike whether an account has it or not, so that being refused
//! does not tell which. What may be made up is bounded in number: names of nobody, which are held as digests
//! because one may have been a password, and addresses. An IPv6 network counts as one address, as whoever has
//! one has 2⁶⁴. A loopback address is nobody's in particular and is not counted: the control plane listens
//! nowhere else, so that everybody comes from there, through a tunnel or a proxy that speaks TLS.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use plimsoll_core::{Digest, Timestamp};

/// How long a window is.
const WINDOW: Duration = Duration::from_mins(15);

/// How many tries of one name fit into a window.
pub(super) const TRIES_OF_NAME: u32 = 10;

/// How many tries from one address fit into a window.
pub(super) const TRIES_FROM_ADDRESS: u32 = 60;

/// How many names of nobody, and how many addresses, are remembered. Beyond that the oldest is forgotten: the
/// bound per account still holds.
const REMEMBERED_MAX: usize = 4_096;

/// The tries of one name or address.
#[derive(Clone, Copy, Debug)]
struct Tries {
    since: Timestamp,
    count: u32,
}

/// The tries of everybody.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    accounts: HashMap<String, Tries>,
    nobodies: Bounded<Digest>,
    addresses: Bounded<IpAddr>,
}

/// The tries of what may be made up.
#[derive(Debug)]
struct Bounded<K>(HashMap<K, Tries>);

/// Too many tries: after how long another one may be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany {
    /// Until the window ends.
    pub retry_after: Duration,
}

impl Throttle {
    /// Counts a try of `name`, which is an account's if it `is_known`, or says that there were too many.
    pub(super) fn begin(
        &mut self,
        name: &str,
        is_known: bool,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), TooMany> {
        self.begin_from(address, now)?;
        let tries = if is_known {
            let tries = self.accounts.entry(name.to_owned());
            tries.or_insert(Tries::none(now))
        } else {
            self.nobodies.of(Digest::of(name.as_bytes()), now)
        };
        tries.count(TRIES_OF_NAME, now)
    }

    /// Counts a try of nobody in particular from `address`, or says that there were too many.
    pub(super) fn begin_from(
        &mut self,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), TooMany> {
        let Some(network) = address.and_then(network) else {
            return Ok(());
        };
        let tries = self.addresses.of(network, now);
        tries.count(TRIES_FROM_ADDRESS, now)
    }

    /// Whoever signed in begins anew, also if their name was nobody's when it was tried.
    pub(super) fn succeeded(&mut self, name: &str) {
        self.accounts.remove(name);
        self.nobodies.0.remove(&Digest::of(name.as_bytes()));
    }
}

impl<K> Default for Bounded<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Copy + Eq + Hash> Bounded<K> {
    /// The tries of `key`; if they are its first, the oldest of another may be forgotten for them.
    fn of(&mut self, key: K, now: Timestamp) -> &mut Tries {
        if !self.0.contains_key(&key) {
            self.make_room(now);
        }
        self.0.entry(key).or_insert(Tries::none(now))
    }

    fn make_room(&mut self, now: Timestamp) {
        if self.0.len() < REMEMBERED_MAX {
            return;
        }
        self.0.retain(|_, tries| !tries.is_over(now));
        if self.0.len() >= REMEMBERED_MAX {
            let oldest = self.0.iter().min_by_key(|(_, tries)| tries.since);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.0.remove(&oldest);
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

/// The network that stands for an address: of IPv6, its first 64 bits. None for a loopback address.
fn network(address: IpAddr) -> Option<IpAddr> {
    let address = address.to_canonical();
    if address.is_loopback() {
        return None;
    }
    match address {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Some(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
        }
        v4 @ IpAddr::V4(_) => Some(v4),
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
    fn a_name_may_be_tried_ten_times_in_a_window_from_wherever_whoever_has_it() {
        for is_known in [true, false] {
            let mut throttle = Throttle::default();
            let mut tried = |name, from, now| throttle.begin(name, is_known, v4(from), now);
            for n in 0..TRIES_OF_NAME {
                assert_eq!(tried("ann", n, at(n.into())), Ok(()));
            }
            let refused = tried("ann", 99, at(60)).unwrap_err();
            assert_eq!(refused.retry_after, Duration::from_secs(15 * 60 - 60));
            assert_eq!(tried("bob", 99, at(60)), Ok(()));
            assert_eq!(tried("ann", 99, at(15 * 60)), Ok(()));
        }
    }

    #[test]
    fn a_success_clears_its_name() {
        let mut throttle = Throttle::default();
        for is_known in [true, false] {
            throttle.begin("ann", is_known, None, at(0)).unwrap();
            throttle.begin("bob", is_known, None, at(0)).unwrap();
        }
        throttle.succeeded("ann");
        assert!(throttle.accounts.keys().eq(["bob"]));
        assert_eq!(throttle.nobodies.0.len(), 1);
    }

    #[test]
    fn an_address_is_bounded_whatever_names_it_tries() {
        let mut throttle = Throttle::default();
        let mut tried =
            |n: u32, from, now| throttle.begin(&format!("made-up-{n}"), false, from, now);
        for n in 0..TRIES_FROM_ADDRESS {
            assert_eq!(tried(n, v4(7), at(0)), Ok(()));
        }
        assert!(tried(99, v4(7), at(1)).is_err());
        let of_network =
            |last: u16| Some(IpAddr::V6(Ipv6Addr::new(0x2001, 1, 2, 3, 0, 0, 0, last)));
        for last in 0..60 {
            assert_eq!(
                tried(100 + u32::from(last), of_network(last), at(0)),
                Ok(())
            );
        }
        assert!(tried(200, of_network(61), at(1)).is_err());
    }

    #[test]
    fn a_loopback_address_is_not_counted_and_the_name_is() {
        let mut throttle = Throttle::default();
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            let address: Option<IpAddr> = Some(address.parse().unwrap());
            for n in 0..2 * TRIES_FROM_ADDRESS {
                let name = format!("made-up-{n}");
                assert_eq!(throttle.begin(&name, false, address, at(0)), Ok(()));
            }
            for _ in 0..TRIES_OF_NAME {
                throttle.begin("ann", true, address, at(0)).unwrap();
            }
            assert!(throttle.begin("ann", true, address, at(0)).is_err());
            throttle.succeeded("ann");
        }
        assert!(throttle.addresses.0.is_empty());
    }

    #[test]
    fn what_is_remembered_of_what_may_be_made_up_is_bounded() {
        let mut throttle = Throttle::default();
        for n in 0..20_000_u32 {
            let name = format!("made-up-{n}");
            let now = at(u64::from(n) / 100);
            throttle.begin(&name, false, v4(n), now).unwrap();
            assert!(throttle.addresses.0.len() <= REMEMBERED_MAX);
            assert!(throttle.nobodies.0.len() <= REMEMBERED_MAX);
        }
        assert!(throttle.accounts.is_empty(), "and takes no account's place");
    }

    #[test]
    fn whoever_is_remembered_forgets_nobody_else() {
        let mut throttle = Throttle::default();
        let names: Vec<_> = (0..REMEMBERED_MAX).map(|n| n.to_string()).collect();
        for _ in 0..TRIES_OF_NAME {
            for name in &names {
                assert_eq!(throttle.begin(name, false, None, at(0)), Ok(()));
            }
        }
        for name in &names {
            assert!(throttle.begin(name, false, None, at(1)).is_err(), "{name}");
        }
    }
}
