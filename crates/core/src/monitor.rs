//! What is watched of a system while it serves, what one decision tells of it, and what is recorded when
//! something is wrong: alarms, the alerts that tell people of them, and silences.
//!
//! [`Alarm`] and [`AlertEvent`] are stored formats: fields are added with a default, never renamed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::code::Code;
use crate::decision::{Decision, Verdict};
use crate::failure::FailureKind;
use crate::ids::{DecisionId, EventId};
use crate::manifest::ReleaseId;
use crate::names::{EnvironmentName, LabelName, NodeName, SystemName};
use crate::outcome::Outcome;

/// What is watched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    /// Models that fail: unavailable, slow, wrong.
    Errors,
    /// Decisions that were refused.
    Refusals,
    /// Decisions that a later step of a ladder answered, or that abstained.
    Fallbacks,
    /// How unsure the model is: one less its confidence.
    Doubt,
    /// Answers that a person gave in place of the model's.
    Overrides,
    /// Guards that found something.
    GuardHits,
    /// Answers that did not have the form that they must have.
    SchemaFailures,
    /// How long decisions take.
    Latency,
    /// What decisions cost.
    Cost,
    /// The error budget of the availability that the bar asks for.
    Availability,
    /// The inputs, column by column, against the release's reference.
    Features,
    /// The answers against the release's reference.
    Predictions,
    /// How often the model is wrong, estimated from its own confidence while there are no labels.
    EstimatedError,
    /// How often labels say that it was wrong, as they come.
    RealisedError,
    /// Labels, against what the model's confidence promised: whether the world has changed.
    Truth,
    /// The eval set: asked on schedule of what is deployed, and with what verdict.
    Evals,
    /// What scorers say of a sample of the answers.
    Scores,
    /// That all this is measured at all: always watched.
    Measuring,
}

impl Watched {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 18] = [
        Self::Errors,
        Self::Refusals,
        Self::Fallbacks,
        Self::Doubt,
        Self::Overrides,
        Self::GuardHits,
        Self::SchemaFailures,
        Self::Latency,
        Self::Cost,
        Self::Availability,
        Self::Features,
        Self::Predictions,
        Self::EstimatedError,
        Self::RealisedError,
        Self::Truth,
        Self::Evals,
        Self::Scores,
        Self::Measuring,
    ];

    /// The name as it stands in files and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Refusals => "refusals",
            Self::Fallbacks => "fallbacks",
            Self::Doubt => "doubt",
            Self::Overrides => "overrides",
            Self::GuardHits => "guard_hits",
            Self::SchemaFailures => "schema_failures",
            Self::Latency => "latency",
            Self::Cost => "cost",
            Self::Availability => "availability",
            Self::Features => "features",
            Self::Predictions => "predictions",
            Self::EstimatedError => "estimated_error",
            Self::RealisedError => "realised_error",
            Self::Truth => "truth",
            Self::Evals => "evals",
            Self::Scores => "scores",
            Self::Measuring => "measuring",
        }
    }

    /// How much it matters unless the workspace says otherwise: what callers feel pages, what may only lead
    /// there later does not.
    pub const fn usual_severity(self) -> Severity {
        match self {
            Self::Errors
            | Self::SchemaFailures
            | Self::Availability
            | Self::RealisedError
            | Self::Truth
            | Self::Evals
            | Self::Scores => Severity::Page,
            Self::Features => Severity::Ticket,
            _ => Severity::Warning,
        }
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names nothing that is watched.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is nothing that is watched")]
pub struct UnknownMonitor(String);

impl FromStr for Watched {
    type Err = UnknownMonitor;

    fn from_str(text: &str) -> Result<Self, UnknownMonitor> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| UnknownMonitor(text.to_owned()))
    }
}

/// How much an alarm matters, the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody should look at it some day.
    Ticket,
    /// Somebody should look at it today.
    Warning,
    /// Somebody should look at it now.
    Page,
}

impl Severity {
    /// The name as it stands in files and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Warning => "warning",
            Self::Page => "page",
        }
    }

    /// The severity of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Ticket, Self::Warning, Self::Page]
            .into_iter()
            .find(|one| one.as_str() == text)
    }
}

/// What is done when an alarm is raised.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The primary model is asked no more: the ladder of `unavailable` answers.
    FallBack,
    /// No model is asked any more.
    Halt,
    /// The stable slot goes back to the release before.
    RollBack,
    /// No release is deployed or promoted while the alarm stands.
    Hold,
    /// Ten times as many answers are scored while it stands.
    RaiseSampling,
    /// A webhook is told that there is something to learn from.
    Retrain,
    /// A person is asked to look at it.
    Review,
}

impl Action {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 7] = [
        Self::FallBack,
        Self::Halt,
        Self::RollBack,
        Self::Hold,
        Self::RaiseSampling,
        Self::Retrain,
        Self::Review,
    ];

    /// The name as it stands in files and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FallBack => "fall_back",
            Self::Halt => "halt",
            Self::RollBack => "roll_back",
            Self::Hold => "hold",
            Self::RaiseSampling => "raise_sampling",
            Self::Retrain => "retrain",
            Self::Review => "review",
        }
    }

    /// The action of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// What the workspace says about watching one system.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MonitorsSpec {
    /// How many decisions lie between two false alarms of one monitor, on average, at least.
    pub between_false_alarms: u64,
    /// After how many rows the inputs are held against the reference.
    pub window: u64,
    /// After how long without a decision that is an alarm; none: never.
    pub silent_after: Option<Duration>,
    /// The receiver that is told to retrain.
    #[serde(default)]
    pub retrain: Option<String>,
    /// What is watched.
    pub monitors: BTreeMap<Watched, MonitorSpec>,
}

/// How one thing is watched.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MonitorSpec {
    /// The mean that is still well, between 0 and 1; none: learnt from the first decisions.
    pub bar: Option<f64>,
    /// How much an alarm matters.
    pub severity: Severity,
    /// What is done then.
    pub on_alarm: Vec<Action>,
    /// Where the truth comes from, for [`Watched::Truth`] and [`Watched::RealisedError`].
    #[serde(default)]
    pub truth: Option<TruthSpec>,
}

/// Which labels say whether an answer was right.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TruthSpec {
    /// The label's name; its value is true if the answer was right.
    pub label: LabelName,
    /// After how long most labels of a day have come.
    pub matured_after: Duration,
}

/// What one closed decision tells the monitors.
#[derive(Clone, PartialEq, Debug)]
pub struct Observation {
    /// Which decision.
    pub decision: DecisionId,
    /// Of which system.
    pub system: SystemName,
    /// The release that answered.
    pub release: ReleaseId,
    /// How it ended.
    pub outcome: Outcome,
    /// Its first failure's kind.
    pub kind: Option<FailureKind>,
    /// The code that tells most of what went wrong.
    pub code: Option<Code>,
    /// How sure the model was.
    pub confidence: Option<f64>,
    /// Whether a guard found something.
    pub guard_hit: bool,
    /// Whether an answer did not have its form.
    pub schema_failure: bool,
    /// Whether a person gave another answer than the model proposed; none if no person saw a proposal.
    pub overridden: Option<bool>,
    /// From opening to closing, in microseconds; none if it waited for a person.
    pub micros: Option<u64>,
    /// What it cost, in the workspace's currency.
    pub cost: f64,
    /// Whether it counts for the availability: it had to be answered.
    pub answerable: bool,
    /// When it was closed.
    pub at: Timestamp,
}

impl Observation {
    /// What a closed decision tells; none if it is open, or was made for a drill or an eval.
    pub fn of(decision: &Decision) -> Option<Self> {
        let (outcome, at) = (decision.outcome?, decision.closed_at?);
        if decision.made_for().is_some() {
            return None;
        }
        let failed = |of: &str| {
            let mut controls = decision.controls.iter();
            controls.any(|one| one.verdict == Verdict::Failed && one.control.starts_with(of))
        };
        let about_input = decision.kind.is_some_and(FailureKind::is_about_input);
        let step_code = decision.path.first().map(|step| step.code);
        let was_reviewed = matches!(outcome, Outcome::Reviewed | Outcome::Expired);
        Some(Self {
            decision: decision.id,
            system: decision.system.clone(),
            release: decision.release,
            outcome,
            kind: decision.kind,
            code: step_code.or(decision.code),
            confidence: decision.confidence,
            guard_hit: failed("guard:"),
            schema_failure: failed("output:"),
            overridden: None,
            micros: decision.total_micros().filter(|_| !was_reviewed),
            cost: decision.cost.amount.approximate(),
            answerable: outcome != Outcome::Cancelled
                && !(outcome == Outcome::Refused && about_input),
            at,
        })
    }

    /// How bad it was, from 0 to 1, as the monitor of `watched` sees it; none if it says nothing there.
    pub fn badness(&self, watched: Watched) -> Option<f64> {
        let of = |is_bad: bool| Some(f64::from(u8::from(is_bad)));
        match watched {
            Watched::Errors => of(self.outcome == Outcome::Failed
                || matches!(
                    self.kind,
                    Some(FailureKind::Unavailable | FailureKind::Slow | FailureKind::Wrong)
                )),
            Watched::Refusals => of(self.outcome == Outcome::Refused),
            Watched::Fallbacks => of(matches!(
                self.outcome,
                Outcome::FellBack | Outcome::Abstained
            )),
            Watched::Doubt => Some(1.0 - self.confidence?.clamp(0.0, 1.0)),
            Watched::Overrides => of(self.overridden?),
            Watched::GuardHits => of(self.guard_hit),
            Watched::SchemaFailures => of(self.schema_failure),
            Watched::Availability => of(!self.outcome.is_answered()).filter(|_| self.answerable),
            Watched::Latency
            | Watched::Cost
            | Watched::Features
            | Watched::Predictions
            | Watched::EstimatedError
            | Watched::RealisedError
            | Watched::Truth
            | Watched::Evals
            | Watched::Scores
            | Watched::Measuring => None,
        }
    }
}

/// How often a model was right on the rows that its release's reference was made of.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct UsualError {
    /// Rows of which the truth was known.
    pub rows: u64,
    /// Of these, answered wrongly.
    pub wrong: u64,
    /// The share that the confidence said would be wrong, if the reference says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<f64>,
}

/// What an answer of the stable release's first model tells before anybody knows the truth.
#[derive(Clone, PartialEq, Debug)]
pub struct Estimated {
    /// Which decision.
    pub decision: DecisionId,
    /// Of which system.
    pub system: SystemName,
    /// The release that answered.
    pub release: ReleaseId,
    /// Since when it has stood.
    pub since: Timestamp,
    /// How likely it is right: the confidence, made honest on the release's reference if that says what it is worth.
    pub right: f64,
    /// How often the model was right there; none: the reference does not say.
    pub usual: Option<UsualError>,
    /// When.
    pub at: Timestamp,
}

/// What a label tells as it comes.
#[derive(Clone, PartialEq, Debug)]
pub struct Labelled {
    /// About which decision.
    pub decision: DecisionId,
    /// Of which system.
    pub system: SystemName,
    /// The release that answered, which is the stable one.
    pub release: ReleaseId,
    /// Since when it has stood.
    pub since: Timestamp,
    /// Which label.
    pub name: LabelName,
    /// Whether the answer was right; none if the label is neither true nor false.
    pub right: Option<bool>,
    /// How often the model is right on the reference of the stable release; none: it does not say.
    pub usual: Option<UsualError>,
    /// When it came.
    pub at: Timestamp,
}

/// What never came to the monitors, because there was more than may wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dropped {
    /// Closed decisions.
    pub decisions: u64,
    /// Estimates of how likely answers are right.
    pub estimates: u64,
    /// Labels.
    pub labels: u64,
}

impl Dropped {
    /// All of it.
    #[must_use]
    pub const fn all(self) -> u64 {
        self.decisions + self.estimates + self.labels
    }
}

impl std::ops::AddAssign for Dropped {
    fn add_assign(&mut self, more: Self) {
        self.decisions += more.decisions;
        self.estimates += more.estimates;
        self.labels += more.labels;
    }
}

/// Something is wrong with a system, or is well again.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Alarm {
    /// Names the event.
    pub id: EventId,
    /// Names the alarm: the id of the event that raised it.
    pub alarm: EventId,
    /// What happened.
    pub change: AlarmChange,
    /// Of which system.
    pub system: SystemName,
    /// Where.
    pub environment: EnvironmentName,
    /// Which node saw it.
    pub node: NodeName,
    /// What is wrong.
    pub monitor: Watched,
    /// How much it matters.
    pub severity: Severity,
    /// The release in effect: of the last decision that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseId>,
    /// In one sentence.
    pub summary: String,
    /// The evidence.
    pub evidence: AlarmEvidence,
    /// What is done about it; each is an event of its own, which names the alarm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// When.
    pub at: Timestamp,
}

impl Alarm {
    /// Under which key receivers know that two alerts are about the same thing.
    pub fn dedup_key(&self) -> String {
        format!(
            "plimsoll/{}/{}/{}",
            self.environment, self.system, self.monitor
        )
    }
}

/// What happened to an alarm.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmChange {
    /// It stands from now on.
    Raised,
    /// It stands no longer.
    Cleared,
}

/// What an alarm rests on.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct AlarmEvidence {
    /// How many values the figure is of.
    pub n: u64,
    /// The figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figure: Option<f64>,
    /// Where it lies for 95 in 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// What it must not be above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar: Option<f64>,
    /// When it began, as far as that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
    /// What adds most to it, with its share: error codes, or columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contributors: Vec<Contributor>,
    /// Some of the decisions, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<DecisionId>,
}

/// Something that adds to an alarm.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Contributor {
    /// What: an error code, or a column and what is wrong with it.
    pub what: String,
    /// Its share.
    pub share: f64,
}

/// What became of telling people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AlertEvent {
    /// Names the event.
    pub id: EventId,
    /// What happened.
    #[serde(flatten)]
    pub event: AlertChange,
    /// Who did it; none for the node itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum AlertChange {
    /// A receiver took an alert.
    Delivered {
        /// Of which event of an alarm.
        about: EventId,
        /// Which receiver.
        receiver: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// A receiver did not take an alert, and it is tried no more.
    Undelivered {
        /// Of which event of an alarm.
        about: EventId,
        /// Which receiver.
        receiver: String,
        /// How often it was tried.
        attempts: u32,
        /// What the last try met.
        reason: String,
    },
    /// A silence covered it: nobody was told.
    Muted {
        /// Of which event of an alarm.
        about: EventId,
        /// Which silence.
        silence: EventId,
    },
    /// Alerts are held back for a while.
    Silenced {
        /// About this system; none: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system: Option<SystemName>,
        /// About this monitor; none: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        monitor: Option<Watched>,
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// A silence ends before its time.
    Lifted {
        /// Which.
        silence: EventId,
    },
    /// Something was done about an alarm that is no deployment.
    Acted {
        /// About which event of an alarm.
        about: EventId,
        /// What.
        action: Action,
        /// How, and until when.
        detail: String,
    },
    /// Somebody tried a receiver.
    Tested {
        /// Which.
        receiver: String,
        /// Why it did not take the test; none: it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_monitor_is_found_by_its_name() {
        for watched in Watched::ALL {
            assert_eq!(watched.as_str().parse(), Ok(watched));
            let text = serde_json::to_string(&watched).unwrap();
            assert_eq!(text, format!("\"{watched}\""));
        }
        assert!("Errors".parse::<Watched>().is_err());
        assert_eq!(Severity::parse("page"), Some(Severity::Page));
        for action in Action::ALL {
            assert_eq!(Action::parse(action.as_str()), Some(action));
            assert_eq!(serde_json::json!(action), action.as_str());
        }
    }

    #[test]
    fn an_event_of_an_alert_reads_back() {
        let at = Timestamp::from_micros(1);
        let event = AlertEvent {
            id: EventId::new(at),
            event: AlertChange::Silenced {
                system: None,
                monitor: Some(Watched::Latency),
                until: at,
                reason: "a load test".into(),
            },
            actor: Some("ada".into()),
            at,
        };
        let text = serde_json::to_string(&event).unwrap();
        assert!(text.contains(r#""event":"silenced""#), "{text}");
        assert_eq!(serde_json::from_str::<AlertEvent>(&text).unwrap(), event);
    }

    /// A decision that was answered; `more` is said of it besides.
    fn answered(more: (&str, Option<EventId>)) -> Decision {
        let (at, id) = (Timestamp::from_micros(1), "01J9ZC6T7R8Y3V5W1X2Q4K0M9N");
        let mut decision = serde_json::json!({
            "id": id, "request": id, "row": 0, "tenant": "acme", "environment": "production",
            "system": "loans", "key": null, "release": crate::Digest::of(b"release"), "deployment": id,
            "protocol": "decisions", "mode": "enforce", "opened_at": at, "closed_at": at,
            "outcome": "served", "stages": crate::decision::StageTimes::default(),
            "controls": [], "attempts": [], "cost": crate::decision::Cost::FREE,
        });
        decision[more.0] = serde_json::to_value(more.1).unwrap();
        serde_json::from_value(decision).unwrap()
    }

    #[test]
    fn what_drills_and_evals_ask_is_seen_by_no_monitor() {
        let made_for = Some(EventId::new(Timestamp::from_micros(1)));
        assert!(Observation::of(&answered(("drill", None))).is_some());
        assert!(Observation::of(&answered(("drill", made_for))).is_none());
        assert!(Observation::of(&answered(("eval", made_for))).is_none());
    }
}
