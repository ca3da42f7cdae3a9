//! A server that does as it is told, byte by byte.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use plimsoll_models::{Timers, Transport, TransportConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is done in answer to a request, step by step.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Say nothing for so long.
    Pause(Duration),
    /// Say nothing until the client goes away.
    Hang,
    /// Close the connection in order.
    Close,
    /// Break the connection off.
    Reset,
}

/// A running server; it stops with the runtime.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
    abandoned: AtomicUsize,
}

impl Server {
    /// A server that answers the nth request (from 0), given as text, with the steps of `script`.
    pub(crate) async fn start(
        script: impl Fn(usize, &str) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Counts::default());
        let (script, counted) = (Arc::new(script), counts.clone());
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                counted.connections.fetch_add(1, Ordering::SeqCst);
                let (script, counted) = (script.clone(), counted.clone());
                tokio::spawn(async move { serve(socket, &*script, &counted).await });
            }
        });
        Self { address, counts }
    }

    /// A server that gives every request the same answer.
    pub(crate) async fn answering(answer: Vec<u8>) -> Self {
        Self::start(move |_, _| vec![Step::Send(answer.clone())]).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }

    /// Waits until `count` clients have gone while an answer was held back from them.
    pub(crate) async fn abandoned(&self, count: usize) {
        let gone = async {
            while self.counts.abandoned.load(Ordering::SeqCst) < count {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(5), gone).await;
        waited.expect("the client should have gone away");
    }
}

async fn serve(
    mut socket: TcpStream,
    script: &(impl Fn(usize, &str) -> Vec<Step> + ?Sized),
    counts: &Counts,
) {
    while let Some(request) = read_request(&mut socket).await {
        let nth = counts.requests.fetch_add(1, Ordering::SeqCst);
        for step in script(nth, &request) {
            match step {
                Step::Send(bytes) => {
                    if socket.write_all(&bytes).await.is_err() {
                        counts.abandoned.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                }
                Step::Pause(time) => tokio::time::sleep(time).await,
                Step::Hang => {
                    let mut rest = [0; 64];
                    while !matches!(socket.read(&mut rest).await, Ok(0) | Err(_)) {}
                    counts.abandoned.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                Step::Close => return,
                Step::Reset => {
                    socket.set_zero_linger().unwrap();
                    return;
                }
            }
        }
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.parse().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        let mut buffer = [0; 4096];
        let read = socket
            .read(&mut buffer)
            .await
            .ok()
            .filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
    }
}

/// An answer of JSON with its length.
pub(crate) fn json(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n");
    format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// The head of a stream of events, sent in chunks.
pub(crate) fn events_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        .to_vec()
}

/// One chunk of a chunked body.
pub(crate) fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Enough time for everything that should happen.
pub(crate) fn patient() -> Timers {
    Timers {
        connect: Duration::from_secs(5),
        first_token: Duration::from_secs(5),
        stall: Duration::from_secs(5),
        total: Duration::from_secs(10),
    }
}

/// As long as tests wait for what should not happen.
pub(crate) const SHORT: Duration = Duration::from_millis(60);

pub(crate) fn transport() -> Arc<Transport> {
    Arc::new(Transport::new(TransportConfig::default()).unwrap())
}
