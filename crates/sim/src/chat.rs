//! `/v1/chat/completions`: from the request to a reply, which is then written plain or as a stream.

mod plain;
mod reply;
mod request;
mod stream;

pub(crate) use plain::write as write_plain;
pub(crate) use reply::{Reply, Twist};
pub(crate) use request::ChatRequest;
pub(crate) use stream::{Pace, write as write_stream};

/// The moment that every answer claims to be made at: answers are the same each time.
const CREATED: u64 = 1_700_000_000;
