//! The floor: the least that a Rust gateway on hyper can spend on a request. It parses each request and
//! each JSON response, and writes the request out anew; streams pass through as they come.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// How to run the floor.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where to listen.
    #[arg(value_parser = crate::loopback)]
    listen: SocketAddr,
    /// Where to forward to.
    #[arg(value_parser = crate::loopback)]
    upstream: SocketAddr,
    /// Neither parse nor rewrite.
    #[arg(long)]
    bare: bool,
}

type Body = Either<Full<Bytes>, Incoming>;

struct Floor {
    client: Client<HttpConnector, Full<Bytes>>,
    upstream: SocketAddr,
    parse: bool,
}

/// Serves until the process is ended.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let floor = Arc::new(Floor {
        client: Client::builder(TokioExecutor::new()).build(connector),
        upstream: options.upstream,
        parse: !options.bare,
    });
    let listener = TcpListener::bind(options.listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let floor = Arc::clone(&floor);
        tokio::spawn(async move {
            let service = service_fn(|request| floor.forward(request));
            // A caller that leaves is no news.
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await
                .ok();
        });
    }
}

impl Floor {
    async fn forward(&self, request: Request<Incoming>) -> anyhow::Result<Response<Body>> {
        let path = request.uri().path().to_owned();
        let mut body = request.into_body().collect().await?.to_bytes();
        if self.parse {
            let value: serde_json::Value = serde_json::from_slice(&body)?;
            body = serde_json::to_vec(&value)?.into();
        }
        let forward = Request::post(format!("http://{}{path}", self.upstream))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let (head, body) = self.client.request(forward).await?.into_parts();
        let kind = head.headers.get(CONTENT_TYPE);
        if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            return Ok(told(
                head.status,
                HeaderValue::from_static("text/event-stream"),
                Either::Right(body),
            ));
        }
        let body = body.collect().await?.to_bytes();
        if self.parse {
            let value: serde_json::Value = serde_json::from_slice(&body)?;
            std::hint::black_box(value);
        }
        Ok(told(
            head.status,
            HeaderValue::from_static("application/json"),
            Either::Left(Full::new(body)),
        ))
    }
}

fn told(status: hyper::StatusCode, kind: HeaderValue, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
