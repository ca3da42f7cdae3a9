//! Where records lie and how they are made provable.

use std::time::Duration;

use super::{Reader, value_or};
use crate::forms::view::{Found, View};
use crate::workspace::{
    AuditConfig, PostgresConfig, Queue, RedisConfig, ServerConfig, StorageConfig, WhenFull,
};

/// The longest name of a log, in bytes.
const ORIGIN_BYTES_MAX: usize = 256;

/// How far apart checkpoints may be.
const CHECKPOINT: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(10);

/// For how long a slice of a shared limit may be leased: nodes report twice a second.
const LEASE: std::ops::RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_mins(10);

/// How long a request may wait for a slice at the most.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// How URLs of Redis and Valkey begin.
const REDIS_SCHEMES: [&str; 6] = ["redis", "rediss", "valkey", "valkeys", "redis+unix", "unix"];

impl Reader<'_> {
    pub(super) fn storage(&mut self, view: View<'_>) -> StorageConfig {
        let queue = view.table("queue");
        let segment = view.size("segment");
        if let Some(found) = segment
            .as_ref()
            .filter(|found| !(1 << 20..=1 << 32).contains(&found.value))
        {
            self.report.error(
                view.source,
                &found.at,
                "`storage.segment` must be from 1 MiB to 4 GiB",
            );
        }
        let room = queue.size("bytes");
        if let Some(found) = room.as_ref().filter(|found| found.value < 1 << 20) {
            self.report.error(
                view.source,
                &found.at,
                "`storage.queue.bytes` must be at least 1 MiB: a record may be that large",
            );
        }
        let linger = view.duration("linger");
        if let Some(found) = linger
            .as_ref()
            .filter(|found| found.value > Duration::from_millis(100))
        {
            self.report.error(
                view.source,
                &found.at,
                "`storage.linger` must be at most 100ms: each durable answer waits for it",
            );
        }
        let window = view.duration("buffered_window");
        if let Some(found) = window
            .as_ref()
            .filter(|found| found.value.is_zero() || found.value > Duration::from_secs(10))
        {
            self.report.error(
                view.source,
                &found.at,
                "`storage.buffered_window` must be more than zero and at most 10s",
            );
        }
        let wait = queue
            .text("when_full")
            .is_some_and(|found| found.value == "wait");
        StorageConfig {
            path: self
                .root
                .join(view.text("path").map_or("data", |found| found.value)),
            segment_bytes: value_or(segment, 64 << 20),
            retention: self.retention(view.table("retention")),
            postgres: self.postgres(view.table("postgres")),
            redis: self.redis(view.table("redis")),
            queue: Queue {
                bytes: value_or(room, 64 << 20),
                when_full: if wait { WhenFull::Wait } else { WhenFull::Shed },
            },
            linger: value_or(linger, Duration::from_micros(200)),
            buffered_window: value_or(window, Duration::from_millis(250)),
        }
    }

    fn postgres(&mut self, view: View<'_>) -> Option<PostgresConfig> {
        if !view.exists() {
            return None;
        }
        let url = self.database(view, "url");
        let migrate = self.database(view, "migrate");
        let url = url?;
        if migrate
            .as_ref()
            .is_some_and(|owner| owner.expose() == url.expose())
        {
            let at = view.key("migrate").unwrap_or_else(|| view.at());
            self.report
                .error(
                    view.source,
                    &at,
                    "`url` and `migrate` are the same: the node would own the tables that it must not",
                )
                .help("give the node a role of its own, or leave `migrate` away and change the schema elsewhere");
        }
        Some(PostgresConfig { url, migrate })
    }

    fn redis(&mut self, view: View<'_>) -> Option<RedisConfig> {
        if !view.exists() {
            return None;
        }
        let (lease, wait) = (view.duration("lease"), view.duration("wait"));
        let out_of = |found: &Option<Found<Duration>>,
                      range: &std::ops::RangeInclusive<Duration>| {
            let out = found.as_ref().filter(|found| !range.contains(&found.value));
            out.map(|found| found.at.clone())
        };
        if let Some(at) = out_of(&lease, &LEASE) {
            let message = "`storage.redis.lease` must be from 2s to 10m";
            self.report.error(view.source, &at, message);
        }
        if let Some(at) = out_of(&wait, &(Duration::ZERO..=WAIT_MAX)) {
            let message = "`storage.redis.wait` must be at most 5s: a request waits for it";
            self.report.error(view.source, &at, message);
        }
        let url = self.secret(view, "url", "storage.redis.url")?;
        let scheme = url.expose().split_once("://").map(|(scheme, _)| scheme);
        if scheme.is_some_and(|scheme| !REDIS_SCHEMES.contains(&scheme)) {
            let at = view.key("url").unwrap_or_else(|| view.at());
            let message = "`storage.redis.url` is not the URL of a Redis or Valkey server";
            self.report.error(view.source, &at, message).help(
                "it begins with redis:// or rediss://, as in rediss://NAME:PASSWORD@HOST:6379/0",
            );
        }
        Some(RedisConfig {
            url,
            lease: value_or(lease, Duration::from_secs(30)),
            wait: value_or(wait, Duration::from_millis(100)),
        })
    }

    /// The URL of a database. Nothing of it is ever part of a problem.
    fn database(&mut self, view: View<'_>, key: &str) -> Option<plimsoll_core::Secret> {
        let url = self.secret(view, key, &format!("storage.postgres.{key}"))?;
        let scheme = url.expose().split_once("://").map(|(scheme, _)| scheme);
        if scheme.is_some_and(|scheme| !["postgres", "postgresql"].contains(&scheme)) {
            let at = view.key(key).unwrap_or_else(|| view.at());
            let message =
                format!("`storage.postgres.{key}` is not the URL of a PostgreSQL database");
            self.report
                .error(view.source, &at, message)
                .help("it begins with postgres://, as in postgres://NAME:PASSWORD@HOST/DATABASE");
        }
        Some(url)
    }

    pub(super) fn audit(
        &mut self,
        view: View<'_>,
        server: &ServerConfig,
        storage: &StorageConfig,
    ) -> AuditConfig {
        let origin = view.text("origin");
        if let Some(found) = &origin {
            self.origin(view, found);
        }
        let checkpoint = view.duration("checkpoint");
        if let Some(found) = checkpoint
            .as_ref()
            .filter(|found| !CHECKPOINT.contains(&found.value))
        {
            self.report
                .error(
                    view.source,
                    &found.at,
                    "`audit.checkpoint` must be from 100ms to 10s",
                )
                .help("what came after the latest checkpoint is not proved yet");
        }
        let copy = view.text("copy");
        if let Some(found) = copy
            .as_ref()
            .filter(|found| self.root.join(found.value).starts_with(&storage.path))
        {
            self.report
                .warning(
                    view.source,
                    &found.at,
                    "the copy lies in the data folder: whoever changes one can change the other",
                )
                .help("choose a place that the node's operators can add to and not change");
        }
        AuditConfig {
            enabled: value_or(view.flag("enabled"), true),
            origin: origin.map_or_else(
                || format!("plimsoll.invalid/{}", server.node),
                |found| found.value.to_owned(),
            ),
            checkpoint: value_or(checkpoint, Duration::from_secs(10)),
            copy: copy.map(|found| self.root.join(found.value)),
        }
    }

    /// A log's name is the key's name in its signatures, which C2SP signed-note lets hold neither white
    /// space nor `+`.
    fn origin(&mut self, view: View<'_>, found: &Found<&str>) {
        let fits = found.value.len() <= ORIGIN_BYTES_MAX
            && found
                .value
                .chars()
                .all(|c| c.is_ascii_graphic() && c != '+');
        if !fits || found.value.contains("://") {
            self.report
                .error(
                    view.source,
                    &found.at,
                    "`audit.origin` is not the name of a log",
                )
                .help("write a URL without its scheme, white space and `+`, as in \"example.com/plimsoll/node-1\"");
        }
    }
}
