//! Sessions of people who signed in: in the memory of the node, so that a restart ends them all.
//!
//! An id is 256 random bits, told once in a cookie and held as its SHA-256: whoever reads this memory cannot
//! act as anybody. A session ends after thirty minutes without a request, after twelve hours in any case, at
//! sign-out, when the password is changed and when the account is disabled. (OWASP, Session Management.)

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::{Digest, Timestamp, random};

use crate::identity::Vouched;

/// For how long nothing may be asked.
const IDLE: Duration = Duration::from_mins(30);

/// How long a session lasts at the most.
pub(crate) const LASTS: Duration = Duration::from_hours(12);

/// How many sessions one person may have; the oldest ends when another begins.
const OF_ONE_MAX: usize = 16;

/// How many sessions there may be; the one that was idle for the longest ends when another begins.
const ALL_MAX: usize = 4_096;

/// The sessions that stand.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<Digest, Session>);

#[derive(Clone, Debug)]
struct Session {
    account: String,
    /// Whom a provider vouched for; none of an account of this node.
    vouched: Option<Arc<Vouched>>,
    made_at: Timestamp,
    seen_at: Timestamp,
}

/// Whose a session is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Holder {
    /// Of the account with this name.
    Account(String),
    /// Of somebody for whom a provider vouched.
    Vouched(Arc<Vouched>),
}

impl Session {
    fn is_over(&self, now: Timestamp) -> bool {
        now >= self.seen_at.plus(IDLE) || now >= self.made_at.plus(LASTS)
    }
}

impl Sessions {
    /// Begins a session. Its id.
    pub(super) fn begin(&mut self, holder: Holder, now: Timestamp) -> String {
        let (account, vouched) = match holder {
            Holder::Account(name) => (name, None),
            Holder::Vouched(vouched) => (vouched.name.clone(), Some(vouched)),
        };
        self.0.retain(|_, session| !session.is_over(now));
        let of_account = |session: &Session| session.account == account;
        if self
            .0
            .values()
            .filter(|session| of_account(session))
            .count()
            >= OF_ONE_MAX
        {
            self.end_oldest(|session| of_account(session).then_some(session.made_at));
        }
        if self.0.len() >= ALL_MAX {
            self.end_oldest(|session| Some(session.seen_at));
        }
        let bytes: [u8; 32] = random();
        let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let session = Session {
            account,
            vouched,
            made_at: now,
            seen_at: now,
        };
        self.0.insert(Digest::of(id.as_bytes()), session);
        id
    }

    fn end_oldest(&mut self, age: impl Fn(&Session) -> Option<Timestamp>) {
        let aged = self.0.iter();
        let aged = aged.filter_map(|(digest, session)| Some((age(session)?, *digest)));
        if let Some((_, oldest)) = aged.min_by_key(|(age, _)| *age) {
            self.0.remove(&oldest);
        }
    }

    /// Whose session has this id; it was used now.
    pub(super) fn find(&mut self, id: &str, now: Timestamp) -> Option<Holder> {
        let digest = Digest::of(id.as_bytes());
        let session = self.0.get_mut(&digest)?;
        if session.is_over(now) {
            self.0.remove(&digest);
            return None;
        }
        session.seen_at = session.seen_at.max(now);
        Some(match &session.vouched {
            Some(vouched) => Holder::Vouched(Arc::clone(vouched)),
            None => Holder::Account(session.account.clone()),
        })
    }

    /// Ends the session with this id. Whose it was.
    pub(super) fn end(&mut self, id: &str) -> Option<String> {
        let ended = self.0.remove(&Digest::of(id.as_bytes()));
        ended.map(|session| session.account)
    }

    /// Ends all sessions of an account.
    pub(super) fn end_all(&mut self, account: &str) {
        self.0.retain(|_, session| session.account != account);
    }
}

/// What a page must send with each change, beside the cookie: it is made from the session's id, which no
/// page of another site can read.
pub(crate) fn csrf_token(id: &str) -> String {
    Digest::of(format!("plimsoll-csrf {id}").as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> Holder {
        Holder::Account(name.to_owned())
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(1_000_000).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn a_session_ends_when_it_idles_and_in_any_case_in_the_end() {
        let mut sessions = Sessions::default();
        let id = sessions.begin(account("ann"), at(0));
        assert_eq!(id.len(), 64);
        assert_eq!(sessions.find(&id, at(1_799)), Some(account("ann")));
        assert_eq!(sessions.find(&id, at(1_799 + 1_799)), Some(account("ann")));
        assert_eq!(sessions.find(&id, at(1_799 + 1_799 + 1_800)), None);
        assert_eq!(sessions.find(&id, at(3_600)), None, "and stays ended");
        let id = sessions.begin(account("ann"), at(0));
        let twelve_hours = 12 * 3_600;
        for minutes in (0..twelve_hours / 60).step_by(20) {
            assert!(sessions.find(&id, at(minutes * 60)).is_some(), "{minutes}");
        }
        assert_eq!(sessions.find(&id, at(twelve_hours)), None);
    }

    #[test]
    fn an_id_is_held_hashed_and_another_one_is_nobodys() {
        let mut sessions = Sessions::default();
        let id = sessions.begin(account("ann"), at(0));
        assert!(!format!("{sessions:?}").contains(&id));
        for wrong in ["", "x", &id[1..], &id.to_uppercase()] {
            assert_eq!(sessions.find(wrong, at(1)), None, "{wrong}");
        }
        assert_ne!(
            csrf_token(&id),
            csrf_token(&sessions.begin(account("ann"), at(0)))
        );
        assert_eq!(sessions.end(&id).as_deref(), Some("ann"));
        assert_eq!(sessions.find(&id, at(1)), None);
    }

    #[test]
    fn one_person_has_a_bounded_number_and_all_can_be_ended() {
        let mut sessions = Sessions::default();
        let bob = sessions.begin(account("bob"), at(0));
        let first = sessions.begin(account("ann"), at(0));
        for n in 1..=16 {
            sessions.begin(account("ann"), at(n));
        }
        assert_eq!(sessions.find(&first, at(20)), None, "the oldest ended");
        assert_eq!(sessions.0.len(), 17);
        sessions.end_all("ann");
        assert_eq!(sessions.0.len(), 1);
        assert!(sessions.find(&bob, at(20)).is_some());
    }

    #[test]
    fn there_is_a_bounded_number_of_them() {
        let mut sessions = Sessions::default();
        for n in 0..ALL_MAX + 50 {
            sessions.begin(account(&format!("u{n}")), at(0));
        }
        assert_eq!(sessions.0.len(), ALL_MAX);
    }
}
