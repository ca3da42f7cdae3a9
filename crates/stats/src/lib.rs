//! Statistics, pure: no IO, no clock, no randomness, no async.
//!
//! What it is for, in the order in which it is met: [`drift`] compares two windows of a column,
//! [`stream`] does so while rows arrive, from a reference of a few kilobytes, and [`text`] says what is counted of a text; [`change`] watches a stream
//! of badness and says when it became worse, with a stated mean time between false alarms; [`estimate`]
//! says how well a model does before the truth is known, [`metrics`] after; [`proportion`] and
//! [`comparison`] say how sure that is, [`verdict`] whether it is good enough, [`multiple`] keeps many tests honest, [`agreement`] and
//! [`judged`] say what a judge is worth. [`special`] has the distributions beneath.
//!
//! What always holds: a figure is finite. What cannot be computed (nothing there, one class, NaN among the
//! values) is an [`Unusable`] or a `None` that says so.

pub mod special;

pub mod drift;
pub mod stream;
pub mod text;

pub mod change;
pub mod estimate;
pub mod metrics;

pub mod agreement;
pub mod comparison;
pub mod judged;
pub mod multiple;
pub mod proportion;
pub mod verdict;

mod unusable;

pub use unusable::{Result, Unusable};
