//! Calling models: one folder per protocol.
//!
//! A model is anything that answers: a provider's language model ([`openai`]), an HTTP predictor
//! ([`http`]), an ONNX file in process ([`onnx`]) or a table of rules ([`rules`]). Each turns what
//! it is asked into an answer or a [`ModelError`] with a code of the one table in `core`. What
//! follows from a failure (a retry, a ladder, a budget) is decided elsewhere: this crate knows
//! nothing of policy and keeps nothing.

pub mod error;
pub mod reply;
pub mod timers;

pub mod transport;

pub mod http;
pub mod onnx;
pub mod openai;
pub mod rules;

pub mod model;

mod status;
mod worker;

pub use error::ModelError;
pub use http::HttpModel;
pub use model::{BuildContext, BuildError, Model};
pub use onnx::{OnnxError, OnnxModel, OnnxRuntime, OnnxSearch};
pub use openai::{ChatReply, ChatStream, OpenaiModel, StreamEvent};
pub use reply::Reply;
pub use rules::RulesModel;
pub use timers::Timers;
pub use transport::{Transport, TransportConfig};
