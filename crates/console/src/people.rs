//! People who sign in: accounts with a password of their own, sign-in, sessions, also of those for whom an
//! [identity provider](crate::identity) vouches.
//!
//! Accounts are one node's: nodes that share a database each have their own, in `people.json` of the data
//! folder, which alone holds the hashes. What happens to an account is recorded: made, changed, disabled,
//! signed in, failed, signed out. No record and no answer says whether a name is an account's: an unknown
//! name is hashed against, counted and refused like a known one.

mod password;
mod session;
mod throttle;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use plimsoll_core::account::AccountState;
use plimsoll_core::{Clock, KeyName, Role, Secret, TenantName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::identity::Vouched;
use password::{Busy, Hasher};
use session::{Holder, Sessions};
use throttle::Throttle;

pub(crate) use password::unfit;
pub use password::{PASSWORD_CHARS_MIN, PasswordHash};
pub(crate) use session::{LASTS, csrf_token};
pub use throttle::TooMany;

/// How many accounts a node has at the most.
pub const ACCOUNTS_MAX: usize = 10_000;

/// Somebody who signs in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// What records call them.
    pub name: KeyName,
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// The one tenant that they work for; none: the whole installation.
    pub tenant: Option<TenantName>,
    /// Their password.
    pub password: PasswordHash,
    /// Whether they may sign in.
    pub state: AccountState,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the password was set.
    pub password_at: Timestamp,
}

/// The accounts of a node, and who is signed in.
#[derive(Debug)]
pub struct People {
    accounts: RwLock<BTreeMap<String, Account>>,
    sessions: Mutex<Sessions>,
    throttle: Mutex<Throttle>,
    hasher: Hasher,
    nobody: PasswordHash,
    clock: Arc<dyn Clock>,
    /// One change of accounts at a time.
    pub(crate) changing: Arc<tokio::sync::Mutex<()>>,
}

/// Somebody who signed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum SignedIn {
    /// With a password of this node.
    Account(Box<Account>),
    /// Through an identity provider.
    Vouched(Arc<Vouched>),
}

/// Why somebody was not signed in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SignInError {
    /// Name and password do not belong together, or the account is disabled.
    Wrong,
    /// There were too many tries.
    TooMany(TooMany),
    /// Too many sign in at this moment.
    Busy,
}

impl From<Busy> for SignInError {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl People {
    /// These accounts; nobody is signed in.
    pub fn new(accounts: Vec<Account>, clock: Arc<dyn Clock>) -> Self {
        let named = |account: Account| (account.name.to_string(), account);
        Self {
            accounts: RwLock::new(accounts.into_iter().map(named).collect()),
            sessions: Mutex::default(),
            throttle: Mutex::default(),
            hasher: Hasher::new(),
            nobody: PasswordHash::of_nobody(),
            clock,
            changing: Arc::default(),
        }
    }

    /// All accounts, by name.
    pub(crate) fn all(&self) -> Vec<Account> {
        self.accounts.read().values().cloned().collect()
    }

    /// The account with this name.
    pub(crate) fn account(&self, name: &str) -> Option<Account> {
        self.accounts.read().get(name).cloned()
    }

    /// The password, hashed.
    pub(crate) async fn hash(&self, password: Secret) -> Result<PasswordHash, SignInError> {
        Ok(self.hasher.hash(password).await?)
    }

    /// What the accounts are once `account` is among them.
    pub(crate) fn with(&self, account: &Account) -> Vec<Account> {
        let mut accounts = self.accounts.read().clone();
        accounts.insert(account.name.to_string(), account.clone());
        accounts.into_values().collect()
    }

    /// From now on this holds; all that the account's sessions were is over.
    pub(crate) fn hold(&self, account: Account) {
        let name = account.name.to_string();
        self.accounts.write().insert(name.clone(), account);
        self.sessions.lock().end_all(&name);
    }

    /// Signs somebody in: the id of their session. An account that does not exist takes as long.
    pub(crate) async fn sign_in(
        &self,
        name: &str,
        password: Secret,
        address: Option<IpAddr>,
    ) -> Result<String, SignInError> {
        self.verify(name, password, address).await?;
        let holder = Holder::Account(name.to_owned());
        Ok(self.sessions.lock().begin(holder, self.clock.now()))
    }

    /// Begins the session of somebody for whom a provider vouched: its id.
    pub(crate) fn let_in(&self, vouched: Arc<Vouched>) -> String {
        let holder = Holder::Vouched(vouched);
        self.sessions.lock().begin(holder, self.clock.now())
    }

    /// Whether name and password belong together.
    pub(crate) async fn verify(
        &self,
        name: &str,
        password: Secret,
        address: Option<IpAddr>,
    ) -> Result<(), SignInError> {
        let known = self.account(name);
        let (is_known, now) = (known.is_some(), self.clock.now());
        let begun = self.throttle.lock().begin(name, is_known, address, now);
        begun.map_err(SignInError::TooMany)?;
        let hash = known.as_ref().map_or(&self.nobody, |known| &known.password);
        let fits = self.hasher.verify(hash.clone(), password).await?;
        // The account may have been disabled, or its password changed, while this one was looked at.
        let is_good = |now: Account| now.state == AccountState::Active && now.password == *hash;
        if !fits || !self.account(name).is_some_and(is_good) {
            return Err(SignInError::Wrong);
        }
        self.throttle.lock().succeeded(name);
        Ok(())
    }

    /// Counts a try to sign in through a provider, with those of passwords from the same address.
    pub(crate) fn tries_from(&self, address: Option<IpAddr>) -> Result<(), SignInError> {
        let counted = self.throttle.lock().begin_from(address, self.clock.now());
        counted.map_err(SignInError::TooMany)
    }

    /// Who has the session with this id.
    pub(crate) fn of_session(&self, id: &str) -> Option<SignedIn> {
        match self.sessions.lock().find(id, self.clock.now())? {
            Holder::Account(name) => {
                let account = self.account(&name);
                let active = account.filter(|account| account.state == AccountState::Active);
                active.map(|account| SignedIn::Account(Box::new(account)))
            }
            Holder::Vouched(vouched) => Some(SignedIn::Vouched(vouched)),
        }
    }

    /// Ends a session. Whose it was.
    pub(crate) fn sign_out(&self, id: &str) -> Option<String> {
        self.sessions.lock().end(id)
    }
}
