//! What is said of receivers and silences.

use plimsoll_core::monitor::{Severity, Watched};
use plimsoll_core::{EventId, SystemName, Timestamp};
use serde::{Deserialize, Serialize};

/// A receiver of alerts, as operators see it; never an address that is a secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReceiverView {
    /// Its name.
    pub name: String,
    /// `webhook`, `slack`, `pagerduty` or `alertmanager`.
    pub kind: String,
    /// Of which systems it is told; none: of all.
    pub systems: Option<Vec<SystemName>>,
    /// The least severity that it is told of.
    pub least: Severity,
    /// It is told only of alarms that still stand after so long.
    pub after_seconds: u64,
}

/// Which receiver is to be tried.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// Its name.
    pub receiver: String,
}

/// Holds alerts back for a while.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SilenceRequest {
    /// About this system; none: all.
    #[serde(default)]
    pub system: Option<SystemName>,
    /// About this monitor; none: all.
    #[serde(default)]
    pub monitor: Option<Watched>,
    /// For how long.
    pub seconds: u64,
    /// Why.
    pub reason: String,
}

/// A silence that stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SilenceView {
    /// Names it.
    pub id: EventId,
    /// About this system; none: all.
    pub system: Option<SystemName>,
    /// About this monitor; none: all.
    pub monitor: Option<Watched>,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub actor: Option<String>,
    /// Since when.
    pub at: Timestamp,
}
