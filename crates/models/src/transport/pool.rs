//! Kept connections: a shard per worker thread, a stack per host.
//!
//! The last one used is taken first, so that what a burst opened falls idle and is closed. A shard
//! is locked for a push or a pop and never across an await.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::endpoint::Endpoint;
use crate::worker;

/// More workers than this share shards.
const SHARDS: usize = 64;

/// After how many returned connections a shard looks through all its hosts for expired ones.
const SWEEP_EVERY: u32 = 1024;

type Sender = SendRequest<Full<Bytes>>;

#[derive(Debug)]
pub(super) struct Pool {
    shards: Box<[Mutex<Shard>]>,
    idle_max: usize,
    idle_timeout: Duration,
}

#[derive(Debug, Default)]
struct Shard {
    idle: HashMap<Arc<str>, Vec<Idle>>,
    returned: u32,
}

#[derive(Debug)]
struct Idle {
    sender: Sender,
    since: Instant,
}

/// A connection that is in use. Dropping it closes it; [`Lease::give_back`] keeps it.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) sender: Sender,
    key: Arc<str>,
    pool: Arc<Pool>,
}

impl Pool {
    pub(super) fn new(idle_max: usize, idle_timeout: Duration) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            idle_max,
            idle_timeout,
        }
    }

    /// A kept connection to the endpoint's host that is open as far as is known.
    pub(super) async fn take(self: &Arc<Self>, endpoint: &Endpoint) -> Option<Lease> {
        loop {
            let mut idle = self.pop(endpoint.key())?;
            if idle.since.elapsed() > self.idle_timeout || idle.sender.is_closed() {
                continue;
            }
            // At once, or as soon as the connection has finished with the answer before.
            if idle.sender.ready().await.is_ok() {
                return Some(Lease::new(idle.sender, endpoint, self));
            }
        }
    }

    fn pop(&self, key: &str) -> Option<Idle> {
        self.shard().lock().idle.get_mut(key)?.pop()
    }

    fn push(&self, key: Arc<str>, sender: Sender) {
        let since = Instant::now();
        let expired = |idle: &Idle| {
            since.duration_since(idle.since) > self.idle_timeout || idle.sender.is_closed()
        };
        let mut shard = self.shard().lock();
        shard.returned = shard.returned.wrapping_add(1);
        if shard.returned.is_multiple_of(SWEEP_EVERY) {
            shard.idle.retain(|_, stack| {
                stack.retain(|idle| !expired(idle));
                !stack.is_empty()
            });
        }
        let stack = shard.idle.entry(key).or_default();
        if stack.first().is_some_and(expired) {
            stack.retain(|idle| !expired(idle));
        }
        if stack.len() < self.idle_max {
            stack.push(Idle { sender, since });
        }
    }

    fn shard(&self) -> &Mutex<Shard> {
        &self.shards[worker::number() % SHARDS]
    }
}

impl Lease {
    pub(super) fn new(sender: Sender, endpoint: &Endpoint, pool: &Arc<Pool>) -> Self {
        Self {
            sender,
            key: endpoint.key().clone(),
            pool: pool.clone(),
        }
    }

    /// Keeps the connection, whose answer was read to its end.
    pub(super) fn give_back(self) {
        if !self.sender.is_closed() {
            self.pool.push(self.key, self.sender);
        }
    }
}
