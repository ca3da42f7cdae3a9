//! A connection on which the head of a request, once begun, must arrive in time.
//!
//! hyper has one timer for an idle connection and for a slow head. They are not the same: a kept
//! connection may idle for longer than the load balancer in front keeps it, a sender that drips a
//! head byte by byte may not. hyper's timer takes the idling; this one takes the head, and costs
//! nothing when a head comes whole.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Which requests of the connection had their head read, told by whoever answers them.
#[derive(Clone, Default)]
pub(crate) struct Answering(Arc<Answered>);

#[derive(Default)]
struct Answered {
    heads: AtomicU64,
    answering: AtomicBool,
}

impl Answering {
    /// A head was read, and its request is being answered.
    pub(crate) fn begin(&self) {
        self.0.heads.fetch_add(1, Ordering::Relaxed);
        self.0.answering.store(true, Ordering::Relaxed);
    }

    /// The answer is on its way: what is read now is the next head.
    pub(crate) fn end(&self) {
        self.0.answering.store(false, Ordering::Relaxed);
    }
}

/// A stream with a timer on heads.
pub(crate) struct HeadTimer<S> {
    stream: S,
    timeout: Duration,
    answering: Answering,
    /// How many heads had been read when this was looked at last.
    heads: u64,
    /// Bytes of the next head have come.
    begun: bool,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> HeadTimer<S> {
    pub(crate) const fn new(stream: S, timeout: Duration, answering: Answering) -> Self {
        Self {
            stream,
            timeout,
            answering,
            heads: 0,
            begun: false,
            deadline: None,
        }
    }

    /// Whether a head that was begun is late. The timer is made only when a head did not come whole.
    fn is_late(&mut self, ctx: &mut Context<'_>) -> bool {
        let heads = self.answering.0.heads.load(Ordering::Relaxed);
        if heads != self.heads {
            (self.heads, self.begun, self.deadline) = (heads, false, None);
        }
        if !self.begun {
            return false;
        }
        let timeout = self.timeout;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(timeout)));
        deadline.as_mut().poll(ctx).is_ready()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadTimer<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_late(ctx) {
            let late = io::Error::new(io::ErrorKind::TimedOut, "the head did not arrive in time");
            return Poll::Ready(Err(late));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(ctx, buffer);
        if buffer.filled().len() > before && !self.answering.0.answering.load(Ordering::Relaxed) {
            self.begun = true;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadTimer<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(ctx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        ctx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(ctx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(ctx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(ctx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_head_that_drips_is_late_and_an_idle_connection_is_not() {
        let (mut caller, server) = duplex(64);
        let mut server = HeadTimer::new(server, Duration::from_secs(1), Answering::default());
        let mut byte = [0; 1];
        let idle = tokio::time::timeout(Duration::from_secs(60), server.read(&mut byte)).await;
        assert!(idle.is_err(), "nothing came, and nothing is late");
        caller.write_all(b"P").await.unwrap();
        assert_eq!(server.read(&mut byte).await.unwrap(), 1);
        let late = server.read(&mut byte).await.unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_while_answering_is_no_head() {
        let (mut caller, server) = duplex(64);
        let answering = Answering::default();
        let mut server = HeadTimer::new(server, Duration::from_secs(1), answering.clone());
        let mut byte = [0; 1];
        caller.write_all(b"P").await.unwrap();
        server.read_exact(&mut byte).await.unwrap();
        answering.begin();
        let body = tokio::time::timeout(Duration::from_secs(9), server.read(&mut byte)).await;
        assert!(body.is_err(), "a body may take its own time");
        answering.end();
        let idle = tokio::time::timeout(Duration::from_secs(9), server.read(&mut byte)).await;
        assert!(idle.is_err(), "the next head has not begun");
    }
}
