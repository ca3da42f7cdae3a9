//! The data plane through its sockets: a real journal, a real store, and a simulated provider.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

mod canaries;
mod chat;
mod contracts;
mod drills;
mod erasures;
mod guards;
mod halts;
mod idempotency;
mod keys;
mod labels;
mod ladder;
mod ledger;
mod lengths;
mod limits;
mod oip;
mod peers;
mod releases;
mod replays;
mod reviews;
mod spotlight;
mod streams;
mod tools;
