//! What is at stake picks the defaults.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much depends on a system's answers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stakes {
    /// A wrong answer is a nuisance.
    Low,
    /// A wrong answer costs time or money.
    Limited,
    /// A wrong answer changes somebody's life.
    High,
}

/// When an answer may leave in relation to its record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// The answer may leave before its record is on disk; a crash loses at most 250 ms of records.
    Buffered,
    /// The answer leaves after its record is on disk.
    Durable,
}

/// How much of inputs and outputs is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadPolicy {
    /// Nothing, not even a commitment that could be guessed.
    None,
    /// The shape, numbers and booleans; each text is replaced by its length.
    Redacted,
    /// Everything, encrypted.
    Full,
}

/// Whether a new release deploys itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeployPolicy {
    /// On reload and start, at once.
    OnReload,
    /// When somebody says so, with the approvals that the stakes ask for.
    OnApproval,
}

/// What a system of these stakes gets unless it says otherwise.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StakesDefaults {
    /// See [`Durability`].
    pub record: Durability,
    /// See [`PayloadPolicy`].
    pub payloads: PayloadPolicy,
    /// See [`DeployPolicy`].
    pub deploy: DeployPolicy,
    /// How many people, none of them the author, must approve a deployment.
    pub approvals: u32,
    /// After how long a drill no longer counts.
    pub drill_age: Duration,
    /// The share of requests that must be answered.
    pub availability: f64,
}

const DAY: u64 = 24 * 60 * 60;

impl Stakes {
    /// The defaults of these stakes.
    pub const fn defaults(self) -> StakesDefaults {
        let (record, payloads, deploy, approvals, drill_days, availability) = match self {
            Self::Low => (
                Durability::Buffered,
                PayloadPolicy::None,
                DeployPolicy::OnReload,
                0,
                180,
                0.99,
            ),
            Self::Limited => (
                Durability::Buffered,
                PayloadPolicy::Redacted,
                DeployPolicy::OnReload,
                0,
                90,
                0.995,
            ),
            Self::High => (
                Durability::Durable,
                PayloadPolicy::Full,
                DeployPolicy::OnApproval,
                1,
                30,
                0.999,
            ),
        };
        let drill_age = Duration::from_secs(drill_days * DAY);
        StakesDefaults {
            record,
            payloads,
            deploy,
            approvals,
            drill_age,
            availability,
        }
    }

    /// The name as it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Limited => "limited",
            Self::High => "high",
        }
    }
}
