//! Identify: who is asking. Who cannot be identified gets no decision, is refused and counted.

use std::sync::Arc;

use http::HeaderMap;
use plimsoll_core::{Clock, Code};

use crate::caller::{Caller, NotLetIn};
use crate::refusal::Refusal;
use crate::snapshot::Snapshot;

/// The caller behind the key in `Authorization: Bearer …`, `x-api-key` or `api-key`.
pub(crate) fn identify(
    snapshot: &Snapshot,
    headers: &HeaderMap,
    clock: &dyn Clock,
) -> Result<Arc<Caller>, Refusal> {
    if let Some(anonymous) = snapshot.keys.open_to() {
        return Ok(Arc::clone(anonymous));
    }
    let refused = |message: &str| Refusal::new(Code::Unauthenticated, message);
    let presented = presented(headers)
        .ok_or_else(|| refused("no key was sent: send `Authorization: Bearer KEY`"))?;
    let found = snapshot.keys.find(presented, || clock.now());
    found.map_err(|not_let_in| match not_let_in {
        NotLetIn::Unknown => refused("the key is not known"),
        NotLetIn::Expired => refused("the key's time is over: ask for a new one"),
        NotLetIn::Elsewhere(environment) => refused(&format!(
            "the key is good in environment `{environment}` only"
        )),
    })
}

fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(value) = headers.get(http::header::AUTHORIZATION) {
        let value = value.as_bytes();
        let (scheme, key) = value.split_at_checked(7)?;
        return scheme
            .eq_ignore_ascii_case(b"bearer ")
            .then_some(key.trim_ascii());
    }
    let value = headers
        .get("x-api-key")
        .or_else(|| headers.get("api-key"))?;
    Some(value.as_bytes())
}
