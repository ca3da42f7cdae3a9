//! The store from outside: its ports, its projection, its figures, its files.

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
