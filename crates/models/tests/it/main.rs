//! Models asked over real sockets and through the real ONNX Runtime.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing test is told by a panic; clippy knows only #[test] functions as tests"
)]

mod server;

mod chat;
mod http;
mod onnx;
mod stream;
mod transport;
