//! The data plane through its sockets: a real journal, a real store, and a simulated provider.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

mod chat;
mod contracts;
mod drills;
mod idempotency;
mod keys;
mod ladder;
mod oip;
mod releases;
mod reviews;
mod streams;
