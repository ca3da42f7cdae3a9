//! Tests of the journal from outside: what it keeps, and through what.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy knows tests by their attribute, not what stands beside them"
)]

mod append;
mod audit_crash;
mod audit_log;
mod audit_sample;
mod audit_verify;
mod backup;
mod crash;
mod cut;
mod damage;
mod erase;
mod faults;
mod first_version;
mod kill;
mod orphans;
mod payloads;
mod retention;
mod rotation;
mod sample;
mod support;
