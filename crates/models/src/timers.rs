//! How long each part of a call may take.
//!
//! Deadlines are moments of tokio's clock, because tokio's timers watch them.

use std::time::Duration;

use plimsoll_core::Code;
use tokio::time::Instant;

use crate::error::ModelError;

/// The time limits of one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timers {
    /// To connect to the model's server, name resolution and TLS included.
    pub connect: Duration,
    /// To the first content of a stream, and to the answer of a predictor. A chat answer that is not
    /// streamed shows no first token, so that only `total` holds for it.
    pub first_token: Duration,
    /// Between two pieces of content of a stream.
    pub stall: Duration,
    /// For the whole call: what remains of the decision's time.
    pub total: Duration,
}

/// Longer than any call: what larger durations are cut to, so that adding them cannot overflow.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A moment by which something must have happened, and what it is called if it has not.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) code: Code,
    pub(crate) limit: Duration,
}

impl Deadline {
    pub(crate) fn after(start: Instant, limit: Duration, code: Code) -> Self {
        let limit = limit.min(LONGEST);
        Self {
            at: start + limit,
            code,
            limit,
        }
    }

    pub(crate) fn earlier(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }

    pub(crate) fn passed(&self) -> ModelError {
        let what = match self.code {
            Code::ConnectTimeout => "no connection",
            Code::FirstTokenTimeout => "no first token",
            Code::StallTimeout => "no further token",
            _ => "no whole answer",
        };
        let detail = format!("{what} within {} ms", self.limit.as_millis());
        ModelError::new(self.code, detail)
    }

    /// Waits for `work` until the deadline.
    pub(crate) async fn hold<T>(&self, work: impl Future<Output = T>) -> Result<T, ModelError> {
        tokio::time::timeout_at(self.at, work)
            .await
            .map_err(|_| self.passed())
    }
}

/// The limits of a call that has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    pub(crate) connect: Duration,
    pub(crate) first_token: Deadline,
    pub(crate) stall: Duration,
    pub(crate) total: Deadline,
}

impl Timers {
    /// The limits of a call that begins now.
    pub(crate) fn start(&self) -> Running {
        let now = Instant::now();
        Running {
            connect: self.connect,
            first_token: Deadline::after(now, self.first_token, Code::FirstTokenTimeout),
            stall: self.stall,
            total: Deadline::after(now, self.total, Code::TotalTimeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_earlier_of_two_deadlines_names_the_timeout() {
        let timers = Timers {
            connect: Duration::from_secs(1),
            first_token: Duration::from_secs(4),
            stall: Duration::from_secs(5),
            total: Duration::MAX,
        };
        let running = timers.start();
        let deadline = running.total.earlier(running.first_token);
        let error = deadline
            .hold(std::future::pending::<()>())
            .await
            .unwrap_err();
        assert_eq!(error.code, Code::FirstTokenTimeout);
        assert_eq!(error.detail, "no first token within 4000 ms");
    }
}
