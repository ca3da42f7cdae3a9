//! Tests of the journal from outside: what it keeps, and through what.

mod append;
mod crash;
mod damage;
mod faults;
mod kill;
mod orphans;
mod payloads;
mod retention;
mod rotation;
mod sample;
mod support;
