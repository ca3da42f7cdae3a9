//! Replay: a decision made again, to be held against its record. It leaves no trace: nothing is written,
//! counted or held for later, no review is opened, and no room is taken.
//!
//! From the record, our own logic runs over what was said then: each model is stood in for by what it
//! said, each failure by its code. What the machine decided (room, time, money, disk) is taken as it was.
//! All else is made anew, and must come to the same. Live, the models are asked again, which is paid for
//! out of the system's budget.

mod chat;
mod compare;
mod script;

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use plimsoll_core::decision::{AttemptReason, PathStep, Payload};
use plimsoll_core::record::DeploymentCause;
use plimsoll_core::stakes::{DeployPolicy, PayloadPolicy};
use plimsoll_core::system::{BarSpec, Owner};
use plimsoll_core::{
    Decision, Digest, Manifest, ModelName, Outcome, ReleaseId, RequestId, Stakes, System,
    SystemName,
};
use plimsoll_journal::JournalError;
use serde_json::Value;

pub use self::compare::Difference;
use self::compare::{Played, differences};
pub(crate) use self::script::Said;
use self::script::Script;
use crate::answer::{Answer, ChatItem, Item};
use crate::caller::Caller;
use crate::deployed::Deployed;
use crate::envelope::Envelope;
use crate::exchange::{Exchange, Open};
use crate::failure::Failure;
use crate::node::Node;
use crate::pipeline::decide;
use crate::protocol::openai_chat;
use crate::stage::finish::{Body, Told};
use crate::standing::View;

/// What is to be made again.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The decision, as it was recorded.
    pub decision: Decision,
    /// What was kept of its input, its output and its attempts; none if that is gone.
    pub payload: Option<Payload>,
    /// Whether the models are asked again, or else stood in for by what they said.
    pub live: bool,
    /// Under which release; none: the one that answered.
    pub under: Option<ReleaseId>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The decision as it was made again, under an id that stands nowhere else; open if it would wait
    /// for a person.
    pub decision: Decision,
    /// The answer.
    pub answer: Option<Value>,
    /// What is not as it was recorded.
    pub differences: Vec<Difference>,
}

/// A decision cannot be made again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It did not come to an end of its own.
    #[error("the decision ended as `{}`, so that there is nothing to hold a replay against", .0.as_str())]
    Cut(Outcome),
    /// The system keeps too little.
    #[error(
        "the release kept its inputs and outputs {0}: only what is kept with `payloads = \"full\"` \
         can be replayed"
    )]
    NotKept(&'static str),
    /// What was kept is not there any more.
    #[error("what was kept of the decision was erased or let go, so that it cannot be replayed")]
    Gone,
    /// What a model said was not kept.
    #[error(
        "what model `{0}` said was not kept: the record is of an older version, or the answers were \
         too large"
    )]
    AnswerNotKept(ModelName),
    /// Parts of the release are not kept here.
    #[error("{} part(s) of release `{release}` are not in data/blobs", .missing.len())]
    Missing {
        /// Which release.
        release: ReleaseId,
        /// The parts; the release itself, if that is its manifest.
        missing: Vec<Digest>,
    },
    /// The release cannot be built.
    #[error("release cannot be built: {0}")]
    Broken(String),
    /// Somebody stepped in, so that no model is asked.
    #[error("system `{0}` is halted or on its fallback: its models are not asked again")]
    Halted(SystemName),
    /// The blobs could not be read.
    #[error("the release's parts could not be read")]
    Blobs(#[from] JournalError),
}

/// What a decision that is made again takes from its record; nothing if the models are asked again.
pub(crate) struct Rehearsal {
    script: Option<Script>,
}

impl Rehearsal {
    /// Why it was not admitted then.
    pub(crate) fn admission(&self) -> Option<Failure> {
        self.script.as_ref()?.admission()
    }

    /// The earlier answer that was given then, and its age; none if there is no script.
    pub(crate) fn recalled(&self, path: &[PathStep]) -> Option<Result<(Value, u64), Failure>> {
        Some(self.script.as_ref()?.recalled(path))
    }

    /// Whether a review could be opened then.
    pub(crate) fn review(&self, path: &[PathStep]) -> Result<(), Failure> {
        let script = self.script.as_ref();
        script.map_or(Ok(()), |script| script.review(path))
    }
}

/// What `name` said when it was asked then; none if it is to be asked now.
pub(crate) fn take(
    ex: &mut Open,
    name: &ModelName,
    reason: AttemptReason,
) -> Option<Result<Said, Failure>> {
    let Open {
        rehearsal,
        decision,
        ..
    } = ex;
    let script = rehearsal.as_mut()?.script.as_mut()?;
    Some(script.ask(decision, name, reason))
}

/// The release that was built last for a replay and runs in no slot.
#[derive(Default)]
pub(crate) struct Rehearsed(Mutex<Option<(bool, Arc<Deployed>)>>);

/// A record that is whole enough to be held against.
pub(crate) struct Original {
    decision: Decision,
    payload: Payload,
    /// The manifest of the release that answered.
    manifest: Manifest,
}

impl Node {
    /// Makes a decision again. From the record it must come to the same outcome, kind, code, path,
    /// verdicts and answer; what waits or waited for a person is made again up to the review. Of a
    /// stream what is kept of it is compared: its text, how it ended, and what the guards said of that
    /// text.
    ///
    /// # Errors
    /// If too little is kept of it, or the release cannot be built; see [`ReplayError`].
    pub async fn replay(self: &Arc<Self>, replay: Replay) -> Result<Replayed, ReplayError> {
        let Replay {
            decision,
            payload,
            live,
            under,
        } = replay;
        let recorded = self.whole(decision, payload)?;
        let decision = &recorded.decision;
        let release = under.unwrap_or(decision.release);
        let system = self.system_for_replay(&decision.system, release, live)?;
        let script = (!live).then(|| Script::read(&recorded)).transpose()?;
        let exchange = self.rehearsal(&recorded, &system, script);
        if live && exchange.stop.is_some() {
            exchange.close();
            return Err(ReplayError::Halted(decision.system.clone()));
        }
        let told = decide(exchange, recorded.item()).await;
        let played = played(told).await;
        let differences = differences(&recorded, &played, live);
        Ok(Replayed {
            decision: played.decision,
            answer: played.answer,
            differences,
        })
    }

    fn whole(&self, decision: Decision, payload: Option<Payload>) -> Result<Original, ReplayError> {
        if let Some(outcome @ (Outcome::Cancelled | Outcome::Failed)) = decision.outcome {
            return Err(ReplayError::Cut(outcome));
        }
        let release = decision.release;
        let served = self.served();
        let manifest = self.builder(&served).manifest(release)?;
        let manifest = manifest.ok_or_else(|| ReplayError::Missing {
            release,
            missing: vec![release.0],
        })?;
        match manifest.payloads {
            PayloadPolicy::Full => {}
            PayloadPolicy::Redacted => return Err(ReplayError::NotKept("redacted")),
            PayloadPolicy::None => return Err(ReplayError::NotKept("not at all")),
        }
        Ok(Original {
            payload: payload.ok_or(ReplayError::Gone)?,
            manifest,
            decision,
        })
    }

    /// What runs of `release`, or what is built of it for this.
    fn system_for_replay(
        &self,
        name: &SystemName,
        release: ReleaseId,
        live: bool,
    ) -> Result<Arc<Deployed>, ReplayError> {
        let fits = |deployed: &&Arc<Deployed>| deployed.deployment.release == release;
        let snapshot = self.snapshot.load();
        if let Some(running) = snapshot.running(name, release).filter(fits) {
            return Ok(Arc::clone(running));
        }
        let mut last = self.rehearsed.0.lock();
        if let Some((with_models, deployed)) = last.as_ref()
            && deployed.deployment.release == release
            && deployed.system.name == *name
            && (*with_models || !live)
        {
            return Ok(Arc::clone(deployed));
        }
        let deployed = self.build_for_replay(name, release, live)?;
        *last = Some((live, Arc::clone(&deployed)));
        Ok(deployed)
    }

    fn build_for_replay(
        &self,
        name: &SystemName,
        release: ReleaseId,
        live: bool,
    ) -> Result<Arc<Deployed>, ReplayError> {
        let served = self.served();
        let builder = self.builder(&served);
        let missing = builder.missing(release)?;
        let manifest = builder.manifest(release)?;
        let manifest = manifest.filter(|manifest| missing.is_empty() && manifest.system == *name);
        let Some(manifest) = manifest else {
            return Err(ReplayError::Missing { release, missing });
        };
        let system = match served.systems.get(name) {
            Some(system) => System {
                manifest,
                ..system.clone()
            },
            None => remembered(manifest),
        };
        let built = if live {
            builder.build(&system)
        } else {
            builder.build_without_models(&system)
        };
        let built = built.map_err(|error| ReplayError::Broken(error.to_string()))?;
        let event = builder.event(&system, &View::default(), release, DeploymentCause::Command);
        Ok(builder.deployed(&event, Arc::new(built)))
    }

    fn rehearsal(
        self: &Arc<Self>,
        recorded: &Original,
        system: &Arc<Deployed>,
        script: Option<Script>,
    ) -> Exchange {
        let decision = &recorded.decision;
        let caller = Arc::new(Caller::operator(decision.tenant.clone()));
        let envelope = Arc::new(Envelope {
            unit: decision.unit.clone(),
            ..Envelope::default()
        });
        let request = RequestId::new(self.clock.now());
        let snapshot = self.snapshot.load_full();
        let mut exchange = self.begin(&snapshot, system, &caller, (&envelope, request));
        exchange.decision.stream = decision.stream;
        if let Some(script) = &script {
            exchange.stop = script.stop();
        }
        exchange.rehearsal = Some(Box::new(Rehearsal { script }));
        exchange
    }
}

impl Original {
    /// Whether the system answers rows, or the variables of a prompt, rather than chat requests.
    fn is_of_rows(&self) -> bool {
        self.manifest.is_predictor() || self.manifest.prompt.is_some()
    }

    /// What was asked.
    fn item(&self) -> Item {
        use plimsoll_core::Code;
        use plimsoll_core::decision::Protocol;
        let input = &self.payload.input;
        let controls = &self.decision.controls;
        let contract = controls.iter().find(|record| record.control == "contract");
        let found = contract.and_then(|record| record.code);
        match found {
            Some(code) if input.is_null() && code != Code::ContractType => {
                return Item::Broken(crate::refusal::Refusal::plain(code));
            }
            _ => {}
        }
        let is_row = match self.is_of_rows() {
            true => found != Some(Code::PromptVariables),
            false => self.decision.protocol == Protocol::Oip,
        };
        if is_row {
            return Item::Row(input.clone());
        }
        let body = Bytes::from(input.to_string());
        Item::Chat(match self.decision.protocol {
            Protocol::OpenaiChat => openai_chat::kept_item(body),
            Protocol::Decisions | Protocol::Oip | Protocol::File => ChatItem::plain(body),
        })
    }
}

/// A system that the workspace does not have any more, as far as its manifest tells.
fn remembered(manifest: Manifest) -> System {
    let defaults = Stakes::Low.defaults();
    System {
        name: manifest.system.clone(),
        purpose: String::new(),
        stakes: Stakes::Low,
        unit: "decision".to_owned(),
        owner: Owner {
            team: None,
            contact: None,
            on_call: None,
            runbook: None,
        },
        bar: BarSpec {
            availability: defaults.availability,
            drill_age: defaults.drill_age,
            runbook_age: defaults.drill_age,
            quality: std::collections::BTreeMap::new(),
            cost_per_unit: None,
            price_age: None,
        },
        quality: None,
        deploy: DeployPolicy::OnApproval,
        manifest,
        runbook: None,
    }
}

/// What came of it; a stream is read to its end.
async fn played(told: Told) -> Played {
    let Told { decision, body } = told;
    let (decision, answer, waits) = match body {
        Body::Answer(answer) => (decision, Some(answer), false),
        Body::Refused(_) => (decision, None, false),
        Body::Waiting(waiting) => (decision, waiting.meanwhile.map(Answer::given), true),
        Body::Stream(telling) => match telling.rehearse().await {
            Some((decision, content)) => {
                let events = Vec::new();
                (decision, Some(Answer::Buffered { events, content }), false)
            }
            None => (decision, None, false),
        },
    };
    Played {
        output: answer.as_ref().map_or(Value::Null, crate::payload::output),
        answer: answer.map(|answer| answer.value()),
        decision: *decision,
        waits,
    }
}
