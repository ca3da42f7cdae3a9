//! Regimes: what laws and standards ask to be kept and for how long, and by when they ask to be told.
//!
//! All of it is data with a version. The binary has a table of its own; a workspace's `regimes.toml` adds
//! regimes to it, or replaces one as a whole.

mod reading;

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll_core::{Digest, Timestamp};
use serde::{Serialize, Serializer};

pub(crate) use reading::read;

/// Every regime that is known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Regimes {
    /// The version of the binary's own table.
    pub version: String,
    /// The version of the workspace's table, if it has one.
    pub workspace_version: Option<String>,
    /// The regimes, by name.
    pub regimes: BTreeMap<String, Regime>,
}

/// One regime, for one role in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Regime {
    /// What it is called, and whom it binds.
    pub title: String,
    /// Where it can be read.
    pub source: String,
    /// Which table it comes from.
    pub origin: Origin,
    /// From when it is in force; none: it has no date yet.
    #[serde(serialize_with = "as_time")]
    pub from: Option<Timestamp>,
    /// For how long it asks that things be kept.
    pub floors: BTreeMap<RecordClass, Floor>,
    /// By when it asks that somebody be told, by the occasion's name.
    pub clocks: BTreeMap<String, IncidentClock>,
    /// What else to know of it.
    pub notes: Option<String>,
}

/// Which table a regime comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The binary's own.
    BuiltIn,
    /// The workspace's.
    Workspace,
    /// The workspace's, in the place of one of the binary's.
    Replaced,
}

/// A class of things that are kept for a time of their own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordClass {
    /// What is decided and done: the journal.
    Records,
    /// Inputs and outputs.
    Payloads,
    /// Documentation.
    Dossier,
}

impl RecordClass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Records, Self::Payloads, Self::Dossier];

    /// The name as it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Payloads => "payloads",
            Self::Dossier => "dossier",
        }
    }
}

/// A least time for which a class of things is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Floor {
    /// For how long.
    #[serde(serialize_with = "as_duration")]
    pub age: Duration,
    /// Which article asks for it.
    pub article: String,
    /// What the article says, in short.
    pub says: Option<String>,
    /// From when it is in force; none: it has no date yet.
    #[serde(serialize_with = "as_time")]
    pub from: Option<Timestamp>,
}

impl Floor {
    /// Whether it is in force at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.from.is_some_and(|from| from <= now)
    }
}

/// A time within which somebody must be told of something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct IncidentClock {
    /// How long after it was known; none: at once.
    #[serde(serialize_with = "as_maybe_duration")]
    pub within: Option<Duration>,
    /// Which article asks for it.
    pub article: String,
    /// What must be told to whom, in short.
    pub says: Option<String>,
}

impl Regimes {
    /// The versions of the tables, as what is made under them names them.
    pub fn versions(&self) -> String {
        match &self.workspace_version {
            None => self.version.clone(),
            Some(own) => format!("{} with the workspace's {own}", self.version),
        }
    }

    /// The highest floor of `class` that is in force at `now` under the regimes with these names, and the
    /// name of its regime.
    pub fn floor<'a>(
        &'a self,
        names: &'a [String],
        class: RecordClass,
        now: Timestamp,
    ) -> Option<(&'a str, &'a Floor)> {
        let named = names
            .iter()
            .filter_map(|name| Some((name.as_str(), self.regimes.get(name)?.floors.get(&class)?)));
        named
            .filter(|(_, floor)| floor.holds(now))
            .max_by_key(|(_, floor)| floor.age)
    }

    /// The digest of all of it in canonical JSON.
    pub fn digest(&self) -> Digest {
        Digest::of(&crate::policies::canonical(self).1)
    }
}

fn as_time<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}

fn as_duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&crate::quantity::duration_text(*duration))
}

fn as_maybe_duration<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => as_duration(duration, serializer),
        None => serializer.serialize_none(),
    }
}
