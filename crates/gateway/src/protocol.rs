//! How callers speak. Each protocol decodes a call into items, lets [`crate::pipeline`] decide each,
//! and tells the results in its own shapes, refusals included.

pub(crate) mod body;
pub(crate) mod decisions;
pub(crate) mod labelling;
pub(crate) mod models;
pub(crate) mod oip;
pub(crate) mod oip_tensor;
pub(crate) mod openai_chat;
pub(crate) mod openai_shape;
pub(crate) mod polling;
pub(crate) mod rate_limits;
pub(crate) mod respond;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use plimsoll_core::RequestId;
use plimsoll_core::decision::{Protocol, StageTimes};

use crate::caller::Caller;
use crate::deployed::Deployed;
use crate::envelope::{Envelope, Patience};
use crate::exchange::{Beginning, Exchange, micros};
use crate::idempotency;
use crate::limiting::Standings;
use crate::node::Node;
use crate::refusal::Refusal;
use crate::snapshot::Snapshot;
use crate::stage::finish::{Body, Told};
use crate::stage::identify::identify;
use crate::stage::resolve::{Aim, Assignment, resolve};

/// One call by an identified caller, before it is split into decisions.
pub(crate) struct Call {
    pub(crate) node: Arc<Node>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) headers: HeaderMap,
    pub(crate) caller: Arc<Caller>,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) request: RequestId,
    /// The pseudonym of its idempotency key, once it was claimed.
    pub(crate) idempotency: Option<plimsoll_core::Digest>,
    /// Where the decisions that it makes under that key are noted.
    pub(crate) under_key: Option<Arc<idempotency::Entry>>,
    pub(crate) protocol: Protocol,
    /// How the limits stand, once a decision was let in.
    pub(crate) standings: Arc<Standings>,
    /// When it came, on the node's monotonic clock.
    pub(crate) called: Duration,
    stages: StageTimes,
}

impl Call {
    /// Identifies the caller and reads the headers.
    pub(crate) fn identify(
        node: &Arc<Node>,
        headers: HeaderMap,
        protocol: Protocol,
    ) -> Result<Self, Refusal> {
        let called = node.clock.elapsed();
        let snapshot = node.snapshot.load_full();
        let caller = identify(&snapshot, &headers, &*node.clock)?;
        let envelope = Arc::new(Envelope::read(&headers)?);
        let request = RequestId::new(node.clock.now());
        let identify = micros(node.clock.elapsed().saturating_sub(called));
        let stages = StageTimes {
            identify,
            ..StageTimes::default()
        };
        let node = Arc::clone(node);
        Ok(Self {
            node,
            snapshot,
            headers,
            caller,
            envelope,
            request,
            idempotency: None,
            under_key: None,
            protocol,
            standings: Arc::default(),
            called,
            stages,
        })
    }

    /// The system of this name that the caller may use.
    pub(crate) fn resolve(&mut self, name: &str) -> Result<Arc<Deployed>, Refusal> {
        let since = self.node.clock.elapsed();
        let or_default = self.protocol == Protocol::OpenaiChat;
        let system = self.find(name, or_default, Aim::Assigned);
        self.stages.resolve = micros(self.node.clock.elapsed().saturating_sub(since));
        system
    }

    /// The system of this name as most requests get it, for a caller who looks at it and asks nothing.
    pub(crate) fn look_at(&self, name: &str) -> Result<Arc<Deployed>, Refusal> {
        self.find(name, false, Aim::Stable)
    }

    fn find(&self, name: &str, or_default: bool, aim: Aim) -> Result<Arc<Deployed>, Refusal> {
        let assignment = Assignment {
            aim,
            envelope: &self.envelope,
            request: self.request,
        };
        resolve(&self.snapshot, &self.caller, name, or_default, &assignment)
    }

    /// Opens the decision about row `row`.
    pub(crate) fn begin(&self, system: &Arc<Deployed>, row: u32) -> Exchange {
        let mut exchange = Exchange::begin(&Beginning {
            node: &self.node,
            snapshot: &self.snapshot,
            system,
            caller: &self.caller,
            envelope: &self.envelope,
            request: self.request,
            idempotency: self.idempotency,
            row,
            protocol: self.protocol,
            called: self.called,
            stages: self.stages,
        });
        exchange.standings = Some(Arc::clone(&self.standings));
        if let Some(entry) = &self.under_key {
            entry.note(exchange.decision.id);
        }
        exchange
    }

    /// For a decision that waits for a person: holds the caller as long as it asked for.
    pub(crate) async fn patiently(&self, told: Told) -> Told {
        match (&told.body, self.envelope.patience) {
            (Body::Waiting(_), Patience::Wait(patience)) => {
                polling::wait_for_person(&self.node, told, patience).await
            }
            _ => told,
        }
    }
}
