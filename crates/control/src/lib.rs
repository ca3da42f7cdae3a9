//! What stands around the data plane and judges it: the bar, drills, runbooks, and how a decision is
//! explained to people.
//!
//! Everything here is pure: figures, records and the time go in; judgements and text come out. What
//! talks to a node or a database is in `plimsoll-console` and in the binary.

pub mod bar;
pub mod cost;
pub mod diff;
pub mod drift;
pub mod drill;
pub mod eval;
pub mod explain;
pub mod figures;
pub mod paint;
pub mod runbook;
pub mod table;
pub mod watch;

mod markup;
