//! The simulator as it is used for measuring: it remembers nothing and answers at once.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use plimsoll_sim::{SimConfig, Simulator};

/// How to run the simulator.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where to listen.
    #[arg(value_parser = crate::loopback)]
    listen: SocketAddr,
    /// How long each answer takes to begin.
    #[arg(long, default_value = "0ms", value_parser = crate::duration)]
    latency: Duration,
    /// How long between the chunks of a stream.
    #[arg(long, default_value = "1ms", value_parser = crate::duration)]
    chunk_interval: Duration,
}

/// Serves until the process is ended.
pub(crate) async fn run(options: Options) -> anyhow::Result<bool> {
    let config = SimConfig {
        address: options.listen,
        latency: options.latency,
        chunk_interval: options.chunk_interval,
        remember: 0,
        ..SimConfig::default()
    };
    Simulator::start(config).await?.wait().await;
    Ok(true)
}
