//! A simulated provider that misbehaves as told.
//!
//! It speaks the OpenAI protocol (`/v1/chat/completions` plain and streaming, `/v1/models`,
//! `/v1/embeddings`) and a plain JSON predictor (`/predict`) over real sockets. Its answers are derived
//! from a hash of what is asked, so that equal requests have equal answers; a [`Script`] says which
//! requests meet a [`Fault`] instead. Drills, tests, benchmarks and `plimsoll simulate` use it.
//!
//! Invariants: it never pretends to be a real model (each response carries `x-plimsoll-simulator: 1`),
//! it never calls out, and without a matching rule it answers at once.
//!
//! ```no_run
//! # async fn example() -> Result<(), plimsoll_sim::SimError> {
//! use plimsoll_sim::{Fault, Rule, Script, SimConfig, Simulator};
//!
//! let script = Script::new().rule(Rule::always(Fault::Reset).first(2));
//! let running = Simulator::start(SimConfig { script, ..SimConfig::default() }).await?;
//! let base_url = running.base_url(); // "http://127.0.0.1:40123/v1"
//! # drop(base_url);
//! running.stop().await;
//! # Ok(())
//! # }
//! ```

mod script;

mod answer;
mod chat;
mod embeddings;
mod predict;
mod sample;

mod fault;
mod response;
mod steps;

mod ledger;
mod route;
mod server;
mod wire;

pub use ledger::{Ledger, ModelLedger, Seen};
pub use script::{ErrorBody, Fault, Match, Rule, Script, ScriptError};
pub use server::{Running, SimConfig, SimError, Simulator};

/// The header that every response of the simulator carries, so that nobody takes it for a real model.
pub const SIMULATOR_HEADER: &str = "x-plimsoll-simulator";
