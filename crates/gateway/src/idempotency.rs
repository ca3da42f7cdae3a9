//! Idempotency keys: the same key with the same body gets the same response, for 24 hours.
//!
//! Responses are held in memory, within a bound. After a restart the records still know that the
//! key was used, so that nothing is done twice; the response itself may not have been kept.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use plimsoll_core::{Code, DecisionId, Digest};

use crate::refusal::Refusal;

/// How long a key is remembered.
pub(crate) const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How many bytes of responses are held; the least used go first.
const BYTES_MAX: u64 = 32 * 1024 * 1024;
/// A response larger than this is not held.
const RESPONSE_BYTES_MAX: usize = 1024 * 1024;

/// The keys of the last 24 hours.
pub(crate) struct Idempotency(moka::sync::Cache<Digest, Arc<Entry>>);

pub(crate) struct Entry {
    body: Digest,
    state: Mutex<State>,
    /// The decisions that were made under the key.
    decisions: Mutex<Vec<DecisionId>>,
}

impl Entry {
    /// Notes a decision that is made under the key.
    pub(crate) fn note(&self, decision: DecisionId) {
        self.decisions.lock().push(decision);
    }

    /// Drops the response that is held, if it tells of one of these decisions.
    fn forget(&self, decisions: &BTreeSet<DecisionId>) -> bool {
        let tells = self
            .decisions
            .lock()
            .iter()
            .any(|id| decisions.contains(id));
        let mut state = self.state.lock();
        let drops = tells && matches!(*state, State::Answered(_));
        if drops {
            *state = State::NotKept;
        }
        drops
    }
}

enum State {
    InFlight,
    Answered(Stored),
    NotKept,
}

/// A response that can be given again.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What a key says about a call.
pub(crate) enum Claim {
    /// The first of its kind: answer it, and hold the answer.
    New(Claimed),
    /// Give this again.
    Again(Stored),
}

/// The right, and the duty, to answer a call under its key. Dropped without an answer, the key is
/// free again: a call that broke may be tried anew.
pub(crate) struct Claimed {
    key: Digest,
    entry: Arc<Entry>,
    keys: moka::sync::Cache<Digest, Arc<Entry>>,
    is_answered: bool,
}

impl Idempotency {
    pub(crate) fn new() -> Self {
        let weigh = |_: &Digest, entry: &Arc<Entry>| match &*entry.state.lock() {
            State::Answered(stored) => u32::try_from(stored.body.len() + 512).unwrap_or(u32::MAX),
            State::InFlight | State::NotKept => 256,
        };
        let cache = moka::sync::Cache::builder()
            .max_capacity(BYTES_MAX)
            .weigher(weigh);
        Self(cache.time_to_live(KEPT).build())
    }

    /// Drops the responses that tell of these decisions; their keys stay used.
    pub(crate) fn forget(&self, decisions: &BTreeSet<DecisionId>) {
        for (key, entry) in &self.0 {
            if entry.forget(decisions) {
                self.0.insert(*key, entry);
            }
        }
    }

    /// Claims `key` for a call with this body.
    pub(crate) fn claim(&self, key: Digest, body: &[u8]) -> Result<Claim, Refusal> {
        let body = Digest::of(body);
        let fresh = Arc::new(Entry {
            body,
            state: Mutex::new(State::InFlight),
            decisions: Mutex::default(),
        });
        let entry = self.0.get_with(key, || Arc::clone(&fresh));
        if Arc::ptr_eq(&entry, &fresh) {
            let keys = self.0.clone();
            return Ok(Claim::New(Claimed {
                key,
                entry,
                keys,
                is_answered: false,
            }));
        }
        if entry.body != body {
            return Err(Refusal::plain(Code::IdempotencyMismatch));
        }
        match &*entry.state.lock() {
            State::Answered(stored) => Ok(Claim::Again(stored.clone())),
            State::InFlight => Err(Refusal::plain(Code::IdempotencyInFlight)),
            State::NotKept => Err(Refusal::plain(Code::IdempotencyNotKept)),
        }
    }
}

impl Claimed {
    /// Where the decisions are noted that are made under the key.
    pub(crate) fn entry(&self) -> Arc<Entry> {
        Arc::clone(&self.entry)
    }

    /// Holds the response for whoever asks again.
    pub(crate) fn answer(mut self, stored: Stored) {
        self.is_answered = true;
        let keep = stored.body.len() <= RESPONSE_BYTES_MAX;
        *self.entry.state.lock() = if keep {
            State::Answered(stored)
        } else {
            State::NotKept
        };
        self.keys.insert(self.key, Arc::clone(&self.entry));
    }

    /// The response was a stream: it is remembered that there was one, not what it said.
    pub(crate) fn answer_not_kept(mut self) {
        self.is_answered = true;
        *self.entry.state.lock() = State::NotKept;
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if !self.is_answered {
            self.keys.invalidate(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(body: &'static str) -> Stored {
        let body = Bytes::from_static(body.as_bytes());
        Stored {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body,
        }
    }

    #[test]
    fn the_same_key_and_body_get_the_same_response_and_another_body_is_refused() {
        let (keys, key) = (Idempotency::new(), Digest::of(b"k"));
        let Ok(Claim::New(claimed)) = keys.claim(key, b"a") else {
            panic!("the first is new")
        };
        let in_flight = keys.claim(key, b"a").err().map(|refusal| refusal.code);
        assert_eq!(in_flight, Some(Code::IdempotencyInFlight));
        claimed.answer(stored("yes"));
        let Ok(Claim::Again(again)) = keys.claim(key, b"a") else {
            panic!("it was answered")
        };
        assert_eq!(again.body, "yes");
        let other = keys.claim(key, b"b").err().map(|refusal| refusal.code);
        assert_eq!(other, Some(Code::IdempotencyMismatch));
    }

    #[test]
    fn a_response_that_is_forgotten_leaves_its_key_used() {
        let (keys, key) = (Idempotency::new(), Digest::of(b"k"));
        let Ok(Claim::New(claimed)) = keys.claim(key, b"a") else {
            panic!("the first is new")
        };
        let now = plimsoll_core::Timestamp::from_micros(0);
        let (told, other) = (DecisionId::new(now), DecisionId::new(now));
        claimed.entry().note(told);
        claimed.answer(stored("yes"));
        keys.forget(&[other].into());
        assert!(matches!(keys.claim(key, b"a"), Ok(Claim::Again(_))));
        keys.forget(&[told].into());
        let again = keys.claim(key, b"a").err().map(|refusal| refusal.code);
        assert_eq!(again, Some(Code::IdempotencyNotKept));
    }

    #[test]
    fn a_call_that_broke_leaves_its_key_free() {
        let (keys, key) = (Idempotency::new(), Digest::of(b"k"));
        drop(keys.claim(key, b"a"));
        assert!(matches!(keys.claim(key, b"a"), Ok(Claim::New(_))));
    }
}
