//! The binary, from outside: what is typed, what is printed, how it exits.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what helps tests fails like a test"
)]

mod commands;
mod costs;
mod datasets;
mod drift;
mod evals;
mod keys;
mod people;
mod policies;
mod quality;
mod running;
mod serving;
mod watching;
