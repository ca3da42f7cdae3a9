//! The projector's life beside a serving node: read what was committed, apply it, rest, again.
//!
//! It shares the cores with requests, so it takes its records in batches, lets them gather for a moment,
//! and rests in proportion to its work. When the database is away the batch is kept and tried again with
//! growing pauses; the journal holds what is behind it, so nothing else grows.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::Record;
use tokio_util::sync::CancellationToken;

use crate::error::StoreError;
use crate::projector::feed::{Feed, RecordSource};
use crate::projector::{BATCH_MAX, Projector};

/// How often the journal is asked whether there is more. Asking costs one atomic load, and is cheaper
/// than to be woken by each of thousands of commits.
const GATHER: Duration = Duration::from_millis(50);

/// Pauses between tries against a database that is away.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// How many batches are still applied after the order to stop.
const BATCHES_AT_STOP: usize = 20;

/// How much of a core the projection may take.
///
/// A view over the journal may lag; serving may not. So the projector takes little while much is being
/// recorded, and catches up when less is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Pace {
    /// The share of its time that the projector works, above 0 and up to 1.
    pub busy_share: f64,
    /// The same while more than [`Pace::loaded_rate`] is recorded.
    pub loaded_share: f64,
    /// From how many records per second on the node counts as loaded.
    pub loaded_rate: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            busy_share: 0.5,
            loaded_share: 0.05,
            loaded_rate: 5_000.0,
        }
    }
}

impl Pace {
    /// How long to rest after `worked`, while `rate` records per second are recorded.
    fn rest(self, worked: Duration, rate: f64) -> Duration {
        let share = if rate > self.loaded_rate {
            self.loaded_share
        } else {
            self.busy_share
        };
        worked
            .mul_f64(1.0 / share.clamp(0.01, 1.0) - 1.0)
            .min(RETRY_MAX)
    }
}

/// How fast the journal grew: records per second from `before`, when so many were committed, until `now`.
///
/// It is asked of the time in which a batch was applied, so that the first batch of a burst knows of it.
#[expect(clippy::cast_precision_loss, reason = "a rate is approximate")]
fn growth(before: (u64, Duration), now: (u64, Duration)) -> f64 {
    let records = now.0.saturating_sub(before.0) as f64;
    let seconds = now.1.saturating_sub(before.1).as_secs_f64();
    if seconds > 0.0 {
        records / seconds
    } else {
        0.0
    }
}

/// What one look at the journal gave.
enum Look {
    Records(Vec<(u64, Record)>),
    Nothing,
    /// The journal cannot be read now.
    Failed,
    /// Reading ended in a way that was not foreseen; the source is gone.
    Broken,
}

/// What became of a batch.
enum Applied {
    All,
    /// The database has lost what stood before the batch: it is to be read again.
    Behind,
    /// It was time to stop.
    Cancelled,
}

impl Projector {
    /// Follows `feed` (the [`plimsoll_journal::Journal`]) until `cancel`: twenty times a second it
    /// applies what was committed meanwhile, and forgets what is no longer retained. After `cancel` it
    /// applies what was committed before, up to a bound, and returns. It never gives up:
    /// errors are logged and the same is tried again.
    pub async fn run(self, feed: Arc<dyn Feed>, pace: Pace, cancel: CancellationToken) {
        let mut source = self.begin(&*feed, &cancel).await;
        let mut batches_left = BATCHES_AT_STOP;
        let mut minimum = 0;
        while batches_left > 0 {
            // Asked before the look: what was committed before the order to stop is seen by a look
            // that began after it.
            let is_stopping = cancel.is_cancelled();
            if is_stopping {
                batches_left -= 1;
            }
            let started = (feed.committed(), self.store.clock.elapsed());
            match look(&mut source, BATCH_MAX).await {
                Look::Records(batch) => {
                    match self.apply_until_done(&batch, &cancel).await {
                        Applied::All => {}
                        Applied::Behind => source = self.begin(&*feed, &cancel).await,
                        Applied::Cancelled => return,
                    }
                    let now = (feed.committed(), self.store.clock.elapsed());
                    let worked = now.1.saturating_sub(started.1);
                    pause(pace.rest(worked, growth(started, now)), &cancel).await;
                }
                Look::Nothing | Look::Failed if is_stopping => return,
                Look::Failed => pause(RETRY_MAX, &cancel).await,
                Look::Nothing => {
                    self.forget(&*feed, &mut minimum).await;
                    let position = source.as_ref().map_or(0, |source| source.position());
                    while feed.committed() <= position && !cancel.is_cancelled() {
                        pause(GATHER, &cancel).await;
                    }
                }
                Look::Broken => {
                    pause(RETRY_MAX, &cancel).await;
                    source = self.begin(&*feed, &cancel).await;
                }
            }
        }
    }

    /// A source that gives what is not in the tables yet; none if it was time to stop.
    async fn begin(
        &self,
        feed: &dyn Feed,
        cancel: &CancellationToken,
    ) -> Option<Box<dyn RecordSource>> {
        let mut wait = RETRY_MIN;
        loop {
            match self.source(feed).await {
                Ok(source) => return Some(source),
                Err(error) => log(&error, wait),
            }
            if cancel.is_cancelled() {
                return None;
            }
            pause(wait, cancel).await;
            wait = (wait * 2).min(RETRY_MAX);
        }
    }

    /// Applies a batch, if need be after many tries.
    async fn apply_until_done(
        &self,
        batch: &[(u64, Record)],
        cancel: &CancellationToken,
    ) -> Applied {
        let mut wait = RETRY_MIN;
        while let Err(error) = self.apply(batch).await {
            log(&error, wait);
            if matches!(error, StoreError::Behind { .. }) {
                return Applied::Behind;
            }
            if cancel.is_cancelled() {
                return Applied::Cancelled;
            }
            pause(wait, cancel).await;
            wait = (wait * 2).min(RETRY_MAX);
        }
        Applied::All
    }

    /// Forgets what went from the journal since the last time.
    async fn forget(&self, feed: &dyn Feed, minimum: &mut u64) {
        let retained = feed.minimum();
        if retained <= *minimum {
            return;
        }
        match self.forget_before(retained).await {
            Ok(forgotten) => {
                *minimum = retained;
                tracing::debug!(forgotten, retained, "decisions forgotten");
            }
            Err(error) => log(&error, GATHER),
        }
    }
}

/// Reads a batch on a thread that may block.
async fn look(slot: &mut Option<Box<dyn RecordSource>>, most: usize) -> Look {
    let Some(mut source) = slot.take() else {
        return Look::Broken;
    };
    let reading = tokio::task::spawn_blocking(move || {
        let batch = source.next_batch(most);
        (source, batch)
    });
    match reading.await {
        Ok((source, batch)) => {
            *slot = Some(source);
            match batch {
                Ok(batch) if batch.is_empty() => Look::Nothing,
                Ok(batch) => Look::Records(batch),
                Err(cause) => {
                    log(&StoreError::Journal(cause), RETRY_MAX);
                    Look::Failed
                }
            }
        }
        Err(error) => {
            tracing::error!(error = %error, "reading the journal for the projection broke off");
            Look::Broken
        }
    }
}

async fn pause(duration: Duration, cancel: &CancellationToken) {
    tokio::select! {
        () = cancel.cancelled() => {}
        () = tokio::time::sleep(duration) => {}
    }
}

fn log(error: &StoreError, wait: Duration) {
    let cause = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    tracing::warn!(error = %error, cause, wait_ms, "projection waits");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_is_in_proportion_to_work_and_bounded() {
        let pace = |busy_share| Pace {
            busy_share,
            ..Pace::default()
        };
        let worked = Duration::from_millis(10);
        assert_eq!(pace(1.0).rest(worked, 0.0), Duration::ZERO);
        assert_eq!(pace(0.5).rest(worked, 0.0), worked);
        assert_eq!(pace(0.25).rest(worked, 0.0), worked * 3);
        assert_eq!(pace(0.0).rest(Duration::from_secs(60), 0.0), RETRY_MAX);
    }

    #[test]
    fn under_load_the_view_gives_way_to_serving() {
        let worked = Duration::from_millis(10);
        assert_eq!(Pace::default().rest(worked, 4_999.0), worked);
        assert_eq!(Pace::default().rest(worked, 20_000.0).as_millis(), 190);
    }

    #[test]
    fn growth_is_records_per_second() {
        let at = Duration::from_secs;
        assert!((growth((100, at(1)), (300, at(3))) - 100.0).abs() < 1e-9);
        assert!(growth((300, at(3)), (300, at(4))).abs() < 1e-9);
        assert!(growth((300, at(3)), (400, at(3))).abs() < 1e-9);
    }
}
