//! What policies on attributes decide: each reading of a payload and each change on the control plane.
//!
//! A [`Question`] holds every attribute that a policy may look at; a [`Judgement`] says yes or no, and which
//! policies looked at which attributes. Deciding is [pure](../../guard/src/access_policy.rs); asking is the
//! control plane's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::names::{EnvironmentName, SystemName, TenantName};
use crate::role::Role;
use crate::stakes::Stakes;

/// What is done on the control plane, as far as policies decide it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "each is the route of the same name, which says what it does"
)]
pub enum ControlAction {
    GetPayload,
    GetReview,
    Halt,
    FallBack,
    RevokeKey,
    Resume,
    RunDrills,
    RecordEval,
    AskForEval,
    RecordRunbookRun,
    RecordDataset,
    Deploy,
    RollBack,
    ReviewDeployment,
    TestReceiver,
    Silence,
    LiftSilence,
    RecordLabels,
    AnswerReview,
    MakeRelease,
    ImportRelease,
    Approve,
    AwaitCheckpoint,
    Erase,
    PlaceHold,
    LiftHold,
    RecordVerification,
    MakeTenant,
    GiveKey,
    RotateKey,
    CreateUser,
    SetPassword,
    ChangePassword,
    DisableUser,
    Reload,
}

impl ControlAction {
    /// All of them.
    pub const ALL: [Self; 35] = [
        Self::GetPayload,
        Self::GetReview,
        Self::Halt,
        Self::FallBack,
        Self::RevokeKey,
        Self::Resume,
        Self::RunDrills,
        Self::RecordEval,
        Self::AskForEval,
        Self::RecordRunbookRun,
        Self::RecordDataset,
        Self::Deploy,
        Self::RollBack,
        Self::ReviewDeployment,
        Self::TestReceiver,
        Self::Silence,
        Self::LiftSilence,
        Self::RecordLabels,
        Self::AnswerReview,
        Self::MakeRelease,
        Self::ImportRelease,
        Self::Approve,
        Self::AwaitCheckpoint,
        Self::Erase,
        Self::PlaceHold,
        Self::LiftHold,
        Self::RecordVerification,
        Self::MakeTenant,
        Self::GiveKey,
        Self::RotateKey,
        Self::CreateUser,
        Self::SetPassword,
        Self::ChangePassword,
        Self::DisableUser,
        Self::Reload,
    ];

    /// The name as it stands in policies and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GetPayload => "get_payload",
            Self::GetReview => "get_review",
            Self::Halt => "halt",
            Self::FallBack => "fall_back",
            Self::RevokeKey => "revoke_key",
            Self::Resume => "resume",
            Self::RunDrills => "run_drills",
            Self::RecordEval => "record_eval",
            Self::AskForEval => "ask_for_eval",
            Self::RecordRunbookRun => "record_runbook_run",
            Self::RecordDataset => "record_dataset",
            Self::Deploy => "deploy",
            Self::RollBack => "roll_back",
            Self::ReviewDeployment => "review_deployment",
            Self::TestReceiver => "test_receiver",
            Self::Silence => "silence",
            Self::LiftSilence => "lift_silence",
            Self::RecordLabels => "record_labels",
            Self::AnswerReview => "answer_review",
            Self::MakeRelease => "make_release",
            Self::ImportRelease => "import_release",
            Self::Approve => "approve",
            Self::AwaitCheckpoint => "await_checkpoint",
            Self::Erase => "erase",
            Self::PlaceHold => "place_hold",
            Self::LiftHold => "lift_hold",
            Self::RecordVerification => "record_verification",
            Self::MakeTenant => "make_tenant",
            Self::GiveKey => "give_key",
            Self::RotateKey => "rotate_key",
            Self::CreateUser => "create_user",
            Self::SetPassword => "set_password",
            Self::ChangePassword => "change_password",
            Self::DisableUser => "disable_user",
            Self::Reload => "reload",
        }
    }

    /// What kind of action it is.
    pub const fn kind(self) -> ActionKind {
        match self {
            Self::GetPayload | Self::GetReview => ActionKind::Read,
            Self::Halt | Self::FallBack | Self::RevokeKey | Self::DisableUser => ActionKind::StepIn,
            _ => ActionKind::Change,
        }
    }

    /// The action with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

impl fmt::Display for ControlAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for ControlAction {
    type Err = ActionError;

    fn from_str(text: &str) -> Result<Self, ActionError> {
        Self::parse(text).ok_or_else(|| ActionError(text.chars().take(80).collect()))
    }
}

/// A text that is no action.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no action: `plimsoll policy list` names those that there are")]
pub struct ActionError(String);

/// What kind of action something is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Somebody reads an input or output.
    Read,
    /// Something is different afterwards.
    Change,
    /// Something is stopped. A policy on changes does not stand in the way of it: it must be named.
    StepIn,
}

impl ActionKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Read, Self::Change, Self::StepIn];

    /// The name as it stands in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Change => "change",
            Self::StepIn => "step_in",
        }
    }
}

/// How sensitive is what a system is asked and answers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataClass {
    /// Nobody said.
    #[default]
    Unclassified,
    /// Anybody may know it.
    Public,
    /// It is for the organisation.
    Internal,
    /// It would do harm if it became known.
    Confidential,
    /// It is about people (GDPR Art. 4).
    Personal,
    /// It is of a special category: health, belief, biometrics and the like (GDPR Art. 9).
    Special,
}

impl DataClass {
    /// The name as it stands in `system.toml` and in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unclassified => "unclassified",
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Confidential => "confidential",
            Self::Personal => "personal",
            Self::Special => "special",
        }
    }

    /// The class with this name.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [
            Self::Unclassified,
            Self::Public,
            Self::Internal,
            Self::Confidential,
            Self::Personal,
            Self::Special,
        ];
        all.into_iter().find(|class| class.as_str() == text)
    }
}

/// How somebody is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// They showed the owner's token, or hold the data folder: nobody vouches for the name.
    Owner,
    /// They showed a token that `plimsoll.toml` names.
    Operator,
    /// They showed a key with roles.
    Key,
    /// They signed in.
    User,
}

impl ActorKind {
    /// The name as it stands in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Operator => "operator",
            Self::Key => "key",
            Self::User => "user",
        }
    }
}

/// What an action is about, as far as it is known.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Resource {
    /// Whose it is.
    pub tenant: Option<TenantName>,
    /// Of which system.
    pub system: Option<SystemName>,
    /// How much depends on that system.
    pub stakes: Option<Stakes>,
    /// How sensitive is what it is asked.
    pub data_class: DataClass,
    /// Who made it.
    pub author: Option<String>,
    /// How old it is, in days.
    pub age_days: Option<f64>,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// What records call them.
    pub name: &'a str,
    /// How they are known.
    pub kind: ActorKind,
    /// What they may do.
    pub roles: &'a BTreeSet<Role>,
    /// The one tenant that they work for.
    pub tenant: Option<&'a TenantName>,
}

/// Who wants to do what with what, where, when and what for.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who.
    pub actor: Asker<'a>,
    /// What they want to do.
    pub action: ControlAction,
    /// With what.
    pub resource: &'a Resource,
    /// What for, in their words; empty if they said nothing.
    pub purpose: &'a str,
    /// Where.
    pub environment: &'a EnvironmentName,
    /// When.
    pub at: Timestamp,
}

impl Question<'_> {
    /// The variables of policies and their members; a variable without members is a text itself.
    pub const VARIABLES: [(&'static str, &'static [&'static str]); 6] = [
        ("actor", &["name", "kind", "roles", "tenant"]),
        ("action", &["name", "kind"]),
        (
            "resource",
            &[
                "tenant",
                "system",
                "stakes",
                "data_class",
                "author",
                "age_days",
            ],
        ),
        ("purpose", &[]),
        ("environment", &[]),
        ("time", &["hour", "minute", "weekday", "date"]),
    ];

    /// The value of each variable, in the order of [`Self::VARIABLES`]. What is not known is an empty text,
    /// or zero.
    pub fn values(&self, zone: &TimeZone) -> [Value; 6] {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let Resource {
            tenant,
            system,
            stakes,
            data_class,
            author,
            age_days,
        } = self.resource;
        let roles: Vec<&str> = self.actor.roles.iter().map(|role| role.as_str()).collect();
        [
            json!({
                "name": self.actor.name,
                "kind": self.actor.kind.as_str(),
                "roles": roles,
                "tenant": text(self.actor.tenant.map(TenantName::as_str)),
            }),
            json!({"name": self.action.as_str(), "kind": self.action.kind().as_str()}),
            json!({
                "tenant": text(tenant.as_ref().map(TenantName::as_str)),
                "system": text(system.as_ref().map(SystemName::as_str)),
                "stakes": text(stakes.map(Stakes::as_str)),
                "data_class": data_class.as_str(),
                "author": text(author.as_deref()),
                "age_days": age_days.unwrap_or_default(),
            }),
            json!(self.purpose),
            json!(self.environment.as_str()),
            time_values(self.at, zone),
        ]
    }
}

fn time_values(at: Timestamp, zone: &TimeZone) -> Value {
    let instant = jiff::Timestamp::from_microsecond(at.as_micros());
    let local = instant
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_zoned(zone.clone());
    json!({
        "hour": local.hour(),
        "minute": local.minute(),
        "weekday": local.strftime("%A").to_string().to_lowercase(),
        "date": local.strftime("%Y-%m-%d").to_string(),
    })
}

/// Yes or no, and why.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Judgement {
    /// Whether it may be done.
    pub allowed: bool,
    /// Why, in one sentence.
    pub because: String,
    /// The policy that decided, if one did.
    pub policy: Option<String>,
    /// What each policy said that is about such an action.
    pub findings: Vec<PolicyFinding>,
}

/// What a policy said.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PolicyFinding {
    /// Its name.
    pub policy: String,
    /// What it does where it holds.
    pub effect: PolicyEffect,
    /// Whether it held.
    pub held: Held,
    /// The attributes that it looks at, as `resource.data_class`, and what they were.
    pub attributes: BTreeMap<String, Value>,
    /// Why it could not be evaluated, if it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a policy does where it holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyEffect {
    /// Lets through. Where any policy on an action allows, one of them must hold.
    Allow,
    /// Refuses, whatever others say.
    Deny,
}

impl PolicyEffect {
    /// The name as it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// Whether a policy's condition held.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// It held.
    Yes,
    /// It did not.
    No,
    /// It could not be evaluated: a policy that denies, denies then, and one that allows does not.
    Undecided,
}

impl Held {
    /// The word that tables use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Undecided => "undecided",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_read_back_as_they_are_written() {
        let names: BTreeSet<&str> = ControlAction::ALL.iter().map(|a| a.as_str()).collect();
        assert_eq!(names.len(), ControlAction::ALL.len());
        for action in ControlAction::ALL {
            assert_eq!(action.as_str().parse::<ControlAction>().unwrap(), action);
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        }
        assert!("root".parse::<ControlAction>().is_err());
    }

    #[test]
    fn every_variable_has_the_members_that_it_is_said_to_have() {
        let roles = [Role::Auditor].into();
        let environment = EnvironmentName::new("production").unwrap();
        let question = Question {
            actor: Asker {
                name: "udo",
                kind: ActorKind::Operator,
                roles: &roles,
                tenant: None,
            },
            action: ControlAction::GetPayload,
            resource: &Resource::default(),
            purpose: "complaint 7",
            environment: &environment,
            at: Timestamp::parse("2026-03-14T23:30:00Z").unwrap(),
        };
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let values = question.values(&zone);
        for ((variable, members), value) in Question::VARIABLES.iter().zip(&values) {
            let known: BTreeSet<&str> = members.iter().copied().collect();
            let there: BTreeSet<&str> = value
                .as_object()
                .map(|map| map.keys().map(String::as_str).collect())
                .unwrap_or_default();
            assert_eq!(known, there, "{variable}");
        }
        // Half past midnight on the next day, where the workspace's days begin.
        assert_eq!(
            values[5],
            json!({"hour": 0, "minute": 30, "weekday": "sunday", "date": "2026-03-15"})
        );
    }
}
