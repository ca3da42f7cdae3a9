//! Talking to a running server: to its control plane as an operator, to its data plane as a caller.
//! Plain HTTP/1.1: the control plane is on a loopback address.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use plimsoll_core::Secret;
use plimsoll_spec::{Environment as _, ProcessEnvironment, Workspace};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::{Global, ServerArgs};
use crate::data_folder::{DataFolder, read_secret};
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::workspace::load_without_secrets;

/// The largest response that is read, in bytes.
const RESPONSE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// For a connection to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// For a whole exchange: a drill of all kinds waits for as many deadlines.
const TOTAL: Duration = Duration::from_mins(10);

/// A server, and what it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    base: String,
    bearer: Option<Secret>,
    actor: Option<String>,
    http: Client<HttpConnector, Full<Bytes>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Server {
    /// The data plane at `url`, or at the workspace's data address.
    pub(crate) fn of_callers(
        url: Option<&str>,
        workspace: &Workspace,
        key: Option<Secret>,
    ) -> Outcome<Self> {
        let default = format!("http://{}", workspace.server.data_address);
        Self::new(url.unwrap_or(&default), key, None)
    }

    /// The control plane, with the operator's token.
    pub(crate) fn of_operators(global: &Global, args: &ServerArgs) -> Outcome<Self> {
        let workspace = match (&args.url, &args.token_file) {
            (Some(_), Some(_)) => None,
            _ => Some(load_without_secrets(global)?),
        };
        let url = match (&args.url, &workspace) {
            (Some(url), _) => url.clone(),
            (None, Some(workspace)) => format!("http://{}", workspace.server.control_address),
            (None, None) => unreachable!("the workspace is read unless a url is given"),
        };
        let token_file = match (&args.token_file, &workspace) {
            (Some(file), _) => file.clone(),
            (None, Some(workspace)) => DataFolder::at(workspace.storage.path.clone()).token_file(),
            (None, None) => unreachable!("the workspace is read unless a token file is given"),
        };
        let token = read_secret(&token_file)
            .with_context(|| {
                let file = token_file.display();
                format!("the operator's token could not be read from `{file}`: has the server been started once?")
            })
            .or_exit(Exit::Unreachable)?;
        Self::new(&url, Some(token), Some(actor(args)))
    }

    fn new(url: &str, bearer: Option<Secret>, actor: Option<String>) -> Outcome<Self> {
        let base = url.trim_end_matches('/').to_owned();
        let fits = base
            .parse::<Uri>()
            .is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some());
        if !fits {
            let message = format!("`{url}` is not a server's address: write http://HOST:PORT");
            return Err(Failure::says(Exit::Usage, message));
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Ok(Self {
            base,
            bearer,
            actor,
            http,
        })
    }

    /// Who this side says that it is.
    pub(crate) fn actor(&self) -> Option<&str> {
        self.actor.as_deref()
    }

    /// Sends a request and reads the whole response.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Outcome<Response> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if let Some(bearer) = &self.bearer {
            request = request.header("authorization", format!("Bearer {}", bearer.expose()));
        }
        if let Some(actor) = &self.actor {
            request = request.header("plimsoll-actor", actor);
        }
        request = request.header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).or_exit(Exit::Usage)?;
        let exchange = async {
            let response = self.http.request(request).await?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, RESPONSE_BYTES_MAX).collect().await;
            let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
            anyhow::Ok(Response {
                status: head.status,
                headers: head.headers,
                body,
            })
        };
        let answered = tokio::time::timeout(TOTAL, exchange).await;
        let answered = answered.map_err(|_| anyhow::anyhow!("it did not answer within {TOTAL:?}"));
        answered
            .and_then(|response| response)
            .with_context(|| {
                format!(
                    "the server at {} cannot be reached: is `plimsoll serve` running?",
                    self.base
                )
            })
            .or_exit(Exit::Unreachable)
    }

    /// Asks the control plane.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Outcome<T> {
        read(&self.send(Method::GET, path, &[], Bytes::new()).await?)
    }

    /// Has the control plane do something.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Outcome<T> {
        let body = serde_json::to_vec(body).or_exit(Exit::Internal)?;
        read(&self.send(Method::POST, path, &[], body.into()).await?)
    }
}

/// The response's body, or the error that it tells of.
pub(crate) fn read<T: DeserializeOwned>(response: &Response) -> Outcome<T> {
    if response.status.is_success() {
        let unread = "the server answered with something other than this version's API";
        return serde_json::from_slice(&response.body)
            .context(unread)
            .or_exit(Exit::Unreachable);
    }
    let exit = match response.status.as_u16() {
        400 | 405 | 413 => Exit::Usage,
        403 | 404 | 409 | 410 | 422 => Exit::No,
        _ => Exit::Unreachable,
    };
    Err(Failure::says(exit, error_text(response)))
}

/// What an error of the server says, on one line.
pub(crate) fn error_text(response: &Response) -> String {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let part = |name: &str| {
        body["error"][name]
            .as_str()
            .map(plimsoll_control::table::printable)
    };
    let message =
        part("message").unwrap_or_else(|| format!("the server answered {}", response.status));
    let code = part("code")
        .map(|code| format!(" ({code})"))
        .unwrap_or_default();
    let hint = part("hint")
        .map(|hint| format!(": {hint}"))
        .unwrap_or_default();
    format!("{message}{code}{hint}")
}

/// Who acts, for the record.
pub(crate) fn actor(args: &ServerArgs) -> String {
    let user = || {
        ["USER", "LOGNAME"]
            .into_iter()
            .find_map(|name| ProcessEnvironment.var(name))
    };
    let fits = |name: &String| !name.is_empty() && name.is_ascii();
    args.actor
        .clone()
        .or_else(user)
        .filter(fits)
        .unwrap_or_else(|| "operator".to_owned())
}

/// `text` as one segment of a path or one value of a query.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_a_path_cannot_leave_it() {
        assert_eq!(encoded("01J9…/../x?y"), "01J9%E2%80%A6%2F..%2Fx%3Fy");
    }

    #[test]
    fn only_plain_http_addresses_are_servers() {
        for bad in ["https://127.0.0.1:8081", "127.0.0.1:8081", "", "http://"] {
            assert_eq!(
                Server::new(bad, None, None).unwrap_err().exit,
                Exit::Usage,
                "{bad}"
            );
        }
        assert!(Server::new("http://127.0.0.1:8081/", None, None).is_ok());
    }
}
