//! The stages of a request, in their order; [`crate::pipeline`] strings them together.

pub(crate) mod identify;
pub(crate) mod resolve;

pub(crate) mod admit;
pub(crate) mod screen;

pub(crate) mod answer;
pub(crate) mod clear;

pub(crate) mod finish;
