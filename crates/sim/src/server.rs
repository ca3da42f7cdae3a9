//! Starting and stopping the simulator.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use plimsoll_core::Secret;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::chat::Pace;
use crate::ledger::{Books, Ledger, Seen};
use crate::route::Shared;
use crate::script::{Engine, Script, ScriptError};
use crate::wire::Wire;

/// The most connections that are served at once; more wait to be accepted.
const CONNECTIONS_MAX: usize = 4096;

/// How to start a simulator. The default listens on a free port of 127.0.0.1 and answers everything at once.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Where to listen.
    pub address: SocketAddr,
    /// Which requests meet which fault.
    pub script: Script,
    /// The key that callers must give as a bearer token; without it, anything goes.
    pub key: Option<Secret>,
    /// The models that `/v1/models` lists; any other name is answered as well.
    pub models: Vec<String>,
    /// How long each answer takes to begin, unless a rule says otherwise.
    pub latency: Duration,
    /// How long between the content chunks of a stream, unless a rule says otherwise.
    pub chunk_interval: Duration,
    /// How many of the last requests [`Running::seen`] tells.
    pub remember: usize,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            script: Script::new(),
            key: None,
            models: vec!["sim-small".to_owned(), "sim-large".to_owned()],
            latency: Duration::ZERO,
            chunk_interval: Duration::ZERO,
            remember: 64,
        }
    }
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The address cannot be listened on.
    #[error("listening on {address} for the simulator: is something else using the port?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The script cannot be used.
    #[error(transparent)]
    Script(#[from] ScriptError),
}

/// The simulator.
#[derive(Debug)]
pub struct Simulator;

/// A simulator that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    /// Never sent to: the simulator ends when it is dropped.
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Simulator {
    /// Starts a simulator on the current tokio runtime.
    ///
    /// # Errors
    /// If the script cannot be used or the address cannot be listened on.
    pub async fn start(config: SimConfig) -> Result<Running, SimError> {
        let script = config.script.checked()?;
        let failed = |source| SimError::Listen {
            address: config.address,
            source,
        };
        let listener = TcpListener::bind(config.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared {
            engine: ArcSwap::from_pointee(Engine::new(script)),
            books: Books::new(config.remember),
            key: config.key,
            models: config.models,
            latency: config.latency,
            pace: Pace {
                first: Duration::ZERO,
                interval: config.chunk_interval,
            },
        });
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(listener, Arc::clone(&shared), stopped));
        Ok(Running {
            address,
            shared,
            stop,
            task,
        })
    }
}

impl Running {
    /// `http://ADDRESS`, for `/predict` and the control routes.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `http://ADDRESS/v1`, as OpenAI clients want it.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What it was asked and what it gave so far.
    pub fn ledger(&self) -> Ledger {
        self.shared.books.ledger()
    }

    /// The last requests, oldest first, at most [`SimConfig::remember`] of them.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.books.seen()
    }

    /// Replaces the script; its counters begin anew.
    ///
    /// # Errors
    /// If the script cannot be used; the old one then stays.
    pub fn set_script(&self, script: Script) -> Result<(), ScriptError> {
        let engine = Engine::new(script.checked()?);
        self.shared.engine.store(Arc::new(engine));
        Ok(())
    }

    /// Ends it: the port is free and all connections are closed when this returns.
    pub async fn stop(self) {
        drop(self.stop);
        // A task that ended by itself has nothing more to stop.
        self.task.await.ok();
    }

    /// Serves for as long as the returned future is polled: for a process that does nothing else.
    pub async fn wait(self) {
        let Self { stop, task, .. } = self;
        task.await.ok();
        drop(stop);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, Arc::clone(&shared)));
                }
                // Out of file descriptors, most likely: give connections time to end.
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>) {
    // Without it small writes wait for acknowledgements; if it cannot be set, the peer has gone already.
    stream.set_nodelay(true).ok();
    let wire = Wire::new(stream);
    let ending = wire.ending();
    let service = service_fn(|request| {
        let (shared, ending) = (Arc::clone(&shared), Arc::clone(&ending));
        async move { shared.serve(request, &ending).await }
    });
    // Connections end by fault, by script or because the caller leaves: none of that is news.
    http1::Builder::new()
        .serve_connection(TokioIo::new(wire), service)
        .await
        .ok();
}
