//! Reading a body: bounded in bytes and time, before anything looks into it.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use plimsoll_core::Code;

use crate::refusal::Refusal;

/// Reads the whole body.
pub(crate) async fn read(
    body: Incoming,
    bytes_max: usize,
    timeout: Duration,
) -> Result<Bytes, Refusal> {
    let announced = body.size_hint().exact();
    if announced.is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(too_large(bytes_max));
    }
    let collected = tokio::time::timeout(timeout, Limited::new(body, bytes_max).collect());
    match collected.await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => {
            Err(too_large(bytes_max))
        }
        Ok(Err(error)) => Err(incomplete(&*error)),
        Err(_) => {
            let message = format!("the body did not arrive within {} s", timeout.as_secs_f32());
            Err(Refusal::new(Code::BodyTimeout, message))
        }
    }
}

fn too_large(bytes_max: usize) -> Refusal {
    let message = format!("the body is larger than the limit of {bytes_max} bytes");
    Refusal::new(Code::BodyTooLarge, message)
}

fn incomplete(error: &(dyn Error + 'static)) -> Refusal {
    tracing::debug!(%error, "a body ended before it was whole");
    Refusal::plain(Code::BodyIncomplete)
}
