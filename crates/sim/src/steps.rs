//! Response bodies: either whole, or a list of steps (bytes, pauses, and the ways to go wrong).
//!
//! Every fault that strikes after the response's headers is an edit of that list, so that a stall or a
//! cut has one implementation for streams and plain bodies alike.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::wire::Ending;

/// The longest that a silent or stalled response holds its connection.
pub(crate) const HANG_MAX: Duration = Duration::from_secs(600);

/// What keep-alive comments look like, and how often they come.
const COMMENT: &[u8] = b": keep-alive\n\n";
const COMMENT_INTERVAL: Duration = Duration::from_millis(100);

/// How long to wait before breaking a connection off, so that what was written before is on its way.
const BREAK_PAUSE: Duration = Duration::from_millis(5);

const FILLER: &[u8; 16 * 1024] = &[b'x'; 16 * 1024];

/// The connection is given up on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the script says to drop this connection")]
pub(crate) struct Dropped;

/// One step of a response body.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send these bytes.
    Bytes(Bytes),
    /// Wait.
    Pause(Duration),
    /// Send this many bytes of filler.
    Fill(u64),
    /// Send nothing more, but keep the connection.
    Hang,
    /// Send only comments, and keep the connection.
    Comments,
    /// Break the connection off, by RST or by FIN, once what was sent before is on its way.
    Break { reset: bool },
    /// The same without waiting; only [`Step::Break`] and [`Step::Hang`] make it.
    BreakNow { reset: bool },
}

/// A response body.
#[derive(Debug)]
pub(crate) enum SimBody {
    /// All of it at once, with its length known.
    Whole(Bytes),
    /// Step by step.
    Steps(Box<Steps>),
}

/// Steps still to take.
#[derive(Debug)]
pub(crate) struct Steps {
    left: VecDeque<Step>,
    pause: Option<Pin<Box<Sleep>>>,
    ending: Arc<Ending>,
    commented: Duration,
}

impl SimBody {
    pub(crate) fn steps(left: impl Into<VecDeque<Step>>, ending: &Arc<Ending>) -> Self {
        Self::Steps(Box::new(Steps {
            left: left.into(),
            pause: None,
            ending: Arc::clone(ending),
            commented: Duration::ZERO,
        }))
    }
}

impl Steps {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Dropped>>> {
        loop {
            if let Some(pause) = self.pause.as_mut() {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            match self.left.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Bytes(bytes)) => return Poll::Ready(Some(Ok(bytes))),
                Some(Step::Pause(duration)) => self.pause = Some(Box::pin(sleep(duration))),
                Some(Step::Fill(bytes)) => return Poll::Ready(Some(Ok(self.fill(bytes)))),
                Some(Step::Hang) => self.break_off_after(HANG_MAX, false),
                Some(Step::Break { reset }) => self.break_off_after(BREAK_PAUSE, reset),
                Some(Step::Comments) => return Poll::Ready(self.comment()),
                Some(Step::BreakNow { reset }) => {
                    if reset {
                        self.ending.reset();
                    }
                    return Poll::Ready(Some(Err(Dropped)));
                }
            }
        }
    }

    fn break_off_after(&mut self, pause: Duration, reset: bool) {
        self.pause = Some(Box::pin(sleep(pause)));
        self.left = VecDeque::from([Step::BreakNow { reset }]);
    }

    fn fill(&mut self, bytes: u64) -> Bytes {
        let now = bytes.min(FILLER.len() as u64);
        if bytes > now {
            self.left.push_front(Step::Fill(bytes - now));
        }
        let now = usize::try_from(now).unwrap_or(FILLER.len());
        Bytes::from_static(&FILLER[..now])
    }

    fn comment(&mut self) -> Option<Result<Bytes, Dropped>> {
        if self.commented >= HANG_MAX {
            return Some(Err(Dropped));
        }
        self.commented += COMMENT_INTERVAL;
        self.left.push_front(Step::Comments);
        self.left.push_front(Step::Pause(COMMENT_INTERVAL));
        Some(Ok(Bytes::from_static(COMMENT)))
    }
}

impl Body for SimBody {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Steps(steps) => steps
                .poll_next(cx)
                .map(|step| step.map(|result| result.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Steps(_) => SizeHint::default(),
        }
    }
}
