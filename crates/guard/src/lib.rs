//! Contracts and detectors, pure: no IO, no clock, no async.
//!
//! The modules in the order in which a request meets them: [`frame`] says whether bytes are JSON
//! that all parsers read alike, [`splice`] changes named members and no other byte, [`contract`]
//! says whether a row is fit to be asked, [`expr`] evaluates the operator's own rules,
//! [`rules`] answers by a table of them, [`phrases`] finds what may not be said, and [`redact`]
//! keeps the shape of a payload without its texts.

pub mod frame;
pub mod splice;

pub mod contract;
pub mod expr;
pub mod rules;

pub mod finding;
pub mod policy;

pub mod phrases;
pub mod redact;
pub mod repair;
pub mod secrets;

mod names;
