//! Evals, pure: what a system should answer, how its answers are scored, and what follows from the scores.
//!
//! In the order in which it is met: [`case`](mod@case) has the cases of a set and all that can be wrong
//! with them, [`answer`] what a system said to one, [`scorer`] how that is scored, [`judge`] how a model is
//! asked to score it, [`run`] the lines that a run leaves. [`report`] makes figures and verdicts of them,
//! [`compare`] holds two runs against each other, [`calibration`] says what a judge is worth. [`dataset`] makes
//! cases of decisions that people and the world have judged.
//!
//! What always holds: a case that could not be scored is named and counted, never left out in silence, and
//! never a NaN in a total. A verdict that the unscored cases could overturn is no verdict.

pub mod answer;
pub mod case;
pub mod dataset;
pub mod member;
pub mod run;

pub mod judge;
pub mod scorer;

pub mod calibration;
pub mod compare;
pub mod figure;
pub mod report;
pub mod truth;
