//! `last_good`: an earlier cleared answer to the same input, of the same tenant and system.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::ladder::Step;
use plimsoll_core::{Code, DecisionId, Timestamp};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::answer::{Answer, Request};
use crate::deployed::Deployed;
use crate::exchange::Open;
use crate::failure::Failure;
use crate::stage::screen::Screened;

/// Answers older than this are not good any more.
const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How many bytes of answers are held.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Earlier answers, by a digest of tenant, system and input. The least used go first.
pub(crate) struct LastGood(moka::sync::Cache<[u8; 32], Arc<Held>>);

struct Held {
    value: Value,
    bytes: u32,
    at: Timestamp,
    /// The decision that it was given in.
    decision: DecisionId,
}

impl LastGood {
    pub(crate) fn new() -> Self {
        let weigh = |_: &[u8; 32], held: &Arc<Held>| held.bytes;
        let cache = moka::sync::Cache::builder()
            .max_capacity(BYTES_MAX)
            .weigher(weigh);
        Self(cache.time_to_live(AGE_MAX).build())
    }

    /// Drops the answers that were given in these decisions.
    pub(crate) fn forget(&self, decisions: &BTreeSet<DecisionId>) {
        for (key, held) in &self.0 {
            if decisions.contains(&held.decision) {
                self.0.invalidate(&*key);
            }
        }
    }
}

/// Whether a ladder of `system` may ask for earlier answers, so that they are worth holding.
fn is_used_by(system: &Deployed) -> bool {
    let mut ladders = system.manifest().ladders.iter();
    ladders.any(|(_, ladder)| ladder.steps.contains(&Step::LastGood))
}

/// Holds a cleared answer.
pub(crate) fn remember(ex: &Open, request: &Screened<Request>, answer: &Answer) {
    let is_kept = is_used_by(&ex.system) && !ex.is_rehearsal();
    if !is_kept || matches!(answer, Answer::Stream(_)) {
        return;
    }
    let value = answer.value();
    let bytes = u32::try_from(value.to_string().len() + 64).unwrap_or(u32::MAX);
    let held = Held {
        value,
        bytes,
        at: ex.now(),
        decision: ex.decision.id,
    };
    ex.node.last_good.0.insert(key(ex, request), Arc::new(held));
}

/// The earlier answer to the same input, with its age in the record.
pub(crate) fn recall(ex: &mut Open, request: &Screened<Request>) -> Result<Answer, Failure> {
    if let Some(rehearsal) = &ex.rehearsal
        && let Some(recalled) = rehearsal.recalled(&ex.decision.path)
    {
        let (value, age) = recalled?;
        ex.decision.answer_age_ms = Some(age);
        return Ok(Answer::given(value));
    }
    let held = ex.node.last_good.0.get(&key(ex, request));
    let held = held.ok_or_else(|| Failure::plain(Code::LastGoodMissing))?;
    let age = ex.now().since(held.at);
    ex.decision.answer_age_ms = Some(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    Ok(Answer::given(held.value.clone()))
}

fn key(ex: &Open, request: &Screened<Request>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [ex.decision.tenant.as_str(), ex.decision.system.as_str()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    match request.get() {
        Request::Row(value)
        | Request::Prompt {
            variables: value, ..
        } => {
            hash.update(value.to_string());
        }
        Request::Chat(item) => hash.update(&item.body),
    }
    hash.finalize().into()
}
