//! `plimsoll.toml` resolved: the server, its storage, the providers and the keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use plimsoll_core::{
    EnvironmentName, KeyName, NodeName, ProviderName, Secret, SystemName, TenantName,
};

use crate::files::names_variable;
use crate::forms::view::{Found, View};
use crate::source::{Report, did_you_mean, listed};
use crate::workspace::{
    Criticality, Environment, Key, KeyScope, LogConfig, LogFormat, LogLevel, OnnxConfig, Provider,
    ProviderProtocol, Queue, Retention, ServerConfig, StorageConfig, WhenFull,
};

/// The longest secret, in bytes.
const SECRET_BYTES_MAX: usize = 64 << 10;

/// The shortest secret of a caller that is not warned of, in bytes.
const SECRET_BYTES_FAIR: usize = 16;

/// All that `plimsoll.toml` says.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) server: ServerConfig,
    pub(crate) storage: StorageConfig,
    pub(crate) onnx: OnnxConfig,
    pub(crate) log: LogConfig,
    pub(crate) providers: BTreeMap<ProviderName, Provider>,
    pub(crate) keys: Vec<Key>,
}

/// What reading the settings needs.
pub(crate) struct Reader<'a> {
    pub(crate) root: &'a Path,
    pub(crate) environment: &'a dyn Environment,
    /// The systems that have a folder.
    pub(crate) systems: &'a BTreeSet<SystemName>,
    pub(crate) report: &'a mut Report,
}

impl Reader<'_> {
    pub(crate) fn settings(&mut self, file: View<'_>) -> Settings {
        let keys = self.keys(file.table("keys"), file.key("keys").is_some());
        let server = self.server(file.table("server"), keys.is_empty());
        Settings {
            server,
            storage: self.storage(file.table("storage")),
            onnx: self.onnx(file.table("onnx")),
            log: log(file.table("log")),
            providers: self.providers(file.table("providers")),
            keys,
        }
    }

    fn server(&mut self, view: View<'_>, open: bool) -> ServerConfig {
        let data = view.address("data_address");
        let control = view.address("control_address");
        if let Some(found) = data
            .as_ref()
            .filter(|found| open && !found.value.ip().is_loopback())
        {
            let message = format!(
                "other machines can reach `{}`, and there are no keys: anyone could ask",
                found.value
            );
            let hint =
                "add a `[keys.NAME]` with its `secret` and `systems`, or listen on 127.0.0.1";
            self.report
                .error(view.source, &found.at, message)
                .help(hint);
        }
        if let Some(found) = control
            .as_ref()
            .filter(|found| !found.value.ip().is_loopback())
        {
            let message = format!(
                "other machines can reach `{}`, and this version has no sign-in for operators",
                found.value
            );
            let hint = "listen on 127.0.0.1, and reach it through a tunnel such as `ssh -L`";
            self.report
                .error(view.source, &found.at, message)
                .help(hint);
        }
        let data_address = value_or(data, SocketAddr::from(([127, 0, 0, 1], 8080)));
        let control_address = value_or(control.clone(), SocketAddr::from(([127, 0, 0, 1], 8081)));
        if data_address == control_address && data_address.port() != 0 {
            let at = control.map_or_else(
                || view.key("data_address").unwrap_or(0..0),
                |found| found.at,
            );
            self.report
                .error(view.source, &at, "the two listeners have the same address")
                .help("give one of them another port");
        }
        let default_system = view.word("default_system", |text| SystemName::new(text).ok());
        if let Some(found) = &default_system {
            self.known_system(view, found.value.as_str(), found);
        }
        for key in ["header_timeout", "body_timeout", "idle_timeout"] {
            self.positive(view, key);
        }
        ServerConfig {
            data_address,
            control_address,
            environment: name(view, "environment", "production", EnvironmentName::new),
            node: name(view, "node", "node-1", NodeName::new),
            currency: currency(view),
            default_system: default_system.map(|found| found.value),
            in_flight_max: whole(view, "in_flight_max", 1024),
            body_bytes_max: usize::try_from(value_or(view.size("body_max"), 1 << 20))
                .unwrap_or(usize::MAX),
            header_timeout: value_or(view.duration("header_timeout"), Duration::from_secs(10)),
            body_timeout: value_or(view.duration("body_timeout"), Duration::from_secs(10)),
            idle_timeout: value_or(view.duration("idle_timeout"), Duration::from_secs(75)),
            drain: value_or(view.duration("drain"), Duration::from_secs(20)),
            workers: view
                .whole("workers")
                .and_then(|found| NonZeroUsize::new(usize::try_from(found.value).ok()?)),
            rows_max: whole(view, "rows_max", 10_000),
        }
    }

    fn positive(&mut self, view: View<'_>, key: &str) {
        if let Some(found) = view.duration(key).filter(|found| found.value.is_zero()) {
            self.report.error(
                view.source,
                &found.at,
                format!("`{key}` is zero: nothing could arrive in time"),
            );
        }
    }

    fn known_system<T>(&mut self, view: View<'_>, name: &str, found: &Found<T>) {
        if self.systems.iter().any(|system| system.as_str() == name) {
            return;
        }
        let names: Vec<&str> = self.systems.iter().map(SystemName::as_str).collect();
        let hint = did_you_mean(name, &names, |names| {
            format!("the systems of this workspace are {}", listed(names))
        });
        self.report
            .error(
                view.source,
                &found.at,
                format!("there is no system `{name}`"),
            )
            .help(hint);
    }

    fn storage(&mut self, view: View<'_>) -> StorageConfig {
        let retention = view.table("retention");
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
            retention: Retention {
                age: retention.duration("age").map(|found| found.value),
                bytes: retention.size("bytes").map(|found| found.value),
            },
            queue: Queue {
                bytes: value_or(room, 64 << 20),
                when_full: if wait { WhenFull::Wait } else { WhenFull::Shed },
            },
            linger: value_or(linger, Duration::from_micros(200)),
            buffered_window: value_or(window, Duration::from_millis(250)),
        }
    }

    fn onnx(&self, view: View<'_>) -> OnnxConfig {
        let of_environment = self
            .environment
            .var("ORT_DYLIB_PATH")
            .filter(|path| !path.is_empty());
        OnnxConfig {
            library: view
                .text("library")
                .map(|found| self.root.join(found.value)),
            library_of_environment: of_environment.map(Into::into),
        }
    }

    fn providers(&mut self, view: View<'_>) -> BTreeMap<ProviderName, Provider> {
        let mut providers = BTreeMap::new();
        for (text, provider) in view.tables() {
            let name = match ProviderName::new(text) {
                Ok(name) => name,
                Err(error) => {
                    self.report
                        .error(provider.source, &provider.at(), error.to_string());
                    continue;
                }
            };
            if [crate::prices::LOCAL, crate::prices::HTTP].contains(&text) {
                let message = format!(
                    "no provider may be called `{text}`: prices of models without a provider go by it"
                );
                self.report
                    .error(provider.source, &provider.at(), message)
                    .help("give it another name");
            }
            let key = self.secret(provider, "key", &format!("providers.{name}.key"));
            let Some(base_url) = provider.text("base_url") else {
                continue;
            };
            if base_url.value.ends_with("/chat/completions") {
                self.report
                    .error(
                        provider.source,
                        &base_url.at,
                        "`base_url` is the API's base, not one of its routes",
                    )
                    .help("leave `/chat/completions` away");
            }
            self.plain_http_with_key(provider, &base_url);
            let http = provider
                .text("protocol")
                .is_some_and(|found| found.value == "http");
            let protocol = if http {
                ProviderProtocol::Http
            } else {
                ProviderProtocol::Openai
            };
            let base_url = base_url.value.trim_end_matches('/').to_owned();
            providers.insert(
                name.clone(),
                Provider {
                    name,
                    protocol,
                    base_url,
                    key,
                },
            );
        }
        providers
    }

    fn plain_http_with_key(&mut self, provider: View<'_>, base_url: &Found<&str>) {
        let Some(rest) = base_url.value.strip_prefix("http://") else {
            return;
        };
        let near = ["127.", "localhost", "[::1]", "10.", "192.168.", "172."]
            .iter()
            .any(|host| rest.starts_with(host));
        if provider.key("key").is_some() && !near {
            self.report
                .warning(
                    provider.source,
                    &base_url.at,
                    "the key goes over plain HTTP",
                )
                .help("use https://, unless the network between is yours");
        }
    }

    fn keys(&mut self, view: View<'_>, named: bool) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        for (text, entry) in view.tables() {
            let name = match KeyName::new(text) {
                Ok(name) => name,
                Err(error) => {
                    self.report
                        .error(entry.source, &entry.at(), error.to_string());
                    continue;
                }
            };
            let scope = self.scope(entry);
            let Some(secret) = self.secret(entry, "secret", &format!("keys.{name}.secret")) else {
                continue;
            };
            if let Some(twin) = keys
                .iter()
                .find(|key| key.secret.expose() == secret.expose())
            {
                let message = format!(
                    "keys `{}` and `{name}` have the same secret: nobody could tell who asks",
                    twin.name
                );
                self.report
                    .error(entry.source, &entry.at(), message)
                    .help("give each key a secret of its own");
            }
            if secret.expose().len() < SECRET_BYTES_FAIR {
                let message = format!(
                    "the secret of key `{name}` has fewer than {SECRET_BYTES_FAIR} bytes and could be guessed"
                );
                self.report
                    .warning(entry.source, &entry.at(), message)
                    .help("make one with `openssl rand -hex 32`");
            }
            let tenant = entry.word("tenant", |text| TenantName::new(text).ok());
            let criticality = entry.word("criticality", Criticality::parse);
            keys.push(Key {
                name,
                secret,
                scope,
                tenant: tenant.map_or_else(TenantName::default_tenant, |found| found.value),
                criticality: value_or(criticality, Criticality::default()),
            });
        }
        if named && view.tables().is_empty() {
            let at = view.at();
            self.report
                .error(view.source, &at, "`[keys]` names no key")
                .help("add one as `[keys.web]`, or take the table out");
        }
        keys
    }

    fn scope(&mut self, key: View<'_>) -> KeyScope {
        let systems = key.texts("systems").unwrap_or_default();
        if systems.iter().any(|found| found.value == "*") {
            if systems.len() > 1 {
                let at = key.key("systems").unwrap_or(0..0);
                self.report.error(
                    key.source,
                    &at,
                    "`*` stands for all systems, so nothing else may stand beside it",
                );
            }
            return KeyScope::All;
        }
        if let Some(at) = key.key("systems").filter(|_| systems.is_empty()) {
            self.report
                .error(key.source, &at, "the key may use no system")
                .help("name the systems that it may use, or [\"*\"] for all of them");
        }
        let mut allowed = BTreeSet::new();
        for found in &systems {
            self.known_system(key, found.value, found);
            allowed.extend(SystemName::new(found.value));
        }
        KeyScope::Systems(allowed)
    }

    /// Reads a secret from where `key` says that it is. Nothing of it is ever part of a problem.
    fn secret(&mut self, view: View<'_>, key: &str, path: &str) -> Option<Secret> {
        let place = view.table(key);
        let (at, text) = if let Some(found) = place.text("env") {
            if !names_variable(found.value) {
                let message = format!("`{path}.env` is not the name of an environment variable");
                self.report
                    .error(view.source, &place.at(), message)
                    .help("write the variable's name, not its value");
                return None;
            }
            let Some(text) = self.environment.var(found.value) else {
                let message = format!("the environment variable `{}` is not set", found.value);
                let hint = format!(
                    "`{path}` is read from it: set it before you start, as in `export {}=…`",
                    found.value
                );
                self.report
                    .error(view.source, &found.at, message)
                    .help(hint);
                return None;
            };
            (found.at, text)
        } else if let Some(found) = place.text("file") {
            match read_secret(&self.root.join(found.value)) {
                Ok(text) => (found.at, text),
                Err(error) => {
                    let message =
                        format!("the secret of `{path}` cannot be read from its file: {error}");
                    self.report.error(view.source, &found.at, message);
                    return None;
                }
            }
        } else {
            return None;
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() || text.contains(|c: char| !c.is_ascii_graphic()) {
            let message = format!(
                "the secret of `{path}` is empty, or has characters that no HTTP header can hold"
            );
            self.report.error(view.source, &at, message);
            return None;
        }
        Some(Secret::new(text.to_owned()))
    }
}

fn read_secret(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = fs::File::open(path)?;
    file.take(SECRET_BYTES_MAX as u64)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// The workspace's currency: read ahead of all else, as all money is written in it.
pub(crate) fn currency(server: View<'_>) -> String {
    server
        .text("currency")
        .map_or("USD", |found| found.value)
        .to_owned()
}

fn log(view: View<'_>) -> LogConfig {
    let json = view
        .text("format")
        .is_some_and(|found| found.value == "json");
    let levels = [
        LogLevel::Error,
        LogLevel::Warn,
        LogLevel::Info,
        LogLevel::Debug,
        LogLevel::Trace,
    ];
    let level = view.word("level", |text| {
        levels.into_iter().find(|level| level.as_str() == text)
    });
    LogConfig {
        format: if json {
            LogFormat::Json
        } else {
            LogFormat::Text
        },
        level: value_or(level, LogLevel::Info),
    }
}

pub(crate) fn value_or<T>(found: Option<Found<T>>, default: T) -> T {
    found.map_or(default, |found| found.value)
}

pub(crate) fn whole(view: View<'_>, key: &str, default: u32) -> u32 {
    view.whole(key)
        .and_then(|found| u32::try_from(found.value).ok())
        .unwrap_or(default)
}

fn name<T, E: std::fmt::Debug>(
    view: View<'_>,
    key: &str,
    default: &str,
    read: fn(&str) -> Result<T, E>,
) -> T {
    let written = view.word(key, |text| read(text).ok());
    written.map_or_else(
        || read(default).expect("defaults are names"),
        |found| found.value,
    )
}
