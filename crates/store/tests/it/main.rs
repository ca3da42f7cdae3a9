//! The store from outside: its ports, its projection, its figures, its files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod bar;
mod conformance;
mod decisions;
mod export;
mod fixtures;
mod migrations;
mod opening;
mod projection;
mod releases;
mod reviews;
