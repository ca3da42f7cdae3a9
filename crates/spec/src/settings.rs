//! `plimsoll.toml` resolved: the server, its records, the providers, the keys and the operators.

mod alerts;
mod credentials;
mod identity;
mod limits;
mod operators;
mod policies;
mod records;
mod retention;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use plimsoll_core::limits::Limits;
use plimsoll_core::{EnvironmentName, NodeName, ProviderName, Secret, SystemName};
use plimsoll_guard::access_policy::AccessPolicies;

use self::credentials::SECRET_BYTES_FAIR;
use crate::forms::view::{Found, View};
use crate::identity::IdentityProvider;
use crate::operator::Operator;
use crate::receiver::Receiver;
use crate::regimes::Regimes;
use crate::source::{Report, did_you_mean, listed};
use crate::workspace::{
    AuditConfig, Environment, Key, LogConfig, LogFormat, LogLevel, OnControlLoss, OnnxConfig,
    Provider, ServerConfig, StorageConfig,
};

/// The shortest silence that may count as a loss of control.
const CONTROL_LOSS_MIN: Duration = Duration::from_secs(3);

/// All that `plimsoll.toml` says.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) server: ServerConfig,
    pub(crate) storage: StorageConfig,
    pub(crate) pepper: Option<Secret>,
    pub(crate) audit: AuditConfig,
    pub(crate) onnx: OnnxConfig,
    pub(crate) log: LogConfig,
    pub(crate) providers: BTreeMap<ProviderName, Provider>,
    pub(crate) keys: Vec<Key>,
    pub(crate) limits: Limits,
    pub(crate) operators: Vec<Operator>,
    pub(crate) identity: Option<IdentityProvider>,
    pub(crate) policies: AccessPolicies,
    pub(crate) receivers: Vec<Receiver>,
}

/// What reading the settings needs.
pub(crate) struct Reader<'a> {
    pub(crate) root: &'a Path,
    pub(crate) environment: &'a dyn Environment,
    /// The systems that have a folder.
    pub(crate) systems: &'a BTreeSet<SystemName>,
    pub(crate) regimes: &'a Regimes,
    pub(crate) report: &'a mut Report,
}

impl Reader<'_> {
    pub(crate) fn settings(&mut self, file: View<'_>) -> Settings {
        let keys = self.keys(file.table("keys"), file.key("keys").is_some());
        let operators = self.operators(file.table("operators"), &keys);
        let server = self.server(file.table("server"), file.table("keys").tables().is_empty());
        let identity = self.identity(file.table("oidc"), &server);
        let storage = self.storage(file.table("storage"));
        let pepper = self.secret(file.table("storage"), "pepper", "storage.pepper");
        self.pepper(file.table("storage"), pepper.as_ref(), &storage);
        self.control_loss(file.table("server"), &storage);
        let limits = self.limits(file, &keys, &storage);
        let policies = self.policies(file.table("policies"), limits.time_zone.clone());
        Settings {
            limits,
            policies,
            audit: self.audit(file.table("audit"), &server, &storage),
            server,
            storage,
            pepper,
            onnx: self.onnx(file.table("onnx")),
            log: log(file.table("log")),
            providers: self.providers(file.table("providers")),
            keys,
            operators,
            identity,
            receivers: self.alerts(file.table("alerts")),
        }
    }

    fn server(&mut self, view: View<'_>, open: bool) -> ServerConfig {
        let data = view.address("data_address");
        let require_keys = value_or(view.flag("require_keys"), false);
        let open = open && !require_keys;
        let control = view.address("control_address");
        if let Some(found) = data
            .as_ref()
            .filter(|found| open && !found.value.ip().is_loopback())
        {
            let message = format!(
                "other machines can reach `{}`, and there are no keys: anyone could ask",
                found.value
            );
            let hint = "write `require_keys = true` and give keys with `plimsoll key create`, add a `[keys.NAME]` with its `secret` and `systems`, or listen on 127.0.0.1";
            self.report
                .error(view.source, &found.at, message)
                .help(hint);
        }
        if let Some(found) = control
            .as_ref()
            .filter(|found| !found.value.ip().is_loopback())
        {
            let message = format!(
                "other machines can reach `{}`, and operators' tokens go over plain HTTP",
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
            require_keys,
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
            on_control_loss: on_control_loss(view),
            control_loss: value_or(view.duration("control_loss"), Duration::from_secs(10)),
        }
    }

    /// What is said of the pepper.
    fn pepper(&mut self, view: View<'_>, pepper: Option<&Secret>, storage: &StorageConfig) {
        let is_short = |pepper: &&Secret| pepper.expose().len() < SECRET_BYTES_FAIR;
        if pepper.filter(is_short).is_some() {
            let at = view.key("pepper").unwrap_or(0..0);
            self.report
                .error(
                    view.source,
                    &at,
                    "the pepper has fewer than 16 characters and could be guessed",
                )
                .help("make one with `openssl rand -hex 32`");
        }
        if storage.postgres.is_some() && view.key("pepper").is_none() {
            let at = view.key("postgres").unwrap_or(0..0);
            self.report
                .warning(
                    view.source,
                    &at,
                    "nodes may share this database, and this one has a pepper of its own: keys that others give are unknown here",
                )
                .help("give all of them the same, as in pepper = { env = \"PLIMSOLL_PEPPER\" }");
        }
    }

    /// What is said of losing the database that the nodes share.
    fn control_loss(&mut self, view: View<'_>, storage: &StorageConfig) {
        if let Some(found) = view
            .duration("control_loss")
            .filter(|found| found.value < CONTROL_LOSS_MIN)
        {
            self.report
                .error(
                    view.source,
                    &found.at,
                    "`server.control_loss` must be at least 3s: an intervention may take two seconds to arrive",
                )
                .help("nodes would halt for no reason");
        }
        let halts = on_control_loss(view) == OnControlLoss::Halt;
        if let Some(at) = view
            .key("on_control_loss")
            .filter(|_| halts && storage.postgres.is_none())
        {
            self.report
                .warning(
                    view.source,
                    &at,
                    "the node shares no database with others, so it has nobody to lose: this never holds",
                )
                .help("it is for several nodes with `[storage.postgres]`; one node hears of a halt by itself");
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
}

/// The workspace's currency: read ahead of all else, as all money is written in it.
pub(crate) fn currency(server: View<'_>) -> String {
    server
        .text("currency")
        .map_or("USD", |found| found.value)
        .to_owned()
}

fn on_control_loss(view: View<'_>) -> OnControlLoss {
    let halts = view
        .text("on_control_loss")
        .is_some_and(|found| found.value == "halt");
    if halts {
        OnControlLoss::Halt
    } else {
        OnControlLoss::Serve
    }
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
