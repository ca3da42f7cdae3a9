//! The log: structured lines on standard error, as `[log]` says. No line holds a prompt, a secret or
//! a payload: those who log see to it.

use plimsoll_spec::{LogConfig, LogFormat};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

/// Starts the log of this process. The libraries' own lines are shown from `warn` on.
pub(crate) fn start(config: LogConfig) {
    let level: LevelFilter = config.level.as_str().parse().unwrap_or(LevelFilter::INFO);
    let theirs = level.min(LevelFilter::WARN);
    let filter = tracing_subscriber::filter::Targets::new()
        .with_default(theirs)
        .with_target("plimsoll", level);
    let filter = CRATES
        .iter()
        .fold(filter, |filter, name| filter.with_target(*name, level));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match config.format {
        LogFormat::Text => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines
                .with_ansi(colour)
                .with_target(false)
                .with_filter(filter)
                .boxed()
        }
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    // A second log in one process is a test's; the first goes on.
    Registry::default().with(lines).try_init().ok();
}

const CRATES: [&str; 7] = [
    "plimsoll_gateway",
    "plimsoll_journal",
    "plimsoll_store",
    "plimsoll_models",
    "plimsoll_console",
    "plimsoll_control",
    "plimsoll_spec",
];
