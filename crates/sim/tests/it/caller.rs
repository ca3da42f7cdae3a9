//! A caller that reads raw bytes, so that it sees how a connection ends.

use std::io::ErrorKind;
use std::time::Duration;

use plimsoll_sim::{Fault, Running, Script, SimConfig, Simulator};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a connection must stay quiet to count as still open.
const QUIET: Duration = Duration::from_millis(300);

pub(crate) const CHAT: &str = "/v1/chat/completions";

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Closed,
    Reset,
    Open,
}

/// All that a caller got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// Chunked bodies are joined; a last chunk that is missing is told by `complete`.
    pub(crate) body: String,
    pub(crate) complete: bool,
    pub(crate) end: End,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn error_code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The data of the server-sent events, in order.
    pub(crate) fn events(&self) -> Vec<&str> {
        self.body
            .split("\n\n")
            .filter_map(|event| event.strip_prefix("data: "))
            .collect()
    }

    /// The text of all content deltas.
    pub(crate) fn told(&self) -> String {
        let event = |data: &str| serde_json::from_str::<Value>(data).ok();
        let content =
            |event: Value| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned());
        self.events()
            .into_iter()
            .filter_map(event)
            .filter_map(content)
            .collect()
    }
}

pub(crate) async fn simulator(script: Script) -> Running {
    Simulator::start(SimConfig {
        script,
        ..SimConfig::default()
    })
    .await
    .unwrap()
}

pub(crate) fn question(extra: &str) -> String {
    format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"Where is my order?"}}]{extra}}}"#
    )
}

/// Asks a simulator that does nothing but `fault`.
pub(crate) async fn meet(fault: Fault, body: &str) -> Got {
    let sim = simulator(Script::always(fault)).await;
    ask(&sim, CHAT, body).await
}

pub(crate) async fn ask(sim: &Running, path: &str, body: &str) -> Got {
    send(sim, "POST", path, "", body).await
}

pub(crate) async fn send(
    sim: &Running,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Got {
    let mut stream = TcpStream::connect(sim.address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let end = read_to_end(&mut stream, &mut bytes).await;
    parse(&bytes, end)
}

async fn read_to_end(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> End {
    let mut buffer = [0; 16 * 1024];
    loop {
        match timeout(QUIET, stream.read(&mut buffer)).await {
            Err(_) => return End::Open,
            Ok(Ok(0)) => return End::Closed,
            Ok(Ok(read)) => bytes.extend_from_slice(&buffer[..read]),
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionReset => return End::Reset,
            Ok(Err(error)) => panic!("reading: {error}"),
        }
    }
}

fn parse(bytes: &[u8], end: End) -> Got {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .map_or(0, |status| status.parse().unwrap());
    let (body, complete) = if head.contains("transfer-encoding: chunked") {
        join_chunks(body)
    } else {
        (body.to_owned(), true)
    };
    Got {
        status,
        head: head.to_owned(),
        body,
        complete,
        end,
    }
}

fn join_chunks(mut raw: &str) -> (String, bool) {
    let mut body = String::new();
    while let Some((size, rest)) = raw.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let Some(chunk) = rest.get(..size) else { break };
        body.push_str(chunk);
        raw = &rest[size + 2..];
    }
    (body, false)
}
