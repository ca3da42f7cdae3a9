//! The data listener: one thread accepts, worker threads serve.
//!
//! Each worker has a runtime of its own on one thread, so that a request never wakes another core:
//! connections are handed out in turn. A second process on the same port is refused by the operating
//! system, as it would not be with a shared port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::deploying::StartError;
use crate::head_timer::{Answering, HeadTimer};
use crate::node::Node;
use crate::routes;

/// How many accepted connections may wait for one worker.
const HANDED_OUT_MAX: usize = 1024;
/// How long accepting pauses when the process has no file descriptor left.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);
/// The most bytes of a request's head.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A data listener that serves.
pub struct Listening {
    address: SocketAddr,
    stop: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

impl Listening {
    /// Where it listens; the port is the one that was given out if the workspace says 0.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, lets requests under way end within the workspace's `drain`, and returns when
    /// they did or time is up. Blocks.
    pub fn shutdown(self) {
        self.stop.cancel();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}

/// What workers need to know.
#[derive(Clone)]
struct Serving {
    node: Arc<Node>,
    stop: CancellationToken,
    header_timeout: Duration,
    idle_timeout: Duration,
    drain: Duration,
}

impl Node {
    /// Listens on the workspace's data address and serves.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn serve(self: &Arc<Self>) -> Result<Listening, StartError> {
        let served = Arc::clone(&self.workspace.lock().served);
        let address = served.server.data_address;
        let failed = |source| StartError::Listen { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = CancellationToken::new();
        let serving = Serving {
            node: Arc::clone(self),
            stop: stop.clone(),
            header_timeout: served.server.header_timeout,
            idle_timeout: served.server.idle_timeout,
            drain: served.server.drain,
        };
        let mut threads = Vec::with_capacity(self.workers + 1);
        let mut workers = Vec::with_capacity(self.workers);
        for number in 0..self.workers {
            let (sender, connections) = mpsc::channel(HANDED_OUT_MAX);
            let serving = serving.clone();
            let work = move || run(work(serving, connections));
            threads.push(spawn(&format!("plimsoll-data-{number}"), work).map_err(failed)?);
            workers.push(sender);
        }
        let accepting = stop.clone();
        let work = move || run(accept(listener, workers, accepting));
        threads.push(spawn("plimsoll-accept", work).map_err(failed)?);
        Ok(Listening {
            address,
            stop,
            threads,
        })
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
}

fn run(work: impl Future<Output = ()>) {
    match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(tokio::task::LocalSet::new().run_until(work)),
        Err(error) => tracing::error!(%error, "a worker's runtime could not be made"),
    }
}

async fn accept(
    listener: std::net::TcpListener,
    workers: Vec<mpsc::Sender<std::net::TcpStream>>,
    stop: CancellationToken,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the data listener could not be used");
            return;
        }
    };
    let mut turn = workers.iter().cycle();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => {
                let Some(worker) = turn.next() else { return };
                if worker.send(stream).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
            }
        }
    }
}

async fn work(serving: Serving, mut connections: mpsc::Receiver<std::net::TcpStream>) {
    let tracker = TaskTracker::new();
    loop {
        let stream = tokio::select! {
            stream = connections.recv() => stream,
            () = serving.stop.cancelled() => None,
        };
        let Some(stream) = stream else { break };
        let connected = stream
            .set_nodelay(true)
            .and_then(|()| TcpStream::from_std(stream));
        match connected {
            Ok(stream) => drop(tracker.spawn_local(connection(serving.clone(), stream))),
            Err(error) => tracing::debug!(%error, "a connection was gone before it was served"),
        }
    }
    tracker.close();
    if tokio::time::timeout(serving.drain, tracker.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            connections = tracker.len(),
            "requests under way were cut off"
        );
    }
}

async fn connection(serving: Serving, stream: TcpStream) {
    let node = Arc::clone(&serving.node);
    let answering = Answering::default();
    let stream = HeadTimer::new(stream, serving.header_timeout, answering.clone());
    let service = service_fn(move |request| {
        let (node, answering) = (Arc::clone(&node), answering.clone());
        answering.begin();
        async move {
            let reply = routes::serve(node, request).await;
            answering.end();
            reply
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(serving.idle_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = serving.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
