//! The store from outside: its ports, its projection, its figures, its files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

#[macro_use]
mod engines;

mod alarms;
mod backup;
mod bar;
mod conformance;
mod decisions;
mod deployments;
mod erasure;
mod export;
mod fixtures;
mod governance;
mod labels;
mod migrations;
mod nodes;
mod opening;
mod postgres;
mod projection;
mod releases;
mod reviews;
mod rollups;
