//! Parity with other implementations, and what detectors promise, in simulation.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should panic"
)]

mod car_loan;
mod detectors;
mod drift;
mod evaluation;
mod false_alarms;
mod support;
