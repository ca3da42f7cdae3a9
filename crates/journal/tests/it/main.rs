//! Tests of the journal from outside: what it keeps, and through what.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy knows tests by their attribute, not what stands beside them"
)]

mod append;
mod crash;
mod damage;
mod faults;
mod kill;
mod orphans;
mod payloads;
mod retention;
mod rotation;
mod sample;
mod support;
