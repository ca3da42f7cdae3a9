//! The load driver: a closed loop of N connections, a fixed number of requests or a fixed time, paced if wished.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use plimsoll_core::{Clock, SystemClock};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::{Client, Question, Reply};
use crate::histogram::Histogram;
use crate::table;

/// How often in a row a connection may fail before its caller gives up.
const FAILURES_MAX: u32 = 20;
/// How long a caller waits before it connects anew.
const RECONNECT: Duration = Duration::from_millis(5);

/// How hard to drive.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) question: Question,
    pub(crate) connections: u32,
    /// How many requests there are at most.
    pub(crate) requests: u64,
    /// After which time no new request begins.
    pub(crate) time: Duration,
    /// Requests per second over all connections; as fast as answers come without it.
    pub(crate) rate: Option<f64>,
    /// Whether answers are streams, whose first content counts as the latency.
    pub(crate) stream: bool,
    /// Whether to keep the decision ids of served answers.
    pub(crate) keep_decisions: bool,
}

/// What a load gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// Answers with status 200 and, from Plimsoll, the outcome served.
    pub(crate) ok: u64,
    /// Other answers, and requests without one.
    pub(crate) not_ok: u64,
    pub(crate) elapsed: Duration,
    pub(crate) latencies: Histogram,
    pub(crate) decisions: Vec<String>,
}

impl Measured {
    /// Served answers per second.
    pub(crate) fn rate(&self) -> f64 {
        table::float(self.ok) / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }
}

/// What all callers share.
struct Course {
    load: Load,
    clock: SystemClock,
    begun: AtomicU64,
    stopped: AtomicBool,
}

/// A load that runs beside what else is done.
pub(crate) struct Driving {
    course: Arc<Course>,
    callers: JoinSet<Measured>,
}

impl Load {
    /// A load without pacing that ends after `requests`, or two minutes.
    pub(crate) fn of(question: Question, connections: u32, requests: u64) -> Self {
        Self {
            question,
            connections,
            requests,
            time: Duration::from_secs(120),
            rate: None,
            stream: false,
            keep_decisions: false,
        }
    }

    /// Begins to drive.
    pub(crate) fn begin(self) -> Driving {
        let connections = self.connections;
        let course = Arc::new(Course {
            load: self,
            clock: SystemClock::new(),
            begun: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let mut callers = JoinSet::new();
        for _ in 0..connections {
            callers.spawn(call(Arc::clone(&course)));
        }
        Driving { course, callers }
    }

    /// Drives to the end.
    pub(crate) async fn drive(self) -> anyhow::Result<Measured> {
        self.begin().join().await
    }
}

impl Driving {
    /// Lets no new request begin.
    pub(crate) fn stop(&self) {
        self.course.stopped.store(true, Ordering::Relaxed);
    }

    /// Waits for the end.
    pub(crate) async fn join(mut self) -> anyhow::Result<Measured> {
        let mut all = Measured::default();
        while let Some(measured) = self.callers.join_next().await {
            let measured = measured.context("a caller of the load driver ended badly")?;
            all.ok += measured.ok;
            all.not_ok += measured.not_ok;
            all.latencies.merge(&measured.latencies);
            all.decisions.extend(measured.decisions);
        }
        all.elapsed = self.course.clock.elapsed();
        Ok(all)
    }
}

impl Course {
    /// When the next request is to begin; `None` if there is none.
    fn next(&self) -> Option<Duration> {
        let now = self.clock.elapsed();
        if self.stopped.load(Ordering::Relaxed) || now > self.load.time {
            return None;
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        if number >= self.load.requests {
            return None;
        }
        let due = self
            .load
            .rate
            .map(|rate| Duration::from_secs_f64(table::float(number) / rate));
        Some(due.unwrap_or(now))
    }

    async fn ask(&self, client: &mut Client) -> anyhow::Result<Reply> {
        if self.load.stream {
            client.ask_stream(&self.clock).await
        } else {
            client.ask().await
        }
    }
}

/// One caller: it asks, waits for the answer, and asks again. With pacing, latency counts from the
/// moment when the request was due, so that a slow answer is not hidden by the requests it holds up.
async fn call(course: Arc<Course>) -> Measured {
    let mut measured = Measured::default();
    let mut client = None;
    let mut failures = 0;
    while let Some(due) = course.next() {
        let early = due.saturating_sub(course.clock.elapsed());
        if !early.is_zero() {
            sleep(early).await;
        }
        match attempt(&course, &mut client).await {
            Ok(reply) => {
                failures = 0;
                measured.count(reply, &course, due);
            }
            Err(_) => {
                client = None;
                measured.not_ok += 1;
                failures += 1;
                if failures == FAILURES_MAX {
                    break;
                }
                sleep(RECONNECT).await;
            }
        }
    }
    measured
}

async fn attempt(course: &Course, client: &mut Option<Client>) -> anyhow::Result<Reply> {
    let connected = match client.take() {
        Some(connected) => connected,
        None => Client::connect(&course.load.question).await?,
    };
    course.ask(client.insert(connected)).await
}

impl Measured {
    fn count(&mut self, reply: Reply, course: &Course, due: Duration) {
        let end = reply
            .first_content
            .unwrap_or_else(|| course.clock.elapsed());
        self.latencies.record(end.saturating_sub(due));
        if !reply.is_served() {
            self.not_ok += 1;
            return;
        }
        self.ok += 1;
        if course.load.keep_decisions {
            self.decisions.extend(reply.decision);
        }
    }
}

/// What to drive by hand.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The address to drive, on this machine.
    #[arg(value_parser = crate::loopback)]
    address: SocketAddr,
    /// The path to post to.
    #[arg(long, default_value = crate::body::CHAT)]
    path: String,
    /// The file with the body; a chat request without it.
    #[arg(long)]
    body: Option<PathBuf>,
    /// A header, as NAME:VALUE.
    #[arg(long)]
    header: Vec<String>,
    /// How many connections ask.
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// How many requests there are.
    #[arg(long, default_value_t = 20_000)]
    requests: u64,
    /// Requests per second; as fast as answers come without it.
    #[arg(long)]
    rate: Option<f64>,
    /// Ask for a stream, and tell the time to its first content.
    #[arg(long)]
    stream: bool,
}

/// Drives one address and prints what came of it.
pub(crate) async fn run(options: &Options) -> anyhow::Result<bool> {
    let body = match &options.body {
        Some(path) => std::fs::read(path)
            .with_context(|| format!("reading {}", path.display()))?
            .into(),
        None => crate::body::chat("sim-small", options.stream),
    };
    let header = |text: &String| {
        let (name, value) = text.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    let question = Question {
        address: options.address,
        path: options.path.clone(),
        headers: options.header.iter().filter_map(header).collect(),
        body,
        keys: None,
    };
    let mut load = Load::of(question, options.connections, options.requests);
    load.rate = options.rate;
    load.stream = options.stream;
    let measured = load.drive().await?;
    table::say(&format!(
        "{} served, {} not, {:.0} per second, p50 {:.3} ms, p99 {:.3} ms",
        measured.ok,
        measured.not_ok,
        measured.rate(),
        table::millis(measured.latencies.quantile(500)),
        table::millis(measured.latencies.quantile(990)),
    ));
    Ok(measured.not_ok == 0)
}
