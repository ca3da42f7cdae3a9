//! Identify: who is asking. Who cannot be identified gets no decision, is refused and counted.

use std::sync::Arc;

use http::HeaderMap;
use plimsoll_core::Code;

use crate::caller::Caller;
use crate::refusal::Refusal;
use crate::snapshot::Snapshot;

/// The caller behind the key in `Authorization: Bearer …`, `x-api-key` or `api-key`.
pub(crate) fn identify(snapshot: &Snapshot, headers: &HeaderMap) -> Result<Arc<Caller>, Refusal> {
    if snapshot.keys.is_empty() {
        return Ok(Arc::clone(snapshot.keys.anonymous()));
    }
    let presented = presented(headers).ok_or_else(|| {
        let message = "no key was sent: send `Authorization: Bearer KEY`";
        Refusal::new(Code::Unauthenticated, message)
    })?;
    let caller = snapshot.keys.find(presented).cloned();
    caller.ok_or_else(|| Refusal::new(Code::Unauthenticated, "the key is not known"))
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
