//! Sign-ins under way: what binds the answer of the provider to the browser that went there.
//!
//! A browser keeps one random value in a cookie, and `state`, `nonce` and the PKCE verifier are made from it
//! with a key that is this process' alone. So whoever begins takes no memory here, the cookie gives none of the
//! three away, and what comes back with another cookie, or with none, is nobody's. One code ends a sign-in:
//! what was ended is remembered until the cookie would be over, and if too much is, nobody else is let in
//! meanwhile rather than anybody twice.

use std::collections::HashMap;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use parking_lot::Mutex;
use plimsoll_core::{Digest, TenantName, Timestamp, random};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// How long somebody may take at the provider.
pub(crate) const LASTS: Duration = Duration::from_mins(10);

/// How many sign-ins may end in that time.
const ENDED_MAX: usize = 4_096;

/// The longest cookie that is looked at, in bytes: more than any of ours.
const COOKIE_BYTES_MAX: usize = 256;

/// Sign-ins under way.
pub(super) struct Logins {
    key: [u8; 32],
    ended: Mutex<HashMap<Digest, Timestamp>>,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logins(…)")
    }
}

/// One sign-in under way.
pub(super) struct Login {
    /// What the browser keeps.
    pub(super) cookie: String,
    /// What the provider sends back with it.
    pub(super) state: String,
    /// What the provider puts into the ID token.
    pub(super) nonce: String,
    /// What only we can show for the code (RFC 7636).
    pub(super) verifier: String,
    /// For whom they want to work, if they said.
    pub(super) tenant: Option<TenantName>,
}

/// Why what comes back is no sign-in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LoginError {
    /// This browser did not begin it here.
    Unknown,
    /// It took too long.
    Over,
    /// It ended already.
    Ended,
    /// More ended lately than are remembered.
    TooMany,
}

impl Logins {
    pub(super) fn new() -> Self {
        Self {
            key: random(),
            ended: Mutex::default(),
        }
    }

    /// Somebody sets out.
    pub(super) fn begin(&self, tenant: Option<TenantName>, now: Timestamp) -> Login {
        let bytes: [u8; 32] = random();
        let chance: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = tenant.as_ref().map_or("", |tenant| tenant.as_str());
        self.of(format!("{}.{chance}.{name}", now.as_micros()), tenant)
    }

    /// Somebody comes back with this cookie and this state, which nothing is remembered of yet.
    pub(super) fn known(
        &self,
        (cookie, state): (Option<&str>, Option<&str>),
        now: Timestamp,
    ) -> Result<Login, LoginError> {
        let (cookie, state) = cookie.zip(state).ok_or(LoginError::Unknown)?;
        if cookie.len() > COOKIE_BYTES_MAX {
            return Err(LoginError::Unknown);
        }
        let expected = self.derived("state", cookie);
        if !bool::from(expected.as_bytes().ct_eq(state.as_bytes())) {
            return Err(LoginError::Unknown);
        }
        // Only what this process wrote has such a state, so it reads.
        let (begun_at, tenant) = read(cookie).ok_or(LoginError::Unknown)?;
        if now >= begun_at.plus(LASTS) || now < begun_at {
            return Err(LoginError::Over);
        }
        Ok(self.of(cookie.to_owned(), tenant))
    }

    /// A sign-in that is known ends, for the first and only time.
    pub(super) fn end(&self, login: &Login, now: Timestamp) -> Result<(), LoginError> {
        let (begun_at, _) = read(&login.cookie).ok_or(LoginError::Unknown)?;
        self.remember(Digest::of(login.cookie.as_bytes()), begun_at, now)
    }

    fn remember(&self, id: Digest, begun_at: Timestamp, now: Timestamp) -> Result<(), LoginError> {
        let mut ended = self.ended.lock();
        if ended.contains_key(&id) {
            return Err(LoginError::Ended);
        }
        if ended.len() >= ENDED_MAX {
            ended.retain(|_, begun_at| now < begun_at.plus(LASTS));
        }
        if ended.len() >= ENDED_MAX {
            return Err(LoginError::TooMany);
        }
        ended.insert(id, begun_at);
        Ok(())
    }

    fn of(&self, cookie: String, tenant: Option<TenantName>) -> Login {
        Login {
            state: self.derived("state", &cookie),
            nonce: self.derived("nonce", &cookie),
            verifier: self.derived("verifier", &cookie),
            tenant,
            cookie,
        }
    }

    /// 64 letters and digits that nobody else can tell.
    fn derived(&self, what: &str, cookie: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(&self.key);
        let mut mac = mac.expect("a key of HMAC has any length");
        mac.update(what.as_bytes());
        mac.update(b" ");
        mac.update(cookie.as_bytes());
        let bytes = mac.finalize().into_bytes();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// When a cookie was made, and for whom somebody wants to work.
fn read(cookie: &str) -> Option<(Timestamp, Option<TenantName>)> {
    let (begun_at, rest) = cookie.split_once('.')?;
    let (_, name) = rest.split_once('.')?;
    let tenant = match name {
        "" => None,
        name => Some(TenantName::new(name).ok()?),
    };
    Some((Timestamp::from_micros(begun_at.parse().ok()?), tenant))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(1_000_000).plus(Duration::from_secs(seconds))
    }

    fn end(logins: &Logins, login: &Login, now: Timestamp) -> Result<Login, LoginError> {
        let known = logins.known((Some(&login.cookie), Some(&login.state)), now)?;
        logins.end(&known, now)?;
        Ok(known)
    }

    #[test]
    fn what_comes_back_is_what_set_out_and_only_once() {
        let logins = Logins::new();
        let tenant = TenantName::new("acme-2.eu").unwrap();
        let login = logins.begin(Some(tenant.clone()), at(0));
        let same = end(&logins, &login, at(1)).unwrap();
        assert_eq!(same.tenant, Some(tenant));
        assert_eq!(same.verifier, login.verifier);
        assert_eq!(same.nonce, login.nonce);
        assert_eq!(end(&logins, &login, at(2)).err(), Some(LoginError::Ended));
    }

    #[test]
    fn another_browser_another_state_and_another_process_are_nobodys() {
        let logins = Logins::new();
        let (mine, other) = (logins.begin(None, at(0)), logins.begin(None, at(0)));
        for (cookie, state) in [
            (None, Some(mine.state.as_str())),
            (Some(mine.cookie.as_str()), None),
            (Some(mine.cookie.as_str()), Some("")),
            (Some(mine.cookie.as_str()), Some(other.state.as_str())),
            (Some(other.cookie.as_str()), Some(mine.state.as_str())),
        ] {
            let known = logins.known((cookie, state), at(1));
            assert_eq!(known.err(), Some(LoginError::Unknown));
        }
        let restarted = Logins::new();
        assert_eq!(
            end(&restarted, &mine, at(1)).err(),
            Some(LoginError::Unknown)
        );
        assert!(end(&logins, &mine, at(1)).is_ok());
    }

    #[test]
    fn the_cookie_gives_none_of_the_three_away_and_its_time_cannot_be_changed() {
        let logins = Logins::new();
        let login = logins.begin(None, at(0));
        let three = [&login.state, &login.nonce, &login.verifier];
        for one in three {
            assert!(!login.cookie.contains(one.as_str()));
            assert_eq!(three.iter().filter(|other| *other == &one).count(), 1);
            assert!((43..=128).contains(&one.len()), "RFC 7636, 4.1");
        }
        let over = end(&logins, &login, at(600));
        assert_eq!(over.err(), Some(LoginError::Over));
        let (_, rest) = login.cookie.split_once('.').unwrap();
        let later = format!("{}.{rest}", at(500).as_micros());
        let later = logins.known((Some(&later), Some(&login.state)), at(700));
        assert_eq!(later.err(), Some(LoginError::Unknown));
    }

    #[test]
    fn no_more_are_remembered_than_may_and_nobody_comes_in_twice() {
        let logins = Logins::new();
        let first = logins.begin(None, at(0));
        end(&logins, &first, at(0)).unwrap();
        for _ in 1..ENDED_MAX {
            end(&logins, &logins.begin(None, at(1)), at(1)).unwrap();
        }
        let one_more = logins.begin(None, at(2));
        assert_eq!(
            end(&logins, &one_more, at(2)).err(),
            Some(LoginError::TooMany)
        );
        assert_eq!(end(&logins, &first, at(2)).err(), Some(LoginError::Ended));
        let later = logins.begin(None, at(601));
        assert!(end(&logins, &later, at(601)).is_ok());
    }
}
