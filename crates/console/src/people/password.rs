//! Passwords, as they are kept: Argon2id (RFC 9106) with the parameters that OWASP's Password Storage Cheat
//! Sheet gives first: 19 MiB, two passes, one lane; about 20 ms of a core.
//!
//! Parameters stand beside each hash, so that later ones can be stronger. Hashing blocks, so it runs beside
//! the asynchronous threads, at most two at a time, and no more than [`WAITING_MAX`] wait for it.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use plimsoll_core::{Secret, random};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

/// The shortest password, in characters (NIST SP 800-63B-4 asks for 15 where nothing else is shown).
pub const PASSWORD_CHARS_MIN: usize = 15;

/// The longest password, in bytes.
const PASSWORD_BYTES_MAX: usize = 256;

/// OWASP's first choice: memory in KiB, passes, lanes.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// The most memory, passes and lanes that a kept hash may ask for.
const COST_MAX: (u32, u32, u32) = (256 * 1024, 16, 8);

/// How many are hashed at a time: each takes 19 MiB.
const HASHED_AT_A_TIME: usize = 2;

/// How many wait to be hashed before more are turned away.
const WAITING_MAX: usize = 32;

/// A password, hashed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; 16],
    hash: [u8; 32],
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

impl PasswordHash {
    /// Of a password.
    pub fn of(password: &Secret) -> Self {
        let (memory_kib, passes, lanes) = COST;
        let salt = random();
        let hash = derive(password, (COST, salt)).expect("the cost is one that Argon2 takes");
        Self {
            memory_kib,
            passes,
            lanes,
            salt,
            hash,
        }
    }

    /// What no password fits: verifying it takes as long as verifying a real one.
    pub(super) fn of_nobody() -> Self {
        let (memory_kib, passes, lanes) = COST;
        Self {
            memory_kib,
            passes,
            lanes,
            salt: random(),
            hash: random(),
        }
    }

    /// Whether it is this password's. How long it takes does not depend on the password.
    fn is_of(&self, password: &Secret) -> bool {
        let cost = (self.memory_kib, self.passes, self.lanes);
        let is_sane = cost.0 <= COST_MAX.0 && cost.1 <= COST_MAX.1 && cost.2 <= COST_MAX.2;
        let derived = is_sane
            .then(|| derive(password, (cost, self.salt)))
            .flatten();
        derived.is_some_and(|derived| bool::from(derived.ct_eq(&self.hash)))
    }
}

/// None for a cost that Argon2 does not know.
fn derive(
    password: &Secret,
    ((memory, passes, lanes), salt): ((u32, u32, u32), [u8; 16]),
) -> Option<[u8; 32]> {
    let params = Params::new(memory, passes, lanes, Some(32)).ok()?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut hash = [0; 32];
    let derived = argon2.hash_password_into(password.expose().as_bytes(), &salt, &mut hash);
    derived.ok().map(|()| hash)
}

/// Why a password may not be one; none if it may.
pub(crate) fn unfit(password: &Secret, name: &str) -> Option<String> {
    let text = password.expose();
    if text.chars().count() < PASSWORD_CHARS_MIN {
        return Some(format!(
            "a password has at least {PASSWORD_CHARS_MIN} characters"
        ));
    }
    if text.len() > PASSWORD_BYTES_MAX {
        return Some(format!("a password has at most {PASSWORD_BYTES_MAX} bytes"));
    }
    let mut characters = text.chars();
    let first = characters.next();
    let is_one_character = characters.all(|c| Some(c) == first);
    let holds_name =
        text.to_lowercase().contains(&name.to_lowercase()) && name.len() * 2 > text.len();
    (is_one_character || holds_name)
        .then(|| "the password is one that anybody would try first".to_owned())
}

/// Hashes beside the asynchronous threads.
#[derive(Clone, Debug)]
pub(super) struct Hasher {
    running: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// More want something hashed than may wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Busy;

impl Hasher {
    pub(super) fn new() -> Self {
        Self {
            running: Arc::new(Semaphore::new(HASHED_AT_A_TIME)),
            places: Arc::new(Semaphore::new(HASHED_AT_A_TIME + WAITING_MAX)),
        }
    }

    /// The password, hashed.
    pub(super) async fn hash(&self, password: Secret) -> Result<PasswordHash, Busy> {
        self.run(move || PasswordHash::of(&password)).await
    }

    /// Whether `hash` is this password's.
    pub(super) async fn verify(&self, hash: PasswordHash, password: Secret) -> Result<bool, Busy> {
        self.run(move || hash.is_of(&password)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await;
        let running = running.map_err(|_| Busy)?;
        // Whoever goes away while it runs frees no place before it ends.
        let hashing = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((running, place));
            done
        });
        hashing.await.map_err(|_| Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_hash_fits_its_password_and_no_other() {
        let hash = PasswordHash::of(&secret("correct horse battery"));
        assert!(hash.is_of(&secret("correct horse battery")));
        assert!(!hash.is_of(&secret("correct horse batterz")));
        assert!(!PasswordHash::of_nobody().is_of(&secret("correct horse battery")));
        let again = PasswordHash::of(&secret("correct horse battery"));
        assert_ne!(hash, again, "each has a salt of its own");
        let kept = serde_json::to_string(&hash).unwrap();
        let read: PasswordHash = serde_json::from_str(&kept).unwrap();
        assert!(read.is_of(&secret("correct horse battery")));
        assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
    }

    #[test]
    fn the_cost_is_what_owasp_asks_for_and_a_kept_one_is_bounded() {
        let hash = PasswordHash::of_nobody();
        assert_eq!((hash.memory_kib, hash.passes, hash.lanes), (19_456, 2, 1));
        let greedy = PasswordHash {
            memory_kib: u32::MAX,
            ..hash
        };
        assert!(!greedy.is_of(&secret("x")), "and no memory is taken");
    }

    #[test]
    fn what_anybody_would_try_first_is_no_password() {
        for bad in [
            "short",
            "aaaaaaaaaaaaaaaaaaaa",
            "annabelle-annab",
            &"x1".repeat(200),
        ] {
            assert!(unfit(&secret(bad), "annabelle").is_some(), "{bad}");
        }
        assert!(unfit(&secret("correct horse battery"), "ann").is_none());
    }

    #[tokio::test]
    async fn no_more_wait_than_may() {
        let hasher = Hasher::new();
        let _all = hasher.places.clone().acquire_many_owned(34).await.unwrap();
        assert_eq!(hasher.hash(secret("x")).await, Err(Busy));
    }
}
