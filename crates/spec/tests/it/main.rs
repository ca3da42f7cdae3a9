//! The workspace language from the outside: what loads, and what is said of what does not.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what fails here fails the test"
)]

mod access;
mod design;
mod folder;
mod guards;
mod identity;
mod limits;
mod mangled;
mod operators;
mod policies;
mod problems;
mod reference;
mod retention;
mod secrets;
mod settings;
mod watching;
