//! `plimsoll simulate`: a provider that misbehaves as told, until interrupted.

use std::time::Duration;

use anyhow::Context as _;
use plimsoll_sim::{Script, SimConfig, SimError, Simulator};
use serde_json::json;

use crate::cli::SimulateArgs;
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::Output;

/// Runs until SIGINT or SIGTERM.
pub(crate) async fn run(args: SimulateArgs, out: Output) -> Outcome<Exit> {
    let config = SimConfig {
        address: args.address,
        script: script(&args)?,
        latency: Duration::from_millis(args.latency_ms),
        chunk_interval: Duration::from_millis(args.chunk_interval_ms),
        ..SimConfig::default()
    };
    let running = Simulator::start(config).await.map_err(|error| {
        let exit = if matches!(error, SimError::Listen { .. }) {
            Exit::Port
        } else {
            Exit::Usage
        };
        Failure::new(exit, error)
    })?;
    let (url, base) = (running.url(), running.base_url());
    out.show(&json!({"url": url, "base_url": base}), || {
        format!("simulated provider on {base} (predictor on {url}/predict); not a real model\n")
    })?;
    let kind = tokio::signal::unix::SignalKind::terminate();
    let mut terminate = tokio::signal::unix::signal(kind).or_exit(Exit::Internal)?;
    tokio::select! {
        told = tokio::signal::ctrl_c() => told.or_exit(Exit::Internal)?,
        _ = terminate.recv() => {}
    }
    running.stop().await;
    Ok(Exit::Yes)
}

fn script(args: &SimulateArgs) -> Outcome<Script> {
    let Some(path) = &args.script else {
        return Ok(Script::new());
    };
    let bytes = std::fs::read(path)
        .with_context(|| format!("the script could not be read from `{}`", path.display()))
        .or_exit(Exit::Usage)?;
    let is_json = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let script = if is_json {
        Script::from_json(&bytes)
    } else {
        Script::from_toml(&String::from_utf8_lossy(&bytes))
    };
    script.or_exit(Exit::Usage)
}
