//! A workspace as it is after everything was checked: typed, resolved, without a text left to parse.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::access::DataClass;
use plimsoll_core::limits::Limits;
use plimsoll_core::monitor::MonitorsSpec;
use plimsoll_core::{
    Clock as _, Criticality, Digest, EnvironmentName, KeyName, NodeName, ProviderName, Secret,
    System, SystemClock, SystemName, TeamName, TenantName, Timestamp,
};

use plimsoll_evals::scorer::ScorerSpec;
use plimsoll_guard::access_policy::AccessPolicies;

use crate::identity::IdentityProvider;
use crate::operator::{ApprovalRule, Operator};
use crate::prices::PriceTable;
use crate::problem::Problem;
use crate::receiver::Receiver;
use crate::regimes::Regimes;

/// A checked workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The workspace's folder, absolute.
    pub root: PathBuf,
    /// The listeners and their limits.
    pub server: ServerConfig,
    /// Where and how records are kept.
    pub storage: StorageConfig,
    /// Under which subjects, idempotency keys and the secrets of keys are kept; none: the one in the data
    /// folder.
    pub pepper: Option<Secret>,
    /// How records are made provable.
    pub audit: AuditConfig,
    /// Where ONNX Runtime is.
    pub onnx: OnnxConfig,
    /// How the process tells of itself.
    pub log: LogConfig,
    /// The providers of models, by name.
    pub providers: BTreeMap<ProviderName, Provider>,
    /// The keys that callers may use; empty on a loopback listener that is open to the machine.
    pub keys: Vec<Key>,
    /// How much may be used by whom.
    pub limits: Limits,
    /// Who works on the control plane; beside them, the owner's token may do everything.
    pub operators: Vec<Operator>,
    /// Through whom people sign in to it, beside local passwords.
    pub identity: Option<IdentityProvider>,
    /// Under which circumstances they may do what their roles let them.
    pub access: Arc<AccessPolicies>,
    /// Who is told of alarms.
    pub receivers: Vec<Receiver>,
    /// What laws and standards ask for, as far as it is known.
    pub regimes: Regimes,
    /// What models cost.
    pub prices: PriceTable,
    /// The systems, by name.
    pub systems: BTreeMap<SystemName, System>,
    /// What stands in each system's folder that is no behaviour.
    pub folders: BTreeMap<SystemName, SystemFolder>,
    /// The bytes that manifests name.
    pub blobs: BTreeMap<Digest, Arc<[u8]>>,
    /// What may be meant otherwise, but does not stand in the way.
    pub warnings: Vec<Problem>,
}

impl Workspace {
    /// The bytes of a blob that some manifest of this workspace names.
    pub fn blob(&self, digest: Digest) -> Option<Arc<[u8]>> {
        self.blobs.get(&digest).cloned()
    }
}

/// The listeners and their limits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerConfig {
    /// Where callers connect.
    pub data_address: SocketAddr,
    /// Where operators connect; always a loopback address.
    pub control_address: SocketAddr,
    /// The environment that this node serves.
    pub environment: EnvironmentName,
    /// The node's own name: it is the one writer of its journal.
    pub node: NodeName,
    /// The one currency of the workspace, as ISO 4217 writes it: `USD`.
    pub currency: String,
    /// The system that answers to model names that name no system.
    pub default_system: Option<SystemName>,
    /// Whether callers need a key in any case, also where none was ever given.
    pub require_keys: bool,
    /// How many requests the node answers at a time before more are overload.
    pub in_flight_max: u32,
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
    /// For the head of a request to arrive.
    pub header_timeout: Duration,
    /// For the body of a request to arrive.
    pub body_timeout: Duration,
    /// For which an idle connection is kept open.
    pub idle_timeout: Duration,
    /// For which requests under way may go on after a stop was asked for.
    pub drain: Duration,
    /// Worker threads; none: one per core.
    pub workers: Option<NonZeroUsize>,
    /// The most rows in one call, unless the system says otherwise.
    pub rows_max: u32,
    /// What the node does when it has heard nothing for [`Self::control_loss`].
    pub on_control_loss: OnControlLoss,
    /// For how long it may hear nothing from the database that the nodes share.
    pub control_loss: Duration,
}

/// What a node does that cannot know whether somebody halted a system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnControlLoss {
    /// It goes on with what stood last.
    Serve,
    /// It halts every system until it hears again.
    Halt,
}

impl OnControlLoss {
    /// The name as it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Halt => "halt",
        }
    }
}

/// Where and how records are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StorageConfig {
    /// The data folder, absolute.
    pub path: PathBuf,
    /// The size at which a journal segment is closed and the next begun, in bytes.
    pub segment_bytes: u64,
    /// For how long records and payloads are kept.
    pub retention: Retention,
    /// The database that several nodes share; none: SQLite in the data folder.
    pub postgres: Option<PostgresConfig>,
    /// The server through which several nodes share limits; none: each has them for itself.
    pub redis: Option<RedisConfig>,
    /// The queue in front of the journal.
    pub queue: Queue,
    /// For how long a commit waits for more durable records to join it.
    pub linger: Duration,
    /// The stated window of loss of `buffered` records.
    pub buffered_window: Duration,
}

/// The PostgreSQL database that several nodes share.
#[derive(Clone, Debug)]
pub struct PostgresConfig {
    /// The URL as which the node connects, of a role that owns no table. It holds a password.
    pub url: Secret,
    /// The URL of the role that owns the tables; none: the node changes no schema.
    pub migrate: Option<Secret>,
}

impl PartialEq for PostgresConfig {
    fn eq(&self, other: &Self) -> bool {
        let exposed = |config: &Self| {
            let migrate = config
                .migrate
                .as_ref()
                .map(Secret::expose)
                .map(str::to_owned);
            (config.url.expose().to_owned(), migrate)
        };
        exposed(self) == exposed(other)
    }
}

impl Eq for PostgresConfig {}

/// The Redis or Valkey server through which several nodes share limits.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// Its URL, which may hold a password.
    pub url: Secret,
    /// For how long slices are leased.
    pub lease: Duration,
    /// How long a request waits for one.
    pub wait: Duration,
}

impl PartialEq for RedisConfig {
    fn eq(&self, other: &Self) -> bool {
        (self.url.expose(), self.lease, self.wait) == (other.url.expose(), other.lease, other.wait)
    }
}

impl Eq for RedisConfig {}

/// For how long records and payloads are kept. Whichever bound comes first holds; none: for ever.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Retention {
    /// The oldest a closed segment may become.
    pub age: Option<Duration>,
    /// The most bytes that segments and payloads may take.
    pub bytes: Option<u64>,
    /// The oldest a payload may become, where that is less than its record; none: as its record.
    pub payloads: Option<Duration>,
    /// The regimes that records are kept under, by name.
    pub regimes: Vec<String>,
    /// What these ask for.
    pub floors: RetentionFloors,
}

/// The least times that the named regimes ask for, as far as they were in force when the workspace was
/// read: nothing younger may be let go, also where [`Retention::bytes`] is exceeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RetentionFloors {
    /// Of records.
    pub records: Option<Duration>,
    /// Of payloads.
    pub payloads: Option<Duration>,
}

/// How records are made provable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditConfig {
    /// Whether the audit log is kept.
    pub enabled: bool,
    /// The log's name in its checkpoints.
    pub origin: String,
    /// How far apart checkpoints are at the most.
    pub checkpoint: Duration,
    /// A second folder that each checkpoint is copied to, absolute.
    pub copy: Option<PathBuf>,
}

/// The queue in front of the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Queue {
    /// How much may wait to be written, in bytes.
    pub bytes: u64,
    /// What happens to what comes when it is full.
    pub when_full: WhenFull,
}

/// What happens to a request whose record finds the queue full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhenFull {
    /// It is overload.
    Shed,
    /// It waits, within its deadline.
    Wait,
}

/// Where ONNX Runtime is looked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OnnxConfig {
    /// The library as `plimsoll.toml` names it, absolute.
    pub library: Option<PathBuf>,
    /// The library as `ORT_DYLIB_PATH` names it.
    pub library_of_environment: Option<PathBuf>,
}

/// How the process tells of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// The form of a line.
    pub format: LogFormat,
    /// The least important lines that are written.
    pub level: LogLevel,
}

/// The form of a log line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How important a log line is, the most important first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    /// Somebody must act.
    Error,
    /// Somebody should look.
    Warn,
    /// What happened.
    Info,
    /// What led to it.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The name as it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Who runs models for us.
#[derive(Clone, Debug)]
pub struct Provider {
    /// What systems call it.
    pub name: ProviderName,
    /// How it is spoken to.
    pub protocol: ProviderProtocol,
    /// The API's base, without a slash at the end: `https://api.openai.com/v1`.
    pub base_url: String,
    /// What it is sent as a bearer token.
    pub key: Option<Secret>,
}

/// How a provider is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProviderProtocol {
    /// As OpenAI's chat completions.
    Openai,
    /// JSON over HTTP, as a system's `http` models say.
    Http,
}

/// What a caller shows to be let in.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its name in records; never its secret.
    pub name: KeyName,
    /// What callers send.
    pub secret: Secret,
    /// The systems that it may use.
    pub scope: KeyScope,
    /// Whose it is.
    pub tenant: TenantName,
    /// The team of the tenant that it belongs to.
    pub team: Option<TeamName>,
    /// The highest criticality that its requests may claim, and the one that they have unless they say.
    pub criticality: Criticality,
}

/// The systems that a key may use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyScope {
    /// Every system, also those that come later.
    All,
    /// These.
    Systems(BTreeSet<SystemName>),
}

impl KeyScope {
    /// Whether `system` is among them.
    pub fn allows(&self, system: &SystemName) -> bool {
        match self {
            Self::All => true,
            Self::Systems(systems) => systems.contains(system),
        }
    }
}

/// What stands in a system's folder that is no behaviour.
#[derive(Clone, PartialEq, Debug)]
pub struct SystemFolder {
    /// The folder, absolute.
    pub path: PathBuf,
    /// How sensitive is what the system is asked and answers.
    pub data_class: DataClass,
    /// `cases.jsonl`, if it is there.
    pub cases: Option<PathBuf>,
    /// The eval sets: path relative to the folder → digest.
    pub eval_sets: BTreeMap<String, Digest>,
    /// How answers to them are scored.
    pub scorers: Vec<ScorerSpec>,
    /// Who must approve a release before somebody deploys it.
    pub approvals: ApprovalRule,
    /// What is watched while it serves, if anything is.
    pub monitors: Option<MonitorsSpec>,
}

/// What a workspace is read in: where secrets come from, and the time by which dates are judged.
pub trait Environment {
    /// The value of an environment variable, if it is set and is UTF-8.
    fn var(&self, name: &str) -> Option<String>;

    /// The time: which prices and floors are in force.
    fn now(&self) -> Timestamp {
        SystemClock::new().now()
    }
}

/// The environment of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}
