//! The simulator over real sockets: what a caller sees of each answer and each fault.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod caller;

mod answers;
mod control;
mod faults;
mod guide;
mod streams;
