//! Exchanges with the server: reports and answers, and the name of its memory.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plimsoll_core::limits::lease::{Answer, Ask, CounterKey, Memory};
use plimsoll_core::ports::{Boxed, Exchanged, Leases, PortError, Seed};
use plimsoll_core::{EnvironmentName, NodeName, Secret};
use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, Pipeline, RedisError};
use tokio::sync::Mutex;

const LEASE: &str = include_str!("lease.lua");
const JOIN: &str = include_str!("join.lua");
const SEED: &str = include_str!("seed.lua");
/// The most counters in one call of a script: others wait for the server meanwhile.
const COUNTERS_MAX: usize = 200;
/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_millis(500);
/// How long the server may take for an answer.
const ANSWER_MAX: Duration = Duration::from_millis(500);

/// The server could not be used. Its address and password are never told.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The URL is not one of Redis or Valkey.
    #[error("the URL is not one of a Redis or Valkey server")]
    Url,
    /// It answered with an error, or not at all.
    #[error("it did not answer as it should")]
    Server(#[source] RedisError),
    /// It answered with something else.
    #[error("it gave no {0}")]
    Unfit(&'static str),
}

/// Counters in Redis or Valkey.
pub struct RedisKeeper {
    client: Client,
    prefix: String,
    node: NodeName,
    lease: Duration,
    connection: Mutex<Option<MultiplexedConnection>>,
    /// What the server knows the script of leases by; each connection begins with loading it.
    script: OnceLock<String>,
    /// The number of this start of the node; 0 before it was given one.
    start: AtomicU64,
    reports: AtomicU64,
}

impl RedisKeeper {
    /// The keeper at `url` of the limits of `environment`, for one node; slices are leased for `lease`.
    /// Connects when it is first used.
    ///
    /// # Errors
    /// If the URL is none of Redis.
    pub fn new(
        url: &Secret,
        (environment, node): (&EnvironmentName, &NodeName),
        lease: Duration,
    ) -> Result<Self, KeeperError> {
        let client = Client::open(url.expose()).map_err(|_| KeeperError::Url)?;
        Ok(Self {
            client,
            prefix: format!("plimsoll:{environment}:"),
            node: node.clone(),
            lease,
            connection: Mutex::new(None),
            script: OnceLock::new(),
            start: AtomicU64::new(0),
            reports: AtomicU64::new(0),
        })
    }

    async fn exchanged(&self, asks: &[Ask]) -> Result<Exchanged, KeeperError> {
        let mut connection = self.connected().await?;
        if self.start.load(Ordering::Relaxed) == 0 {
            self.join(&mut connection).await?;
        }
        let (pipeline, order) = self.reports_of(asks);
        let replies: Vec<redis::Value> = self.asked(&mut connection, &pipeline).await?;
        let (time, epoch, told, start): (Vec<u64>, Option<String>, Option<String>, Option<u64>) = {
            let at = replies.len().saturating_sub(4);
            let last = redis::Value::Array(replies[at..].to_vec());
            redis::from_redis_value(last).map_err(|_| KeeperError::Unfit("name of its memory"))?
        };
        let answers = answers(&replies[..order.len()], &order, asks.len())?;
        let (epoch, start) = if let (Some(epoch), Some(start)) = (epoch, start) {
            (epoch, start)
        } else {
            // It lost its memory; what it answered is judged by the name that it has now.
            self.join(&mut connection).await?;
            let key = self.control("epoch");
            let epoch: Option<String> = self.one(&mut connection, Cmd::get(key)).await?;
            let epoch = epoch.ok_or(KeeperError::Unfit("name of its memory"))?;
            (epoch, self.start.load(Ordering::Relaxed))
        };
        let is_ours = start == self.start.load(Ordering::Relaxed);
        let is_told = told.is_some_and(|told| told == epoch);
        let memory = memory(&epoch, &time, (is_told, is_ours))?;
        Ok(Exchanged { answers, memory })
    }

    /// One call of the script for each tag, then the server's time, the name of its memory, the one that
    /// was told what the records say, and who reports under this node's name. Gives which asks each call is about.
    fn reports_of(&self, asks: &[Ask]) -> (Pipeline, Vec<Vec<usize>>) {
        let mut by_tag: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, ask) in asks.iter().enumerate() {
            by_tag.entry(&ask.key.tag).or_default().push(place);
        }
        let (mut pipeline, mut order) = (Pipeline::new(), Vec::new());
        let chunks = by_tag.values().flat_map(|of| of.chunks(COUNTERS_MAX));
        for chunk in chunks {
            let asks = chunk.iter().map(|place| &asks[*place]);
            pipeline.add_command(self.report(asks, chunk.len()));
            order.push(chunk.to_vec());
        }
        pipeline.cmd("TIME");
        pipeline.get(self.control("epoch"));
        pipeline.get(self.control("told"));
        pipeline.get(self.control(&format!("node:{}", self.node)));
        (pipeline, order)
    }

    fn report<'a>(&self, asks: impl Iterator<Item = &'a Ask> + Clone, count: usize) -> Cmd {
        let mut script = redis::cmd("EVALSHA");
        let hash = self.script.get().map_or("", String::as_str);
        script.arg(hash).arg(count);
        for ask in asks.clone() {
            script.arg(self.counter(&ask.key));
        }
        script
            .arg(self.node.as_str())
            .arg(self.start.load(Ordering::Relaxed))
            .arg(self.reports.fetch_add(1, Ordering::Relaxed) + 1)
            .arg(millis(self.lease));
        for ask in asks {
            script
                .arg(ask.most)
                .arg(ask.used)
                .arg(ask.hold)
                .arg(ask.need)
                .arg(ask.want)
                .arg(u8::from(ask.is_gauge))
                .arg(u8::from(ask.is_whole))
                .arg(millis(ask.life));
        }
        script
    }

    async fn seeded(&self, seeds: &[Seed]) -> Result<(), KeeperError> {
        let mut by_tag: BTreeMap<&str, Vec<&Seed>> = BTreeMap::new();
        for seed in seeds {
            by_tag.entry(&seed.key.tag).or_default().push(seed);
        }
        let mut connection = self.connected().await?;
        let epoch = Cmd::get(self.control("epoch"));
        let epoch: Option<String> = self.one(&mut connection, epoch).await?;
        for chunk in by_tag.values().flat_map(|of| of.chunks(COUNTERS_MAX)) {
            let mut script = redis::cmd("EVAL");
            script.arg(SEED).arg(chunk.len());
            for seed in chunk {
                script.arg(self.counter(&seed.key));
            }
            for seed in chunk {
                script
                    .arg(seed.node.as_str())
                    .arg(seed.used)
                    .arg(millis(seed.life));
            }
            let _: u64 = self.one(&mut connection, script).await?;
        }
        if let Some(epoch) = epoch {
            let told = Cmd::set(self.control("told"), epoch);
            self.one::<()>(&mut connection, told).await?;
        }
        Ok(())
    }

    /// Has this start of the node counted, and the server's memory named.
    async fn join(&self, connection: &mut MultiplexedConnection) -> Result<(), KeeperError> {
        let name = RandomState::new().hash_one(self.node.as_str());
        let mut script = redis::cmd("EVAL");
        script
            .arg(JOIN)
            .arg(2)
            .arg(self.control("epoch"))
            .arg(self.control(&format!("node:{}", self.node)))
            .arg(name)
            .arg(self.start.load(Ordering::Relaxed));
        let start: u64 = self.one(connection, script).await?;
        self.start.store(start, Ordering::Relaxed);
        Ok(())
    }

    async fn connected(&self) -> Result<MultiplexedConnection, KeeperError> {
        let mut held = self.connection.lock().await;
        if let Some(connection) = &*held {
            return Ok(connection.clone());
        }
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_MAX))
            .set_response_timeout(Some(ANSWER_MAX));
        let client = &self.client;
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = connecting.await.map_err(KeeperError::Server)?;
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(LEASE);
        let hash: Result<String, RedisError> = load.query_async(&mut connection).await;
        self.script.set(hash.map_err(KeeperError::Server)?).ok();
        *held = Some(connection.clone());
        Ok(connection)
    }

    async fn asked<T: redis::FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
        pipeline: &Pipeline,
    ) -> Result<T, KeeperError> {
        match pipeline.query_async(connection).await {
            Ok(replies) => Ok(replies),
            Err(error) => Err(self.failed(error).await),
        }
    }

    async fn one<T: redis::FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
        command: Cmd,
    ) -> Result<T, KeeperError> {
        match command.query_async(connection).await {
            Ok(reply) => Ok(reply),
            Err(error) => Err(self.failed(error).await),
        }
    }

    /// After an error the next exchange makes a connection of its own.
    async fn failed(&self, error: RedisError) -> KeeperError {
        *self.connection.lock().await = None;
        KeeperError::Server(error)
    }

    fn control(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn counter(&self, key: &CounterKey) -> String {
        format!("{}{{{}}}:{}", self.prefix, key.tag, key.name)
    }
}

impl Leases for RedisKeeper {
    fn exchange<'a>(&'a self, asks: &'a [Ask]) -> Boxed<'a, Result<Exchanged, PortError>> {
        Box::pin(async move {
            let exchanged = self.exchanged(asks).await;
            exchanged.map_err(|error| PortError::Keeper(Box::new(error)))
        })
    }

    fn seed<'a>(&'a self, seeds: &'a [Seed]) -> Boxed<'a, Result<(), PortError>> {
        Box::pin(async move {
            let seeded = self.seeded(seeds).await;
            seeded.map_err(|error| PortError::Keeper(Box::new(error)))
        })
    }
}

/// The answers in the order of the asks; none where a later report was taken before.
fn answers(
    replies: &[redis::Value],
    order: &[Vec<usize>],
    asks: usize,
) -> Result<Vec<Option<Answer>>, KeeperError> {
    let mut answers = vec![None; asks];
    for (reply, places) in replies.iter().zip(order) {
        let unfit = || KeeperError::Unfit("answer for each counter");
        let numbers: Vec<i64> = redis::from_redis_value_ref(reply).map_err(|_| unfit())?;
        if numbers.len() != places.len() * 2 {
            return Err(unfit());
        }
        for (place, pair) in places.iter().zip(numbers.chunks_exact(2)) {
            let answer = u64::try_from(pair[0]).ok().zip(u64::try_from(pair[1]).ok());
            answers[*place] = answer.map(|(slice, room)| Answer { slice, room });
        }
    }
    Ok(answers)
}

/// What `"name born"` and the server's time say.
fn memory(
    epoch: &str,
    time: &[u64],
    (is_told, is_ours): (bool, bool),
) -> Result<Memory, KeeperError> {
    let unfit = || KeeperError::Unfit("name of its memory");
    let (name, born) = epoch.split_once(' ').ok_or_else(unfit)?;
    let (epoch, born): (u64, u64) = name.parse().ok().zip(born.parse().ok()).ok_or_else(unfit)?;
    let &[seconds, micros] = time else {
        return Err(unfit());
    };
    let now = seconds * 1_000 + micros / 1_000;
    Ok(Memory {
        epoch,
        age: Duration::from_millis(now.saturating_sub(born)),
        is_told,
        is_ours,
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
