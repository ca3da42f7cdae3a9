//! Limits that several nodes share: exchanging slices with their keeper beside the requests.
//!
//! Requests spend what this node holds, from memory. One task reports and leases ahead of need, each
//! half second and whenever a slice runs low; only a request whose slice is spent waits for it, and no
//! longer than declared. The rules are [`plimsoll_core::limits::lease`].
//!
//! What always holds: while the keeper is away nothing waits for it, and nothing is spent beyond what is
//! held; whoever is refused for that is told so, counted, and it stands in readiness.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use plimsoll_core::limits::lease::{ASKS_MAX, GRACE, REPORT_EVERY, Tenure};
use plimsoll_core::limits::{Exceeded, Tree};
use plimsoll_core::ports::{Exchanged, Leases, PortError};
use plimsoll_core::{Clock, Timestamp};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::limiting::Limiter;
use crate::node::Node;

/// After so long without an exchange, failed or not, the keeper counts as away: whoever exchanges has gone.
const SILENT_MAX: Duration = Duration::from_secs(5);

/// The keeper that nodes share limits through.
pub struct SharedLimits {
    /// Where slices are leased.
    pub keeper: Arc<dyn Leases>,
    /// For how long.
    pub lease: Duration,
    /// How long a request may wait for an answer.
    pub wait: Duration,
}

/// How many exchanges a node that stops has at the most to give back what it holds.
const LAST_MAX: usize = 20;

/// What this node knows of the keeper.
pub(crate) struct Sharing {
    keeper: Arc<dyn Leases>,
    clock: Arc<dyn Clock>,
    wait: Duration,
    wake: Notify,
    /// Counts up with each exchange, so that those who wait try again.
    rounds: watch::Sender<u64>,
    state: Mutex<State>,
    /// Held for each exchange; whether there is none any more.
    is_over: tokio::sync::Mutex<bool>,
    waited: AtomicU64,
    refused: AtomicU64,
}

#[derive(Default)]
struct State {
    tenure: Tenure,
    /// Whether answers hold, so that it is worth asking for more.
    grows: bool,
    /// Why the last exchange failed, and since when they do.
    away: Option<(String, Timestamp)>,
    /// When the last exchange was over, by how long the node had run; none before the first begins.
    exchanged: Option<Duration>,
    /// Why the keeper could not be told what the records say.
    untold: Option<String>,
    /// Whether another process goes by this node's name.
    is_displaced: bool,
}

/// What is counted, for the metrics.
#[derive(Clone, Copy, Default)]
pub(crate) struct SharingFigures {
    pub(crate) is_away: bool,
    pub(crate) is_untold: bool,
    pub(crate) exchanges: u64,
    pub(crate) waited: u64,
    pub(crate) refused: u64,
}

impl Sharing {
    pub(crate) fn new(shared: SharedLimits, clock: Arc<dyn Clock>) -> Self {
        Self {
            keeper: shared.keeper,
            clock,
            wait: shared.wait,
            wake: Notify::new(),
            rounds: watch::Sender::new(0),
            state: Mutex::default(),
            is_over: tokio::sync::Mutex::default(),
            waited: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Has the next exchange begin now.
    pub(crate) fn hurry(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn keeper(&self) -> &dyn Leases {
        &*self.keeper
    }

    /// Whether the keeper has a name here, so that what the records say may be told to it.
    pub(crate) fn has_met(&self) -> bool {
        let state = self.state.lock();
        state.grows || state.tenure.wants_seeds()
    }

    fn is_away(&self) -> bool {
        let state = self.state.lock();
        state.away.is_some() || self.silence(&state).is_some()
    }

    /// For how long there was no exchange, if that is too long.
    fn silence(&self, state: &State) -> Option<Duration> {
        let silence = self.clock.elapsed().saturating_sub(state.exchanged?);
        (silence > SILENT_MAX).then_some(silence)
    }

    /// Notes that an exchange is over, or that the first begins.
    fn note_exchange(&self) {
        self.state.lock().exchanged = Some(self.clock.elapsed());
    }

    /// For operators; nothing secret.
    pub(crate) fn detail(&self) -> Value {
        let state = self.state.lock();
        let (away, silence) = (state.away.as_ref(), self.silence(&state));
        json!({
            "leasing": state.grows && away.is_none() && silence.is_none(),
            "silent_seconds": silence.map(|silence| silence.as_secs()),
            "away": away.map(|(reason, _)| reason),
            "away_since": away.map(|(_, since)| since.to_string()),
            "records_untold": state.untold,
            "another_node_has_this_name": state.is_displaced,
        })
    }

    pub(crate) fn figures(&self) -> SharingFigures {
        SharingFigures {
            is_away: self.is_away(),
            is_untold: self.state.lock().untold.is_some(),
            exchanges: *self.rounds.borrow(),
            waited: self.waited.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// What is known of the keeper's memory, if it has to be told what the records say.
    fn lacks_records(&self) -> Option<Tenure> {
        let state = self.state.lock();
        let lacks = state.tenure.wants_seeds() || state.untold.is_some();
        lacks.then_some(state.tenure)
    }

    pub(crate) fn tenure(&self) -> Tenure {
        self.state.lock().tenure
    }

    /// Notes whether the keeper, whose memory was `met`, was told what the records say: of how many
    /// counters. It is told again until it was.
    pub(crate) fn note_told(&self, told: Result<usize, PortError>, met: Tenure) {
        let mut state = self.state.lock();
        match told {
            Ok(counters) => {
                state.untold = None;
                if state.tenure == met {
                    state.tenure.seeded();
                }
                tracing::info!(counters, "Redis was told what the records say was used");
            }
            Err(error) => {
                let reason = crate::deployed::chain(&error);
                if state.untold.is_none() {
                    tracing::error!(
                        reason,
                        "shared limits do not know what nodes used that are not running"
                    );
                }
                state.untold = Some(reason);
            }
        }
    }

    /// Notes what came of an exchange. Whether its answers hold, and whether all has to be told again.
    fn note(&self, exchanged: &Result<Exchanged, PortError>, now: Timestamp) -> (bool, bool) {
        let mut state = self.state.lock();
        let memory = match exchanged {
            Ok(exchanged) => exchanged.memory,
            Err(error) => {
                let reason = crate::deployed::chain(error);
                if state.away.is_none() {
                    tracing::error!(
                        reason,
                        "shared limits cannot be drawn on: this node spends what it holds and then refuses"
                    );
                }
                let since = state.away.as_ref().map_or(now, |(_, since)| *since);
                state.away = Some((reason, since));
                return (false, false);
            }
        };
        if let Some((_, since)) = state.away.take() {
            let seconds = now.since(since).as_secs();
            tracing::info!(seconds, "shared limits can be drawn on again");
        }
        if memory.is_ours == state.is_displaced {
            state.is_displaced = !memory.is_ours;
            if state.is_displaced {
                tracing::error!(
                    "another node goes by this one's name: it leases no more; give each its own `server.node`"
                );
            }
        }
        let before = state.tenure;
        state.grows = state.tenure.meet(memory);
        let is_new = state.tenure.wants_seeds() && before != state.tenure;
        if is_new {
            tracing::warn!(
                "Redis knows nothing of shared limits: it is told what was used and is held"
            );
        }
        (state.grows, is_new)
    }
}

impl Limiter {
    /// Reports what was used and leases what is wanted, once. Whether there is more than one exchange takes.
    async fn exchange(&self, sharing: &Sharing, clock: &dyn Clock) -> bool {
        let grows = sharing.state.lock().grows;
        let sent = clock.elapsed();
        let asks = self.tree().asks(clock.now(), grows);
        let is_full = asks.len() >= ASKS_MAX;
        let exchanged = sharing.keeper.exchange(&asks).await;
        let now = clock.now();
        let (holds, is_new) = sharing.note(&exchanged, now);
        {
            let mut tree = self.tree();
            match exchanged {
                Ok(exchanged) if holds => tree.answered(&asks, &exchanged.answers, (sent, now)),
                _ => tree.unanswered(asks, now),
            }
            if is_new {
                tree.report_again();
            }
        }
        sharing.note_exchange();
        sharing.rounds.send_modify(|rounds| *rounds += 1);
        holds && is_full
    }

    /// Tries `step` again after each exchange until it is not for want of a slice that it fails, for no
    /// longer than `most`.
    pub(crate) async fn waited<T>(
        &self,
        short: Box<Exceeded>,
        (clock, most): (&dyn Clock, Duration),
        mut step: impl FnMut(&mut Tree, Timestamp) -> Result<T, Box<Exceeded>>,
    ) -> Result<T, Box<Exceeded>> {
        let Some(sharing) = self.sharing() else {
            return Err(short);
        };
        sharing.waited.fetch_add(1, Ordering::Relaxed);
        let deadline = Instant::now() + sharing.wait.min(most);
        loop {
            let mut rounds = sharing.rounds.subscribe();
            let short = match self.step(|tree| step(tree, clock.now())) {
                Err(short) if short.is_short() => short,
                result => return result,
            };
            let is_late = sharing.is_away()
                || tokio::time::timeout_at(deadline, rounds.changed())
                    .await
                    .is_err();
            if is_late {
                sharing.refused.fetch_add(1, Ordering::Relaxed);
                return Err(short);
            }
        }
    }
}

impl Node {
    /// Begins to share limits, if it is to; comes back once slices are leased, or could not be so far.
    pub(crate) async fn share_limits(self: &Arc<Self>) {
        let Some(sharing) = self.limiter.sharing() else {
            return;
        };
        let node = Arc::downgrade(self);
        sharing.note_exchange();
        let rounds = sharing.rounds.subscribe();
        tokio::spawn(tell_records(Weak::clone(&node), rounds.clone()));
        tokio::spawn(async move {
            while let Some(node) = node.upgrade() {
                if !node.exchange_limits().await {
                    return;
                }
                let Some(sharing) = node.limiter.sharing() else {
                    return;
                };
                let wait = tokio::time::timeout(REPORT_EVERY, sharing.wake.notified());
                wait.await.ok();
            }
        });
        self.settled(sharing, rounds).await;
    }

    /// Waits for the first lease; not for a server that is away.
    async fn settled(&self, sharing: &Sharing, mut rounds: watch::Receiver<u64>) {
        let deadline = Instant::now() + GRACE + REPORT_EVERY * 3;
        while !sharing.state.lock().grows && !sharing.is_away() {
            let changed = tokio::time::timeout_at(deadline, rounds.changed()).await;
            if changed.is_err() {
                return;
            }
        }
    }

    /// One exchange; false if this node shares no more.
    async fn exchange_limits(&self) -> bool {
        let Some(sharing) = self.limiter.sharing() else {
            return false;
        };
        let is_over = sharing.is_over.lock().await;
        if *is_over {
            return false;
        }
        if self.limiter.exchange(sharing, &*self.clock).await {
            sharing.hurry();
        }
        true
    }

    /// Ends the exchanges: the last ones tell what was used and give back what is held, so that others need
    /// not wait until its leases are over.
    pub(crate) async fn unshare_limits(&self) {
        let Some(sharing) = self.limiter.sharing() else {
            return;
        };
        let mut is_over = sharing.is_over.lock().await;
        *is_over = true;
        self.limiter.tree().give_back();
        for _ in 0..LAST_MAX {
            sharing.state.lock().grows = false;
            if !self.limiter.exchange(sharing, &*self.clock).await {
                return;
            }
        }
    }
}

/// Tells a keeper what the records say that does not know it: after each exchange, and beside them, since
/// the database may take its time.
async fn tell_records(node: Weak<Node>, mut rounds: watch::Receiver<u64>) {
    while rounds.changed().await.is_ok() {
        let Some(node) = node.upgrade() else {
            return;
        };
        let Some(sharing) = node.limiter.sharing() else {
            return;
        };
        let Some(met) = sharing.lacks_records() else {
            continue;
        };
        let told = node.seed_keeper(sharing).await;
        let is_told = told.is_ok();
        sharing.note_told(told, met);
        drop(node);
        if !is_told {
            tokio::time::sleep(REPORT_EVERY).await;
        }
    }
}
