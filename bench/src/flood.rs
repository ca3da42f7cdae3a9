//! `flood`: what a flood of invalid keys costs, each key another, above a bare server that refuses all.
//!
//! Both read the request and answer 401; what lies between them is looking for the key, counting and
//! wording the refusal. No key is met twice, so that whatever were kept of them would show as memory.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::Subject;
use crate::client::Client;
use crate::load::Load;
use crate::table::{self, float, median};
use crate::target::{Stage, Target};
use crate::workspace::Kind;

/// How much more than the bare server's a refusal may cost, in microseconds of CPU.
const ABOVE_MAX: f64 = 5.0;
/// How much larger the process may be after the flood, in MiB: less than a byte for each key.
const GROWTH_MAX: f64 = 1.0;
const SETTLE: Duration = Duration::from_secs(3);

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    subject: Subject,
    /// How many requests each round sends to each of the two.
    #[arg(long, default_value_t = 200_000)]
    requests: u64,
    /// How many rounds there are.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// How many connections ask.
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// Answer no (exit code 1) if it is more than the project promises, or grows.
    #[arg(long)]
    check: bool,
}

/// Where the bare server listens.
#[derive(Debug, Args)]
pub(crate) struct RefusingOptions {
    #[arg(value_parser = crate::loopback)]
    listen: SocketAddr,
}

/// Floods both in turn and tells how far they are apart.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let stage = Stage::set(&options.subject, Duration::ZERO).await?;
    let kind = Kind::Llm {
        durable: false,
        output_controls: true,
    };
    let workspace = stage.workspace("flood", kind)?;
    let mut plimsoll = stage.serve("plimsoll", &workspace).await?;
    let mut bare = stage.refusing().await?;
    let keys = Arc::new(AtomicU64::new(0));
    for target in [&mut plimsoll, &mut bare] {
        target.question.headers.clear();
        target.question.keys = Some(Arc::clone(&keys));
        let reply = Client::connect(&target.question).await?.ask().await?;
        anyhow::ensure!(reply.status == 401, "{} said {}", target.name, reply.status);
    }
    // The first round fills what is filled once: buffers, pools.
    flood(&plimsoll, options).await?;
    sleep(SETTLE).await;
    let before = float(plimsoll.process.resident_kib()) / 1024.0;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        theirs.push(flood(&bare, options).await?);
        ours.push(flood(&plimsoll, options).await?);
    }
    sleep(SETTLE).await;
    let after = float(plimsoll.process.resident_kib()) / 1024.0;
    let above = median(ours.iter().zip(&theirs).map(|(ours, theirs)| ours - theirs));
    let (ours, theirs) = (median(ours), median(theirs));
    table::say(&format!(
        "a refusal costs {ours:.1} µs of CPU, the bare server {theirs:.1} µs: {above:.1} above (at most {ABOVE_MAX} are \
         promised); {} keys, none twice, {before:.1} MiB before and {after:.1} MiB after (at most {GROWTH_MAX} more)",
        keys.load(std::sync::atomic::Ordering::Relaxed),
    ));
    let holds = above <= ABOVE_MAX && after - before <= GROWTH_MAX;
    Ok(!options.check || holds)
}

/// Microseconds of CPU that each refusal cost.
async fn flood(target: &Target, options: &Options) -> anyhow::Result<f64> {
    let before = target.process.cpu();
    let question = target.question.clone();
    let measured = Load::of(question, options.connections, options.requests)
        .drive()
        .await?;
    anyhow::ensure!(measured.ok == 0, "{} let somebody in", target.name);
    let spent = target.process.cpu().saturating_sub(before);
    Ok(spent.as_secs_f64() * 1e6 / float(measured.not_ok.max(1)))
}

/// The bare server: reads each request and refuses it.
pub(crate) async fn refuse(options: &RefusingOptions) -> anyhow::Result<bool> {
    let listener = TcpListener::bind(options.listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            // A caller that leaves is no news.
            http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(refused))
                .await
                .ok();
        });
    }
}

async fn refused(request: Request<Incoming>) -> anyhow::Result<Response<Full<Bytes>>> {
    request.into_body().collect().await?;
    let body =
        r#"{"error":{"code":"unauthenticated","message":"no key, or one that is not known"}}"#;
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}
